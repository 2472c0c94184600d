"""The result store: what is written is read, and nothing else is."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from metric_robustness.pipeline.errors import BenchError, TransientError
from metric_robustness.pipeline.files import sealed
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.store.store import FolderStore, Place, RefusedError, Store

KEY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
STAMP = Place("cells", KEY, "stamp.json")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def only_file(store: FolderStore) -> Path:
    (file,) = [path for path in store.root.rglob("*") if path.is_file()]
    return file


def test_what_is_written_is_read(store):
    assert store.read(STAMP) is None
    store.write(STAMP, b"first")
    store.write(STAMP, b"second")
    assert store.read(STAMP) == b"second"
    assert store.read(Place("cells", OTHER, "stamp.json")) is None
    assert [path.name for path in store.root.rglob("*") if path.is_file()] == ["stamp.json"]  # nothing half-written


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\x00\xff" * 1000, "größer".encode()], ids=["empty", "lines", "binary", "text"]
)
def test_any_bytes_come_back(store, content):
    store.write(STAMP, content)
    assert store.read(STAMP) == content


def test_every_changed_byte_is_noticed(store):
    store.write(STAMP, b"rows of a cell")
    file = only_file(store)
    whole = file.read_bytes()
    for index in range(len(whole)):
        file.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        with pytest.raises(RefusedError):
            store.read(STAMP)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(RefusedError):
            store.read(STAMP)


def test_an_object_of_another_cell_is_refused(store):
    store.write(STAMP, b"rows")
    stolen = store.root / "cells" / OTHER[:2] / OTHER / "stamp.json"
    stolen.parent.mkdir(parents=True)
    stolen.write_bytes(only_file(store).read_bytes())
    with pytest.raises(RefusedError, match="belongs to another place"):
        store.read(Place("cells", OTHER, "stamp.json"))


@pytest.mark.parametrize("written", [b"<html>not found</html>", zlib.compress(b"rows"), b"robustness-object 1 a\n"])
def test_a_foreign_file_is_refused(store, written):
    store.write(STAMP, b"rows")
    only_file(store).write_bytes(written)
    with pytest.raises(RefusedError, match="computed again"):
        store.read(STAMP)


def test_many_are_read_at_once_and_a_refused_one_spoils_no_other(store):
    places = [Place("cells", f"{number:032x}", "stamp.json") for number in range(40)]
    for place in places[:-1]:
        store.write(place, place.key.encode())
    (store.root / "cells" / "00" / places[3].key / "stamp.json").write_bytes(b"damaged")
    found = store.read_all(places)
    assert list(found) == places
    assert isinstance(found[places[3]], RefusedError)
    assert found[places[-1]] is None
    assert all(found[place] == place.key.encode() for place in places[:-1] if place != places[3])


@pytest.mark.parametrize("key", ["../../etc/passwd", "x; rm -rf ~", "$(id)", "<script>", "", "0123/4567890abcdef0"])
def test_a_key_that_is_no_hash_reaches_no_path(store, key):
    place = Place("cells", key, "stamp.json")
    with pytest.raises(BenchError, match="KIND/HASH/NAME"):
        store.read(place)
    with pytest.raises(BenchError, match="KIND/HASH/NAME"):
        store.write(place, b"")
    assert not store.root.exists()


@pytest.mark.parametrize("address", ["", "  ", "ftp://host/store", "https://host/elsewhere", "http://[::1/api/v4"])
def test_an_address_that_is_no_store_is_refused(address):
    with pytest.raises(BenchError, match="must be a folder or https://HOST/api/v4/projects/ID"):
        open_store(address)


def test_a_read_only_folder_is_told_in_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    store: Store = open_store(str(tmp_path / "file"))
    with pytest.raises(BenchError, match=r"must lie below folders|must be writable"):
        store.write(STAMP, b"rows")


def test_the_package_registry_is_a_store_too(server):
    store = open_store(server.api)
    assert store.read(STAMP) is None
    store.write(STAMP, b"first")
    store.write(STAMP, b"second")
    assert store.read(STAMP) == b"second"
    places = [STAMP, Place("clear", OTHER, "scores")]
    store.write(places[1], b"scores")
    assert store.read_all([*places, Place("unfinished", KEY, "checkpoint")]) == {
        STAMP: b"second",
        places[1]: b"scores",
        Place("unfinished", KEY, "checkpoint"): None,
    }
    assert {request.token for request in server.requests} == {"job"}
    assert ("robustness-cells", KEY, "stamp.json") in server.packages


def test_a_damaged_package_is_refused(server):
    store = open_store(server.api)
    store.write(STAMP, b"rows")
    ((key, uploads),) = server.packages.items()
    server.state.add_upload(*key, uploads[-1].content[:-1])
    with pytest.raises(RefusedError, match="is damaged"):
        store.read(STAMP)


def test_a_server_that_is_busy_or_breaks_off_is_asked_again(server):
    store = open_store(server.api)
    store.write(STAMP, b"rows")
    server.fail(2, 502, method="GET")
    assert store.read(STAMP) == b"rows"
    server.fail(1, 429, method="PUT", headers={"Retry-After": "0"})
    store.write(STAMP, b"newer")
    server.truncate(2)
    assert store.read(STAMP) == b"newer"
    server.hang_up(1)
    assert store.read(STAMP) == b"newer"


def test_a_server_that_stays_away_is_a_reason_to_try_later_and_not_an_absent_object(server):
    store = open_store(server.api)
    server.fail(100, 503)
    with pytest.raises(TransientError, match="after 5 tries it does not"):
        store.read(STAMP)


def test_a_refused_token_is_one_line_and_not_an_absent_object(server, monkeypatch):
    monkeypatch.setenv("CI_JOB_TOKEN", "job-of-yesterday")
    with pytest.raises(BenchError, match="CI_JOB_TOKEN must be the token of a running job") as told:
        open_store(server.api).read(STAMP)
    assert "yesterday" not in str(told.value)
    monkeypatch.delenv("CI_JOB_TOKEN")
    with pytest.raises(BenchError, match="GITLAB_TOKEN must hold a token"):
        open_store(server.api)


def test_a_project_is_named_by_its_path_too_as_gitlab_writes_it_in_an_address(server):
    open_store(server.api).write(STAMP, b"rows")
    by_path = server.api.replace("/projects/42", "/projects/group%2Frobustness")
    assert open_store(by_path).read(STAMP) == b"rows"
    with pytest.raises(BenchError, match="must be a number or a path"):
        open_store(server.api.replace("/projects/42", "/projects/group%2F..%2Frobustness"))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"not zlib at all", "cannot be inflated"),
        (zlib.compress(b"rows")[:-3], "ends too early"),
        (zlib.compress(bytes(64 * 2**20)), "holds more than 16 MiB"),
    ],
)
def test_an_object_with_a_right_hash_and_a_wrong_body_is_refused(store, body, why):
    store.write(STAMP, b"rows")
    only_file(store).write_bytes(sealed(body, str(STAMP)))
    with pytest.raises(RefusedError, match=f"{STAMP} in the store {why}"):
        store.read(STAMP)


def test_a_folder_in_the_place_of_an_object_is_refused(store):
    store.write(STAMP, b"rows")
    only_file(store).rename(store.root / "kept")
    (store.root / "cells" / KEY[:2] / KEY / "stamp.json").mkdir()
    assert isinstance(store.read_all([STAMP])[STAMP], RefusedError)


def signing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str) -> Store:
    monkeypatch.setenv("BENCHMARK_STORE_KEY", keys)
    return open_store(str(tmp_path / "store"))


def test_where_a_key_is_set_only_what_it_signed_counts(tmp_path, monkeypatch):
    mine, theirs = "a" * 64, "b" * 64
    signing(tmp_path, monkeypatch, "").write(STAMP, b"forged by a member's job")
    trusting = signing(tmp_path, monkeypatch, mine)
    with pytest.raises(RefusedError, match="signed by no pipeline of a protected branch: it is computed again"):
        trusting.read(STAMP)
    signing(tmp_path, monkeypatch, theirs).write(STAMP, b"forged with another key")
    with pytest.raises(RefusedError, match="signed by no pipeline"):
        trusting.read(STAMP)
    trusting.write(STAMP, b"true")
    assert trusting.read(STAMP) == b"true"
    assert signing(tmp_path, monkeypatch, "").read(STAMP) == b"true"  # a laptop reads what it cannot verify
    renewed = signing(tmp_path, monkeypatch, f"{theirs},{mine}")
    assert renewed.read(STAMP) == b"true"


def test_a_signature_holds_for_its_place_alone(tmp_path, monkeypatch):
    store = signing(tmp_path, monkeypatch, "a" * 64)
    store.write(STAMP, b"true")
    (file,) = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    other = file.parents[2] / OTHER[:2] / OTHER / "stamp.json"
    other.parent.mkdir(parents=True)
    other.write_bytes(file.read_bytes())
    with pytest.raises(RefusedError, match="signed by no pipeline"):
        store.read(Place("cells", OTHER, "stamp.json"))


@pytest.mark.parametrize("key", ["short", "a" * 40 + " b", "a" * 40 + ","])
def test_a_key_that_is_none_is_told_and_not_repeated(tmp_path, monkeypatch, key):
    with pytest.raises(BenchError, match="BENCHMARK_STORE_KEY must hold keys of 32 or more") as error:
        signing(tmp_path, monkeypatch, key)
    assert key not in str(error.value)


def test_an_object_that_another_process_removes_as_it_is_listed_ends_no_listing(tmp_path, monkeypatch):
    store = FolderStore(tmp_path / "store")
    gone, going, stays = (Place("cells", f"{number:032x}", "stamp.json") for number in range(3))
    for place in (gone, going, stays):
        store.write(place, b"stamp")
    look, looked = Path.stat, []

    def look_while_others_remove(path, **options):
        """Looks at a file as it was before another process removed it, but comes too late for the first."""
        if path.name != "stamp.json" or path in looked:
            return look(path, **options)
        looked.append(path)
        late = gone.key in path.parts
        facts = None if late else look(path, **options)
        if stays.key not in path.parts:
            path.unlink()
        return facts or look(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", look_while_others_remove)
        listed = store.uploads()
    assert [upload.place for upload in listed] == [going, stays]
    store.remove(listed)
    assert store.uploads() == []
