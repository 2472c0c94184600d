"""Which photographs training uses, holds out and excludes; it makes samples once, and each by itself."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import TINY

from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.train import samples as making
from metric_robustness.pipeline.train.distortions import ratio
from metric_robustness.pipeline.train.labels import Labeller
from metric_robustness.pipeline.train.photographs import Photographs, gather
from metric_robustness.pipeline.train.recipes import RECIPES, TID2013_SOURCES, find_recipe
from metric_robustness.pipeline.train.samples import (
    ALIKE,
    SCENES,
    SamplePlan,
    content,
    distorted_pairs,
    make,
    prepare,
    sample_plans,
)
from metric_robustness.pipeline.train.tasks import rate


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(["a.png", "b.png", "c.png", "d.png", "e.png", "kodim03.png", "small.png"]):
        pixels = np.random.default_rng(number).integers(256, size=(70, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels[:40] if name == "small.png" else pixels).save(tmp_path / name)
    Image.open(tmp_path / "a.png").save(tmp_path / "torn.jpg")
    (tmp_path / "torn.jpg").write_bytes((tmp_path / "torn.jpg").read_bytes()[:2000])
    return tmp_path


def test_no_photograph_is_trained_on_and_held_out(folder: Path) -> None:
    found = gather([str(folder)], 64)
    assert sorted({**found.training, **found.validation}) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    assert (len(found.training), len(found.validation)) == (4, 1)


def test_what_is_left_out_is_named_with_its_reason(folder: Path) -> None:
    excluded = gather([str(folder)], 64).excluded
    assert excluded.keys() == {"kodim03.png", "small.png", "torn.jpg"}
    assert excluded["kodim03.png"] == "TID2013 tests on it"
    assert excluded["small.png"] == "90x40 is smaller than 64x64 pixels"
    assert "cannot be decoded" in excluded["torn.jpg"]


def test_a_name_given_twice_counts_once(folder: Path) -> None:
    once, twice = gather([str(folder)], 64), gather([str(folder), str(folder / "a.png")], 64)
    assert twice.training.keys() == once.training.keys()
    assert twice.excluded["a.png"] == "another photograph has its name"


def test_the_digest_follows_the_pixels(folder: Path) -> None:
    before = gather([str(folder)], 64).digest
    assert gather([str(folder)], 64).digest == before
    Image.new("RGB", (90, 70)).save(folder / "b.png")
    assert gather([str(folder)], 64).digest != before


def test_one_photograph_is_too_few(folder: Path) -> None:
    with pytest.raises(DataError, match=r"at least 2 photographs.*got 1: name more folders"):
        gather([str(folder / "a.png")], 64)


def test_no_photograph_of_tid2013_is_used(shared_data: Path) -> None:
    found = gather([str(shared_data / "images" / "kodak24")], 128)
    assert found.excluded.keys() == TID2013_SOURCES
    assert len(found.training) + len(found.validation) == 18


def test_samples_are_images_with_labels_some_of_them_undistorted(few: Photographs, work: Path) -> None:
    plan, _ = sample_plans(few, TINY)
    images, labels = prepare(plan, work, lambda _: None)
    assert (images.shape, images.dtype) == ((12, 3, 64, 64), torch.uint8)
    assert (labels.shape, labels.dtype) == ((12,), torch.float32)
    assert labels.min() >= 0
    assert labels.max() <= 100.001
    ((clear, same),) = distorted_pairs(plan, range(1))
    assert np.array_equal(clear, same)
    assert labels[0].item() == pytest.approx(100, abs=0.1)
    assert len({round(label, 3) for label in labels.tolist()}) > 8


def test_a_sample_depends_on_its_number_and_seed_alone(few: Photographs, work: Path) -> None:
    plan, _ = sample_plans(few, TINY)
    whole = prepare(plan, work, lambda _: None)
    part = make(plan, range(5, 8), Labeller())
    assert torch.equal(part.images, whole.images[5:8])
    torch.testing.assert_close(part.labels, whole.labels[5:8], rtol=0, atol=1e-3)
    other, _ = sample_plans(few, replace(TINY, seed=1))
    assert not torch.equal(make(other, range(5, 6), Labeller()).images, part.images[:1])


def test_samples_that_follow_each_other_show_one_content_with_errors_spread_evenly(few: Photographs) -> None:
    for plan in sample_plans(few, TINY):
        pairs = distorted_pairs(plan, range(2 * ALIKE))
        clear = [content(plan, block) for block in range(2)]
        assert all(np.array_equal(pairs[number][0], clear[number // ALIKE]) for number in range(len(pairs)))
        assert not np.array_equal(*clear)
        ratios = sorted(ratio(distorted, original) for original, distorted in pairs[ALIKE:])
        assert ratios[0] < 23
        assert ratios[-1] > 33
        assert max(np.diff(ratios)) < 6


def test_training_labels_are_ranks_among_those_of_one_content_and_validation_labels_the_judges_own(
    few: Photographs, work: Path
) -> None:
    training, validation = rate.samples(few, TINY, work, lambda _: None)
    before, kept = (prepare(plan, work, lambda _: None) for plan in sample_plans(few, TINY))
    assert torch.equal(training.images, before.images)
    for start, stop in ((0, ALIKE), (ALIKE, 12)):  # two samples are left over for the second content
        labels, ranks = before.labels[start:stop], training.labels[start:stop]
        assert sorted(ranks.tolist()) == pytest.approx([100 * (n + 1) / len(ranks) for n in range(len(ranks))])
        assert torch.equal(labels.argsort(), ranks.argsort())
    assert torch.equal(validation.labels, kept.labels)


def test_most_contents_to_train_on_are_scenes_and_none_to_validate_with(few: Photographs) -> None:
    training, validation = sample_plans(few, TINY)
    shown = {plan.seed: [is_crop(content(plan, block), plan) for block in range(40)] for plan in (training, validation)}
    assert all(shown[validation.seed])
    assert 40 * (1 - SCENES) / 2 < sum(shown[training.seed]) < 40 * (1 - SCENES) * 2


def is_crop(pixels: Pixels, plan: SamplePlan) -> bool:
    """Returns whether an image is a part of one of the photographs."""
    return any(
        np.array_equal(photograph[top : top + plan.crop, left : left + plan.crop], pixels)
        for photograph in plan.photographs.values()
        for top, left in zip(*np.nonzero((photograph == pixels[0, 0]).all(axis=2)), strict=True)
    )


def test_validation_draws_from_the_photographs_held_out(few: Photographs) -> None:
    training, validation = sample_plans(few, TINY)
    assert training.photographs.keys() == few.training.keys()
    assert validation.photographs.keys() == few.validation.keys()
    assert training.seed != validation.seed


def test_what_is_there_is_not_made_again_and_what_is_damaged_is(
    few: Photographs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "CHUNK", 2)
    plan, _ = sample_plans(few, replace(TINY, samples=6))
    before = prepare(plan, tmp_path, lambda _: None)
    files = sorted(tmp_path.glob("samples-*/*.samples"))
    assert len(files) == 3
    written = [file.stat().st_mtime_ns for file in files]
    files[1].write_bytes(files[1].read_bytes()[:-7])
    time.sleep(0.01)
    advanced: list[int] = []
    after = prepare(plan, tmp_path, advanced.append)
    assert [file.stat().st_mtime_ns == when for file, when in zip(files, written, strict=True)] == [True, False, True]
    assert torch.equal(before.images, after.images)
    assert torch.equal(before.labels, after.labels)
    assert advanced == [2, 2, 2]


def test_other_photographs_make_other_samples(few: Photographs, work: Path) -> None:
    plan, _ = sample_plans(few, TINY)
    prepare(plan, work, lambda _: None)
    brighter = {name: np.minimum(pixels, 254) + 1 for name, pixels in few.training.items()}
    again = prepare(plan._replace(photographs=brighter, size=2), work, lambda _: None)
    assert not torch.equal(again.images, prepare(plan, work, lambda _: None).images[:2])


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(BenchError, match="no recipe trains 'smal_cnn': did you mean small_cnn"):
        find_recipe("smal_cnn")
    assert {name: recipe.network for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}


def test_a_recipe_without_samples_is_refused() -> None:
    with pytest.raises(BenchError, match="samples must be at least 2; got 0"):
        replace(TINY, samples=0)
