"""A second run in the same folder: it adds, finds what it needs, and replaces nothing that it was not asked to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from quiet import Quiet, run_quietly

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import Stamp
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.run import run
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.errors import BenchError

PLAIN = Settings(variants=False)


def photographs(folder: Path, seed: int, count: int = 3) -> str:
    """Writes small photographs and returns their folder."""
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    for number in range(count):
        pixels = torch.randint(40, 215, (32, 36, 3), generator=generator, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return str(folder)


@pytest.fixture
def photos(tmp_path) -> str:
    return photographs(tmp_path / "one" / "photos", 1)


@pytest.fixture
def out(tmp_path, photos) -> Path:
    """Returns a run folder with the rows of one cell."""
    run_quietly(["ssim"], tmp_path / "out", PLAIN, attacks=["noise"], datasets=[photos])
    return tmp_path / "out"


def cells(out: Path) -> dict[str, bytes]:
    return {file.relative_to(out).as_posix(): file.read_bytes() for file in out.glob("*/*.*")}


@pytest.mark.parametrize(
    ("metric", "attack", "first", "second"),
    [
        pytest.param(
            *("entropy", "square", {"budgets": (4,)}, {"budgets": (2,), "variants": ("worse",)}), marks=pytest.mark.slow
        ),
        ("small_cnn", "noise", {"defences": ("flip",)}, {"defences": ("jpeg",)}),
        ("psnr", "noise", {}, {"distortions": (Distortion(50), Distortion(20))}),
    ],
)
def test_other_settings_are_added_and_fewer_change_nothing(photos, metric, attack, first, second):
    out = Path(photos).with_name("out")

    def rows(settings: dict) -> tuple[int, set[str]]:
        known = {"variants": False} | settings
        listener = run_quietly([metric], out, Settings(**known), attacks=[attack], datasets=[photos])
        (csv,) = (out / metric).glob("*.csv")
        return listener.cells, set(csv.read_text().splitlines())

    ran, before = rows(first)
    again, both = rows(second)
    assert (ran, again) == (1, 1)
    assert before < both
    for settings in (first, second):
        assert rows(settings) == (0, both)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"budgets": (2,)}, {"budgets": (4,)}, r"searches within 2/255, which one within 4/255 would change"),
        ({}, {"distortions": (Distortion(20),)}, r"images distorted by JPEG 50, and this run's are by 20"),
    ],
)
def test_settings_that_would_change_finished_rows_are_refused(photos, first, second, told):
    def start(settings: dict, **where: bool) -> None:
        asked = Selection(["entropy", "psnr"], ["square"], [photos])
        machine = Machine(Path(photos).with_name("out"), **where)
        run(asked, Settings(**{"variants": False, "overrides": {"queries": "20"}} | settings), machine, Quiet())

    start(first)
    with pytest.raises(BenchError, match=rf"holds rows of {told}: choose another --out, or add --replace"):
        start(second)
    start(second, replace=True)


@pytest.mark.parametrize(
    ("metric", "attack", "settings", "save"),
    [
        ("psnr", "fgsm", {"distortions": (Distortion(50), Distortion(20))}, True),
        ("entropy", "square", {"budgets": (2, 4), "variants": True}, False),
        ("small_cnn", "noise", {"defences": ("flip", "jpeg")}, False),
    ],
)
def test_more_images_are_added_and_end_in_the_bytes_of_one_run(tmp_path, metric, attack, settings, save):
    photos = photographs(tmp_path / "photos", 1, 6)
    asked = Settings(**{"variants": False, "overrides": {"queries": "20"} if attack == "square" else {}} | settings)

    def rows(out: Path, limit: int) -> bytes:
        machine = Machine(out, Compute(batch=1), patience=None, save_images=save)
        run(Selection([metric], [attack], [photos], limit=limit), asked, machine, Quiet())
        (csv,) = (out / metric).glob("*.csv")
        return csv.read_bytes()

    once, out = rows(tmp_path / "once", 6), tmp_path / "out"
    few = rows(out, 3)
    (stamp,) = (out / metric).glob("*.json")
    seconds = json.loads(stamp.read_text())["seconds"]
    assert set(few.splitlines()) < set(once.splitlines())
    assert rows(out, 6) == once
    after = json.loads(stamp.read_text())
    assert (after["datasets"][0]["images"], after["rows"]) == (6, once.count(b"\n") - 1)
    assert all(after["seconds"][variant] > spent for variant, spent in seconds.items())


def test_finished_rows_stay_as_they_are_when_images_are_added(out, photos):
    csv = out / "ssim" / "noise.csv"
    before = csv.read_text()
    Image.new("RGB", (36, 32), (90, 120, 60)).save(Path(photos) / "new.png")
    (Path(photos) / "notes.txt").touch()
    listener = run_quietly(["ssim"], out, PLAIN, attacks=["noise"], datasets=[photos])
    assert listener.cells == 1
    assert csv.read_text().startswith(before)
    assert csv.read_text().count("\n") == before.count("\n") + 1
    assert run_quietly(["ssim"], out, PLAIN, attacks=["noise"], datasets=[photos]).cells == 0


def test_more_images_are_refused_where_other_cells_would_stay_behind(out, photos):
    run_quietly(["psnr"], out, PLAIN, attacks=["noise"], datasets=[photos])
    Image.new("RGB", (36, 32), (90, 120, 60)).save(Path(photos) / "new.png")
    with pytest.raises(BenchError, match="other images that are called photos, too"):
        run_quietly(["ssim"], out, PLAIN, attacks=["noise"], datasets=[photos])
    assert run_quietly(["ssim", "psnr"], out, PLAIN, attacks=["noise"], datasets=[photos]).cells == 2


@pytest.mark.parametrize("metric", ["ssim", "psnr"])  # the metric that has rows, and another one beside it
@pytest.mark.parametrize("limit", [None, 2])
def test_other_images_of_the_same_name_are_refused_before_anything_runs(tmp_path, out, photos, metric, limit):
    before = cells(out)
    other = photos if limit else photographs(tmp_path / "two" / "photos", 2)
    asked = Selection([metric, "ssim"], ["noise"], [other], limit=limit)
    with pytest.raises(BenchError, match=r"holds rows of other images that are called photos, too.*--replace"):
        run(asked, PLAIN, Machine(out), Quiet())
    assert cells(out) == before
    run(asked, PLAIN, Machine(out, replace=True), Quiet())
    stamp = Stamp.read(out / "ssim" / "noise.json")
    assert stamp is not None
    assert stamp.rows == (limit or 3)
    assert cells(out) != before


def test_a_data_set_is_known_by_its_files_and_keeps_its_name(tmp_path, out, photos):
    before = cells(out)
    moved = shutil.move(photos, tmp_path / "pictures")
    assert run_quietly(["ssim"], out, PLAIN, attacks=["noise"], datasets=[str(moved)]).cells == 0
    assert cells(out) == before


def test_a_cell_that_cannot_be_run_any_more_keeps_its_rows(out, photos, monkeypatch):
    before = cells(out)
    found = lookup.find

    def broken(folder: str, name: str):
        entry = found(folder, name)
        return entry if name != "ssim" else type(entry)(**{**vars(entry), "problem": "it is broken"})

    monkeypatch.setattr(lookup, "find", broken)
    summary = run(Selection(["ssim"], ["noise"], [photos]), PLAIN, Machine(out), Quiet())
    assert summary.reasons == {("ssim", "noise"): "it is broken"}
    assert summary.kept == {("ssim", "noise")}
    assert cells(out) == before


def test_an_image_that_another_data_set_saved_is_not_overwritten(tmp_path, photos):
    out = tmp_path / "out"
    run_quietly(["ssim"], out, PLAIN, save_images=True, attacks=["noise"], datasets=[photos])
    other = photographs(tmp_path / "others", 3)
    with pytest.raises(BenchError, match=r"names that are taken once; 0\.png is in photos and others"):
        run_quietly(["psnr"], out, PLAIN, save_images=True, attacks=["noise"], datasets=[other])
