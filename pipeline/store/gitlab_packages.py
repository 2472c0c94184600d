"""A result store in GitLab's generic package registry."""

from __future__ import annotations

from gitlab.exceptions import GitlabError
from gitlab.v4.objects import Project

from metric_robustness.pipeline.gitlab.server import plain_server_errors
from metric_robustness.pipeline.store.store import Place, Store


class PackageStore(Store):
    """Objects as generic packages of a GitLab project, since a job token may use these in every tier of GitLab.

    The package is named `robustness-KIND`, its version is the key. Where a file is uploaded twice, GitLab returns the
    newer one.

    Args:
        project: The project, as python-gitlab knows it.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    def _get(self, place: Place) -> bytes | None:
        with plain_server_errors("the result store"):
            try:
                found = self.project.generic_packages.download(f"robustness-{place.kind}", place.key, place.name)
            except GitlabError as error:
                if error.response_code == 404:
                    return None
                raise
        return bytes(found)  # without streaming, python-gitlab returns bytes

    def _put(self, place: Place, packed: bytes) -> None:
        with plain_server_errors("the result store"):
            self.project.generic_packages.upload(f"robustness-{place.kind}", place.key, place.name, data=packed)
