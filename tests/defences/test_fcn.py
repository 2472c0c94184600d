"""How much the trained FCN filter lowers the gain of AdvCF, and how it changes clear scores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from metric_robustness.attacks.advcf import AdvCF
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.data.images import decode, to_tensor
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.train.recipes import TID2013_SOURCES

MADE = Path(__file__).resolve().parents[2] / "defences" / "weights" / "fcn.json"


@pytest.fixture(scope="module")
def scores(shared_data: Path) -> dict[str, torch.Tensor]:
    """Returns small_cnn's scores of clear and attacked crops, with and without the filter."""
    made = json.loads(MADE.read_text())
    folder = shared_data / "images" / "kodak24"
    names = sorted({*made["held_out"], *TID2013_SOURCES} & {path.name for path in folder.iterdir()})
    assert not set(names) & set(made["trained_on"])
    metric = lookup.find("metrics", "small_cnn").load()().eval().requires_grad_(False)
    fcn = lookup.find("defences", "fcn").load()()
    clear = to_tensor([decode(folder / name)[100:356, 200:456] for name in names])
    noise = ImageNoise("advcf", names)
    attacked = AdvCF().rounded(AdvCF()(clear, MetricObjective(metric), noise), clear)
    with torch.no_grad():
        images = {"clear": clear, "attacked": attacked, "filtered": fcn(clear, noise), "both": fcn(attacked, noise)}
        return {name: metric(each) for name, each in images.items()}


def test_it_takes_away_a_third_of_the_colour_curve_s_gain(scores):
    bare = (scores["attacked"] - scores["clear"]).mean()
    filtered = (scores["both"] - scores["filtered"]).mean()
    assert len(scores["clear"]) == 10
    assert bare > 0.5  # of 100: more than rounding changes
    assert filtered <= 2 / 3 * bare


def test_it_costs_clear_images_less_than_a_tenth_of_the_range(scores):
    assert (scores["filtered"] - scores["clear"]).abs().mean() < 10
