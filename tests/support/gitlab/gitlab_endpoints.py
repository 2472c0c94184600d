"""Which endpoint of GitLab's REST API answers a request, and whether its token may ask; errors are GitLab's own."""

from __future__ import annotations

import re
from urllib.parse import unquote

import gitlab_artifacts
import gitlab_notes
import gitlab_packages
import gitlab_pipelines
import gitlab_repository
import gitlab_settings
from gitlab_answers import encoded, ok
from gitlab_project import BOT, ApiError
from gitlab_routes import Answer, Call, Route

MODULES = (gitlab_packages, gitlab_repository, gitlab_notes, gitlab_artifacts, gitlab_settings, gitlab_pipelines)
ROUTES = [route for module in MODULES for route in module.ROUTES]


def respond(call: Call) -> Answer:
    """Returns the answer to a request."""
    try:
        _check_token(call)
        if call.path == "/api/v4/user":
            return _user(call)
        if call.path == "/api/graphql":
            return _graphql(call)
        rest = _below_project(call)
        method = "GET" if call.method == "HEAD" else call.method
        for route in ROUTES:
            if route.method == method and (found := route.pattern.fullmatch(rest)):
                _check_rights(call, route)
                call.found = {name: unquote(value) for name, value in found.groupdict().items()}
                return route.endpoint(call)
        raise ApiError(404, "404 Not Found")
    except ApiError as error:
        told = error.message if isinstance(error.message, dict) and "error" in error.message else None
        return Answer(error.status, encoded(told or {"message": error.message}), {})


def _check_token(call: Call) -> None:
    if call.who == "expired":
        raise ApiError(401, {"error": "invalid_token", "error_description": "Token is expired."})
    if call.who == "unknown":
        raise ApiError(401, "401 Unauthorized")


def _user(call: Call) -> Answer:
    if call.who not in {"private", "read"}:
        raise ApiError(401, "401 Unauthorized")
    return ok({"id": BOT, "username": "project_42_bot", "name": "publisher"})


def _graphql(call: Call) -> Answer:
    """Answers the two questions about the cleanup policy of packages; GraphQL reports errors with the status 200."""
    state, query = call.server.state, str(call.data["query"])
    if call.who not in {"private", "read"} or call.data["variables"] != {"path": call.server.project_path}:
        return ok({"data": {"project": None}})
    if "updatePackagesCleanupPolicy" not in query:
        return ok(
            {"data": {"project": {"packagesCleanupPolicy": {"keepNDuplicatedPackageFiles": state.package_files}}}}
        )
    if call.who == "read":
        return ok({"data": {"updatePackagesCleanupPolicy": None}, "errors": [{"message": "The resource is not there"}]})
    state.package_files = re.findall(r"keepNDuplicatedPackageFiles: (\w+)", query)[0]
    return ok({"data": {"updatePackagesCleanupPolicy": {"errors": []}}})


def _below_project(call: Call) -> str:
    """Returns the path below the project."""
    server = call.server
    if web := re.fullmatch(rf"/{server.project_path}/-(/jobs/artifacts/.+)", call.path):  # the permalink of browsers
        call.who = "none"  # browsers send a session, no token
        return web[1]
    match = re.fullmatch(r"/api/v4/projects/([^/]+)(/.*)?", call.path)
    if not match:
        raise ApiError(404, "404 Not Found")
    if unquote(match[1]) not in {str(server.project_id), server.project_path}:
        raise ApiError(404, "404 Project Not Found")
    return match[2] or ""


def _check_rights(call: Call, route: Route) -> None:
    anonymous = call.who == "none" or (call.who == "job" and not route.job)
    if anonymous and call.writes:
        raise ApiError(401, "401 Unauthorized")
    if anonymous and not call.server.state.public:
        raise ApiError(404, "404 Project Not Found")
    if anonymous and route.private:
        raise ApiError(401, "401 Unauthorized")
    if call.who == "read" and call.writes:
        raise ApiError(403, {"error": "insufficient_scope", "error_description": "needs api", "scope": "api"})
