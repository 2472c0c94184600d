"""Distortions and labels: stronger is worse, whatever measures it; seeded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metric_robustness.pipeline.data.images import Pixels, to_tensor
from metric_robustness.pipeline.train.distortions import KINDS, SHARES, between, distort, distort_to, draw_kind, ratio
from metric_robustness.pipeline.train.labels import Labeller, blend
from metric_robustness.pipeline.train.photographs import Photographs

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
FADED = {"contrast", "colour"}  # the eye and PSNR see them; the labels' metrics look at structure first
SEEDS = range(3)


@pytest.fixture(scope="module")
def clear(few: Photographs) -> Pixels:
    pixels = few.training["chelsea.png"] if "chelsea.png" in few.training else few.training["coffee.png"]
    return pixels[60:188, 120:248]


@pytest.fixture(scope="module")
def labeller() -> Labeller:
    return Labeller()


def ladder(clear: Pixels, kind: str, seed: int) -> list[Pixels]:
    return [distort(clear, kind, strength, np.random.default_rng(seed)) for strength in STRENGTHS]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", KINDS)
def test_stronger_is_further_from_the_original(clear: Pixels, kind: str, seed: int) -> None:
    errors = [np.square(image.astype(float) - clear).mean() for image in ladder(clear, kind, seed)]
    assert errors[0] > 0
    assert errors == sorted(errors)
    assert errors[-1] > 10 * errors[0]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in FADED])
def test_stronger_is_labelled_worse(clear: Pixels, kind: str, labeller: Labeller) -> None:
    images = to_tensor(ladder(clear, kind, 0))
    labels = labeller(images, to_tensor([clear] * len(images))).tolist()
    assert labels == sorted(labels, reverse=True)
    assert 100 > labels[0] > labels[-1] + 25
    assert labels[-1] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_the_image_and_nothing_changes_the_original(clear: Pixels, kind: str) -> None:
    before = clear.copy()
    once, again = (distort(clear, kind, 0.6, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(once, again)
    assert np.array_equal(clear, before)
    assert (once.shape, once.dtype) == (clear.shape, np.uint8)


@pytest.mark.parametrize("kind", ["white_noise", "poisson_noise", "motion_blur", "colour"])
def test_another_seed_draws_another_image(clear: Pixels, kind: str) -> None:
    one, other = (distort(clear, kind, 0.6, np.random.default_rng(seed)) for seed in (4, 5))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_met_in_every_kind(clear: Pixels, kind: str) -> None:
    for wanted in (27.0, 34.0) if kind == "webp" else (21.0, 27.0, 34.0):  # its worst quality still has 25 dB
        random = np.random.default_rng(7)
        assert ratio(distort_to(clear, kind, wanted, random), clear) == pytest.approx(wanted, abs=1.5)


def test_an_original_has_no_error(clear: Pixels) -> None:
    assert ratio(clear, clear) == np.inf
    assert ratio(np.full_like(clear, 10), np.full_like(clear, 5)) == pytest.approx(20 * np.log10(255 / 5))


def test_kinds_are_drawn_by_their_shares() -> None:
    random = np.random.default_rng(0)
    drawn = [draw_kind(random) for _ in range(3000)]
    assert set(drawn) == set(KINDS)
    assert SHARES.keys() < KINDS.keys()
    assert drawn.count("jpeg") / drawn.count("webp") == pytest.approx(3, rel=0.25)


def test_strengths_lie_between_the_weak_and_the_strong_setting() -> None:
    assert [between(2, 32, strength) for strength in (0, 0.5, 1)] == pytest.approx([2, 8, 32])


def test_an_original_is_labelled_100(clear: Pixels, labeller: Labeller) -> None:
    images = to_tensor([clear])
    assert labeller(images, images).item() == pytest.approx(100, abs=0.1)


def test_labels_stay_within_0_and_100_whatever_the_judges_say() -> None:
    good = {"fsim": torch.tensor([1.0]), "vif": torch.tensor([1.7]), "gmsd": torch.tensor([0.0])}
    bad = {"fsim": torch.tensor([0.2]), "vif": torch.tensor([-0.1]), "gmsd": torch.tensor([9.0])}
    assert blend(good).item() == pytest.approx(100)
    assert blend(bad).item() == pytest.approx(0, abs=1e-6)
    assert blend(good | {"gmsd": torch.tensor([0.1])}).item() == pytest.approx(100 * (3 + 2 * np.exp(-1)) / 5)
