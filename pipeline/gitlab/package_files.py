"""GitLab's own policy for package files: with it the server removes what a newer upload of the same name replaced.

It is the only part of retention that GitLab can be told: it removes no package by its age or by who needs it.
"""

from __future__ import annotations

from typing import Any

from gitlab.v4.objects import Project

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.gitlab.steps import SetupStep

KEEP_ALL, KEEP_ONE = "ALL_PACKAGE_FILES", "ONE_PACKAGE_FILE"
POLICY = "query($path: ID!) { project(fullPath: $path) { packagesCleanupPolicy { keepNDuplicatedPackageFiles } } }"
KEEP_NEWEST = (
    "mutation($path: ID!) { updatePackagesCleanupPolicy(input: {projectPath: $path, "
    f"keepNDuplicatedPackageFiles: {KEEP_ONE}}}) {{ errors }} }}"
)


def package_files_step(project: Project) -> SetupStep:
    """Returns the step that keeps the newest file of each name; where people keep a few of each, that stays."""
    what = "replaced package files"
    found = _answer(project, POLICY).get("project") or {}
    held = (found.get("packagesCleanupPolicy") or {}).get("keepNDuplicatedPackageFiles")
    if held is None:
        return SetupStep(what, "not known here", "as it is")
    if held != KEEP_ALL:
        return SetupStep(what, _plain(held), _plain(held))

    def change() -> None:
        done = _answer(project, KEEP_NEWEST).get("updatePackagesCleanupPolicy") or {}
        if done.get("errors") != []:
            raise BenchError(
                "the policy for package files must be changed; GitLab refuses: set it in Settings > Packages and "
                "registries"
            )

    return SetupStep(what, _plain(held), _plain(KEEP_ONE), change)


def _plain(name: str) -> str:
    """Returns a value of the policy in words: keep one."""
    return f"keep {name.removesuffix('_PACKAGE_FILES').removesuffix('_PACKAGE_FILE').lower()}"


def _answer(project: Project, query: str) -> dict[str, Any]:
    """Returns the data of an answer of GraphQL, which alone knows this policy; nothing where it refuses."""
    server = project.manager.gitlab
    asked = {"query": query, "variables": {"path": project.path_with_namespace}}
    answer: dict[str, Any] = server.http_request("post", f"{server.url}/api/graphql", post_data=asked).json()
    return answer.get("data") or {}
