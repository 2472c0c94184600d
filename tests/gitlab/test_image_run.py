"""What Docker's own client sends for running in the job image."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from docker_engine import STDERR, STDOUT
from scratch import ROOT

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.gitlab.image import build, image_tag, run


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
