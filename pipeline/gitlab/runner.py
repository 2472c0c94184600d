"""The config.toml of GitLab Runner for a GPU machine, rendered from `runners` in benchmark.yml."""

from __future__ import annotations

from string import Template

from metric_robustness.pipeline.config import Runner

HEAD = Template("""\
# A machine with $count $title ($memory GB each): one runner per GPU, so that a GPU works on one job at a time.
# All runners are tagged $tag; tags live on the server, see docker/runner/README.md.
# Replace the addresses, GROUP/PROJECT and the tokens, then copy the file to /etc/gitlab-runner/config.toml.
concurrent = $count
check_interval = 5
""")
BLOCK = Template("""
[[runners]]
  name = "$tag-$index"
  url = "https://gitlab.example.org"
  token = "TOKEN-OF-RUNNER-$index"
  executor = "docker"
  limit = 1
  [runners.docker]
    image = "registry.example.org/GROUP/PROJECT:none"  # every job names its own
    allowed_images = ["registry.example.org/GROUP/PROJECT@sha256:*", "registry.example.org/GROUP/PROJECT:*"]
    pull_policy = ["if-not-present"]  # an image named by its digest never changes
    gpus = "device=$index"
    privileged = false
    security_opt = ["no-new-privileges:true"]
    memory = "${host_memory}g"
    shm_size = 2147483648
    volumes = ["/srv/metric-robustness/data:/data:ro", "/srv/metric-robustness/weights:/weights:ro", "/cache"]
""")


def runner_configuration(tag: str, runner: Runner) -> str:
    """Returns the text of config.toml for one machine with GPUs of a kind.

    Args:
        tag: The kind's name in benchmark.yml, which is the runners' tag.
        runner: The kind.
    """
    facts = {
        "tag": tag,
        "title": runner.title or tag,
        "count": runner.per_machine,
        "memory": runner.memory,
        "host_memory": runner.host_memory,
    }
    blocks = [BLOCK.substitute(facts, index=index) for index in range(runner.per_machine)]
    return HEAD.substitute(facts) + "".join(blocks)
