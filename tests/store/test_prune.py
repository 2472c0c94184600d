"""Retention: what goes from a store of either kind, why, and that nothing goes that a plan or the tables need."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.store.prune import NOTE, Prune, Retention, plan_prune
from metric_robustness.pipeline.store.store import Place, Store

NOW = datetime.now(UTC)
Put = Callable[[Place, float], None]  # writes an object as if that had been some days ago


def key(number: int) -> str:
    return f"{number:032x}"


def places(kind: str, number: int) -> list[Place]:
    names = {"cells": ["rows.csv", "stamp.json"], "clear": ["scores"], "fits": ["pattern.safetensors", "stamp.json"]}
    return [Place(kind, key(number), name) for name in names.get(kind, ["checkpoint"])]


@pytest.fixture(params=["folder", "gitlab"])
def store(request: pytest.FixtureRequest, tmp_path: Path, server: GitLabServer) -> Store:
    return open_store(str(tmp_path / "store") if request.param == "folder" else server.api)


@pytest.fixture
def put(store: Store, server: GitLabServer) -> Put:
    def write(place: Place, days: float) -> None:
        store.write(place, b"x" * 100)
        if hasattr(store, "root"):
            (file,) = store.root.glob(f"{place.kind}/*/{place.key}/{place.name}")
            os.utime(file, ((NOW - timedelta(days=days)).timestamp(),) * 2)
        else:
            uploads = server.packages[f"robustness-{place.kind}", place.key, place.name]
            created = (NOW - timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            uploads[-1] = replace(uploads[-1], created=created)

    return write


def parts(found: Prune) -> set[tuple[str, bool, str, int]]:
    return {(part.kind, part.goes, part.reason, part.uploads) for part in found.parts}


def held(store: Store) -> set[Place]:
    return {upload.place for upload in store.uploads()} - {NOTE}


def test_unfinished_work_goes_after_two_weeks_unless_the_plan_continues_it(store, put):
    for number, days in ((1, 13.9), (2, 14.1), (3, 400)):
        put(*places("unfinished", number), days)
    found = plan_prune(store, {("unfinished", key(3))}, NOW)
    assert parts(found) == {
        ("unfinished", False, "work of the last 14 days", 1),
        ("unfinished", True, "unfinished for 14 days", 1),
        ("unfinished", False, "the plan continues it", 1),
    }
    found.carry_out(store)
    assert held(store) == {*places("unfinished", 1), *places("unfinished", 3)}


def test_a_result_goes_once_no_plan_wanted_it_for_90_days_however_old_it_is(store, put):
    kinds = ("cells", "clear", "fits")
    for kind in kinds:
        for number in (1, 2):
            for place in places(kind, number):
                put(place, 500)
    every = held(store)
    wanted = {(kind, key(1)) for kind in kinds}
    first = plan_prune(store, wanted, NOW)
    assert first.going == []
    first.carry_out(store)
    assert plan_prune(store, wanted, NOW + timedelta(days=89)).going == []
    plan_prune(store, wanted | {("fits", key(2))}, NOW + timedelta(days=50)).carry_out(store)  # wanted again: from anew
    late = plan_prune(store, wanted, NOW + timedelta(days=90))
    assert {(part.kind, part.reason) for part in late.parts if part.goes} - {
        ("unwanted", "replaced by a newer upload")  # GitLab keeps it, a folder does not
    } == {
        ("cells", "wanted by no plan for 90 days"),
        ("clear", "wanted by no plan for 90 days"),
    }
    assert held(store) == every
    late.carry_out(store)
    assert held(store) == every - {*places("cells", 2), *places("clear", 2)}
    again = plan_prune(store, wanted, NOW + timedelta(days=90))
    assert [upload for upload in again.going if upload.place != NOTE] == []


def test_without_a_plan_results_stay_and_the_days_go_on(store, put):
    put(places("clear", 1)[0], 500)
    plan_prune(store, set(), NOW).carry_out(store)
    found = plan_prune(store, None, NOW + timedelta(days=100))
    assert ("clear", False, "no --plan says what is wanted", 1) in parts(found)
    found.carry_out(store)
    assert [upload.place for upload in plan_prune(store, set(), NOW + timedelta(days=100)).going] == places("clear", 1)


def test_uploads_that_a_newer_one_replaced_go_and_the_newest_is_read(server):
    store = open_store(server.api)
    for content in (b"first", b"second", b"third"):
        store.write(places("unfinished", 1)[0], content)
    found = plan_prune(store, None, NOW)
    assert parts(found) == {
        ("unfinished", True, "replaced by a newer upload", 2),
        ("unfinished", False, "work of the last 14 days", 1),
    }
    assert sum(upload.size for upload in found.going) > 0
    found.carry_out(store)
    assert len(store.uploads()) == 1
    assert store.read(places("unfinished", 1)[0]) == b"third"
    assert {request.token for request in server.requests} == {"job"}


def test_what_is_not_ours_is_neither_listed_nor_removed(server, tmp_path):
    server.state.add_upload("other-project", "1.0", "file", b"theirs")
    server.state.add_upload("robustness-cells", "1.0", "file", b"theirs")
    store = open_store(server.api)
    assert store.uploads() == []
    folder = tmp_path / "store"
    for file in (folder / "cells" / "notes.txt", folder / "cells" / "ab" / key(1) / "rows.csv", folder / "a" / "b"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("theirs")
    assert open_store(str(folder)).uploads() == []


def test_an_object_that_is_written_while_others_go_stays(store, put):
    put(*places("unfinished", 1), 20)
    found = plan_prune(store, None, NOW)
    store.write(places("unfinished", 1)[0], b"newer")
    found.carry_out(store)
    assert store.read(places("unfinished", 1)[0]) == b"newer"


def test_an_interrupted_prune_is_repeated(server):
    store = open_store(server.api)
    for number in range(5):
        for place in places("cells", number):
            store.write(place, b"x")
    plan_prune(store, set(), NOW).carry_out(store)
    late = NOW + timedelta(days=90)
    server.fail(10_000, 503, method="DELETE", path=rf"/packages/{server.state.package_ids['robustness-cells', key(3)]}")
    with pytest.raises(TransientError):
        plan_prune(store, set(), late).carry_out(store)
    assert {place.key for place in held(store)} == {key(3)}
    server.faults.clear()
    server.lose_answer(1, method="DELETE")
    plan_prune(store, set(), late).carry_out(store)
    assert held(store) == set()


def test_a_note_that_cannot_be_believed_has_the_days_counted_anew(tmp_path, monkeypatch, capsys):
    address = str(tmp_path / "store")
    store = open_store(address)
    store.write(places("clear", 1)[0], b"scores")
    since = {f"clear/{key(1)}": "2000-01-01"}
    store.write(NOTE, json.dumps(since).encode())
    assert len(plan_prune(store, set(), NOW).going) == 1
    for forged in (b"no JSON", b"[]", json.dumps(since | {"x": "yesterday"}).encode()):
        store.write(NOTE, forged)
        assert plan_prune(store, set(), NOW).going == []
    store.write(NOTE, json.dumps(since).encode())
    monkeypatch.setenv("BENCHMARK_STORE_KEY", "a" * 64)
    assert plan_prune(open_store(address), set(), NOW).going == []  # written by somebody without the key
    assert "counts anew" in capsys.readouterr().err


def test_other_days_can_be_asked_for(store, put):
    put(*places("unfinished", 1), 2)
    put(*places("clear", 1), 2)
    assert {upload.place.kind for upload in plan_prune(store, set(), NOW, Retention(1, 0)).going} == {
        "unfinished",
        "clear",
    }


def test_a_token_that_may_not_remove_is_one_line(server):
    store = open_store(server.api)
    store.write(places("clear", 1)[0], b"x")
    server.fail(1, 403, method="DELETE", message="403 Forbidden")
    with pytest.raises(BenchError, match="CI_JOB_TOKEN must have the right"):
        plan_prune(store, set(), NOW, Retention(0, 0)).carry_out(store)
