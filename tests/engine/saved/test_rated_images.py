"""Images that people rated, from the CSV to the correlations: bare, with defences, attacked through them."""

from __future__ import annotations

import csv
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from csv_lines import lines
from PIL import Image, ImageFilter
from quiet import run_quietly
from scipy import stats

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.build import build_metric
from metric_robustness.pipeline.scoring.tables.write import write_tables

RATES = {"0.png": 4.1, "1.png": 4.9, "2.png": 2.2, "3.png": 2.9, "4.png": 1.2}


def study(folder: Path) -> tuple[Path, Path]:
    """Writes a photograph's blurred versions with made-up opinions; returns the CSV with originals, and without."""
    pixels = torch.rand(1, 3, 12, 14, generator=torch.Generator().manual_seed(5))
    clear = torch.nn.functional.interpolate(pixels, size=(48, 56), mode="bicubic")[0].clamp(0, 1)
    image = Image.fromarray((255 * clear).round().byte().permute(1, 2, 0).numpy())
    image.save(folder / "clear.png")
    for name in RATES:
        image.filter(ImageFilter.GaussianBlur(int(name[0]) / 2)).save(folder / name)
    paired, alone = folder / "paired.csv", folder / "alone.csv"
    paired.write_text("image,mos,reference\n" + "".join(f"{name},{mos},clear.png\n" for name, mos in RATES.items()))
    alone.write_text("image,mos\n" + "".join(f"{name},{mos}\n" for name, mos in RATES.items()))
    return paired, alone


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Returns the folder of the study and of two runs: paired with originals, and alone."""
    folder = tmp_path_factory.mktemp("rated")
    paired, alone = study(folder)
    fgsm = {"attacks": ["fgsm"], "datasets": [f"iqa:{paired}"]}
    further = Settings(distortions=(Distortion(50), Distortion(20)))
    run_quietly(["small_cnn", "gmsd"], folder / "paired", Settings(defences=("flip", "jpeg")), **fgsm)
    run_quietly(["gmsd", "small_cnn", "small_cnn+jpeg"], folder / "paired", further, **fgsm)
    run_quietly(["gmsd"], folder / "alone", attacks=["fgsm"], datasets=[f"iqa:{alone}"])
    for out in ("paired", "alone"):
        write_tables([folder / out], folder / out)
    return folder


@pytest.mark.parametrize(("metric", "sign"), [("small_cnn", 1), ("gmsd", -1)])
def test_clear_scores_and_correlations_are_those_computed_by_hand(runs, metric, sign):
    (line,) = [line for line in lines(runs / "paired" / "scores.csv") if line["metric"] == metric]
    judge = build_metric(lookup.find("metrics", metric), torch.device("cpu"))
    images = to_tensor([decode(runs / name) for name in RATES])
    clear = to_tensor([decode(runs / "clear.png")] * len(RATES))
    with torch.no_grad():
        scores = (judge(images, clear) if metric == "gmsd" else judge(images)).numpy()
    mos = np.array(list(RATES.values()))
    assert float(line["srocc_clear"]) == pytest.approx(sign * stats.spearmanr(scores, mos).statistic, abs=1e-5)
    assert float(line["plcc_clear"]) == pytest.approx(sign * stats.pearsonr(scores, mos).statistic, abs=1e-3)
    assert line["n"] == "5"  # once: images that are distorted already have no further distortions


def test_a_metric_of_originals_has_no_opinion_on_images_that_are_compressed_for_it(runs):
    (line,) = lines(runs / "alone" / "scores.csv")
    assert (line["n"], line["srocc_clear"]) == ("5", "")


def test_pairs_that_people_order_are_counted_before_and_after_the_attack(runs):
    rows = [(RATES[row["image"]], row) for row in lines(runs / "paired" / "small_cnn" / "fgsm.csv")]
    right, lost = 0, 0
    for (low, worse), (high, better) in permutations(rows, 2):
        clear = float(better["clear"])
        right += low < high and float(worse["clear"]) < clear
        lost += low < high and float(worse["clear"]) < clear < float(worse["attacked"])
    (line,) = [line for line in lines(runs / "paired" / "overtaken.csv") if line["metric"] == "small_cnn"]
    assert [line[name] for name in ("truth", "apart", "budget", "pairs")] == ["opinion", "any", "10", "10"]
    assert (int(line["wrong"]) + int(line["ties"]), float(line["overtaken"])) == (
        10 - right,
        pytest.approx(lost / right),
    )


def test_defences_are_judged_by_opinions_in_both_settings(runs):
    rows = [row for row in lines(runs / "paired" / "small_cnn" / "fgsm+defended.csv") if row["defence"] == "jpeg"]
    aware = lines(runs / "paired" / "small_cnn+jpeg" / "fgsm.csv")
    found = {
        line["setting"]: line
        for line in lines(runs / "paired" / "defences.csv")
        if (line["metric"], line["defence"]) == ("small_cnn", "jpeg")
    }
    mos = [RATES[row["image"]] for row in rows]
    for line, values, column in (
        (found["non-adaptive"], [row["clear_defended"] for row in rows], "srocc_clear"),
        (found["non-adaptive"], [row["attacked_defended"] for row in rows], "srocc_attacked"),
        (found["adaptive"], [row["attacked"] for row in aware], "srocc_attacked"),
    ):
        assert float(line[column]) == pytest.approx(stats.spearmanr([*map(float, values)], mos).statistic, abs=1e-5)
    assert "SROCC, aware" in (runs / "paired" / "defences.md").read_text()


def test_real_opinions_of_tid2013(shared_data, tmp_path):
    folder = shared_data / "images" / "tid_excerpts"
    with (shared_data / "mos" / "meta_info_TID2013.csv").open(newline="") as file:
        known = {row["dist_name"].lower(): float(row["mos"]) for row in csv.DictReader(file)}
    names = sorted(path.name for path in folder.glob("*.bmp"))
    for name in names:
        with Image.open(folder / name) as image:
            image.crop((200, 120, 296, 216)).save(tmp_path / name)  # a part of what was rated, for speed
    text = "".join(f"{name},{known[name.lower()]}\n" for name in names)
    (tmp_path / "tid.csv").write_text(f"image,mos\n{text}")
    run_quietly(["small_cnn"], tmp_path / "out", attacks=["noise"], datasets=[f"iqa:{tmp_path / 'tid.csv'}"])
    write_tables([tmp_path / "out"], tmp_path / "out")
    rows = lines(tmp_path / "out" / "small_cnn" / "noise.csv")
    assert {row["image"]: float(row["mos"]) for row in rows} == {name: known[name.lower()] for name in names}
    (line,) = lines(tmp_path / "out" / "scores.csv")
    for moment in ("clear", "attacked"):
        scores, mos = ([float(row[column]) for row in rows] for column in (moment, "mos"))
        assert float(line[f"srocc_{moment}"]) == pytest.approx(stats.spearmanr(scores, mos).statistic, abs=1e-5)
        assert float(line[f"plcc_{moment}"]) == pytest.approx(stats.pearsonr(scores, mos).statistic, abs=1e-5)
