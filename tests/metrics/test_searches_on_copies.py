"""Attacks on published networks gain the same with and without copies: none of these networks has one."""

from __future__ import annotations

import pytest
from published import load, torch_home

from metric_robustness.pipeline.engine.search_copy.fold import foldable

__all__ = ["torch_home"]  # a fixture of this module


@pytest.mark.parametrize("name", ["eonss", "cnniqa_live", "lpips_squeeze", "vmaf", "small_cnn", "small_vit"])
def test_networks_without_a_batch_norm_after_a_convolution_are_searched_on_themselves(name: str) -> None:
    assert foldable(load(name)) == []
