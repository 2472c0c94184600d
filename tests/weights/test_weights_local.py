"""`weights list`, `verify`, `import` and `mirror`, and what a run says of missing weights: none asks a server."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from file_server import Fault
from safetensors.numpy import save
from scipy.io import savemat
from torch_files import checkpoint, files, plain_trap, touched, trap
from weights_site import ON_HUB, PINNED, PLAIN, Site, sha256

from metric_robustness.pipeline.weights.opening import open_all


def put(site: Site, name: str, data: bytes) -> Path:
    path = site.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error: ")]


def arrays(write: Callable[..., object]) -> bytes:
    """Returns a file of one array."""
    file = io.BytesIO()
    write(file, w=np.arange(1000.0))
    return file.getvalue()


def test_list_tells_who_needs_what_and_how_it_is_checked(site):
    put(site, PLAIN, b"x" * 2_000_000)
    found = {record["name"]: record for record in json.loads(site.call("list", "--json").stdout)}
    assert list(found) == sorted([PLAIN, PINNED, site.named, ON_HUB])
    assert found[PLAIN] == {
        "name": PLAIN,
        "entries": ["known", "plain"],
        "here": True,
        "path": str(site.path(PLAIN)),
        "size": 2_000_000,
        "url": f"{site.server.address}/plain.pth",
        "sha256": "",
        "sha256_begins": "",
        "pinned": "",
        "licence": "MIT",
        "whole_repository": False,
    }
    assert found[PINNED]["sha256"] == sha256(site.server.files["known.pth"])
    assert found[PINNED]["size"] == len(site.server.files["known.pth"])
    assert found[site.named]["sha256_begins"] == site.named[-12:-4]
    assert found[ON_HUB]["url"] == f"{site.server.hub}/timm/net/resolve/main/model.safetensors"
    table = site.call("list")
    [line] = [line for line in table.stdout.splitlines() if PLAIN in line]
    assert line.split()[:2] == ["here", "at"]
    assert "known +1" in line
    assert "2.0" in line
    assert "1 of 4 files are here" in table.stderr
    assert [r["name"] for r in json.loads(site.call("list", "known", "--missing", "--json").stdout)] == [PINNED]
    assert site.server.requests == []


@pytest.mark.parametrize("verb", ["list", "fetch", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(site, verb):
    answer = site.call(verb, "knwon")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("error: no metric and no weight file is named 'knwon': did you mean known")
    assert answer.stderr.count("\n") == 1


def test_verify_passes_what_is_right_and_says_how_it_knows(site):
    assert site.call("fetch").returncode == 0
    answer = site.call("verify", HF_HUB_OFFLINE="1")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [
        f"{site.named}: 1 tensors; sha256 as pinned at the first download",
        f"{PINNED}: 1 tensors; sha256 as the manifest",
        f"{PLAIN}: 1 tensors; sha256 as pinned at the first download",
        f"{ON_HUB}: 1 tensors; sha256 as pinned at the first download",
    ]
    assert "4 of 4 files are right, 0 are not here" in answer.stderr


def test_verify_names_what_is_damaged_the_metrics_and_the_cure(site):
    put(site, PLAIN, checkpoint(1)[:-1000])
    put(site, PINNED, checkpoint(5))
    answer = site.call("verify")
    assert answer.returncode == 3
    known, plain = errors(answer.stderr)
    assert known.startswith(f"error: known: {PINNED} must have the sha256")
    assert known.endswith("run python -m pipeline weights fetch --anew known, or import another copy")
    assert plain.startswith(f"error: known, plain: {PLAIN} cannot be read: ")
    assert {v["name"]: bool(v["problem"]) for v in json.loads(site.call("verify", "--json").stdout)} == {
        PINNED: True,
        PLAIN: True,
    }


def test_verify_finds_a_flipped_bit_without_any_hash(site):
    whole = bytearray(checkpoint(1))
    whole[len(whole) // 2] ^= 1
    put(site, PLAIN, bytes(whole))
    answer = site.call("verify")
    assert answer.returncode == 3
    assert "is damaged in archive/data/0" in answer.stderr


@pytest.mark.parametrize("form", ["torch", "plain pickle"])
def test_a_pickle_that_runs_code_is_named_and_refused_and_does_not_run(site, tmp_path, form):
    path = put(site, PLAIN, trap() if form == "torch" else plain_trap())
    told = errors(site.call("verify").stderr)
    imported = site.call("import", shutil.copy(path, tmp_path / "plain.pth"))
    assert imported.returncode == 3
    for line in (*told, *errors(imported.stderr)):
        assert ("holds more than tensors (getattr)" if form == "torch" else "is not tensors only (") in line
    assert len(told) == 1
    assert not touched().exists()


def test_numbers_beside_the_tensors_run_nothing_and_are_let_in(site):
    put(site, PLAIN, files()["numbers.pth"])
    answer = site.call("verify")
    assert (answer.returncode, f"{PLAIN}: 1 tensors" in answer.stdout) == (0, True), answer.stderr


def test_a_file_that_ends_its_reader_costs_only_itself(tmp_path):
    os.mkfifo(tmp_path / "endless.json")  # in its place: the reader waits here, and the test kills it
    for name in ("before.json", "after.json"):
        (tmp_path / name).write_text("{}")
    files = [tmp_path / name for name in ("before.json", "endless.json", "after.json")]
    opened = open_all(files)
    assert next(opened)[1].what == "JSON"
    [child] = [
        each for each in psutil.Process().children() if "metric_robustness.pipeline.weights.opening" in each.cmdline()
    ]
    threading.Timer(0.1, child.kill).start()
    path, verdict = next(opened)
    assert path == files[1]
    assert verdict.problem == "ends the process that reads it (code -9)"
    assert [(path, found.what) for path, found in opened] == [(files[2], "JSON")]


@pytest.mark.parametrize(
    ("name", "make"),
    {
        "a.safetensors": lambda: save({"w": np.arange(3000, dtype=np.float32)}),
        "a.pth": lambda: checkpoint(1),
        "a.json": lambda: b'{"a": 1}',
        "a.npz": lambda: arrays(np.savez),
        "a.mat": lambda: arrays(lambda file, w: savemat(file, {"w": w})),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_is_opened_and_a_truncated_one_is_named(tmp_path, name, make):
    whole = make()
    (tmp_path / name).write_bytes(whole)
    (tmp_path / f"cut.{name}").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / f"empty.{name}").write_bytes(b"")
    opened = [found for _, found in open_all(sorted(tmp_path.iterdir()))]
    assert [bool(found.problem) for found in opened] == [False, True, True]
    assert opened[0].what in {"1 tensors", "1 arrays", "JSON"}
    assert all("\n" not in found.problem for found in opened)


def test_torchscript_passes_only_with_a_sum(site):
    program = files()["script.pth"]
    put(site, PLAIN, program)
    answer = site.call("verify")
    assert answer.returncode == 3
    assert f"{PLAIN} is a TorchScript program, and its sha256 is not known" in answer.stderr
    site.server.files["plain.pth"] = program
    assert site.call("fetch", "--anew", "plain").returncode == 0
    assert site.call("verify").stdout == f"{PLAIN}: TorchScript; sha256 as pinned at the first download\n"


def test_import_checks_and_puts_a_file_in_its_place(site, tmp_path):
    file = tmp_path / "plain.pth"
    file.write_bytes(checkpoint(1))
    answer = site.call("import", file, HF_HUB_OFFLINE="1")
    assert answer.returncode == 0, answer.stderr
    assert site.path(PLAIN).read_bytes() == checkpoint(1)
    assert site.pins == f"{sha256(checkpoint(1))}  {PLAIN}\n"
    assert file.exists()


def test_import_takes_another_machines_cache(site, tmp_path):
    cache = site.offline(tmp_path)
    answer = site.call("import", cache)
    assert answer.returncode == 0, answer.stderr
    for name in (PLAIN, PINNED, site.named):
        assert site.path(name).read_bytes() == (cache / name).read_bytes()
    assert site.server.requests == []


def test_a_file_that_serves_as_well_is_taken_and_gives_way_to_the_file_itself(site, tmp_path):
    manifest = site.tree.root / "pipeline" / "weights" / "manifest.yml"
    known = yaml.safe_load(manifest.read_text())
    known["files"][PLAIN]["equivalents"] = {sha256(checkpoint(4)): "the authors' own"}
    manifest.write_text(yaml.safe_dump(known))
    (tmp_path / "plain.pth").write_bytes(checkpoint(4))
    answer = site.call("import", tmp_path / "plain.pth")
    assert f"fetched: {PLAIN}; it is the authors' own" in answer.stderr
    assert site.pins == ""
    assert site.call("verify").stdout == f"{PLAIN}: 1 tensors; the authors' own\n"
    assert site.call("fetch", "--anew", "plain").returncode == 0
    assert site.path(PLAIN).read_bytes() == checkpoint(1)


@pytest.mark.parametrize(
    ("name", "make", "refusal"),
    [
        ("known.pth", lambda: checkpoint(7), (3, f"known: {PINNED} must have the sha256")),
        ("plain.pth", lambda: checkpoint(1)[:-1000], (3, "cannot be read")),
        ("other.pth", lambda: checkpoint(1), (2, "it may be none of them: name it with --as")),
        ("gone.pth", None, (2, "must be a file; there is none")),
    ],
    ids=["wrong", "truncated", "undeclared", "gone"],
)
def test_import_refuses_in_one_line(site, tmp_path, name, make, refusal):
    code, told = refusal
    if make is not None:
        (tmp_path / name).write_bytes(make())
    answer = site.call("import", tmp_path / name)
    assert answer.returncode == code
    [line] = errors(answer.stderr)
    assert told in line
    assert not list((site.home / "torch").rglob("*.pth"))


def test_import_under_another_name(site, tmp_path):
    (tmp_path / "mine.pth").write_bytes(checkpoint(2))
    assert site.call("import", tmp_path / "mine.pth", "--as", PINNED).returncode == 0
    assert site.path(PINNED).read_bytes() == checkpoint(2)
    answer = site.call("import", tmp_path / "mine.pth", "--as", "hub/none.pth")
    assert answer.returncode == 2
    assert "--as must name one declared file" in answer.stderr


def test_a_mirror_is_filled_checked_and_fetched_from_without_a_network(site, tmp_path):
    folder = tmp_path / "mirror"
    assert site.call("fetch", "plain").returncode == 0
    answer = site.call("mirror", folder)
    assert answer.returncode == 0, answer.stderr
    assert site.server.asked().count("plain.pth") == 1  # the one that was here is copied
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == 4
    assert not site.path(PINNED).exists()
    shutil.rmtree(site.home)
    site.server.requests.clear()
    answer = site.call("fetch", HF_HUB_OFFLINE="1", METRIC_ROBUSTNESS_MIRROR=str(folder))
    assert answer.returncode == 0, answer.stderr
    assert site.path(PINNED).read_bytes() == checkpoint(2)
    assert site.server.requests == []
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pth")}
    assert site.call("mirror", folder).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.pth")} == before


def test_a_mirror_of_one_metric_without_a_network_names_what_it_lacks(site, tmp_path):
    assert site.call("fetch", "plain").returncode == 0
    answer = site.call("mirror", tmp_path / "mirror", "known", HF_HUB_OFFLINE="1")
    assert answer.returncode == 2
    [line] = errors(answer.stderr)
    assert PINNED in line
    assert (tmp_path / "mirror" / PLAIN).is_file()


def test_a_mirror_may_be_an_address_and_what_it_lacks_comes_from_elsewhere(site):
    files = site.server.files
    files[f"m/{PINNED}"] = checkpoint(2)
    files["m/SHA256SUMS"] = f"{sha256(checkpoint(2))}  {PINNED}\n".encode()
    answer = site.call("fetch", "known", "--mirror", f"{site.server.address}/m")
    assert answer.returncode == 0, answer.stderr
    assert f"m/{PINNED}" in site.server.asked()
    assert "known.pth" not in site.server.asked()
    assert "plain.pth" in site.server.asked()
    assert f"m/{PLAIN} answers 404" in answer.stderr


def test_a_mirror_whose_list_fails_once_is_asked_again_since_the_list_tells_wrong_files(site):
    right, wrong = checkpoint(1), checkpoint(8)
    site.server.files |= {f"m/{PLAIN}": wrong, "m/SHA256SUMS": f"{sha256(right)}  {PLAIN}\n".encode()}
    broken = [Fault(status=503), Fault(status=429, headers={"Retry-After": "0"}), Fault(cut=0)]
    site.server.faults["m/SHA256SUMS"] = broken
    answer = site.call("fetch", "plain", "--mirror", f"{site.server.address}/m")
    assert answer.returncode == 0, answer.stderr
    assert site.path(PLAIN).read_bytes() == right
    assert f"must have the sha256 {sha256(right)}" in answer.stderr
    assert site.pins == f"{sha256(right)}  {PLAIN}\n"


def test_a_damaged_mirror_is_named_and_not_taken(site, tmp_path):
    folder = site.offline(tmp_path)
    (folder / PINNED).write_bytes(checkpoint(2)[:-1])
    (folder / "SHA256SUMS").write_text(f"{sha256(checkpoint(1))}  {PLAIN}\n")
    (folder / PLAIN).write_bytes(checkpoint(8))
    answer = site.call("fetch", "known", "--mirror", folder)
    assert answer.returncode == 0
    assert f"{folder / PINNED} must have" in answer.stderr
    assert (
        f"{PLAIN} must have the sha256 {sha256(checkpoint(1))} (as announced); got {sha256(checkpoint(8))}"
        in answer.stderr
    )
    assert site.path(PINNED).read_bytes() == checkpoint(2)
    assert site.path(PLAIN).read_bytes() == checkpoint(1)


def test_a_mirror_that_is_not_there_is_one_line(site, tmp_path):
    for mirror, told in ((tmp_path / "none", "must be a folder or an address"), ("http://x/", "which HF_HUB_OFFLINE")):
        answer = site.call("fetch", "plain", "--mirror", mirror, HF_HUB_OFFLINE="1")
        assert answer.returncode == 2
        assert told in answer.stderr
        assert answer.stderr.count("\n") == 1


def test_a_run_skips_a_metric_without_weights_and_names_the_command(site, photos, tmp_path):
    arguments = (
        "--metrics",
        "known",
        "--attacks",
        "noise",
        "--dataset",
        photos,
        "--limit",
        1,
        "--out",
        tmp_path / "out",
    )
    answer = site.tree.call("run", *arguments, **(site.environment | {"HF_HUB_OFFLINE": "1"}))
    assert answer.returncode == 3
    told = (
        f"weights missing ({PINNED}, {PLAIN}) and HF_HUB_OFFLINE is set: run python -m pipeline weights fetch known "
        "where there is a network, or with --mirror FOLDER"
    )
    assert told in json.loads((tmp_path / "out" / "known" / "noise.json").read_text())["reason"]
    assert site.call("fetch", "known").returncode == 0
    answer = site.tree.call("run", *arguments, **(site.environment | {"HF_HUB_OFFLINE": "1"}))
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            Fault(status=404),
            "known.pth answers 404: get the file elsewhere and run python -m pipeline weights import FILE",
        ),
        (Fault(status=429, headers={"Retry-After": "900"}), "known.pth answers 429 and asks to wait 900 s"),
        (Fault(body=checkpoint(6)), f"{PINNED} must have the sha256 {sha256(checkpoint(2))} (the manifest)"),
    ],
    ids=["404", "429", "wrong bytes"],
)
def test_a_run_fetches_what_it_needs_and_a_metric_whose_weights_fail_costs_only_itself(
    site, photos, tmp_path, fault, told
):
    site.server.faults["known.pth"] = [fault]
    arguments = ("--attacks", "noise,fgsm", "--dataset", photos, "--limit", 1, "--out", tmp_path / "out")
    answer = site.tree.call("run", "--metrics", "known,plain,named", *arguments, **site.environment)
    assert answer.returncode == 0, answer.stderr
    for attack in ("noise", "fgsm"):
        stamps = {
            name: json.loads((tmp_path / "out" / name / f"{attack}.json").read_text())
            for name in ("known", "plain", "named")
        }
        assert {name: stamp["status"] for name, stamp in stamps.items()} == {
            "known": "skipped",
            "plain": "done",
            "named": "done",
        }
        assert told in stamps["known"]["reason"]
    assert site.server.asked().count("known.pth") == 1
    assert f"error: known: {site.server.address if 'answers' in told else PINNED}" in answer.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules: [", "manifest.yml must be YAML"),
        ("rules: []\nfiles: {hub/pyiqa/plain.pth: {sha256: abc}}", "at files.hub/pyiqa/plain.pth.sha256"),
    ],
)
def test_a_broken_manifest_is_one_line(site, text, told):
    site.tree.write("pipeline/weights/manifest.yml", text)
    answer = site.call("list")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert told in answer.stderr
