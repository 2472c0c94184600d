"""Universal patterns and defences: fitted through one where the attack knows it, on the bare metric where not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from local_entry import LocalEntry, local_entry
from toy_defences import Mirrored, Shaken

from metric_robustness.defences.crop import Crop
from metric_robustness.metrics.base import NoReference
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import DefendedAs
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.fit import FitStamp, fits_of
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.cell import CellRun
from metric_robustness.pipeline.engine.device import Compute
from metric_robustness.pipeline.engine.metric.defended import DefendedMetric
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.universal.crop_objective import CropObjective
from metric_robustness.pipeline.engine.universal.patterns import patterns_of

CPU = torch.device("cpu")
SMALL = {"crop": "16", "batch": "3", "epochs": "4", "least_steps": "1"}


class Slanted(NoReference):
    """Light on the right counts, light on the left counts against it: a mirror turns it round."""

    higher_is_better = True
    score_range = (-0.5, 0.5)

    def score(self, images):
        return (images * torch.linspace(-1, 1, images.shape[-1])).mean(dim=(1, 2, 3))


@dataclass(frozen=True)
class MirrorEntry(LocalEntry):
    """The entry of the mirror."""

    def load(self):
        return Mirrored


BARE = local_entry(Slanted)
BEHIND = LocalEntry(
    "slanted+mirror",
    "metrics",
    kind="NR",
    fields=BARE.fields,
    fingerprint="1" * 16,
    defended=DefendedAs(BARE, MirrorEntry("mirror", "defences", kind="defence"), ""),
    made=Slanted,
)


@pytest.fixture(scope="module")
def patterns(photos: Path, tmp_path_factory):
    """Returns the patterns that the attack finds, on the bare metric and through the mirror."""
    train, found = open_dataset(str(photos)), {}
    for metric in (BARE, BEHIND):
        runner = MetricRunner(metric, tmp_path_factory.mktemp("fit"))
        cell = Cell(metric, lookup.find("attacks", "optimized_uap"), {}, Settings(overrides=SMALL), {train.name: "t"})
        found[metric.name] = patterns_of(runner, cell, [train], lambda what, work: None), runner, cell
    return found


def test_a_pattern_that_knows_the_mirror_is_the_mirror_image(patterns, photos):
    bare, behind = (patterns[name][0][""][photos.name] for name in ("slanted", "slanted+mirror"))
    assert bare[..., 12:].mean() > 0.005 > -0.005 > bare[..., :4].mean()
    assert behind[..., 12:].mean() < -0.005 < 0.005 < behind[..., :4].mean()


@dataclass(frozen=True)
class CropEntry(LocalEntry):
    """The entry of a defence that shows the metric smaller images."""

    def load(self):
        return Crop


@pytest.mark.usefixtures("compiler")
def test_a_fit_is_compiled_for_the_size_that_the_metric_is_shown(photos, tmp_path):
    train = open_dataset(str(photos))
    through = DefendedAs(BARE, CropEntry("crop", "defences", kind="defence"), "")
    entry = replace(BEHIND, name="slanted+crop", defended=through)
    cell = Cell(entry, lookup.find("attacks", "optimized_uap"), {}, Settings(overrides=SMALL), {train.name: "t"})
    patterns_of(MetricRunner(entry, tmp_path, Compute(compiled=True)), cell, [train], lambda what, work: None)
    (fit,) = fits_of(cell)
    stamp = FitStamp.read(fit.file(tmp_path).with_suffix(".json"))
    assert stamp.searched.endswith("; compiled for 3x3x14x14")


def test_it_raises_the_defended_score_and_the_other_lowers_it(patterns, photos, tmp_path):
    data = open_dataset(str(photos))
    _, runner, cell = patterns["slanted+mirror"]
    cell = Cell(BEHIND, cell.attack, {data.name: data.digest}, cell.settings, cell.train)
    moved = {}
    for name in patterns:
        runner = MetricRunner(BEHIND, tmp_path / name)
        rows = CellRun(runner, cell, lambda what, work: None, patterns=patterns[name][0]).run([data]).rows
        moved[name] = sum(float(row["attacked"]) - float(row["clear"]) for row in rows)
    assert moved["slanted+mirror"] > 0.005
    assert moved["slanted"] < -0.005


def test_defences_that_only_judge_share_the_pattern_of_the_bare_metric():
    attack, train = lookup.find("attacks", "optimized_uap"), {"photos": "t"}
    alone, judged = (
        fits_of(Cell(BARE, attack, {}, Settings(overrides=SMALL, defences=defences), train))
        for defences in ((), ("flip",))
    )
    assert [fit.key for fit in alone] == [fit.key for fit in judged]
    (aware,) = fits_of(Cell(BEHIND, attack, {}, Settings(overrides=SMALL), train))
    assert aware.key != alone[0].key
    assert Cell(BEHIND, attack, {}, Settings(overrides=SMALL), train).impossible() is None


def test_images_that_are_stored_before_they_are_scored_share_the_pattern_of_those_that_are_not():
    attack, train = lookup.find("attacks", "optimized_uap"), {"photos": "t"}
    (plain,), (stored,) = (
        fits_of(Cell(BARE, attack, {}, Settings(overrides=SMALL, codec=codec), train))
        for codec in ("", "jpeg:quality=50")
    )
    assert (stored.key, stored.label) == (plain.key, plain.label)


def test_parts_of_a_batch_draw_what_the_whole_draws():
    crops = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    defended = DefendedMetric(Slanted(), "shaken", Shaken(), list("abcde"))
    whole, parts = (CropObjective(Slanted(), None, torch.float32, most, defended) for most in (5, 2))
    assert torch.allclose(whole.gradient(crops), parts.gradient(crops), atol=1e-7)
    assert torch.allclose(whole.values, parts.values, atol=1e-6)
    other = CropObjective(
        Slanted(), None, torch.float32, 5, DefendedMetric(Slanted(), "shaken", Shaken(), list("fghij"))
    )
    other.gradient(crops)
    assert not torch.allclose(whole.values, other.values, atol=1e-6)
