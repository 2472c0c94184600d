"""Opens the result store that an address means."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.store.signature import Signature
from metric_robustness.pipeline.store.store import FolderStore, Store
from metric_robustness.pipeline.tokens import token

API = re.compile(r"(?P<url>https?://[^\s]+?)/api/v4/projects/(?P<project>[^/\s]+)/?")
PERSONAL = "GITLAB_TOKEN"
TOKENS = ("CI_JOB_TOKEN", PERSONAL)  # the first that is set is used; every job has its own, so who has none is a person


def open_store(address: str) -> Store:
    """Returns the store of an address, which signs and verifies where the environment holds a key.

    Args:
        address: A folder, or a GitLab project's `https://HOST/api/v4/projects/ID`, where ID is its number or its path
            with %2F for each slash.

    Raises:
        BenchError: If it is neither, no token is set for the project, or the key cannot be used.
    """
    store = _open(address)
    store.signature = Signature.of_environment()
    return store


def _open(address: str) -> Store:
    if found := API.fullmatch(address):
        from metric_robustness.pipeline.gitlab.server import connect  # noqa: PLC0415
        from metric_robustness.pipeline.store.gitlab_packages import PackageStore  # noqa: PLC0415  # a folder needs no client of GitLab

        variable = next((name for name in TOKENS if token(name)), PERSONAL)
        return PackageStore(connect(variable, url=found["url"], project=unquote(found["project"])))
    if "://" in address or not address.strip():
        raise BenchError(
            f"--store must be a folder or https://HOST/api/v4/projects/ID; got {address!r}: correct the address"
        )
    return FolderStore(Path(address).expanduser())
