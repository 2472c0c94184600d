"""The artifacts of the latest successful job of a ref."""

from __future__ import annotations

import io
import zipfile

from gitlab_answers import download
from gitlab_project import ApiError
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()


def _artifacts(call: Call) -> dict[str, bytes]:
    held = call.server.state.artifacts.get((call.found["ref"], call.query.get("job", "")))
    if held is None:
        raise ApiError(404, "404 Not Found")
    return held


@ROUTES.add("GET", "/jobs/artifacts/:ref/raw/:path", job=True)
def raw_artifact(call: Call) -> Answer:
    held = _artifacts(call)
    if call.found["path"] not in held:
        raise ApiError(404, "404 Not Found")
    return download(call, held[call.found["path"]])


@ROUTES.add("GET", "/jobs/artifacts/:ref/download", job=True)
def artifact_archive(call: Call) -> Answer:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in sorted(_artifacts(call).items()):
            archive.writestr(zipfile.ZipInfo(path), content)
    return download(call, packed.getvalue())
