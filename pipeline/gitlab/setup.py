"""The settings that the benchmark needs of a GitLab project, as far as the API can change them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitlab.exceptions import GitlabError
from gitlab.v4.objects import Project, ProjectPipelineSchedule

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.gitlab.package_files import package_files_step
from metric_robustness.pipeline.gitlab.secrets import SECRETS, secret_step
from metric_robustness.pipeline.gitlab.server import connect, plain_server_errors
from metric_robustness.pipeline.gitlab.steps import SetupStep

TOKEN = "GITLAB_TOKEN"  # noqa: S105  # the variable's name
SCHEDULE = "nightly benchmark"  # its description, by which the next setup finds it
PLAIN = {"PRESET": "nightly"}  # what .gitlab-ci.yml says itself: a project may forbid a schedule to set variables
MAINTAINER = 40  # access level
OPEN = ("enabled", "private")  # for everybody who sees the project, or for its members


class Setting(NamedTuple):
    """An attribute of the project."""

    name: str
    title: str
    wanted: Any
    accepted: tuple[Any, ...]  # values that setup leaves as they are


SETTINGS = (
    Setting("builds_access_level", "jobs", "enabled", OPEN),
    Setting("merge_requests_access_level", "merge requests", "enabled", OPEN),
    Setting("package_registry_access_level", "package registry", "enabled", OPEN),  # holds the result store
    Setting("packages_enabled", "package registry, old switch", True, (True,)),
    Setting("container_registry_access_level", "container registry", "enabled", OPEN),  # holds the job image
    Setting("keep_latest_artifact", "latest artifacts are kept", True, (True,)),  # `fetch` downloads them
    Setting("auto_cancel_pending_pipelines", "outdated pipelines stop", "enabled", ("enabled",)),
    Setting("ci_separated_caches", "protected branches: own cache", True, (True,)),
    Setting("ci_allow_fork_pipelines_to_run_in_parent_project", "pipelines of forks run here", False, (False,)),
    Setting(
        "ci_pipeline_variables_minimum_override_role",
        "who may set variables",
        "maintainer",
        ("maintainer", "owner", "no_one_allowed"),  # the last is stricter: then only the schedule runs
    ),
)
PUSH = Setting("ci_push_repository_for_job_token_allowed", "jobs may push", True, (True,))


class Nightly(NamedTuple):
    """When the benchmark runs, and what."""

    cron: str = "0 1 * * *"
    timezone: str = "UTC"
    variables: Mapping[str, str] = {"PRESET": "nightly"}


def plan_setup(
    *, url: str = "", project: str = "", nightly: Nightly | None = None, push: bool = False
) -> list[SetupStep]:
    """Returns a step per setting; changes nothing.

    Args:
        url: The server; default: CI_SERVER_URL.
        project: The project; default: CI_PROJECT_ID.
        nightly: The schedule.
        push: Whether jobs may push with their own token (GitLab 18.4 or newer), for publishing without a project token.

    Raises:
        BenchError: If GITLAB_TOKEN is not a maintainer's, or the project is empty.
        TransientError: If the server stays away.
    """
    lazy = connect(TOKEN, url=url, project=project)
    with plain_server_errors(f"project {project or os.environ.get('CI_PROJECT_ID', '')}"):
        found = lazy.manager.gitlab.projects.get(lazy.encoded_id or "")
        branch = getattr(found, "default_branch", None)
        if not branch:
            raise BenchError(
                f"project {found.path_with_namespace} must have a branch; it is empty: push the code first"
            )
        return [
            *(_setting(found, setting) for setting in (*SETTINGS, *([PUSH] if push else []))),
            _job_token(found),
            _protected(found, branch),
            *(secret_step(found, secret) for secret in SECRETS),
            *_schedule(found, branch, nightly or Nightly()),
            package_files_step(found),
            SetupStep("Pages", _value_of(found, "pages_access_level"), "as it is"),
        ]


def carry_out(steps: list[SetupStep]) -> int:
    """Makes the changes of the steps, in their order; returns how many there were.

    Raises:
        BenchError: If the server refuses one, which it names. Those before it are done, and a second run goes on.
        TransientError: If the server stays away.
    """
    changes = [(step.what, step.change) for step in steps if step.change]
    for what, change in changes:
        with plain_server_errors(what):
            change()
    return len(changes)


def _setting(project: Project, setting: Setting) -> SetupStep:
    now = _value_of(project, setting.name)
    value = getattr(project, setting.name, None)
    if value is None:
        return SetupStep(setting.title, now, "as it is")
    if value in setting.accepted:
        return SetupStep(setting.title, now, now)

    def change() -> None:
        project.manager.gitlab.projects.update(project.encoded_id, {setting.name: setting.wanted})

    return SetupStep(setting.title, now, str(setting.wanted).lower(), change)


def _value_of(project: Project, name: str) -> str:
    value = getattr(project, name, None)
    return "not known here" if value is None else str(value).lower()


def _job_token(project: Project) -> SetupStep:
    """Returns the step that keeps other projects' job tokens out of this project."""
    scope = project.job_token_scope.get()
    what = "other projects' job tokens"
    if scope.inbound_enabled:
        return SetupStep(what, "refused", "refused")

    def change() -> None:
        project.manager.gitlab.http_request(
            "patch", f"/projects/{project.encoded_id}/job_token_scope", post_data={"enabled": True}
        )

    return SetupStep(what, "let in", "refused", change)


def _protected(project: Project, branch: str) -> SetupStep:
    """Returns the step that protects a branch.

    Where a rule for many branches protects it, such as `*` or one of the group, a further rule would weaken that one:
    GitLab lets in whom any of them lets in.
    """
    what = f"branch {branch}"
    try:
        held = project.branches.get(branch)
    except GitlabError as error:
        if error.response_code != 404:
            raise
        raise BenchError(f"{what} must be there; it is not: push the code first") from error
    if held.protected:
        return SetupStep(what, "protected", "protected")

    def change() -> None:
        levels = {"push_access_level": MAINTAINER, "merge_access_level": MAINTAINER}
        project.protectedbranches.create({"name": branch, "allow_force_push": False, **levels})

    return SetupStep(what, "open", "protected", change)


def _schedule(project: Project, branch: str, nightly: Nightly) -> list[SetupStep]:
    wanted = {"ref": branch, "cron": nightly.cron, "cron_timezone": nightly.timezone, "active": True}
    listed = project.pipelineschedules.list(iterator=True)
    number = next((each.id for each in listed if each.description == SCHEDULE), None)
    new = {name: value for name, value in nightly.variables.items() if PLAIN.get(name) != value}
    if number is None:

        def create() -> None:
            made = project.pipelineschedules.create({"description": SCHEDULE, **wanted})
            for name, value in new.items():
                made.variables.create({"key": name, "value": value})

        variables = [SetupStep(f"{SCHEDULE}: {name}", "missing", value) for name, value in new.items()]
        return [SetupStep(SCHEDULE, "missing", _when(wanted), create), *variables]
    held = project.pipelineschedules.get(number)
    now = {**{name: getattr(held, name) for name in wanted}, "ref": str(held.ref).removeprefix("refs/heads/")}
    change = None if now == wanted else lambda: project.pipelineschedules.update(number, wanted)
    there = {each["key"]: each["value"] for each in held.attributes.get("variables", [])}
    return [
        SetupStep(SCHEDULE, _when(now), _when(wanted), change),
        *(
            _schedule_variable(held, there.get(name), name, value)
            for name, value in nightly.variables.items()
            if name in there or name in new
        ),
    ]


def _when(schedule: Mapping[str, Any]) -> str:
    active = "" if schedule["active"] else ", switched off"
    return f"{schedule['cron']} {schedule['cron_timezone']} on {schedule['ref']}{active}"


def _schedule_variable(schedule: ProjectPipelineSchedule, now: str | None, name: str, value: str) -> SetupStep:
    what = f"{SCHEDULE}: {name}"
    if now == value:
        return SetupStep(what, now, value)
    if now is None:
        return SetupStep(what, "missing", value, lambda: schedule.variables.create({"key": name, "value": value}))
    return SetupStep(what, now, value, lambda: schedule.variables.update(name, {"key": name, "value": value}))
