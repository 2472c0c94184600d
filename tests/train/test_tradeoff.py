"""The trade-off of a robust training: measured on photographs held out, continued, printed and drawn."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import fmean as mean

import pytest
import torch
from tiny import SOURCES

from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cli.pages.robust_table import POINTS, costs
from metric_robustness.pipeline.cli.train import tradeoff
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.samples import Samples
from metric_robustness.pipeline.train.tradeoff import EPS, TradeoffPoint, clear_crops, examine, parse, trade_off
from metric_robustness.pipeline.train.tradeoff_report import write


class Contrast(NoReference):
    """Ten times the sum of the values over the number of pixels: its gradient is known."""

    higher_is_better = True
    score_range = (0.0, 50.0)

    def score(self, images):
        return 10 * images.sum(dim=1).mean(dim=(1, 2))


def test_the_measures_of_a_line_are_known() -> None:
    """A unit of brightness adds 30, 60 % of the range: the norm is 60, the gain 60 times eps unless clipped."""
    clear = torch.full((3, 3, 32, 32), 128 / 255)
    distorted = Samples(torch.tensor([50, 100, 150]).view(3, 1, 1, 1).expand(3, 3, 32, 32).byte(), torch.zeros(3))
    found = examine(Contrast(), distorted, clear)
    assert found["norm"] == pytest.approx(60, rel=1e-4)
    assert found["gain"] == pytest.approx(60 * EPS, rel=1e-4)
    assert found["spread"] == pytest.approx(60 * 50 / 255, rel=1e-4)


def test_crops_that_are_attacked_were_held_out(few: Photographs) -> None:
    (pixels,) = few.validation.values()
    crops = clear_crops(few, 64)
    assert torch.equal(crops[0], torch.tensor(pixels[:64, :64]).permute(2, 0, 1) / 255)
    assert len({crop.sum().item() for crop in crops}) == len(crops) > 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[TradeoffPoint]]:
    folder = tmp_path_factory.mktemp("tradeoff")
    wanted = {"small_cnn+gradient_norm": ["0", "1e-4"]}
    change = {"samples": 8, "validation": 4, "epochs": 1, "crop": 64, "batch": 4}
    return folder, trade_off(wanted, 1, SOURCES, folder, change)


def test_every_strength_is_trained_and_not_twice(run: tuple[Path, list[TradeoffPoint]]) -> None:
    folder, points = run
    assert [(point.strength, point.seed) for point in points] == [(0, 0), (1e-4, 0)]
    assert points[0].norm != points[1].norm
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("[!.]*.*")}
    wanted = {"small_cnn+gradient_norm": ["0", "1e-4"]}
    change = {"samples": 8, "validation": 4, "epochs": 1, "crop": 64, "batch": 4}
    assert trade_off(wanted, 1, SOURCES, folder, change) == points
    assert written == {path: path.stat().st_mtime_ns for path in folder.rglob("[!.]*.*")}


def test_a_damaged_point_is_measured_again_without_training(run: tuple[Path, list[TradeoffPoint]]) -> None:
    folder, points = run
    damaged = folder / "tradeoff" / "small_cnn+gradient_norm-1e-4-0.point"
    damaged.write_text("{")
    checkpoint = damaged.with_suffix(".pt").stat().st_mtime_ns
    change = {"samples": 8, "validation": 4, "epochs": 1, "crop": 64, "batch": 4}
    assert trade_off({"small_cnn+gradient_norm": ["1e-4"]}, 1, SOURCES, folder, change) == points[1:]
    assert damaged.with_suffix(".pt").stat().st_mtime_ns == checkpoint


def test_the_table_and_the_plot_show_every_point(tmp_path: Path) -> None:
    points = [
        TradeoffPoint(
            "a+b", strength, seed, srocc=0.8 - strength, plcc=0.8, norm=100 * (1 - strength), gain=40.0, spread=20.0
        )
        for strength in (0.0, 0.25)
        for seed in range(2)
    ]
    write(points, tmp_path / "points.csv")
    with (tmp_path / "points.csv").open(newline="") as file:
        assert [float(row["norm"]) for row in csv.DictReader(file)] == [100, 100, 75, 75]
    told = costs(tmp_path / "points.csv")
    assert "| a+b | 0.25 | 2 | 0.550 (0.550 to 0.550) | 75 (0.75) | 40.0 (1.00) | 20.0 | 2.00 |" in told
    picture = (tmp_path / "points.svg").read_bytes()
    assert picture.startswith(b"<?xml")
    write(points, tmp_path / "points.csv")
    assert (tmp_path / "points.svg").read_bytes() == picture


def test_without_points_there_is_no_table(tmp_path: Path) -> None:
    assert costs(tmp_path / "none.csv") == ""


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["small_cnn+gradient_norm"], "must be METRIC.TRAINING:STRENGTHS"),
        (["small_cnn:0,1"], "must be METRIC.TRAINING:STRENGTHS"),
        (["small_cnn+gradient_norm:strong"], "must be of type float"),
    ],
)
def test_a_wrong_call_is_one_line(texts: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=told) as error:
        trade_off(parse(texts), 1, SOURCES, tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(BenchError, match=r"must end in \.csv"):
        tradeoff(["small_cnn+gradient_norm:0"], SOURCES, tmp_path / "t.txt")


def test_the_default_strength_keeps_what_was_wanted() -> None:
    """Over three seeds: SROCC within .05 of the baseline, the norm at most half, the gain at most 60 % of it."""
    with POINTS.open(encoding="utf-8", newline="") as file:
        points = [row for row in csv.DictReader(file) if row["training"] == "small_cnn+gradient_norm"]
    default = float(lookup.find("defences", "gradient_norm").fields["strength"])
    chosen, baseline = (
        [
            {name: float(row[name]) for name in ("srocc", "norm", "gain")}
            for row in points
            if float(row["strength"]) == at
        ]
        for at in (default, 0)
    )
    assert len({row["strength"] for row in points}) >= 5
    assert len(chosen) == len(baseline) == 3
    drop, norm, gain = (
        [mean([row[name] for row in rows]) for rows in (chosen, baseline)] for name in ("srocc", "norm", "gain")
    )
    assert drop[0] > drop[1] - 0.05
    assert norm[0] <= 0.5 * norm[1]
    assert gain[0] <= 0.6 * gain[1]
