"""What a folder of images holds: odd names and kinds of files, links, and what a run wrote into it."""

from __future__ import annotations

import csv
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.listing import as_text, files_below
from metric_robustness.pipeline.data.written import MANIFEST, NEEDED
from metric_robustness.pipeline.errors import DataError

LONG = "x" * 245 + ".png"
NAMES = {  # file -> what rows call it
    "plain.png": "plain.png",
    LONG: LONG,
    " blank.png": " blank.png",
    "carriage\rreturn.png": r"carriage\x0dreturn.png",
    'line\nend,"quote".png': r'line\x0aend,"quote".png',
    os.fsdecode(b"\xff.png"): r"\xff.png",
    r"\xff.png": r"\\xff.png",
    "\u202egnp.exe.png": r"\u202egnp.exe.png",
    "<img src=x onerror=alert(1)>|$(touch x)`.png": "<img src=x onerror=alert(1)>|$(touch x)`.png",
}


def save(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(60, 200, (4, 5, 3))
    Image.fromarray(np.kron(small, np.ones((8, 8, 1))).astype(np.uint8)).save(path, "PNG")
    return path


@pytest.fixture
def odd(tmp_path, monkeypatch) -> Path:
    """Returns a folder with every odd name and kind of file."""
    folder = tmp_path / "odd"
    for seed, name in enumerate(NAMES):
        save(folder / name, seed)
    save(folder / ".ipynb_checkpoints" / "plain.png")
    save(tmp_path / "elsewhere" / "other.png", 50)
    for link, target in (("a", "../elsewhere"), ("b", "../elsewhere"), ("loop", ".."), ("self.png", "self.png")):
        (folder / link).symlink_to(target)
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    monkeypatch.chdir(folder)  # the path of a socket must be short
    socket.socket(socket.AF_UNIX).bind("socket.png")
    monkeypatch.chdir(tmp_path)
    return folder


EXCLUDED = {
    "b": "is a link to a folder that was read already",
    "loop": "is a link to a folder that holds this one: it is not followed",
    "self.png": "cannot be read: Too many levels of symbolic links",
    "zero.png": "is a device, which holds no image",
    "pipe.png": "is a pipe, which holds no image",
    "socket.png": "is a socket, which holds no image",
}


def test_every_file_is_read_under_a_name_of_text_or_left_out_by_name(odd):
    dataset = open_dataset(str(odd))
    assert {photo.name for photo in dataset.photos} == {*NAMES.values(), "a/other.png"}
    assert dataset.excluded == EXCLUDED


@pytest.mark.parametrize("kind", ["pipe.png", "socket.png", "zero.png"])
def test_what_is_no_file_is_no_data_set(odd, kind):
    with pytest.raises(DataError, match=r"holds no image that can be used \(.* which holds no image\)"):
        open_dataset(str(odd / kind))


def test_different_names_stay_different():
    names = [b"\x85", b"\xc2\x85", b"\\x85", b"\\\\x85", b"\\u0085", "\\é".encode(), "é".encode()]
    assert len({as_text(Path(os.fsdecode(name))) for name in names}) == len(names)
    assert as_text(Path("a b/é ё.png")) == "a b/é ё.png"


def run_folder(folder):
    save(folder / "images" / "none" / "default" / "noise" / "ssim" / "default" / "a.png")
    (folder / ".work").mkdir(exist_ok=True)
    (folder / ".work" / "lock").touch()


def saved_images(folder):
    save(folder / "a.png")
    (folder / MANIFEST).write_text(",".join(NEEDED) + "\n")


def pages(folder):
    save(folder / "gallery" / "a.png")
    for name in ("leaderboard.json", "scores.csv"):
        (folder / name).touch()


def patterns(folder):
    for name in ("uap.safetensors", "uap.json"):
        (save(folder / "uap.png").parent / name).touch()


@pytest.mark.parametrize("write", [run_folder, saved_images, lambda at: save(at / "_clear" / "a.png"), pages, patterns])
def test_what_the_project_wrote_is_no_part_of_a_data_set(tmp_path, write):
    save(tmp_path / "photo.png")
    write(tmp_path / "ours")
    found = files_below(tmp_path)
    assert list(found.files) == ["photo.png"]
    assert list(found.excluded) == ["ours"]
    assert found.excluded["ours"].endswith("it is no part of the data set")


@pytest.mark.parametrize(("write", "inside"), [(run_folder, "images"), (pages, "gallery")])
def test_a_data_set_in_which_a_run_wrote_keeps_its_own_photographs(tmp_path, write, inside):
    save(tmp_path / "raw" / "photo.png")
    write(tmp_path)
    found = files_below(tmp_path)
    assert (list(found.files), list(found.excluded)) == (["raw/photo.png"], [inside])


def test_odd_names_come_through_run_show_and_report(laboratory, odd):
    out, site = odd / "out", odd / "site"
    asked = ["--metrics", "brightness", "--attacks", "noise", "--dataset", odd, "--out", out, "--save-images"]
    told = laboratory.call("run", *asked)
    assert told.returncode == 0, told.stderr
    for name in ("out", *EXCLUDED):
        assert f"excluded: {name}: " in told.stderr
    with (out / "brightness" / "noise.csv").open(newline="", encoding="utf-8") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {*NAMES.values(), "a/other.png"}
    with (out / "excluded.csv").open(newline="", encoding="utf-8") as file:
        assert {row["image"] for row in csv.DictReader(file)} == {"out", *EXCLUDED}
    assert laboratory.call("show", "--from", out).returncode == 0
    told = laboratory.call("report", out, "--out", site)
    assert told.returncode == 0, told.stderr
    page = (site / "metrics" / "brightness.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert all(name in page for name in ("loop (is a link", "more: see excluded.csv"))
    told = laboratory.call("run", *asked)
    assert "0 cells to run, 1 up to date" in told.stderr
    assert "excluded: site: " in told.stderr
    scored = ["--metrics", "brightness", "--from-images", out / "images", "--out", odd / "again"]
    told = laboratory.call("run", *scored)
    assert told.returncode == 0, told.stderr
