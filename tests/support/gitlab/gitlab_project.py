"""What a GitLab project remembers, kept in memory: repository, packages, notes, artifacts, settings, schedules."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True)
class Commit:
    """A commit with all files as it left them."""

    id: str
    parent: str
    message: str
    author: str
    actions: list[dict[str, str]]
    files: dict[str, bytes]


@dataclass
class Note:
    """A comment on a merge request."""

    id: int
    merge_request: int
    author: int
    body: str
    edits: int = 0


BOT = 7  # the user behind the private tokens


@dataclass(frozen=True)
class PackageFile:
    """One upload to the package registry."""

    id: int
    content: bytes
    created: str  # ISO 8601


class ApiError(Exception):
    """An answer that reports an error."""

    def __init__(self, status: int, message: object) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def blob_id(content: bytes) -> str:
    """Returns git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Repository:
    """Branches and commits."""

    def __init__(self, files: dict[str, bytes], branch: str) -> None:
        self.commits: dict[str, Commit] = {}
        self.heads: dict[str, str] = {}
        self.add(branch, files, "Begin")

    def add(self, branch: str, files: dict[str, bytes | None], message: str, **more: object) -> Commit:
        """Commits files, of which None deletes one; returns the commit."""
        parent = self.heads.get(branch, "")
        held = {**(self.commits[parent].files if parent else {}), **files}
        kept = {path: content for path, content in held.items() if content is not None}
        text = repr((parent, sorted(kept.items()), message, len(self.commits)))
        name = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[name] = Commit(name, parent, message, str(more.get("author", "")), more.get("actions", []), kept)
        self.heads[branch] = name
        return self.commits[name]

    def resolve(self, ref: str) -> Commit | None:
        """Returns the commit of a branch or a hash."""
        return self.commits.get(self.heads.get(ref, ref))

    def last_commit(self, commit: Commit, path: str) -> str:
        """Returns the commit that last changed a file."""
        while commit.parent and self.commits[commit.parent].files.get(path) == commit.files.get(path):
            commit = self.commits[commit.parent]
        return commit.id

    def apply(self, branch: str, actions: list[dict[str, str]], decode: object) -> dict[str, bytes | None]:
        """Returns a branch's files after the actions, or refuses the actions in GitLab's words."""
        head = self.resolve(branch)
        changed: dict[str, bytes | None] = {}
        for action in actions:
            path, kind = action["file_path"], action["action"]
            if kind not in {"create", "update", "delete"}:
                raise ApiError(400, "actions[0][action] does not have a valid value")
            if path.startswith("/") or ".." in path.split("/"):
                raise ApiError(400, "path cannot include directory traversal")
            there = (head.files if head else {}) | changed
            exists = there.get(path) is not None
            if kind == "create" and exists:
                raise ApiError(400, "A file with this name already exists")
            if kind != "create" and not exists:
                raise ApiError(400, "A file with this name doesn't exist")
            known = action.get("last_commit_id")
            if head and known and kind != "create" and self.last_commit(head, path) != known:
                raise ApiError(400, f"The file has changed since you started editing it: {path}")
            changed[path] = None if kind == "delete" else decode(action)
        return changed


@dataclass
class ProjectState:
    """Everything but the repository."""

    public: bool
    packages: dict[tuple[str, str, str], list[PackageFile]] = field(default_factory=dict)  # (name, version, file)
    package_ids: dict[tuple[str, str], int] = field(default_factory=dict)  # (name, version)
    last_id: int = 0  # of a package or a file
    notes: list[Note] = field(default_factory=list)
    artifacts: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)  # (ref, job)
    variables: list[dict[str, object]] = field(default_factory=list)  # one for each key and environment scope
    package_files: str = "ALL_PACKAGE_FILES"  # how many of one name the cleanup policy keeps
    schedules: dict[int, dict[str, object]] = field(default_factory=dict)
    protected: dict[str, dict[str, object]] = field(default_factory=dict)
    job_token_scope: bool = False
    settings: dict[str, object] = field(
        default_factory=lambda: {  # those of an empty project that the pipeline needs
            "default_branch": "main",
            "packages_enabled": False,
            "builds_access_level": "enabled",
            "merge_requests_access_level": "enabled",
            "container_registry_access_level": "disabled",
            "pages_access_level": "private",
            "keep_latest_artifact": False,
            "auto_cancel_pending_pipelines": "disabled",
            "ci_push_repository_for_job_token_allowed": False,
            "ci_allow_fork_pipelines_to_run_in_parent_project": True,
            "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
            "ci_separated_caches": True,
            "visibility": "private",
        }
    )

    def next_id(self) -> int:
        """Returns a number that nothing had before."""
        self.last_id += 1
        return self.last_id

    def add_upload(self, name: str, version: str, file: str, content: bytes, days: float = 0) -> None:
        """Keeps an upload beside earlier ones of the same name, as if it had been made some days ago."""
        if (name, version) not in self.package_ids:
            self.package_ids[name, version] = self.next_id()
        created = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        upload = PackageFile(self.next_id(), content, created.replace("+00:00", "Z"))
        self.packages.setdefault((name, version, file), []).append(upload)

    def variable(self, key: str, scope: str = "*") -> dict[str, object]:
        """Returns a CI/CD variable."""
        return next(each for each in self.variables if (each["key"], each["environment_scope"]) == (key, scope))

    @property
    def quick_actions(self) -> list[str]:
        """Returns the lines of notes that GitLab would have carried out as commands."""
        return [line for note in self.notes for line in re.findall(r"^\s*/[a-z_]+", note.body, re.MULTILINE)]
