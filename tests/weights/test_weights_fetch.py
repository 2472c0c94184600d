"""`weights fetch` against a server that stumbles, as a user calls it."""

from __future__ import annotations

import email.utils
import signal
import subprocess
import time
from pathlib import Path
from threading import Event

import pytest
from file_server import Fault, FileServer
from torch_files import checkpoint
from weights_site import ON_HUB, PINNED, PLAIN, Site, body, errors, leftovers, sha256

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import arrival
from metric_robustness.pipeline.weights.download import download
from metric_robustness.pipeline.weights.integrity import Expected
from metric_robustness.pipeline.weights.sources import UrlSource


def test_a_file_lands_where_its_library_looks_and_is_pinned_once(site):
    answer = site.call("fetch", "plain")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert site.path(PLAIN).read_bytes() == body(site, PLAIN)
    assert site.pins == f"{sha256(body(site, PLAIN))}  {PLAIN}\n"
    assert "was not known before and is now pinned in" in answer.stderr
    assert not leftovers(site)
    again = site.call("fetch", "plain")
    assert again.returncode == 0
    assert f"here: {PLAIN}" in again.stderr
    assert site.server.asked() == ["plain.pth"]


def test_everything_is_fetched_side_by_side_and_only_what_nobody_knows_is_pinned(site):
    answer = site.call("fetch", "--jobs", 4)
    assert answer.returncode == 0, answer.stderr
    assert "4 of 4 files are in their place" in answer.stderr
    for name in (PLAIN, PINNED, site.named):
        assert site.path(name).read_bytes() == body(site, name)
    assert sorted(line.split("  ")[1] for line in site.pins.splitlines()) == sorted([PLAIN, site.named, ON_HUB])
    assert sorted(site.server.asked()) == sorted(site.server.files)


@pytest.mark.parametrize("tags", [True, False], ids=["tags", "no tags"])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("name", [PLAIN, PINNED])
def test_a_cut_connection_is_continued_or_begun_again(site, name, ranges, tags):
    site.server.ranges, site.server.tags = ranges, tags
    whole = body(site, name)
    site.server.faults[name.rpartition("/")[2]] = [Fault(cut=50_000), Fault(cut=90_000), Fault(cut=0)]
    answer = site.call("fetch", name)
    assert answer.returncode == 0, answer.stderr
    assert site.path(name).read_bytes() == whole
    starts = [request.headers.get("Range") for request in site.server.requests]
    if name == PINNED or tags:
        later = ["bytes=140000-", "bytes=140000-"] if ranges else ["bytes=90000-", None]  # the last: all over again
        assert starts == [None, "bytes=50000-", *later]
    else:
        assert starts == [None] * 4  # no header says whether the rest would be of the same file
    assert not leftovers(site)


def test_a_killed_fetch_is_continued_by_the_next(site):
    site.server.pace = 0.3
    process = site.tree.start("weights", "fetch", "plain", **site.environment)
    part = arriving(site, process)
    process.kill()
    process.communicate()
    arrived = part.stat().st_size
    assert not site.path(PLAIN).exists()
    site.server.pace = 0
    assert site.call("fetch", "plain").returncode == 0
    assert site.server.requests[-1].headers["Range"] == f"bytes={arrived}-"
    assert site.path(PLAIN).read_bytes() == body(site, PLAIN)


def arriving(site: Site, process: subprocess.Popen[str]) -> Path:
    """Returns where a file is collected, once its first bytes are there."""
    part = site.path(PLAIN).with_name(".plain.pth.part")
    until = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    return part


def test_ctrl_c_leaves_what_has_arrived(site):
    site.server.pace = 0.3
    process = site.tree.start("weights", "fetch", "plain", **site.environment)
    part = arriving(site, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("stopped; run the same command again to continue\n")
    assert part.stat().st_size > 0


@pytest.mark.parametrize("name", [PLAIN, PINNED])
def test_the_rest_of_another_version_is_never_put_to_the_first_part(site, name):
    file = name.rpartition("/")[2]
    part = site.path(name).with_name(f".{file}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)  # of a version that the server has no longer
    part.with_name(f"{part.name}.tag").write_text('"older"')
    assert site.call("fetch", name).returncode == 0
    assert site.path(name).read_bytes() == body(site, name)


def test_a_longer_part_than_the_file_is_begun_again(site):
    part = site.path(PINNED).with_name(".known.pth.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(body(site, PINNED)) + 5))
    answer = site.call("fetch", PINNED)
    assert answer.returncode == 0, answer.stderr
    assert site.path(PINNED).read_bytes() == body(site, PINNED)


def test_wrong_bytes_are_refused_and_named_and_the_others_are_fetched(site):
    right = body(site, PINNED)
    wrong = right[:-1] + b"?"
    site.server.files["known.pth"] = wrong
    answer = site.call("fetch")
    assert answer.returncode == 3
    [line] = errors(answer.stderr)
    assert line.startswith(
        f"error: known: {PINNED} must have the sha256 {sha256(right)} (the manifest); got {sha256(wrong)}"
    )
    assert not site.path(PINNED).exists()
    assert not leftovers(site)
    assert site.path(PLAIN).exists()
    assert "3 of 4 files are in their place" in answer.stderr


def test_another_size_than_the_manifests_is_refused_before_it_is_downloaded(site):
    site.server.files["known.pth"] += b"?"
    answer = site.call("fetch", PINNED)
    assert answer.returncode == 3
    assert f"must have {len(checkpoint(2))} bytes; it offers {len(checkpoint(2)) + 1}" in answer.stderr


def test_a_name_with_the_beginning_of_a_hash_is_held_to_it(site):
    site.server.files[site.named.rpartition("/")[2]] = checkpoint(9)
    answer = site.call("fetch", "named")
    assert answer.returncode == 3
    assert f"{site.named} must have a sha256 that begins with {site.named[-12:-4]} (its name)" in answer.stderr
    assert not site.path(site.named).exists()


def test_what_was_pinned_may_not_change(site):
    assert site.call("fetch", "plain").returncode == 0
    first = site.path(PLAIN).read_bytes()
    site.server.files["plain.pth"] = checkpoint(9)
    answer = site.call("fetch", "--anew", "plain")
    assert answer.returncode == 3
    assert f"{PLAIN} must have the sha256 {sha256(first)} (pinned in" in answer.stderr
    assert site.path(PLAIN).read_bytes() == first


def test_a_damaged_file_is_fetched_again(site):
    assert site.call("fetch", "known").returncode == 0
    for name in (PINNED, PLAIN):
        site.path(name).write_bytes(body(site, name)[:-100])
    answer = site.call("fetch", "known")
    assert answer.returncode == 0
    for name in (PINNED, PLAIN):
        assert site.path(name).read_bytes() == body(site, name)


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [(404, 3, "python -m pipeline weights import FILE"), (401, 3, "HF_TOKEN"), (418, 3, "try again later")],
)
def test_a_refusal_is_one_line_with_the_metrics_and_what_to_do(site, status, code, told):
    site.server.faults["plain.pth"] = [Fault(status=status)]
    answer = site.call("fetch", PLAIN)
    assert answer.returncode == code
    [line] = errors(answer.stderr)
    assert line.startswith(f"error: known, plain: {site.server.address}/plain.pth answers {status}: ")
    assert told in line
    assert site.server.asked() == ["plain.pth"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_for_a_short_wait_gets_it(site, form):
    wait = "2" if form == "seconds" else email.utils.formatdate(time.time() + 4, usegmt=True)
    site.server.faults["plain.pth"] = [Fault(status=429, headers={"Retry-After": wait})]
    began = time.monotonic()
    answer = site.call("fetch", "plain")
    assert answer.returncode == 0, answer.stderr
    assert time.monotonic() - began > 2
    assert site.server.asked() == ["plain.pth"] * 2


def test_a_server_that_asks_for_a_long_wait_is_left(site):
    site.server.faults["plain.pth"] = [Fault(status=429, headers={"Retry-After": "3600"})]
    answer = site.call("fetch", "plain")
    assert answer.returncode == 75
    [line] = errors(answer.stderr)
    assert line.endswith("plain.pth answers 429 and asks to wait 3600 s: run the same command after that")


def test_a_server_that_fails_is_asked_again_and_at_last_left(site):
    site.server.faults["plain.pth"] = [Fault(status=503)] * 2
    assert site.call("fetch", "plain").returncode == 0
    site.server.faults["known.pth"] = [Fault(status=500)] * 9
    answer = site.call("fetch", PINNED)
    assert answer.returncode == 75
    [line] = errors(answer.stderr)
    assert "failed 5 times in a row (answers 500): run the same command again" in line


def test_a_server_that_is_not_there_is_one_line(site):
    site.server.server.server_close()
    answer = site.call("fetch", "plain")
    assert answer.returncode == 75
    [line] = errors(answer.stderr)
    assert "Connection refused" in line


def test_two_processes_share_one_download(site):
    site.server.pace = 0.2
    both = [site.tree.start("weights", "fetch", "plain", **site.environment) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert site.server.asked() == ["plain.pth"]
    assert sorted(text.partition(":")[0] for text in told) == ["fetched", "here"]
    assert site.path(PLAIN).read_bytes() == body(site, PLAIN)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_nothing_is_asked_and_the_variable_is_named(site, variable):
    answer = site.call("fetch", "plain", "on_hub", **{variable: "1"})
    assert answer.returncode == 2
    assert len(errors(answer.stderr)) == 2
    for line in errors(answer.stderr):
        assert f"{variable} forbids to ask the network: run python -m pipeline weights fetch" in line
    assert site.server.requests == []


def test_a_full_disk_is_one_line_and_keeps_what_arrived(site):
    answer = site.tree.call("weights", "fetch", PINNED, largest_file=70_000, **site.environment)
    assert answer.returncode == 75
    [line] = errors(answer.stderr)
    assert "the disk is full while writing" in line
    assert site.call("fetch", PINNED).returncode == 0
    assert site.server.requests[-1].headers["Range"] == "bytes=70000-"


def test_a_place_that_cannot_be_written_is_one_line(site, tmp_path):
    (tmp_path / "file").write_text("")
    answer = site.call("fetch", "plain", TORCH_HOME=str(tmp_path / "file" / "torch"))
    assert answer.returncode == 2
    [line] = errors(answer.stderr)
    assert (
        "must lie below folders; one of them is a file: choose a folder of yours, for the caches with TORCH_HOME"
        in line
    )


def test_a_server_that_sends_a_byte_now_and_then_is_given_up_and_what_came_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(arrival, "WINDOW", 0.3)
    whole = checkpoint(1)
    expected, part = Expected("plain.pth", sha256(whole)), tmp_path / ".plain.pth.part"
    with FileServer({"plain.pth": whole}, pace=0.05, piece=1) as server:
        source = UrlSource(f"{server.address}/plain.pth")
        with pytest.raises(
            TransientError, match=r"plain\.pth must send 1024 bytes per second or more; got \d+ in"
        ) as told:
            download(source, part, expected, lambda *_: None, Event())
        assert "run the same command again to continue" in str(told.value)
        arrived = part.stat().st_size
        assert arrived > 0
        server.pace, server.piece = 0, 1 << 16
        assert download(source, part, expected, lambda *_: None, Event()) == sha256(whole)
        assert server.requests[-1].headers["Range"] == f"bytes={arrived}-"
    assert part.read_bytes() == whole
