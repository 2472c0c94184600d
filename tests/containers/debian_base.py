"""The base image, a Debian 12 made by debootstrap from the mirror that this machine's apt uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

from corner import Corner
from daemon import DOCKER, GATEWAY
from package_index import INDEX

BASE = "base:1"
INCLUDED = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP = f"[global]\nindex-url = {INDEX}\ntrusted-host = {GATEWAY}\n"


def mirror() -> list[str]:
    """Returns the address of Debian's packages in apt's sources; nothing on another system, whose mirror has none."""
    wanted = ["Created-By: Packages", "Component: main", "Label: Debian"]
    found = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted], capture_output=True, text=True, check=False
    )
    return found.stdout.split()[:1]


def make_base(made: Corner, host: str) -> None:
    """Makes the image BASE, which gets packages as this machine does: by its mirror, apt settings, certificates."""
    folder = made.disk / "base"
    made.must("debootstrap", "--variant=minbase", f"--include={INCLUDED}", "bookworm", folder, *mirror())
    acquire = made.must("apt-config", "dump", "--no-empty", "Acquire")
    made.must("sh", "-c", 'printf %s "$1" > "$2"', "sh", PIP, folder / "etc" / "pip.conf")
    made.must("sh", "-c", 'printf %s "$1" > "$2"', "sh", acquire, folder / "etc" / "apt" / "apt.conf.d" / "80machine")
    if CERTIFICATES.is_file():
        made.must("cp", CERTIFICATES, folder / CERTIFICATES.relative_to("/"))
    archive = 'tar --create --directory "$2" . | "$1" import - "$3"'
    made.must("sh", "-c", archive, "sh", DOCKER, folder, BASE, DOCKER_HOST=host)
    made.must("rm", "--recursive", folder)
