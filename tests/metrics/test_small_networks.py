"""The networks that the project trained: small enough to commit, in agreement with people and with labels."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from tid2013 import stimuli

from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.data.images import Pixels, to_tensor
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.train.labels import Labeller
from metric_robustness.pipeline.train.photographs import gather
from metric_robustness.pipeline.train.recipes import RECIPES, TID2013_SOURCES
from metric_robustness.pipeline.train.samples import distorted_pairs, sample_plans

WEIGHTS = Path(__file__).resolve().parents[2] / "metrics" / "weights"
NAMES = sorted(name for name, recipe in RECIPES.items() if recipe.task == "rate")
# Lower bounds of SROCC a little below those reached: with people (.754, .722), with labels here (.903, .835), and in
# training (.908, .815). The goals for small_cnn are 0.70, 0.85 and 0.85.
FLOORS = {"small_cnn": (0.74, 0.89, 0.89), "small_vit": (0.70, 0.82, 0.79)}


def load(name: str) -> Metric:
    metric: Metric = lookup.find("metrics", name).load()()
    return metric.eval().requires_grad_(False)


def scores(metric: Metric, images: list[Pixels]) -> list[float]:
    return [
        score for start in range(0, len(images), 8) for score in metric(to_tensor(images[start : start + 8])).tolist()
    ]


@pytest.fixture(scope="module")
def tid2013(shared_data: Path) -> tuple[list[Pixels], list[float]]:
    return stimuli(shared_data)


@pytest.fixture(scope="module")
def held_out(shared_data: Path) -> tuple[list[Pixels], list[float]]:
    """Returns new distorted crops of Kodak photographs that training did not see, and their labels."""
    made = json.loads((WEIGHTS / "small_cnn.json").read_text())
    crop = made["recipe"]["crop"]
    found = gather([str(shared_data / "images" / "kodak24")], crop)
    kept = {name: pixels for name, pixels in {**found.training, **found.validation}.items() if name in made["held_out"]}
    assert len(kept) >= 3
    # Crops of 192 pixels are labelled in half the time of those of 256 that training saw, and agree as well.
    _, plan = sample_plans(found, replace(RECIPES["small_cnn"], crop=192))
    plan = plan._replace(photographs=kept, seed="of the test")
    # To label one takes a fifth of a second; of 150, both networks agree with the labels as well as of 90.
    originals, images = zip(*distorted_pairs(plan, range(90)), strict=True)
    labeller, labels = Labeller(), []
    for start in range(0, len(images), 4):
        labels += labeller(to_tensor(images[start : start + 4]), to_tensor(originals[start : start + 4])).tolist()
    return list(images), labels


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_people(name: str, tid2013: tuple[list[Pixels], list[float]]) -> None:
    images, opinions = tid2013
    assert len(images) == 120
    assert spearmanr(scores(load(name), images), opinions).statistic >= FLOORS[name][0]


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_its_labels_on_photographs_held_out(name: str, held_out: tuple[list[Pixels], list[float]]) -> None:
    images, labels = held_out
    assert spearmanr(scores(load(name), images), labels).statistic >= FLOORS[name][1]


@pytest.mark.parametrize("name", NAMES)
def test_is_small(name: str) -> None:
    assert sum(value.numel() for value in load(name).parameters()) <= 1_000_000
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size <= 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_json_file_of_the_weights_describes_them(name: str) -> None:
    made = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert made["sha256"] == file_digest(WEIGHTS / f"{name}.safetensors")
    assert made["recipe"]["network"] == name
    assert made["parameters"] == sum(value.numel() for value in load(name).parameters())
    assert not TID2013_SOURCES & {*made["trained_on"], *made["held_out"]}
    assert not set(made["trained_on"]) & set(made["held_out"])
    assert made["epochs"][-1]["srocc"] >= FLOORS[name][2]


@pytest.mark.parametrize("name", NAMES)
def test_needs_no_download_and_is_part_of_the_demo(name: str) -> None:
    entry = lookup.find("metrics", name)
    assert entry.missing_weights() == []
    assert config.load().preset("demo").metrics.takes(entry)


@pytest.mark.parametrize("name", NAMES)
def test_every_pixel_has_a_gradient_at_any_size(name: str) -> None:
    metric = load(name)
    for height, width in ((32, 32), (33, 47), (50, 127)):
        images = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height)).requires_grad_()
        (slope,) = torch.autograd.grad(metric(images).sum(), images)
        assert (slope.abs().sum(dim=1) > 0).float().mean() > 0.99


@pytest.mark.parametrize("damage", ["truncated", "of another architecture", "missing"])
def test_damaged_weights_are_named(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import metric_robustness.metrics.trained_adapter

    (tmp_path / "weights").mkdir()
    copy = tmp_path / "weights" / "small_cnn.safetensors"
    if damage == "truncated":
        copy.write_bytes((WEIGHTS / "small_cnn.safetensors").read_bytes()[:5000])
    elif damage == "of another architecture":
        shutil.copy(WEIGHTS / "small_vit.safetensors", copy)
    monkeypatch.setattr(metric_robustness.metrics.trained_adapter, "__file__", str(tmp_path / "trained_adapter.py"))
    with pytest.raises(ValueError, match=r"SmallCnn must be built from weights/small_cnn\.safetensors") as error:
        load("small_cnn")
    assert "\n" not in str(error.value)


def test_untrained_networks_do_not_agree_with_people(tid2013: tuple[list[Pixels], list[float]]) -> None:
    torch.manual_seed(0)
    images, opinions = tid2013
    untrained = lookup.find("metrics", "small_cnn").load().untrained().eval().requires_grad_(False)
    assert abs(spearmanr(scores(untrained, images), opinions).statistic) < 0.5
