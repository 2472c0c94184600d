"""The job image for real: built by Docker's SDK and by BuildKit, pushed, pulled, and run.

What a daemon cannot be made to show, tests/gitlab/test_image.py shows with a small engine of its own.
"""

from __future__ import annotations

import json
import signal
import time

import pytest
from daemon import DEAD_REGISTRY, PASSWORD, REGISTRY, USER
from package_index import FEW, enough_for_cells

SMOKE = ["--attacks", "fgsm", "--preset", "smoke", "--out"]


@pytest.fixture(scope="module")
def small(new_checkout):
    """Returns a checkout whose image has no torch, which the last step of the Dockerfile looks for."""
    return new_checkout(FEW)


@pytest.fixture(scope="module")
def whole(new_checkout):
    """Returns a checkout whose image has what cells need."""
    checkout = new_checkout(enough_for_cells())
    checkout.edit_dockerfile("cv2, pyiqa, torch, torchvision", "cv2, torch")
    return checkout


@pytest.fixture(scope="module")
def built(small):
    """Returns the image that Docker's SDK built."""
    small.edit_dockerfile('RUN python3 -c "import os, cv2.*?"\n', "")
    done = small.build()
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "Step 1/" in done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def pushed(whole):
    """Returns the image by its digest, which jobs have missed, built with BuildKit and pushed."""
    asked = whole.ask_registry()
    assert asked.returncode == 0, asked.stderr
    assert whole.written("status.env")["IMAGE_MISSING"] == "yes"
    done = whole.build_in_job()
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return whole.written("image.env")["IMAGE"]


@pytest.fixture(scope="module")
def in_pulled(whole, pushed):
    """Returns the words that run a command in that image, which now comes from the registry alone."""
    whole.docker("image", "prune", "--all", "--force")
    whole.docker("builder", "prune", "--all", "--force")
    assert whole.docker("images", "--quiet") == ""
    login = 'printf %s "$3" | docker login --username "$2" --password-stdin "$1"'
    whole.corner.must("sh", "-c", login, "sh", REGISTRY, USER, PASSWORD, **whole.environment)
    whole.docker("pull", pushed)
    return ["run", "--gpus", "none", "--image", pushed, "--"]


# built by Docker's SDK


def test_failing_step_is_named_and_leaves_no_container(small):
    done = small.build()
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: image metric-robustness:{small.tag} cannot be built (Step ")
    assert "import os, cv2" in last
    assert last.endswith("it ended with 1, see above")
    assert "ModuleNotFoundError: No module named 'cv2'" in done.stderr.splitlines()
    assert small.containers() == []


def test_image_has_its_tag_user_and_labels(small, built):
    assert built == f"metric-robustness:{small.tag}"
    config = json.loads(small.docker("image", "inspect", built))[0]["Config"]
    assert config["User"] == "1000:1000"
    assert f"METRIC_ROBUSTNESS_IMAGE={small.tag}" in config["Env"]
    assert config["Labels"]["org.opencontainers.image.version"] == small.tag
    assert len(config["Labels"]["org.opencontainers.image.revision"]) == 40
    assert config["Labels"]["metric-robustness.variant"] == "cpu"
    assert not config["Entrypoint"]


@pytest.mark.parametrize("user", ["1000:1000", "4711:4711"])
def test_any_user_has_a_home_and_reads_data_and_weights(small, built, user):
    program = "touch ~/x ~/.cache/x && ls /data /weights/torch ~/.cache/clip/ && python -c 'import numpy' && id --user"
    said = small.docker("run", "--rm", "--network=none", "--user", user, built, "sh", "-c", program)
    assert said.splitlines()[-1] == user.partition(":")[0]


@pytest.mark.parametrize(("what", "code"), [("attacks", 0), ("nothing", 2)])
def test_exit_code_and_both_streams_come_out(small, built, what, code):
    done = small.image("run", "--gpus", "none", "--image", built, "--", "list", what, "--json")
    assert done.returncode == code, done.stderr
    assert done.stderr == "" if code == 0 else "'nothing' is not one of" in done.stderr
    assert "fgsm" in [row["name"] for row in json.loads(done.stdout)] if code == 0 else done.stdout == ""
    assert small.containers() == []


def test_machine_without_gpu_is_told(small, built):
    done = small.image("run", "--image", built, "--", "list", "attacks")
    assert done.returncode == 2
    assert "could not select device driver" in done.stderr
    assert small.containers() == []


def test_missing_image_is_named(small):
    done = small.image("run", "--gpus", "none", "--", "doctor")
    assert done.returncode == 2
    assert "No such image: metric-robustness:cuda-" in done.stderr


# built by BuildKit in a job, and pushed to a registry


def test_registry_tells_the_digest_of_what_was_pushed(whole, pushed):
    asked = whole.ask_registry()
    assert asked.returncode == 0, asked.stderr
    found = whole.written("status.env")
    assert (found["IMAGE"], found["IMAGE_MISSING"]) == (pushed, "no")


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        ({"CI_REGISTRY_PASSWORD": "wrong"}, 2, f"must let {USER} read {REGISTRY}/group/project; got 401"),
        ({"CI_REGISTRY": DEAD_REGISTRY}, 75, f"registry {DEAD_REGISTRY} must answer"),
    ],
)
def test_registry_that_refuses_or_is_down_is_told_and_gets_nothing(whole, pushed, fault, code, told):
    asked = whole.ask_registry(**fault)
    assert asked.returncode == code
    assert told in " ".join(asked.stderr.split())
    done = whole.build_in_job(**fault)
    assert done.returncode != 0
    assert not (whole.tree.root / "image.env").exists()
    assert PASSWORD not in done.stdout + done.stderr


# pulled by its digest


def test_doctor_runs_in_it(whole, in_pulled):
    done = whole.image(*in_pulled, "doctor", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["torch"].endswith("+cpu")
    assert found["python"].startswith("3.11.")
    assert found["commit"] != "not a git checkout"
    assert whole.containers() == []


def test_smoke_run_in_it_leaves_what_a_run_leaves(whole, in_pulled, tmp_path):
    done = whole.image(*in_pulled, "run", "--metrics", "brightness", *SMOKE, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "scores.csv").is_file()
    stamps = [json.loads(file.read_text()) for file in (tmp_path / "out").rglob("*.json")]
    assert [stamp["machine"]["image"] for stamp in stamps if "machine" in stamp] == [whole.tag]
    assert whole.containers() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_or_sigterm_removes_the_container(whole, in_pulled, tmp_path, number, code):
    words = ["image", *in_pulled, "run", "--metrics", "slow", *SMOKE, tmp_path / "out"]
    child = whole.tree.start(*words, **whole.environment)
    end = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*")):  # until the command is at work
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < end
        time.sleep(0.2)
    assert len(whole.containers()) == 1
    child.send_signal(number)
    _, told = child.communicate(timeout=60)
    assert child.returncode == code, told
    assert "Traceback" not in told
    assert whole.containers() == []
