from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.gitlab.note import LONGEST, MARKER, post, to_body

TABLE = "| metric | gain |\n| --- | --- |\n| niqe | 0.1 |\n"


@pytest.fixture
def gitlab(as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    with GitLabServer() as server:
        as_job(server, BENCHMARK_NOTE_TOKEN=server.API, CI_JOB_TOKEN=server.JOB)
        yield server


def test_the_note_is_written_once_and_then_updated(gitlab: GitLabServer) -> None:
    assert post(TABLE, 3) == "note written"
    assert post(TABLE.replace("0.1", "0.2"), 3) == "note updated"
    (note,) = gitlab.notes
    assert note.body == f"{MARKER}\n{TABLE.replace('0.1', '0.2').strip()}"
    assert (note.merge_request, note.edits) == (3, 1)
    assert gitlab.tokens() == {"private"}


def test_the_same_text_is_not_written_again(gitlab: GitLabServer) -> None:
    post(TABLE, 3)
    assert post(f"{TABLE}\n", 3) == "note up to date"
    assert len(gitlab.writes()) == 1


def test_our_note_is_found_on_a_later_page(gitlab: GitLabServer) -> None:
    for number in range(130):
        gitlab.add_note(f"talk {number}", 3, author=11)
    ours = gitlab.add_note(to_body("old"), 3)
    for number in range(130):
        gitlab.add_note(f"more talk {number}", 3, author=11)
    assert post(TABLE, 3) == "note updated"
    assert ours.edits == 1
    assert len(gitlab.notes) == 261


def test_a_note_of_another_merge_request_is_left_alone(gitlab: GitLabServer) -> None:
    post(TABLE, 3)
    post("other", 4)
    assert [(note.merge_request, note.edits) for note in gitlab.notes] == [(3, 0), (4, 0)]


def test_what_others_write_is_left_alone_whatever_it_says(gitlab: GitLabServer) -> None:
    forged = gitlab.add_note(f"{MARKER}\nforged", 3, author=11)
    quoting = gitlab.add_note(f"see\n{MARKER}", 3)
    assert post(TABLE, 3) == "note written"
    assert (forged.edits, quoting.edits) == (0, 0)


def test_without_a_token_nothing_is_sent(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHMARK_NOTE_TOKEN")
    told = post(TABLE, 3)
    assert told == "no note: BENCHMARK_NOTE_TOKEN is not set; the table is among the job's artifacts"
    assert gitlab.requests == []


@pytest.mark.parametrize("line", ["/merge", "  /close", "\t/assign @me", "text\n/label ~bug", "/"])
def test_a_line_with_a_slash_is_no_command_to_gitlab(gitlab: GitLabServer, line: str) -> None:
    post(line, 3)
    assert gitlab.state.quick_actions == []
    assert "\\/" in gitlab.notes[0].body


def test_slashes_elsewhere_stay(gitlab: GitLabServer) -> None:
    post("a/b 8/255", 3)
    assert gitlab.notes[0].body == f"{MARKER}\na/b 8/255"


def test_a_note_that_is_too_long_is_cut(gitlab: GitLabServer) -> None:
    post("x" * (LONGEST + 1), 3)
    assert len(gitlab.notes[0].body) == LONGEST
    assert gitlab.notes[0].body.endswith("see the job's artifacts.\n")
    assert post("x" * (LONGEST + 1), 3) == "note up to date"


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "0"}), (502, {}), (503, {})])
def test_a_busy_or_failing_server_ends_well(gitlab: GitLabServer, status: int, headers: dict[str, str]) -> None:
    gitlab.fail(2, status, headers=headers)
    gitlab.fail(1, status, method="POST", headers=headers)
    assert post(TABLE, 3) == "note written"
    assert len(gitlab.notes) == 1


def test_a_note_whose_answer_was_lost_is_not_written_twice(gitlab: GitLabServer) -> None:
    gitlab.lose_answer(1, 502, method="POST")
    assert post(TABLE, 3) == "note up to date"
    assert len(gitlab.notes) == 1


def test_a_server_that_stays_away_is_told(gitlab: GitLabServer) -> None:
    gitlab.fail(1000, 502)
    with pytest.raises(TransientError, match="must answer"):
        post(TABLE, 3)


def test_an_expired_token_is_one_line(gitlab: GitLabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_NOTE_TOKEN", gitlab.EXPIRED)
    with pytest.raises(BenchError, match=r"^BENCHMARK_NOTE_TOKEN must hold a valid token") as caught:
        post(TABLE, 3)
    assert gitlab.EXPIRED not in str(caught.value)
    assert len(gitlab.requests) == 1


def test_a_number_that_is_none_is_refused(gitlab: GitLabServer) -> None:
    with pytest.raises(BenchError, match="must have a number from 1"):
        post(TABLE, 0)
    assert gitlab.requests == []
