"""One commit on top of a remote branch by git alone: no checkout, no hooks, and the token only in git's environment."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.gitlab.server import NotAllowedError
from metric_robustness.pipeline.tokens import token

AUTHOR, EMAIL = "metric-robustness", "metric-robustness@noreply.invalid"
TIMEOUT = 300  # seconds for one command of git
REJECTED = re.compile(r"fetch first|non-fast-forward|stale info|cannot lock ref|failed to update ref|reference already")
REFUSED = re.compile(r"\b40[13]\b|not allowed|denied|declined|Authentication failed|could not read Username", re.I)
MISSING = re.compile(r"couldn't find remote ref", re.I)


class RejectedError(Exception):
    """The branch has moved on since it was fetched."""


class BranchCopy:
    """A repository that holds the last commit of a remote branch.

    Args:
        folder: Where it lies.
        address: The remote repository.
        branch: The branch.
    """

    def __init__(self, folder: Path, address: str, branch: str) -> None:
        self.folder, self.address, self.branch = folder, address, branch
        self._git("init", "--quiet")
        self._git("fetch", "--quiet", "--depth=1", "--no-tags", address, f"refs/heads/{branch}")

    def blobs(self, folder: str) -> dict[str, str]:
        """Returns git's hashes of the files of a folder, by path."""
        lines = self._git("ls-tree", "-z", "FETCH_HEAD", f"{folder}/").split("\0")
        entries = [line.split(maxsplit=3) for line in lines if line]
        return {path: name for _, kind, name, path in entries if kind == "blob"}

    def push(self, files: Mapping[str, bytes | None], message: str) -> str:
        """Pushes one commit that writes these files, or deletes those that are None; returns its hash.

        Raises:
            RejectedError: If the branch has moved on.
            BenchError: If the token may not push.
            TransientError: If the server fails.
        """
        self._git("read-tree", "FETCH_HEAD")
        for path, content in files.items():
            if content is None:
                self._git("update-index", "--force-remove", "--", path)
            else:
                name = self._git("hash-object", "-w", "--stdin", given=content).strip()
                self._git("update-index", "--add", "--cacheinfo", f"100644,{name},{path}")
        tree = self._git("write-tree").strip()
        commit = self._git("commit-tree", tree, "-p", "FETCH_HEAD", "-m", message).strip()
        self._git("push", "--porcelain", self.address, f"{commit}:refs/heads/{self.branch}")
        return commit

    def _git(self, *arguments: str, given: bytes = b"") -> str:
        """Returns what a command of git prints."""
        try:
            done = subprocess.run(
                ["git", *arguments],  # noqa: S607  # the job's own git
                cwd=self.folder,
                env=_environment(self.address),
                input=given,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise BenchError("git must be installed to push; it is not: install it, or set a project token") from error
        except subprocess.TimeoutExpired as error:
            raise TransientError(f"git {arguments[0]} must end in {TIMEOUT} s; it does not: try again") from error
        if done.returncode == 0:
            return done.stdout.decode(errors="replace")
        raise self._error(arguments[0], (done.stdout + done.stderr).decode(errors="replace"))

    def _error(self, command: str, output: str) -> Exception:
        """Returns the error that git's output means."""
        words = " ".join(output.split())[:300]
        if MISSING.search(output):
            return BenchError(f"branch {self.branch} must exist on the server; it does not: correct --branch")
        if command == "push" and REJECTED.search(output):
            return RejectedError(words)
        if REFUSED.search(output):
            return NotAllowedError(
                f"CI_JOB_TOKEN must have the right to push to {self.branch}; git says {words!r}: allow Git push "
                "requests in Settings > CI/CD > Job token permissions, or set BENCHMARK_PUBLISH_TOKEN"
            )
        return TransientError(f"git {command} must succeed; it says {words!r}: try again")


@contextmanager
def branch_copy(address: str, branch: str) -> Iterator[BranchCopy]:
    """Yields the last commit of a remote branch, in a repository that is deleted afterwards.

    Args:
        address: A web address without user and password, or a folder; git pushes to it with CI_JOB_TOKEN.
        branch: A name that `check_branch` accepts.

    Raises:
        BenchError: If the address is malformed, the branch does not exist, or the token may not read it.
        TransientError: If the server fails.
    """
    if not re.fullmatch(r"https?://[^\s/@]+/\S+|/\S.*", address):
        raise BenchError(f"CI_PROJECT_URL must be the project's address; got {address!r}: run in a job of GitLab")
    with tempfile.TemporaryDirectory(prefix="metric-robustness-") as folder:
        yield BranchCopy(Path(folder), address, branch)


def _environment(address: str) -> dict[str, str]:
    """Returns git's environment: the token for that server alone, no hooks, and none of the caller's GIT_ variables."""
    settings = {"core.hooksPath": os.devnull, "credential.helper": "", "http.followRedirects": "false", "gc.auto": "0"}
    parts = urlsplit(address)
    if parts.scheme in {"http", "https"}:
        basic = base64.b64encode(f"gitlab-ci-token:{token('CI_JOB_TOKEN')}".encode()).decode()
        settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {basic}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_COUNT": str(len(settings))}
    for index, (name, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": AUTHOR, f"GIT_{role}_EMAIL": EMAIL}
    if authority := os.environ.get("CI_SERVER_TLS_CA_FILE"):
        environment["GIT_SSL_CAINFO"] = authority
    return environment
