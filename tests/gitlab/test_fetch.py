from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gitlab_server import GitLabServer

from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.gitlab import fetch as fetching
from metric_robustness.pipeline.gitlab import unpack as unpacking
from metric_robustness.pipeline.gitlab.fetch import TABLES, fetch
from metric_robustness.pipeline.gitlab.unpack import unpack
from metric_robustness.pipeline.scoring.read.cells import TABLES as SCORED

NAMES = ("leaderboard.md", "leaderboard.csv", "leaderboard.json", "scores.csv", "cells.csv")
CELLS = {
    "niqe/fgsm.csv": b"image,gain\na,0.1\n",
    "niqe/ifgsm+steps=20.json": b"{}",
    "scores.csv": b"x",
}


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


def artifacts(version: str = "1", rows: bytes = b"") -> dict[str, bytes]:
    files = {name: f"{name} {version}\n".encode() * 20 for name in NAMES}
    files["rows.zip"] = rows or packed(CELLS | {"large.csv": bytes(300_000)})
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    return {f"public/{name}": content for name, content in files.items()} | {"public/SHA256SUMS": sums.encode()}


@pytest.fixture
def gitlab(as_job: Callable[..., None]) -> Iterator[GitLabServer]:
    with GitLabServer(public=True) as server:
        as_job(server)
        server.put_artifacts(artifacts())
        yield server


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def test_the_tables_of_a_public_project_need_no_token(gitlab: GitLabServer, tmp_path: Path) -> None:
    found = fetch(out=tmp_path)
    assert content(tmp_path) == {name: artifacts()[f"public/{name}"] for name in NAMES}
    assert [file.name for file in found.files] == list(NAMES)
    assert found.new == len(NAMES)
    assert gitlab.tokens() == {"none"}
    assert gitlab.writes() == []


def test_every_table_of_scores_is_downloaded() -> None:
    assert {f"{name}.csv" for name in SCORED} <= set(TABLES)


def test_the_rows_are_unpacked(gitlab: GitLabServer, tmp_path: Path) -> None:
    found = fetch(raw=True, out=tmp_path)
    assert found.rows == tmp_path / "rows"
    assert content(tmp_path / "rows") == CELLS | {"large.csv": bytes(300_000)}
    assert found.cells == 4


def test_rows_that_no_fetch_brought_are_not_replaced(gitlab: GitLabServer, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "mine.csv").touch()
    with pytest.raises(BenchError, match="rows holds what no fetch brought, and would be replaced: choose another"):
        fetch(raw=True, out=tmp_path)
    assert list(content(tmp_path / "rows")) == ["mine.csv"]


@pytest.mark.parametrize(("variable", "kind"), [("GITLAB_TOKEN", "private"), ("CI_JOB_TOKEN", "job")])
def test_a_private_project_is_read_with_the_token_that_is_there(
    gitlab: GitLabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, kind: str
) -> None:
    gitlab.state.public = False
    with pytest.raises(BenchError, match="set GITLAB_TOKEN"):
        fetch(out=tmp_path)
    monkeypatch.setenv(variable, gitlab.API if kind == "private" else gitlab.JOB)
    gitlab.requests.clear()
    assert fetch(out=tmp_path).new == len(NAMES)
    assert gitlab.tokens() == {kind}


def test_what_is_up_to_date_is_not_downloaded_again(gitlab: GitLabServer, tmp_path: Path) -> None:
    fetch(raw=True, out=tmp_path)
    (tmp_path / "rows" / "mine.txt").write_text("still here")
    gitlab.requests.clear()
    assert fetch(raw=True, out=tmp_path).new == 0
    assert [request.path.rpartition("/")[2] for request in gitlab.requests] == ["SHA256SUMS"]
    assert (tmp_path / "rows" / "mine.txt").is_file()


def test_a_newer_leaderboard_replaces_what_is_there(gitlab: GitLabServer, tmp_path: Path) -> None:
    fetch(raw=True, out=tmp_path)
    gitlab.put_artifacts(artifacts("2", packed({"niqe/fgsm.csv": b"new"})))
    found = fetch(raw=True, out=tmp_path)
    assert found.new == len(NAMES) + 1
    assert (tmp_path / "scores.csv").read_bytes() == artifacts("2")["public/scores.csv"]
    assert content(tmp_path / "rows") == {"niqe/fgsm.csv": b"new"}


def test_a_table_that_is_no_longer_made_does_not_stay(gitlab: GitLabServer, tmp_path: Path) -> None:
    (tmp_path / "ranges.csv").write_text("old")
    (tmp_path / "mine.csv").write_text("mine")
    fetch(out=tmp_path)
    assert not (tmp_path / "ranges.csv").exists()
    assert (tmp_path / "mine.csv").is_file()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_truncated_download_is_continued(gitlab: GitLabServer, tmp_path: Path, ranges: bool) -> None:
    gitlab.ranges = ranges
    gitlab.truncate(2, keep=98_304, path=r"rows\.zip$")
    fetch(raw=True, out=tmp_path)
    assert content(tmp_path / "rows") == CELLS | {"large.csv": bytes(300_000)}
    tries = [request for request in gitlab.requests if request.path.endswith("rows.zip")]
    if ranges:
        assert [request.headers.get("range") for request in tries] == [None, "bytes=98304-", "bytes=196608-"]
    assert [request.status for request in tries] == ([200, 206, 206] if ranges else [200, 200, 200])
    assert not list(tmp_path.glob(".*.part"))


def test_a_download_that_never_gets_on_is_given_up_and_its_part_kept(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.truncate(1, keep=98_304, path=r"rows\.zip$")
    gitlab.truncate(100, keep=0, path=r"rows\.zip$")
    with pytest.raises(TransientError, match=r"rows\.zip must arrive whole; it broke off 5 times.*run again") as caught:
        fetch(raw=True, out=tmp_path)
    assert caught.value.exit_code == 75
    (part,) = tmp_path.glob(".rows.zip.*.part")
    assert part.stat().st_size == 98_304
    assert not (tmp_path / "rows.zip").exists()
    gitlab.faults.clear()
    gitlab.requests.clear()
    fetch(raw=True, out=tmp_path)
    assert [request.headers["range"] for request in gitlab.requests if "range" in request.headers] == ["bytes=98304-"]


def test_a_part_of_an_older_version_is_not_continued(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.truncate(100, keep=100, path=r"scores\.csv$")
    gitlab.ranges = False
    with pytest.raises(TransientError):
        fetch(out=tmp_path)
    gitlab.faults.clear()
    gitlab.put_artifacts(artifacts("2"))
    gitlab.requests.clear()
    fetch(out=tmp_path)
    assert (tmp_path / "scores.csv").read_bytes() == artifacts("2")["public/scores.csv"]
    assert not [request for request in gitlab.requests if "range" in request.headers]
    assert not list(tmp_path.glob(".*.part"))  # else each version that broke off would take its room for ever


def test_two_at_once_into_one_folder_do_not_disturb_each_other(gitlab: GitLabServer, tmp_path: Path) -> None:
    release = gitlab.hold(keep=100_000, path=r"rows\.zip$")
    command = [sys.executable, "-m", "metric_robustness.pipeline", "fetch", "--raw", "--out", str(tmp_path)]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not any(part.stat().st_size for part in tmp_path.glob(".rows.zip.*.part")):
        time.sleep(0.02)
    second = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    told = second.stderr.readline()
    release.set()
    assert [first.communicate()[1], second.communicate()[1]] == ["", ""]
    assert told == f"waiting for another fetch into {tmp_path}\n"
    assert [first.returncode, second.returncode] == [0, 0]
    assert content(tmp_path / "rows") == CELLS | {"large.csv": bytes(300_000)}
    assert sum(request.path.endswith("rows.zip") for request in gitlab.requests) == 1


def test_a_fetch_that_is_stopped_as_it_has_unpacked_is_repeated(
    gitlab: GitLabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(archive: Path, folder: Path) -> None:
        unpack(archive, folder)
        raise KeyboardInterrupt

    (tmp_path / ".rows.unpacking-0").mkdir()  # of a fetch that was killed in the middle of it
    with monkeypatch.context() as patched:
        patched.setattr(fetching, "unpack", stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch(raw=True, out=tmp_path)
    assert fetch(raw=True, out=tmp_path).cells == 4
    assert [path.name for path in tmp_path.glob(".*") if path.is_dir()] == []


def test_a_version_that_changes_in_the_middle_is_begun_again(
    gitlab: GitLabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gitlab.truncate(1, keep=98_304, path=r"rows\.zip$")
    take = gitlab.take_fault
    newer = artifacts("2", packed({"niqe/fgsm.csv": bytes(200_000)}))

    def replace_after_first(method: str, path: str) -> object:
        if path.endswith("rows.zip") and any(request.path == path for request in gitlab.requests):
            gitlab.put_artifacts(newer)
        return take(method, path)

    monkeypatch.setattr(gitlab, "take_fault", replace_after_first)
    fetch(raw=True, out=tmp_path)
    asked = [request for request in gitlab.requests if request.path.endswith("rows.zip")]
    assert [request.status for request in asked] == [200, 200, 200]  # broken off; another ETag: all; by the new hash
    assert asked[1].headers["range"] == "bytes=98304-"
    assert asked[1].headers["if-range"].startswith('"')
    assert content(tmp_path / "rows") == {"niqe/fgsm.csv": bytes(200_000)}
    assert (tmp_path / "scores.csv").read_bytes() == newer["public/scores.csv"]


def test_a_part_longer_than_the_file_is_begun_again(gitlab: GitLabServer, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(artifacts()["public/scores.csv"]).hexdigest()
    (tmp_path / f".scores.csv.{sha256[:16]}.part").write_bytes(bytes(10_000))
    fetch(out=tmp_path)
    assert (tmp_path / "scores.csv").read_bytes() == artifacts()["public/scores.csv"]


def test_a_part_with_wrong_bytes_is_begun_again(gitlab: GitLabServer, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(artifacts()["public/scores.csv"]).hexdigest()
    (tmp_path / f".scores.csv.{sha256[:16]}.part").write_bytes(b"wrong")
    fetch(out=tmp_path)
    assert (tmp_path / "scores.csv").read_bytes() == artifacts()["public/scores.csv"]


def test_a_file_that_is_not_what_was_announced_is_refused(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.put_artifacts(artifacts() | {"public/scores.csv": b"tampered"})
    with pytest.raises(DataError, match=r"scores\.csv must have the hash that SHA256SUMS names"):
        fetch(out=tmp_path)
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(("status", "headers"), [(429, {"Retry-After": "0"}), (502, {}), (503, {})])
def test_a_busy_or_failing_server_ends_well(
    gitlab: GitLabServer, tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    gitlab.fail(2, status, headers=headers)
    fetch(out=tmp_path)
    assert set(content(tmp_path)) == set(NAMES)


def test_a_dropped_connection_ends_well(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.hang_up(2)
    fetch(out=tmp_path)
    assert set(content(tmp_path)) == set(NAMES)


def test_an_expired_token_is_one_line(gitlab: GitLabServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITLAB_TOKEN", gitlab.EXPIRED)
    with pytest.raises(BenchError, match="GITLAB_TOKEN must hold a valid token") as caught:
        fetch(out=tmp_path)
    assert gitlab.EXPIRED not in str(caught.value)


def test_a_branch_without_a_leaderboard_says_so(gitlab: GitLabServer, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="elsewhere must have a pipeline whose job aggregate succeeded"):
        fetch("elsewhere", out=tmp_path)


def test_a_branch_with_a_slash_is_found(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.put_artifacts(artifacts("3"), ref="release/1.0")
    fetch("release/1.0", out=tmp_path)
    assert (tmp_path / "scores.csv").read_bytes() == artifacts("3")["public/scores.csv"]


@pytest.mark.parametrize("ref", ["x; rm -rf ~", "$(id)", "a/../b", "<script>", "-x", "", "a b", "a?job=other"])
def test_a_hostile_ref_is_refused_before_any_request(gitlab: GitLabServer, tmp_path: Path, ref: str) -> None:
    with pytest.raises(BenchError, match="a branch must be letters"):
        fetch(ref, out=tmp_path)
    assert gitlab.requests == []


def test_sums_that_are_none_are_refused(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.put_artifacts(artifacts() | {"public/SHA256SUMS": b"<html>sign in</html>"})
    with pytest.raises(DataError, match="must be lines of sha256sum"):
        fetch(out=tmp_path)
    gitlab.put_artifacts(artifacts() | {"public/SHA256SUMS": b"0" * 64 + b"  scores.csv\n"})
    with pytest.raises(DataError, match=r"must name leaderboard\.md"):
        fetch(out=tmp_path)


def test_a_killed_download_is_continued_by_the_next(gitlab: GitLabServer, tmp_path: Path) -> None:
    gitlab.truncate(1, keep=196_608, path=r"rows\.zip$")
    gitlab.fail(100, 503, path=r"rows\.zip$", headers={"Retry-After": "60"})
    code = (
        "from pathlib import Path; from metric_robustness.pipeline.gitlab.fetch import fetch; "
        f"fetch(raw=True, out=Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not any(request.status == 503 for request in gitlab.requests):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    gitlab.faults.clear()
    gitlab.requests.clear()
    fetch(raw=True, out=tmp_path)
    assert [request.headers["range"] for request in gitlab.requests if "range" in request.headers] == ["bytes=196608-"]
    assert content(tmp_path / "rows")["large.csv"] == bytes(300_000)


@pytest.mark.parametrize(
    "name",
    ["../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "a\\..\\evil.csv", "C:evil.csv", "a//b.csv", "./a.csv",
     ".hidden", "a/.hidden", "x; rm -rf ~", "$(id)", "<script>", "-rf", "a/b/c/d/e/f/g/h/i.csv", "a\nb.csv"],
)  # fmt: skip
def test_an_archive_with_a_hostile_name_is_refused_whole(gitlab: GitLabServer, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    fetch(raw=True, out=out)
    gitlab.put_artifacts(artifacts("2", packed({"niqe/fgsm.csv": b"new", name: b"evil"})))
    with pytest.raises(DataError, match=r"rows\.zip must hold plain files"):
        fetch(raw=True, out=out)
    assert content(out / "rows") == CELLS | {"large.csv": bytes(300_000)}
    assert not [file for file in tmp_path.rglob("*") if "evil" in file.name]


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "rows.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="must hold plain files"):
        unpack(archive, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 2), ("MOST_BYTES", 1000)])
def test_an_archive_without_end_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    archive = tmp_path / "rows.zip"
    archive.write_bytes(packed({name: bytes(500) for name in ("a", "b", "c")}))
    with pytest.raises(DataError, match="must unpack to at most"):
        unpack(archive, tmp_path / "rows")
    assert [file.name for file in tmp_path.iterdir()] == ["rows.zip"]


@pytest.mark.parametrize("cut", [10, 200, -30])
def test_a_damaged_archive_is_refused(tmp_path: Path, cut: int) -> None:
    archive = tmp_path / "rows.zip"
    archive.write_bytes(packed(CELLS)[:cut])
    with pytest.raises(DataError, match="must be a whole zip file"):
        unpack(archive, tmp_path / "rows")


def test_an_archive_that_lies_about_a_file_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "rows.zip"
    archive.write_bytes(packed({"a.csv": b"0123456789" * 20}).replace(b"0123", b"4567", 1))
    with pytest.raises(DataError, match="must be a whole zip file"):
        unpack(archive, tmp_path / "rows")
    assert [file.name for file in tmp_path.iterdir()] == ["rows.zip"]
