"""Pipelines and their schedules."""

from __future__ import annotations

from gitlab_answers import find, ok, paged
from gitlab_project import BOT, ApiError
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()


def _schedule(call: Call) -> dict[str, object]:
    return find(call.server.state.schedules, int(call.found["schedule"]))


@ROUTES.add("GET", "/pipeline_schedules", private=True)
def list_schedules(call: Call) -> Answer:
    told = [
        {name: value for name, value in schedule.items() if name != "variables"}
        for schedule in call.server.state.schedules.values()
    ]
    return paged(call, told)


@ROUTES.add("POST", "/pipeline_schedules")
def post_schedule(call: Call) -> Answer:
    for name in ("description", "ref", "cron"):
        if not call.data.get(name):
            raise ApiError(400, {"error": f"{name} is missing"})
    number = len(call.server.state.schedules) + 1
    schedule = {"cron_timezone": "UTC", "active": True, **call.data, "id": number, "owner": {"id": BOT}}
    schedule["ref"] = f"refs/heads/{str(schedule['ref']).removeprefix('refs/heads/')}"  # GitLab 17 answers so
    call.server.state.schedules[number] = {**schedule, "variables": []}
    return ok(call.server.state.schedules[number], 201)


@ROUTES.add("GET", "/pipeline_schedules/:schedule", private=True)
def get_schedule(call: Call) -> Answer:
    return ok(_schedule(call))


@ROUTES.add("PUT", "/pipeline_schedules/:schedule")
def put_schedule(call: Call) -> Answer:
    _schedule(call).update(call.data)
    return ok(_schedule(call))


def _schedule_variables(call: Call) -> dict[object, dict[str, object]]:
    return {each["key"]: each for each in _schedule(call)["variables"]}


@ROUTES.add("POST", "/pipeline_schedules/:schedule/variables")
def post_schedule_variable(call: Call) -> Answer:
    if call.data["key"] in _schedule_variables(call):
        raise ApiError(400, {"variables.key": ["has already been taken"]})
    _schedule(call)["variables"].append({"variable_type": "env_var", **call.data})
    return ok(call.data, 201)


@ROUTES.add("PUT", "/pipeline_schedules/:schedule/variables/:key")
def put_schedule_variable(call: Call) -> Answer:
    held = find(_schedule_variables(call), call.found["key"])
    held.update(call.data)
    return ok(held)


@ROUTES.add("DELETE", "/pipeline_schedules/:schedule/variables/:key")
def delete_schedule_variable(call: Call) -> Answer:
    _schedule(call)["variables"].remove(find(_schedule_variables(call), call.found["key"]))
    return Answer(204, b"", {})


@ROUTES.add("GET", "/pipelines")
def list_pipelines(call: Call) -> Answer:
    return paged(call, [])
