"""Publishing: the tables become one commit in results/ of a branch, or none where nothing changed."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from gitlab.exceptions import GitlabError
from gitlab.v4.objects import Project

from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.gitlab import push
from metric_robustness.pipeline.gitlab.server import check_branch, connect, pause, plain_server_errors, said
from metric_robustness.pipeline.tokens import token

TOKEN = "BENCHMARK_PUBLISH_TOKEN"  # noqa: S105  # the variable's name
FOLDER = "results"
KINDS = (".csv", ".json", ".md")
HAND_WRITTEN = "README.md"  # is neither published nor deleted
MESSAGE = "Update the leaderboard"
SKIP = "[skip ci]"  # without it, a commit of the pipeline would start the next pipeline
TRIES = 5
CONFLICT = re.compile(r"already exists|doesn't exist|does not exist|has changed|please refresh|could not update", re.I)


class Changes(NamedTuple):
    """The changes after which a branch holds the tables."""

    create: list[str]
    update: list[str]
    delete: list[str]

    def __str__(self) -> str:
        parts = ((len(self.create), "created"), (len(self.update), "updated"), (len(self.delete), "deleted"))
        return ", ".join(f"{count} {what}" for count, what in parts if count) or "nothing changed"


class Published(NamedTuple):
    """What `publish` did."""

    commit: str  # its hash; empty where nothing changed
    changes: Changes


class UnsettledError(Exception):
    """Somebody else was faster, or an answer was lost: `publish` has to read the branch again."""


def publish(
    tables: Path,
    *,
    branch: str = "main",
    message: str = MESSAGE,
    url: str = "",
    project: str = "",
    repository: str = "",
) -> Published:
    """Makes results/ of a branch hold the tables of a folder, in one commit that starts no pipeline.

    Commits with BENCHMARK_PUBLISH_TOKEN (a project access token) through the API, else with a job's CI_JOB_TOKEN by
    git push, which the project has to allow (GitLab 18.4 or newer). Where somebody else commits meanwhile, reads the
    branch and tries again, at most five times.

    Args:
        tables: The folder; publishes its .csv, .json and .md files, and deletes those in results/ that it lacks, but
            for README.md.
        branch: An existing branch.
        message: The commit's message.
        url: The server; default: CI_SERVER_URL.
        project: The project; default: CI_PROJECT_ID.
        repository: What git pushes to; default: CI_PROJECT_URL.

    Raises:
        BenchError: If a name, the token or its rights are wrong.
        DataError: If the folder holds no leaderboard.
        TransientError: If the server stays away, or the branch moves on all the time.
    """
    check_branch(branch)
    wanted = read_tables(tables)
    text = f"{message.replace(SKIP, '').strip()}\n\n{SKIP}"
    if token(TOKEN):
        return _retrying(lambda: _commit(connect(TOKEN, url=url, project=project), branch, wanted, text), branch)
    if token("CI_JOB_TOKEN"):
        address = repository or f"{os.environ.get('CI_PROJECT_URL', '')}.git"
        return _retrying(lambda: _push(address, branch, wanted, text), branch)
    raise BenchError(
        f"{TOKEN} or CI_JOB_TOKEN must hold a token that may write to the project; neither is set: see docs/gitlab.md"
    )


def read_tables(folder: Path) -> dict[str, bytes]:
    """Returns the tables of a folder by their path in the repository.

    Raises:
        DataError: If there is no leaderboard among them: publishing would delete the one that is there.
    """
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    found = {
        f"{FOLDER}/{file.name}": file.read_bytes()
        for file in files
        if file.is_file() and file.suffix in KINDS and file.name != HAND_WRITTEN and not file.name.startswith(".")
    }
    if f"{FOLDER}/leaderboard.csv" not in found:
        raise DataError(f"{folder} must hold leaderboard.csv; it does not: run python -m pipeline aggregate first")
    return found


def compare(wanted: Mapping[str, bytes], held: Mapping[str, str]) -> Changes:
    """Returns what has to change.

    Args:
        wanted: The tables by path.
        held: Git's hashes of the files that a commit has in results/, by path.
    """
    return Changes(
        create=[path for path in wanted if path not in held],
        update=[path for path, content in wanted.items() if path in held and not _has_hash(content, held[path])],
        delete=[
            path
            for path in held
            if path not in wanted and Path(path).suffix in KINDS and Path(path).name != HAND_WRITTEN
        ],
    )


def _has_hash(content: bytes, name: str) -> bool:
    """Tells whether git's hash of a file belongs to this content."""
    kind = hashlib.sha256 if len(name) == 64 else hashlib.sha1
    return kind(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == name


def _retrying(attempt: Callable[[], Published], branch: str) -> Published:
    """Tries until the branch holds the tables."""
    reason: UnsettledError | None = None
    for count in range(TRIES):
        if count:
            pause(count)
        try:
            return attempt()
        except UnsettledError as error:
            reason = error
    if reason and isinstance(reason.__cause__, TransientError):
        raise reason.__cause__
    raise TransientError(
        f"{branch} must hold still for one commit; in {TRIES} tries somebody else was faster ({reason}): try again"
    ) from reason


def _commit(project: Project, branch: str, wanted: Mapping[str, bytes], message: str) -> Published:
    """Commits through the API, which changes several files at once or none."""
    with plain_server_errors(f"branch {branch}"):
        head = project.branches.get(branch).commit["id"]
        changes = compare(wanted, _held(project, head))
    if not any(changes):
        return Published("", changes)
    actions = [
        {
            "action": action,
            "file_path": path,
            "encoding": "base64",
            "content": base64.b64encode(wanted[path]).decode(),
        }
        for action in ("create", "update")
        for path in getattr(changes, action)
    ]
    actions += [{"action": "delete", "file_path": path} for path in changes.delete]
    with plain_server_errors(f"branch {branch}"):
        try:
            made = project.commits.create({"branch": branch, "commit_message": message, "actions": actions})
        except TransientError as error:  # the commit may have been made nevertheless
            raise UnsettledError(str(error)) from error
        except GitlabError as error:
            if error.response_code == 409 or (error.response_code == 400 and CONFLICT.search(str(error))):
                raise UnsettledError(said(error)) from error
            raise
    return Published(str(made.id), changes)


def _held(project: Project, commit: str) -> dict[str, str]:
    """Returns git's hashes of the files in results/ of a commit, by path."""
    try:
        entries = project.repository_tree(path=FOLDER, ref=commit, per_page=100, get_all=True)
    except GitlabError as error:
        if error.response_code == 404:  # no such folder yet
            return {}
        raise
    return {entry["path"]: entry["id"] for entry in entries if entry["type"] == "blob"}


def _push(address: str, branch: str, wanted: Mapping[str, bytes], message: str) -> Published:
    """Commits and pushes with git."""
    try:
        with push.branch_copy(address, branch) as repository:
            changes = compare(wanted, repository.blobs(FOLDER))
            if not any(changes):
                return Published("", changes)
            files: dict[str, bytes | None] = {path: wanted[path] for path in changes.create + changes.update}
            return Published(repository.push(files | dict.fromkeys(changes.delete), message), changes)
    except (push.RejectedError, TransientError) as error:
        raise UnsettledError(str(error)) from error
