"""A result store in GitLab's generic package registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import get_args

from gitlab.exceptions import GitlabError
from gitlab.v4.objects import Project, ProjectPackage

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.gitlab.server import plain_server_errors, said
from metric_robustness.pipeline.store.store import CONNECTIONS, PLACE, Kind, Place, Store, Upload

PREFIX = "robustness-"
MISSING = 404  # HTTP status
UNWELCOME = (400, 413)  # HTTP status: the file is too large, or of a name that is there
KINDS: dict[str, Kind] = {f"{PREFIX}{kind}": kind for kind in get_args(Kind)}


class PackageStore(Store):
    """Objects as generic packages of a GitLab project, since a job token may use these in every tier of GitLab.

    The package is named `robustness-KIND`, its version is the key. Where a file is uploaded twice, GitLab returns the
    newer one, and keeps both.

    Args:
        project: The project, as python-gitlab knows it.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    def uploads(self) -> list[Upload]:
        with plain_server_errors("the result store"):
            listed = self.project.packages.list(
                iterator=True, per_page=100, package_type="generic", package_name=PREFIX
            )
            ours = [package for package in listed if package.name in KINDS]
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                return [upload for found in pool.map(self._files, ours) for upload in found]

    def remove(self, uploads: Sequence[Upload]) -> None:
        """Removes uploads; the whole package where it holds nothing else by now."""
        going = {upload.name for upload in uploads}
        with plain_server_errors("the result store"):
            for number in {name.partition("/")[0] for name in going}:
                package = self.project.packages.get(number, lazy=True)
                with _already_gone():
                    held = {str(file.id) for file in package.package_files.list(iterator=True, per_page=100)}
                    mine = {name.partition("/")[2] for name in going if name.startswith(f"{number}/")}
                    if held <= mine:
                        package.delete()
                        continue
                    for file in sorted(held & mine, key=int):
                        with _already_gone():
                            package.package_files.delete(int(file))

    def _files(self, package: ProjectPackage) -> list[Upload]:
        """Returns what a package holds; nothing where somebody removed it since it was listed."""
        with _already_gone():
            files = sorted(package.package_files.list(iterator=True, per_page=100), key=lambda file: int(file.id))
            placed = [(Place(KINDS[package.name], package.version, file.file_name), file) for file in files]
            return [
                Upload(place, file.size, datetime.fromisoformat(file.created_at).timestamp(), f"{package.id}/{file.id}")
                for place, file in placed
                if PLACE.fullmatch(str(place))
            ]
        return []

    def _get(self, place: Place) -> bytes | None:
        with plain_server_errors("the result store"), _already_gone():
            found = self.project.generic_packages.download(f"{PREFIX}{place.kind}", place.key, place.name)
            return bytes(found)  # without streaming, python-gitlab returns bytes
        return None

    def _put(self, place: Place, packed: bytes) -> None:
        with plain_server_errors("the result store"):
            try:
                self.project.generic_packages.upload(f"{PREFIX}{place.kind}", place.key, place.name, data=packed)
            except GitlabError as error:
                if error.response_code not in UNWELCOME:
                    raise
                raise BenchError(
                    f"{place} of {len(packed)} bytes must be taken by the package registry; GitLab says {said(error)}: "
                    "let generic packages be uploaded again under their name, and be as large, in the settings of the "
                    "group's packages and of the server"
                ) from error


@contextmanager
def _already_gone() -> Iterator[None]:
    """Passes over what GitLab does not have, or has no longer."""
    try:
        yield
    except GitlabError as error:
        if error.response_code != MISSING:
            raise
