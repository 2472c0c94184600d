"""A daemon, a registry, packages and a base image: made once, in a corner of the machine, and gone with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import corner as corners
import daemon
import pytest
from corner import Corner, RefusedError, corner
from debian_base import make_base
from image_checkout import ImageCheckout, write_checkout
from package_index import lock_with_cpu_torch, serve_packages

PROGRAMS = (*corners.PROGRAMS, *daemon.PROGRAMS, "debootstrap", "git")


@pytest.fixture(scope="session")
def machine() -> None:
    """Skips the tests where nobody asked for a daemon, or where this machine does not allow one."""
    if os.environ.get("PART") != "containers":
        pytest.skip("containers run by make test PART=containers")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("containers need root on Linux")
    allowed = subprocess.run(["unshare", *corners.NAMESPACES, "--fork", "true"], capture_output=True, check=False)
    if allowed.returncode != 0:
        _skip(allowed.stderr.decode().strip())
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        pytest.fail(f"containers need {', '.join(absent)}: install what Debian has of them, and see why apt did not")


@pytest.fixture(scope="session")
def lock(machine: None) -> str:
    """Returns requirements.lock with a version of torch that has a CPU build."""
    try:
        return lock_with_cpu_torch()
    except RefusedError as error:
        _skip(error)


@pytest.fixture(scope="session")
def inside(machine: None) -> Iterator[Corner]:
    """Yields a corner of the machine."""
    with tempfile.TemporaryDirectory(prefix="imagetests-") as folder:
        try:
            with corner(Path(folder)) as made:
                yield made
        except RefusedError as error:
            _skip(error)


@pytest.fixture(scope="session")
def new_checkout(
    lock: str, inside: Corner, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[list[str]], ImageCheckout]:
    """Returns the function that makes a checkout whose image has these packages; its daemon has the base image."""
    try:
        host = daemon.start_daemon(inside)
    except RefusedError as error:
        _skip(error)
    daemon.start_registry(inside)
    with ThreadPoolExecutor() as pool:
        works = [pool.submit(serve_packages, inside, lock), pool.submit(make_base, inside, host)]
    for work in works:
        work.result()

    def make(packages: list[str]) -> ImageCheckout:
        root = tmp_path_factory.mktemp("containers") / "tree"
        return ImageCheckout(write_checkout(root, lock, packages), inside, host)

    return make


def _skip(reason: object) -> NoReturn:
    pytest.skip(f"this machine allows no containers: {reason}")
