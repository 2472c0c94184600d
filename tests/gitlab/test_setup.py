from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from gitlab_server import GitLabServer
from rich.console import Console

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.gitlab.setup import Nightly, carry_out, plan_setup
from metric_robustness.pipeline.gitlab.steps import to_table

PUBLISH, NOTE = "glpat-publish-0123456789", "glpat-note-0123456789"


@pytest.fixture
def gitlab(as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        as_job(server, GITLAB_TOKEN=server.API, BENCHMARK_PUBLISH_TOKEN=PUBLISH, BENCHMARK_NOTE_TOKEN=NOTE)
        yield server


def shown(steps: list[object]) -> str:
    told = StringIO()
    Console(width=80, file=told).print(to_table(steps))
    return told.getvalue()


def test_an_empty_project_is_set_up(gitlab: GitLabServer) -> None:
    assert carry_out(plan_setup()) > 8
    state = gitlab.state
    assert (
        state.settings
        | {
            "packages_enabled": True,
            "container_registry_access_level": "enabled",
            "keep_latest_artifact": True,
            "auto_cancel_pending_pipelines": "enabled",
            "ci_allow_fork_pipelines_to_run_in_parent_project": False,
            "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
            "ci_push_repository_for_job_token_allowed": False,
            "pages_access_level": "private",
        }
        == state.settings
    )
    (schedule,) = state.schedules.values()
    assert (schedule["cron"], schedule["ref"], schedule["active"]) == ("0 1 * * *", "refs/heads/main", True)
    assert schedule["variables"] == []  # the pipeline's own preset is nightly, and nobody may set another here
    kept = {
        each["key"]: (each["value"], each["masked"], each["protected"], each["environment_scope"])
        for each in state.variables
    }
    key, *how = kept.pop("BENCHMARK_STORE_KEY")
    assert (len(key), *how) == (64, True, True, "*")  # made here, since nobody gave one
    assert kept == {
        "BENCHMARK_PUBLISH_TOKEN": (PUBLISH, True, True, "publish"),
        "BENCHMARK_NOTE_TOKEN": (NOTE, True, False, "*"),
    }
    assert state.package_files == "ONE_PACKAGE_FILE"
    assert state.protected["main"]["push_access_levels"] == [{"access_level": 40}]
    assert state.job_token_scope


def test_the_second_run_changes_nothing(gitlab: GitLabServer) -> None:
    carry_out(plan_setup(push=True))
    before = copy.deepcopy(gitlab.state)
    gitlab.requests.clear()
    steps = plan_setup(push=True)
    assert [step for step in steps if step.change] == []
    assert carry_out(steps) == 0
    assert gitlab.writes() == []
    assert gitlab.state == before


def test_planning_sends_no_writing_request(gitlab: GitLabServer) -> None:
    before = copy.deepcopy(gitlab.state)
    assert [step for step in plan_setup() if step.change]
    assert gitlab.writes() == []
    assert gitlab.state == before


def test_pushing_with_the_job_token_is_allowed_where_asked(gitlab: GitLabServer) -> None:
    carry_out(plan_setup(push=True))
    assert gitlab.state.settings["ci_push_repository_for_job_token_allowed"] is True


def test_stricter_settings_of_people_are_left_alone(gitlab: GitLabServer) -> None:
    stricter = {
        "builds_access_level": "private",
        "container_registry_access_level": "private",
        "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
        "pages_access_level": "public",
    }
    gitlab.state.settings.update(stricter)
    gitlab.state.package_files = "TEN_PACKAGE_FILES"
    note = {"key": "BENCHMARK_NOTE_TOKEN", "value": NOTE, "masked": True, "protected": True, "environment_scope": "*"}
    gitlab.state.variables.append(note)
    gitlab.state.protected["main"] = {"name": "main", "push_access_levels": [{"access_level": 0}]}
    carry_out(plan_setup())
    assert gitlab.state.settings | stricter == gitlab.state.settings
    assert gitlab.state.protected["main"]["push_access_levels"] == [{"access_level": 0}]
    assert gitlab.state.package_files == "TEN_PACKAGE_FILES"
    assert gitlab.state.variable("BENCHMARK_NOTE_TOKEN")["protected"]


def scoped(gitlab: GitLabServer, *scopes: str, **more: object) -> None:
    """Replaces the publish token by one that jobs of these environments see."""
    how = {"key": "BENCHMARK_PUBLISH_TOKEN", "value": PUBLISH, "masked": True, "protected": True} | more
    gitlab.state.variables[:] = [each for each in gitlab.state.variables if each["key"] != how["key"]] + [
        {**how, "environment_scope": scope} for scope in scopes
    ]


def test_a_branch_that_a_rule_for_many_protects_gets_no_weaker_rule_of_its_own(gitlab: GitLabServer) -> None:
    nobody = {"name": "ma*", "push_access_levels": [{"access_level": 0}]}
    gitlab.state.protected["ma*"] = nobody
    steps = {step.what: step for step in plan_setup()}
    assert steps["branch main"].change is None
    assert carry_out(list(steps.values())) > 0
    assert gitlab.state.protected == {"ma*": nobody}


@pytest.mark.parametrize("scopes", [("*",), ("*", "publish"), ("production",), ("publish", "production", "*")])
def test_a_publish_token_that_other_jobs_see_is_moved_to_the_environment_of_its_job(
    gitlab: GitLabServer, scopes: tuple[str, ...]
) -> None:
    carry_out(plan_setup())
    scoped(gitlab, *scopes)
    (step,) = [step for step in plan_setup() if step.change]
    assert (step.what, step.wanted) == ("BENCHMARK_PUBLISH_TOKEN", "set, masked, protected, for publish")
    carry_out([step])
    (held,) = [each for each in gitlab.state.variables if each["key"] == "BENCHMARK_PUBLISH_TOKEN"]
    assert (held["value"], held["environment_scope"]) == (PUBLISH, "publish")
    assert not [step for step in plan_setup() if step.change]


def test_a_hidden_token_is_moved_without_its_value(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out(plan_setup())
    scoped(gitlab, "*", value=None, hidden=True)
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN")
    carry_out(plan_setup())
    assert gitlab.state.variable("BENCHMARK_PUBLISH_TOKEN", "publish")["value"] is None
    assert not [step for step in plan_setup() if step.change]


def test_a_setting_that_this_gitlab_does_not_know_is_not_sent(gitlab: GitLabServer) -> None:
    del gitlab.state.settings["ci_allow_fork_pipelines_to_run_in_parent_project"]
    gitlab.state.package_files = None
    steps = plan_setup(push=True)
    (policy,) = [step for step in steps if step.what == "replaced package files"]
    assert (policy.now, policy.change) == ("not known here", None)
    (step,) = [step for step in steps if step.what == "pipelines of forks run here"]
    assert (step.now, step.change) == ("not known here", None)


def test_what_differs_is_brought_back(gitlab: GitLabServer) -> None:
    carry_out(plan_setup())
    gitlab.state.schedules[1] |= {"cron": "0 5 * * *", "active": False}
    gitlab.state.schedules[1]["variables"] = [{"key": "PRESET", "value": "smoke"}]
    gitlab.state.variable("BENCHMARK_PUBLISH_TOKEN", "publish")["protected"] = False
    gitlab.state.variable("BENCHMARK_NOTE_TOKEN")["value"] = "glpat-old-one-0123"
    other = {"key": "OTHER", "value": "x", "masked": False, "protected": False, "environment_scope": "*"}
    gitlab.state.variables.append(other)
    steps = plan_setup()
    assert [(step.what, step.now, step.wanted) for step in steps if step.change] == [
        ("BENCHMARK_PUBLISH_TOKEN", "set, masked, for publish", "set, masked, protected, for publish"),
        ("BENCHMARK_NOTE_TOKEN", "set, masked", "set, masked, new value"),
        ("nightly benchmark", "0 5 * * * UTC on main, switched off", "0 1 * * * UTC on main"),
        ("nightly benchmark: PRESET", "smoke", "nightly"),
    ]
    carry_out(steps)
    assert gitlab.state.variable("BENCHMARK_NOTE_TOKEN")["value"] == NOTE
    assert len(gitlab.state.schedules) == 1
    assert [step for step in plan_setup() if step.change] == []


def test_another_time_and_more_variables(gitlab: GitLabServer) -> None:
    carry_out(plan_setup())
    nightly = Nightly("30 22 * * 1-5", "Europe/Berlin", {"PRESET": "full", "METRICS": "niqe"})
    carry_out(plan_setup(nightly=nightly))
    (schedule,) = gitlab.state.schedules.values()
    assert (schedule["cron"], schedule["cron_timezone"]) == ("30 22 * * 1-5", "Europe/Berlin")
    assert {each["key"]: each["value"] for each in schedule["variables"]} == {"PRESET": "full", "METRICS": "niqe"}


def test_a_schedule_is_found_on_a_later_page(gitlab: GitLabServer) -> None:
    for number in range(1, 31):
        gitlab.state.schedules[number] = {"id": number, "description": f"other {number}", "variables": []}
    carry_out(plan_setup())
    assert [step for step in plan_setup() if step.change] == []
    assert len(gitlab.state.schedules) == 31


def test_a_token_that_is_given_nowhere_is_named_and_one_that_is_there_is_kept(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(plan_setup())
    monkeypatch.delenv("BENCHMARK_PUBLISH_TOKEN")
    monkeypatch.delenv("BENCHMARK_NOTE_TOKEN")
    gitlab.state.variables.remove(gitlab.state.variable("BENCHMARK_NOTE_TOKEN"))
    steps = {step.what: step for step in plan_setup()}
    assert steps["BENCHMARK_PUBLISH_TOKEN"].now == "set, masked, protected, for publish"
    assert steps["BENCHMARK_NOTE_TOKEN"].wanted == "missing: export it and run again"
    assert not [step for step in steps.values() if step.change]


def test_a_hidden_variable_is_left_alone(gitlab: GitLabServer) -> None:
    carry_out(plan_setup())
    gitlab.state.variable("BENCHMARK_PUBLISH_TOKEN", "publish")["value"] = None
    assert [step for step in plan_setup() if step.change] == []


def test_the_table_shows_no_token(gitlab: GitLabServer) -> None:
    steps = plan_setup()
    text = shown(steps)
    assert "BENCHMARK_PUBLISH_TOKEN" in text
    assert "missing" in text
    assert "BENCHMARK_PUBLISH_TOKEN        missing" in text  # no name is broken on a narrow terminal
    assert PUBLISH not in text
    assert NOTE not in text
    carry_out(steps)
    assert "change" not in shown(plan_setup())


def test_a_failing_server_ends_well(gitlab: GitLabServer) -> None:
    gitlab.fail(1, 429, headers={"Retry-After": "0"})
    gitlab.fail(2, 502, method="GET|PUT")
    carry_out(plan_setup())
    assert [step for step in plan_setup() if step.change] == []


@pytest.mark.parametrize(
    ("token", "told"),
    [("EXPIRED", "GITLAB_TOKEN must hold a valid token"), ("READ", "GITLAB_TOKEN must have the right")],
)
def test_a_token_that_does_not_do_is_one_line(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch, token: str, told: str
) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", getattr(gitlab, token))
    with pytest.raises(BenchError, match=told):
        carry_out(plan_setup())


def test_a_token_that_gitlab_cannot_mask_is_refused_without_being_shown(
    gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARK_NOTE_TOKEN", "short")
    with pytest.raises(BenchError, match="BENCHMARK_NOTE_TOKEN") as caught:
        carry_out(plan_setup())
    assert "short" not in str(caught.value)


def test_an_empty_project_has_to_be_pushed_to_first(gitlab: GitLabServer) -> None:
    gitlab.state.settings["default_branch"] = None
    with pytest.raises(BenchError, match="push the code first"):
        plan_setup()
    gitlab.state.settings["default_branch"] = "trunk"  # as GitLab calls the branch that the first push will make
    with pytest.raises(BenchError, match="branch trunk must be there; it is not: push the code first"):
        plan_setup()


def test_a_branch_whose_protection_cannot_be_read_is_not_taken_for_open(gitlab: GitLabServer) -> None:
    gitlab.fail(1, 400, path="/repository/branches/", message="out of order")
    with pytest.raises(BenchError, match="out of order"):
        plan_setup()
