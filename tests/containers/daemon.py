"""A Docker daemon in a corner of the machine, and a registry with a password on the corner's loopback."""

from __future__ import annotations

import re
import time
from pathlib import Path
from subprocess import Popen

from corner import Corner, RefusedError

DOCKER = "/usr/bin/docker"  # of Debian's docker.io: it brings BuildKit's client, as newer ones elsewhere do not
PROGRAMS = (DOCKER, "dockerd", "docker-registry", "iptables")
GATEWAY = "172.30.0.1"  # where containers reach what listens in the corner
REGISTRY = "127.0.0.1:5000"
DEAD_REGISTRY = "127.0.0.1:5001"  # nobody listens there
USER, PASSWORD = "bench", "pass word$(id)"
# htpasswd's line for them, since neither Python nor Debian's base computes one: bcrypt with 16 rounds.
LOGIN = "bench:$2y$04$abcdefghijklmnopqrstuudDlU99.688Rk2ZXK5Nbnq0ZPYEL.YnW"
REFUSED = re.compile(r"not permitted|permission denied|not supported", re.IGNORECASE)
PATIENCE = 60  # seconds

SETTINGS = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: {address}}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
"""


def start_daemon(made: Corner) -> str:
    """Starts dockerd; returns its address for DOCKER_HOST.

    Raises:
        RefusedError: If the machine does not allow what a daemon needs.
    """
    socket = made.folder / "docker.sock"
    options = {
        "--host": f"unix://{socket}",
        "--data-root": made.disk / "docker",
        "--exec-root": made.disk / "exec",
        "--pidfile": made.disk / "docker.pid",
        "--storage-driver": "overlay2",
        "--bip": f"{GATEWAY}/16",
        "--insecure-registry": REGISTRY,
        "--cgroup-parent": f"/{made.folder.name}",
    }
    server = made.start("dockerd", *(word for option in options.items() for word in option))
    _wait(server, made.folder / "dockerd.log", "API listen on")
    return f"unix://{socket}"


def start_registry(made: Corner) -> None:
    """Starts the registry at REGISTRY."""
    settings = SETTINGS.format(folder=made.disk, address=REGISTRY)
    made.must(
        "sh", "-c", 'printf %s "$1" > "$3/registry.yml"; echo "$2" > "$3/htpasswd"', "sh", settings, LOGIN, made.disk
    )
    server = made.start("docker-registry", "serve", made.disk / "registry.yml")
    _wait(server, made.folder / "docker-registry.log", "listening on")


def _wait(server: Popen[bytes], log: Path, told: str) -> None:
    """Waits until a server says that it serves."""
    end = time.monotonic() + PATIENCE
    while told not in (text := log.read_text(errors="replace")):
        last = " ".join(text.splitlines()[-1:])
        if server.poll() is not None and REFUSED.search(last):
            raise RefusedError(f"{log.stem} ends: {last}")
        assert server.poll() is None, f"{log.stem} must start; it ended: {text[-2000:]}"
        assert time.monotonic() < end, f"{log.stem} must start within {PATIENCE} s: {text[-2000:]}"
        time.sleep(0.1)
