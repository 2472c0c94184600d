"""Which jobs of a pipeline run, by GitLab's documentation, which the local client reads more kindly.

https://docs.gitlab.com/ci/yaml/ (rules, when, allow_failure, needs, extends) and https://docs.gitlab.com/ci/jobs/job_rules/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Status = Literal[
    "success", "allowed", "failed", "skipped", "manual", "waiting"
]  # waiting: behind a blocking manual job
PASSED = {"success", "allowed"}
KEYWORDS = {"default", "include", "stages", "variables", "workflow"}
TERM = re.compile(r'\$(?P<left>\w+)(?:\s*(?P<sign>==|!=)\s*(?:"(?P<text>[^"]*)"|\$(?P<right>\w+)))?')


class Job(NamedTuple):
    """A job as it stands in one pipeline."""

    name: str
    stage: int
    when: str
    allow_failure: bool | frozenset[int]  # true, false, or the exit codes that are allowed
    needs: tuple[str, ...] | None  # None: all jobs of earlier stages


def jobs_of(document: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Job]:
    """Returns the jobs that a pipeline with these variables has."""
    found = {}
    for name, own in document.items():
        if name in KEYWORDS or name.startswith("."):
            continue
        described = _extended(document, own)
        rule: Mapping[str, Any] | None = {}
        if "rules" in described:
            rule = next((each for each in described["rules"] if _holds(each.get("if", ""), variables)), None)
        if rule is None or (when := rule.get("when", described.get("when", "on_success"))) == "never":
            continue
        by_rules = "rules" in described
        default = when == "manual" and not by_rules  # a manual job blocks only where rules made it so
        allowed = rule.get("allow_failure", described.get("allow_failure", default))
        if isinstance(allowed, Mapping):
            allowed = frozenset(allowed["exit_codes"])
        needs = described.get("needs")
        found[name] = Job(
            name,
            document["stages"].index(described.get("stage", "test")),
            when,
            allowed,
            None if needs is None else tuple(each if isinstance(each, str) else each["job"] for each in needs),
        )
    return found


def statuses(jobs: Mapping[str, Job], exits: Mapping[str, int]) -> dict[str, Status]:
    """Returns how each job ends, given the exit codes of those that fail; nobody starts a manual one."""
    found: dict[str, Status] = {}
    for job in sorted(jobs.values(), key=lambda each: each.stage):
        before = [name for name, each in jobs.items() if each.stage < job.stage] if job.needs is None else job.needs
        ended = [found[name] for name in before if name in found]
        held = [name for name in before if found.get(name) == "waiting" or _blocks(jobs.get(name), found.get(name))]
        if held and job.needs is None:
            found[job.name] = "waiting"
        elif job.when == "manual":
            found[job.name] = "manual"
        elif job.when != "always" and any(status in {"failed", "skipped"} for status in ended):
            found[job.name] = "skipped"
        else:
            found[job.name] = _end(job, exits.get(job.name, 0))
    return found


def pipeline_status(jobs: Mapping[str, Job], ended: Mapping[str, Status]) -> str:
    """Returns success, failed, or blocked, as a pipeline's list shows it."""
    if any(_blocks(jobs[name], status) for name, status in ended.items()):
        return "blocked"
    return "failed" if "failed" in ended.values() else "success"


def _blocks(job: Job | None, status: Status | None) -> bool:
    """Tells whether a job is manual, was not started, and may not be passed by."""
    return job is not None and status == "manual" and not job.allow_failure


def _end(job: Job, code: int) -> Status:
    if not code:
        return "success"
    allowed = job.allow_failure if isinstance(job.allow_failure, bool) else code in job.allow_failure
    return "allowed" if allowed else "failed"


def _extended(document: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    if "extends" not in own:
        return dict(own)
    return _extended(document, document[own["extends"]]) | dict(own)


def _holds(condition: str, variables: Mapping[str, str]) -> bool:
    """Tells whether a rule's `if` holds: terms with && and ||, without brackets."""
    return not condition or any(
        all(_term(term.strip(), variables) for term in part.split("&&")) for part in condition.split("||")
    )


def _term(text: str, variables: Mapping[str, str]) -> bool:
    found = TERM.fullmatch(text)
    assert found, f"this reader does not know {text!r}"
    left = variables.get(found["left"])
    if not found["sign"]:
        return bool(left)  # defined, and not empty
    right = found["text"] if found["right"] is None else variables.get(found["right"])
    return (left == right) == (found["sign"] == "==")
