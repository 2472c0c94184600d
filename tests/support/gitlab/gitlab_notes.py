"""The notes of a merge request."""

from __future__ import annotations

from gitlab_answers import ok, paged
from gitlab_project import BOT, ApiError, Note
from gitlab_routes import Answer, Call, Routes

ROUTES = Routes()
LONGEST_NOTE = 1_000_000


def _note(note: Note) -> dict[str, object]:
    author = {"id": note.author, "username": f"user{note.author}"}
    return {"id": note.id, "body": note.body, "author": author, "system": False, "noteable_iid": note.merge_request}


def _note_body(call: Call) -> str:
    body = str(call.data.get("body", ""))
    if not body.strip():
        raise ApiError(400, {"error": "body is missing"})
    if len(body) > LONGEST_NOTE:
        raise ApiError(400, {"note": ["is too long (maximum is 1000000 characters)"]})
    return body


@ROUTES.add("GET", "/merge_requests/:iid/notes")
def list_notes(call: Call) -> Answer:
    notes = [_note(note) for note in call.server.notes if note.merge_request == int(call.found["iid"])]
    return paged(call, notes if call.query.get("sort") == "asc" else notes[::-1])


@ROUTES.add("POST", "/merge_requests/:iid/notes")
def post_note(call: Call) -> Answer:
    note = call.server.add_note(_note_body(call), int(call.found["iid"]))
    return ok(_note(note), 201)


@ROUTES.add("PUT", "/merge_requests/:iid/notes/:note")
def put_note(call: Call) -> Answer:
    for note in call.server.notes:
        if (note.id, note.merge_request) == (int(call.found["note"]), int(call.found["iid"])):
            if note.author != BOT:
                raise ApiError(403, "403 Forbidden")
            note.body = _note_body(call)
            note.edits += 1
            return ok(_note(note))
    raise ApiError(404, "404 Note Not Found")
