"""Rounding to 8 bits: the image that is scored lies on the levels of a file and within the budget."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metric_robustness.attacks.noise import UniformNoise


def images_of(seed: int):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (2, 3, 6, 5)).astype(np.float32)) / 255


@settings(max_examples=60, deadline=None)
@given(eps=st.floats(0, 1), seed=st.integers(0, 99), levels=st.none() | st.integers(0, 255))
def test_rounding_lands_on_the_levels_and_never_breaks_the_budget(eps, seed, levels):
    eps = eps if levels is None else levels / 255
    clear = images_of(seed)
    wish = clear + eps * (2 * torch.rand(clear.shape, generator=torch.Generator().manual_seed(seed)) - 1)
    attacked = UniformNoise(eps).rounded(wish.clamp(0, 1), clear)
    assert torch.equal((attacked * 255).round() / 255, attacked)
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    change = ((attacked - clear).double() * 255).round().abs().max()
    assert change <= eps * 255 + 1e-3
    assert ((attacked - wish.clamp(0, 1)).abs() <= 1 / 255 + 1e-6).all()


def test_a_budget_between_two_levels_is_not_rounded_up():
    clear = torch.full((1, 3, 4, 4), 100 / 255)
    assert torch.equal(UniformNoise(0.1).rounded(clear + 0.1, clear), torch.full((1, 3, 4, 4), 125 / 255))
    assert torch.equal(UniformNoise(0.1).rounded(clear - 0.1, clear), torch.full((1, 3, 4, 4), 75 / 255))
    assert torch.equal(UniformNoise(10 / 255).rounded(clear + 10 / 255, clear), torch.full((1, 3, 4, 4), 110 / 255))
