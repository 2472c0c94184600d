"""A scratch project whose own .gitlab-ci.yml is run by gitlab-ci-local, a client that speaks GitLab's YAML."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from scratch import ROOT, Tree, zygote

RESULT = re.compile(r"^ *(PASS|WARN|FAIL) +(.+?)(?: {2}.*)?$")
# Replaces our own Makefile, whose tests would run this pipeline again without end; prints what a job made.
MAKEFILE = (
    "lint test:\n\t@echo made $@ in the checkout\ndocs:\n\t@mkdir -p build/docs && echo made > build/docs/index.html\n"
)
# The client copies the checkout for containers, too, but no job here has one; two children at once would fail at it.
# Compiled code is no tracked file, but goes with the checkout of every job, so that the job does not compile it again.
RSYNC = """#!/bin/sh
case "$*" in */builds/.docker/) exit 0 ;; esac
exec "{rsync}" --include='__pycache__/***' "$@"
"""
FINISHED = "pipeline finished"  # the last words of a whole pipeline, unless the client fell over itself
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Pipeline:
    """How a pipeline went."""

    output: str
    jobs: dict[str, str]  # name -> PASS, WARN or FAIL

    def named(self, result: str) -> set[str]:
        """Returns the names of the jobs of a result."""
        return {name for name, found in self.jobs.items() if found == result}


@dataclass
class Project:
    """A git repository with the project's pipeline, and few metrics and attacks."""

    client: Path  # gitlab-ci-local
    root: Path
    variables: dict[str, str] = field(default_factory=dict)  # what GitLab and the project's settings would set

    @classmethod
    def create(cls, client: Path, root: Path, metrics: list[str], attacks: list[str]) -> Project:
        """Copies the checkout's code, with only some of its entries, into a new repository."""
        tree = Tree.copy_to(root)
        for name in metrics:
            shutil.copy(ROOT / "metrics" / f"{name}.py", root / "metrics")
        for shared in (ROOT / "metrics").glob("*_adapter.py"):
            shutil.copy(shared, root / "metrics")
        for file in (root / "attacks").glob("*.py"):
            if file.stem not in {"__init__", "base", *attacks}:
                file.unlink()
        for name in (".gitlab-ci.yml", "requirements.lock", "pyproject.toml", ".gitignore"):
            shutil.copy(ROOT / name, root)
        shutil.copytree(ROOT / "docker", root / "docker")
        tree.write("results/README.md", "# Results\n")
        tree.write("Makefile", MAKEFILE)
        project = cls(client, tree.root)
        project.git("init", "--quiet", "--initial-branch=main")
        project.git("remote", "add", "origin", "git@gitlab.example.com:quality/robustness.git")
        project.commit("The benchmark")
        return project

    def git(self, *arguments: str) -> str:
        """Runs git in the repository; returns what it prints."""
        return subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments],
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, message: str) -> str:
        """Commits everything; returns the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def run(self, source: str, *arguments: str, **variables: str) -> Pipeline:
        """Runs the pipeline that GitLab would create for this source, with one job per processor."""
        given = {**self.variables, **variables, "CI_PIPELINE_SOURCE": source}
        lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in given.items())
        (self.root / ".gitlab-ci-local-variables.yml").write_text(lines, encoding="utf-8")  # children read them here
        command = [
            str(self.client),
            "--force-shell-executor",
            "--shell-isolation",
            "--no-artifacts-to-source",
            "--concurrency",
            "2",
            "--no-color",
            "--no-json-schema-validation",  # other tests validate these files; it took half the client's time
            "--ignore-predefined-vars",
            ",".join(given),
            *(f"--variable={name}={value}" for name, value in given.items()),
            *arguments,
        ]
        tools = self.root.parent / "bin"
        tools.mkdir(exist_ok=True)
        rsync = tools / "rsync"
        rsync.write_text(RSYNC.format(rsync=shutil.which("rsync")))
        rsync.chmod(0o755)
        environment = os.environ | {
            "PATH": os.pathsep.join(
                [str(zygote().write_python(tools)), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "HOME": str(self.root.parent),
            "TMPDIR": str(self.root.parent),
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": "",
        }
        told = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        output = COLOURS.sub("", told.stdout + told.stderr)
        jobs = {found[2].strip(): found[1] for line in output.splitlines() if (found := RESULT.match(line))}
        assert jobs, output
        assert arguments or FINISHED in output, output
        return Pipeline(output, jobs)

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m pipeline ARGUMENTS` in the checkout, as a person would."""
        return Tree(self.root).call(*arguments, **environment)

    def artifacts(self, job: str) -> Path:
        """Returns where the artifacts of a job lie."""
        return self.root / ".gitlab-ci-local" / "artifacts" / job
