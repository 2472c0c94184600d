"""Our one note on a merge request: the first pipeline writes it, and later ones update it."""

from __future__ import annotations

import re

from gitlab.v4.objects import Project, ProjectMergeRequest, ProjectMergeRequestNote

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.gitlab.server import connect, pause, plain_server_errors
from metric_robustness.pipeline.terminal import err
from metric_robustness.pipeline.tokens import token

TOKEN = "BENCHMARK_NOTE_TOKEN"  # noqa: S105  # the variable's name
MARKER = "<!-- metric-robustness: this note is kept up to date by the pipeline -->"
TRIES = 3  # each with the connection's own retries
LONGEST = 1_000_000  # characters, GitLab's limit
CUT = "\n\nThe rest is too long for a note: see the job's artifacts.\n"
COMMAND = re.compile(r"^(\s*)/", re.MULTILINE)


def post(markdown: str, merge_request: int, *, url: str = "", project: str = "") -> str:
    """Writes our note on a merge request, or updates it; returns what it did, in one line.

    Where BENCHMARK_NOTE_TOKEN is not set, as in a pipeline of a fork, sends nothing.

    Args:
        markdown: The note's text.
        merge_request: The merge request's number in its project (iid).
        url: The server; default: CI_SERVER_URL.
        project: The project; default: CI_PROJECT_ID.

    Raises:
        BenchError: If the number or the token is wrong, or there is no such merge request.
        TransientError: If the server stays away.
    """
    if merge_request < 1:
        raise BenchError(f"a merge request must have a number from 1; got {merge_request}: give CI_MERGE_REQUEST_IID")
    if not token(TOKEN):
        return f"no note: {TOKEN} is not set; the table is among the job's artifacts"
    source = connect(TOKEN, url=url, project=project)
    body = to_body(markdown)
    with plain_server_errors(f"merge request {merge_request}"):
        for count in range(1, TRIES):
            try:
                return _bring_up_to_date(source, merge_request, body)
            except TransientError as error:  # the note may have been written nevertheless: look again
                err.print(f"note: {error}", markup=False, soft_wrap=True)
                pause(count)
        return _bring_up_to_date(source, merge_request, body)


def to_body(markdown: str) -> str:
    """Returns the text to send: marked as ours, within GitLab's limit, and without commands to GitLab.

    GitLab would carry out a line that begins with a slash (`/merge`), and the text quotes contributors.
    """
    harmless = COMMAND.sub(r"\1\\/", markdown.strip())
    text = f"{MARKER}\n{harmless}"
    return text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT


def _bring_up_to_date(project: Project, number: int, body: str) -> str:
    """Writes our note, unless it says this already."""
    merge_request = project.mergerequests.get(number, lazy=True)
    note = _ours(project, merge_request)
    if note is None:
        merge_request.notes.create({"body": body})
        return "note written"
    if _plain(note.body) == _plain(body):
        return "note up to date"
    note.body = body
    note.save()
    return "note updated"


def _ours(project: Project, merge_request: ProjectMergeRequest) -> ProjectMergeRequestNote | None:
    """Returns our note: it begins with the marker and is the token user's, since anybody can write the marker."""
    server = project.manager.gitlab
    server.auth()
    user = server.user.id if server.user else None
    for note in merge_request.notes.list(iterator=True, per_page=100, sort="asc", order_by="created_at"):
        if str(note.body).startswith(MARKER) and note.author["id"] == user:
            return note
    return None


def _plain(text: str) -> str:
    """Returns text without what GitLab may change when it stores it."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
