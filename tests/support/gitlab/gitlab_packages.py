"""Generic packages."""

from __future__ import annotations

import re

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
    call.server.state.add_upload(name, version, file, call.body)
    return ok({"message": "201 Created"}, 201)


@ROUTES.add("GET", "/packages/generic/:name/:version/:file", job=True)
def get_package(call: Call) -> Answer:
    held = call.server.packages.get((call.found["name"], call.found["version"], call.found["file"]))
    if not held:
        raise ApiError(404, "404 Not Found")
    return download(call, held[-1].content)


@ROUTES.add("GET", "/packages", job=True)
def list_packages(call: Call) -> Answer:
    wanted = call.query.get("package_name", "")  # GitLab's search is fuzzy
    found = [
        {"id": number, "name": name, "version": version, "package_type": "generic", "status": "default"}
        for (name, version), number in call.server.state.package_ids.items()
        if wanted in name
    ]
    return paged(call, found)


def _package(call: Call) -> tuple[str, str]:
    """Returns the name and version of the package with the asked number."""
    for package, number in call.server.state.package_ids.items():
        if str(number) == call.found["package"]:
            return package
    raise ApiError(404, "404 Not Found")


@ROUTES.add("GET", "/packages/:package/package_files", job=True)
def list_package_files(call: Call) -> Answer:
    package = _package(call)
    files = [
        {
            "id": upload.id,
            "package_id": int(call.found["package"]),
            "file_name": key[2],
            "size": len(upload.content),
            "created_at": upload.created,
        }
        for key, uploads in call.server.packages.items()
        for upload in uploads
        if key[:2] == package
    ]
    return paged(call, files)


@ROUTES.add("DELETE", "/packages/:package", job=True)
def delete_package(call: Call) -> Answer:
    package = _package(call)
    for key in [key for key in call.server.packages if key[:2] == package]:
        del call.server.packages[key]
    del call.server.state.package_ids[package]
    return Answer(204, b"", {})


@ROUTES.add("DELETE", "/packages/:package/package_files/:number", job=True)
def delete_package_file(call: Call) -> Answer:
    package = _package(call)
    for key, uploads in call.server.packages.items():
        kept = [upload for upload in uploads if str(upload.id) != call.found["number"]]
        if key[:2] == package and len(kept) < len(uploads):
            uploads[:] = kept
            return Answer(204, b"", {})
    raise ApiError(404, "404 Not Found")
