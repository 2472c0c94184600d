"""A corner of this machine: network, mounts and processes of its own, which the kernel takes away with whoever made it.

So nothing has to be put back, not even after SIGKILL: bridges, rules of the firewall, mounts and daemons exist in the
corner alone, and so do the gigabytes, on a disk whose file has no name any more.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("setpriv", "unshare", "nsenter", "mkfs.ext4", "slirp4netns")
DEVICES = ("/dev/loop-control", "/dev/net/tun")
DISK = 10  # GB, of which the tests fill six
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
NAMESPACES = ("--net", "--mount", "--pid")

# The first process of the corner: it makes the disk, says so, and waits.
FIRST = """
set -eu
truncate --size "$2G" "$1/disk.img"
mkfs.ext4 -q -O ^has_journal "$1/disk.img"
mkdir "$1/disk"
mount -o loop,discard "$1/disk.img" "$1/disk"
rm "$1/disk.img"
echo nameserver 10.0.2.3 > "$1/disk/resolv.conf"
mount --bind "$1/disk/resolv.conf" /etc/resolv.conf
for folder in /etc/docker /run/containerd /run/docker; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
echo ready
while :; do sleep 3600 & wait; done
"""


class RefusedError(Exception):
    """This machine does not let us have a corner."""


@dataclass(frozen=True)
class Corner:
    """Where it is."""

    first: int  # the process that lives as long as the corner
    folder: Path  # seen from inside and outside; short enough for the path of a socket

    @property
    def disk(self) -> Path:
        """Returns the folder that exists inside only and holds what is large."""
        return self.folder / "disk"

    def words(self, *words: object, cwd: Path | str = "/") -> list[str]:
        """Returns the command line that runs `words` inside."""
        enter = ["nsenter", f"--target={self.first}", *NAMESPACES, "env", f"--chdir={cwd}"]
        return [*enter, *map(str, words)]

    def start(self, *words: object, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a server inside; what it says is appended to a file of its name in the folder."""
        with (self.folder / f"{Path(str(words[0])).name}.log").open("ab") as log:
            return subprocess.Popen(
                self.words(*words), env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def call(self, *words: object, cwd: Path | str = "/", **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command inside to its end, whatever it ends with."""
        return subprocess.run(
            self.words(*words, cwd=cwd), env=os.environ | environment, capture_output=True, text=True, check=False
        )

    def must(self, *words: object, **environment: str) -> str:
        """Runs a command that must succeed inside; returns what it says."""
        done = self.call(*words, **environment)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@contextmanager
def corner(folder: Path) -> Iterator[Corner]:
    """Yields a corner, and ends all that runs in it.

    Args:
        folder: An empty one, with a short path.

    Raises:
        RefusedError: If this machine does not allow one.
    """
    _sweep(folder)
    absent = [device for device in DEVICES if not Path(device).exists()]
    if absent:
        raise RefusedError(f"there is no {absent[0]}")
    if shutil.disk_usage(folder).free < DISK * 1e9:
        raise RefusedError(f"less than {DISK} GB are free in {folder}")
    program = [*DIES_WITH_US, "unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc"]
    parent = subprocess.Popen(
        [*program, "sh", "-c", FIRST, "sh", str(folder), str(DISK)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        told = parent.stdout.readline().strip()
        if told != "ready":
            parent.kill()
            raise RefusedError(told or "unshare said nothing")
        made = Corner(psutil.Process(parent.pid).children()[0].pid, folder)
        ends = os.pidfd_open(made.first)
        try:
            with _network(made):
                yield made
        finally:
            parent.kill()  # the kernel then kills the first process, and with it all others of the corner
            select.select([ends], [], [], 30)
            os.close(ends)
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """Removes empty control groups, which alone outlive a corner; a daemon makes those again that it needs."""
    prefix = folder.name.partition("-")[0]
    for group in sorted(Path("/sys/fs/cgroup").glob(f"**/{prefix}-*/**/"), reverse=True):  # the inner ones first
        with suppress(OSError):  # a process is in it
            group.rmdir()


@contextmanager
def _network(made: Corner) -> Iterator[None]:
    """Leads from the corner out into the network, by a process outside; nobody comes in, nor reaches our loopback."""
    ready, write = os.pipe()
    options = ["--configure", "--mtu=65520", "--disable-host-loopback", f"--ready-fd={write}"]
    with (made.folder / "slirp4netns.log").open("ab") as log:
        way = subprocess.Popen(
            [*DIES_WITH_US, "slirp4netns", *options, str(made.first), "tap0"], stdout=log, stderr=log, pass_fds=[write]
        )
    os.close(write)
    with way, os.fdopen(ready, "rb") as told:
        if told.read(1) != b"1":
            raise RefusedError(f"no network: {(made.folder / 'slirp4netns.log').read_text()[-200:].strip()}")
        try:
            yield
        finally:
            way.kill()
