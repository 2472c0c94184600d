"""A ladder of photographs, from the encoder to overtaken.csv, and its attacked images scored again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from csv_lines import lines
from PIL import Image
from quiet import run_quietly

from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.ladder_maker import make_ladder
from metric_robustness.pipeline.scoring.tables.write import write_tables


@pytest.fixture(scope="module")
def attacked(shared_data, tmp_path_factory) -> Path:
    """Returns the folder of two runs: attacks on a ladder of three photographs, and their images scored again."""
    folder = tmp_path_factory.mktemp("ladder")
    (folder / "photographs").mkdir()
    for name in ("kodim03.png", "kodim07.png", "kodim23.png"):
        with Image.open(shared_data / "images" / "kodak24" / name) as image:
            image.crop((200, 120, 296, 216)).save(folder / "photographs" / name)
    made = make_ladder(str(folder / "photographs"), "jpeg:quality=10,50,70,95", folder / "rungs", None, lambda *_: None)
    attack = {"attacks": ["ifgsm"], "datasets": [f"ladder:{made.csv}"], "save_images": True}
    run_quietly(["psnr", "small_cnn"], folder / "made", Settings(variants=False), **attack)
    run_quietly(
        ["small_cnn", "ssim"], folder / "again", Settings(variants=False), from_images=folder / "made" / "images"
    )
    for out in ("made", "again"):
        write_tables([folder / out], folder / out)
    return folder


def lost(rows: list[dict[str, str]]) -> Iterator[bool | None]:
    """Yields of every two encodings of a photograph whether the worse overtakes; None in wrong order."""
    for worse, better in permutations(rows, 2):
        if worse["clip"] == better["clip"] and float(worse["rung"]) < float(better["rung"]):
            clear, highest = float(better["clear"]), max(float(worse["clear"]), float(worse["attacked"]))
            yield highest > clear if float(worse["clear"]) < clear else None


@pytest.mark.parametrize("metric", ["psnr", "small_cnn"])
def test_pairs_of_real_encodings_are_counted(attacked, metric):
    found = list(lost(lines(attacked / "made" / metric / "ifgsm.csv")))
    (line,) = [
        line
        for line in lines(attacked / "made" / "overtaken.csv")
        if (line["metric"], line["apart"]) == (metric, "any")
    ]
    assert (line["pairs"], line["wrong"], line["budget"]) == ("18", str(found.count(None)), "10")
    assert float(line["overtaken"]) == pytest.approx(found.count(True) / (18 - found.count(None)), abs=1e-6)
    assert 0 <= float(line["overtaken_low"]) <= float(line["overtaken"]) <= float(line["overtaken_high"]) <= 1
    if metric == "psnr":
        assert line["wrong"] == "0"  # it sees the photograph


def test_saved_images_of_a_ladder_keep_their_rungs(attacked):
    first = {row["image"]: row for row in lines(attacked / "made" / "small_cnn" / "ifgsm.csv")}
    again = lines(attacked / "again" / "small_cnn" / "ifgsm@small_cnn.csv")
    assert {row["image"]: (row["clip"], row["rung"]) for row in again} == {
        name: (row["clip"], row["rung"]) for name, row in first.items()
    }
    own, other = (
        [line for line in lines(attacked / out / "overtaken.csv") if line["metric"] == "small_cnn"]
        for out in ("made", "again")
    )
    assert [line["pairs"] for line in own] == [line["pairs"] for line in other]
    assert {line["dataset"] for line in other} == {"ladder"}
    assert {line["metric"] for line in lines(attacked / "again" / "overtaken.csv")} == {"small_cnn", "ssim"}
