"""The project's settings: variables, protected branches, the scope of job tokens."""

from __future__ import annotations

import re

from gitlab_answers import find, ok, paged
from gitlab_project import ApiError
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()
MASKABLE = re.compile(r"[A-Za-z0-9+/=@:.~_-]{8,}")


@ROUTES.add("GET", "")
def get_project(call: Call) -> Answer:
    server = call.server
    return ok(
        {
            "id": server.project_id,
            "path_with_namespace": server.project_path,
            "web_url": f"{server.url}/{server.project_path}",
            "http_url_to_repo": f"{server.url}/{server.project_path}.git",
            **server.state.settings,
        }
    )


@ROUTES.add("PUT", "")
def put_project(call: Call) -> Answer:
    known = {name: value for name, value in call.data.items() if name in call.server.state.settings}
    if not known:
        raise ApiError(400, {"error": "name, default_branch, ... are missing, at least one parameter must be provided"})
    call.server.state.settings.update(known)
    return get_project(call)


def _check_variable(data: dict[str, object]) -> None:
    if data.get("masked") and not data.get("hidden") and not MASKABLE.fullmatch(str(data.get("value", ""))):
        raise ApiError(400, {"value": ["is invalid"]})


@ROUTES.add("GET", "/variables", private=True)
def list_variables(call: Call) -> Answer:
    return paged(call, call.server.state.variables)


@ROUTES.add("POST", "/variables")
def post_variable(call: Call) -> Answer:
    data = {"protected": False, "masked": False, "raw": False, "environment_scope": "*", **call.data}
    if _same(call, data["key"], data["environment_scope"]):
        raise ApiError(400, {"key": [f"({data['key']}) has already been taken"]})
    _check_variable(data)
    call.server.state.variables.append(data)
    return ok(data, 201)


def _same(call: Call, key: object, scope: object) -> list[dict[str, object]]:
    """Returns the variables of a key, and of a scope where one is given."""
    return [
        each
        for each in call.server.state.variables
        if each["key"] == key and scope in (None, each["environment_scope"])
    ]


def _variable(call: Call) -> dict[str, object]:
    """Returns the variable that the address and the filter mean; several are refused, as GitLab does."""
    found = _same(call, call.found["key"], call.query.get("filter[environment_scope]"))
    if len(found) > 1:
        raise ApiError(
            409, "There are multiple variables with provided parameters. Please use 'filter[environment_scope]'"
        )
    if not found:
        raise ApiError(404, "404 Variable Not Found")
    return found[0]


@ROUTES.add("GET", "/variables/:key", private=True)
def get_variable(call: Call) -> Answer:
    return ok(_variable(call))


@ROUTES.add("PUT", "/variables/:key")
def put_variable(call: Call) -> Answer:
    held = _variable(call)
    new = {name: value for name, value in call.data.items() if not name.startswith("filter")}
    _check_variable({**held, **new})
    if [each for each in _same(call, held["key"], new.get("environment_scope", "")) if each is not held]:
        raise ApiError(400, {"key": [f"({held['key']}) has already been taken"]})
    held.update(new)
    return ok(held)


@ROUTES.add("DELETE", "/variables/:key")
def delete_variable(call: Call) -> Answer:
    held = _variable(call)
    call.server.state.variables[:] = [each for each in call.server.state.variables if each is not held]
    return Answer(204, b"", {})


@ROUTES.add("GET", "/protected_branches", private=True)
def list_protected(call: Call) -> Answer:
    return paged(call, list(call.server.state.protected.values()))


@ROUTES.add("GET", "/protected_branches/:branch")
def get_protected(call: Call) -> Answer:
    return ok(find(call.server.state.protected, call.found["branch"]))


@ROUTES.add("POST", "/protected_branches")
def post_protected(call: Call) -> Answer:
    data = call.data
    if data["name"] in call.server.state.protected:
        raise ApiError(409, f"Protected branch '{data['name']}' already exists")
    call.server.state.protected[str(data["name"])] = {
        "name": data["name"],
        "push_access_levels": [{"access_level": data.get("push_access_level", 40)}],
        "merge_access_levels": [{"access_level": data.get("merge_access_level", 40)}],
        "allow_force_push": data.get("allow_force_push", False),
    }
    return ok(call.server.state.protected[str(data["name"])], 201)


@ROUTES.add("GET", "/job_token_scope", private=True)
def get_scope(call: Call) -> Answer:
    return ok({"inbound_enabled": call.server.state.job_token_scope, "outbound_enabled": False})


@ROUTES.add("PATCH", "/job_token_scope")
def patch_scope(call: Call) -> Answer:
    call.server.state.job_token_scope = bool(call.data["enabled"])
    return Answer(204, b"", {})
