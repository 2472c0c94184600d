"""Generic packages."""

from __future__ import annotations

import re
from typing import Any

from gitlab_answers import download, ok, paged
from gitlab_project import ApiError
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()


@ROUTES.add("PUT", "/packages/generic/:name/:version/:file", job=True)
def put_package(call: Call) -> Answer:
    name, version, file = call.found["name"], call.found["version"], call.found["file"]
    valid = re.fullmatch(r"[A-Za-z0-9._-]+", name) and re.fullmatch(r"[A-Za-z0-9._+~@-]+", file)
    if not valid or not re.fullmatch(r"[A-Za-z0-9._+-]{1,255}", version):
        raise ApiError(400, {"error": "package_version is invalid"})
    call.server.packages.setdefault((name, version, file), []).append(call.body)
    return ok({"message": "201 Created"}, 201)


@ROUTES.add("GET", "/packages/generic/:name/:version/:file", job=True)
def get_package(call: Call) -> Answer:
    held = call.server.packages.get((call.found["name"], call.found["version"], call.found["file"]))
    if not held:
        raise ApiError(404, "404 Not Found")
    return download(call, held[-1])


def _package_list(server: Any) -> list[dict[str, object]]:
    names = list(dict.fromkeys((name, version) for name, version, _ in server.packages))
    return [
        {"id": index, "name": name, "version": version, "package_type": "generic", "status": "default"}
        for index, (name, version) in enumerate(names, start=1)
    ]


@ROUTES.add("GET", "/packages", job=True)
def list_packages(call: Call) -> Answer:
    wanted = call.query.get("package_name", "")
    return paged(call, [package for package in _package_list(call.server) if wanted in str(package["name"])])


@ROUTES.add("GET", "/packages/:package/package_files")
def list_package_files(call: Call) -> Answer:
    package = next((each for each in _package_list(call.server) if str(each["id"]) == call.found["package"]), None)
    if package is None:
        raise ApiError(404, "404 Not Found")
    files = [
        {"id": 100 * index + upload, "package_id": package["id"], "file_name": file, "size": len(content)}
        for index, ((name, version, file), uploads) in enumerate(call.server.packages.items())
        for upload, content in enumerate(uploads)
        if (name, version) == (package["name"], package["version"])
    ]
    return paged(call, files)


@ROUTES.add("DELETE", "/packages/:package")
def delete_package(call: Call) -> Answer:
    for package in _package_list(call.server):
        if str(package["id"]) == call.found["package"]:
            for key in [key for key in call.server.packages if key[:2] == (package["name"], package["version"])]:
                del call.server.packages[key]
            return Answer(204, b"", {})
    raise ApiError(404, "404 Not Found")
