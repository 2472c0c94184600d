"""The order of images under attack, compared with a count of all pairs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from metric_robustness.pipeline.scoring.scores.order import BLOCK, order_of, swap_of


def scores(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns clear, highest and lowest scores; some clear ones are equal, some images cannot be moved."""
    generator = np.random.default_rng(seed)
    before = generator.integers(0, 2 * count, count) / (2 * count)
    up, down = (np.maximum(generator.normal(0.02, 0.1, count), 0) for _ in range(2))
    return before, before + up, before - down


@pytest.mark.parametrize("count", [8, 31, BLOCK + 3])
def test_shares_are_those_of_all_pairs_one_by_one(count):
    before, highest, lowest = scores(count)
    pairs = [(i, j) for i, j in permutations(range(count), 2) if before[i] < before[j]]
    order = order_of(before, highest, lowest)
    assert order.pairs == len(pairs)
    assert order.pairs + order.ties == count * (count - 1) // 2
    assert order.one == pytest.approx(np.mean([highest[i] > before[j] for i, j in pairs]))
    assert order.both == pytest.approx(np.mean([highest[i] > lowest[j] for i, j in pairs]))
    assert order.one <= order.both


def test_images_that_cannot_be_moved_keep_their_order():
    before = np.arange(9.0)
    order = order_of(before, before, before)
    assert (order.one, order.both, order.srocc) == (0, 0, 1)


def test_an_attack_that_reaches_any_score_turns_the_order_round():
    before = np.arange(10.0)
    order = order_of(before, 100 - before, -before)
    assert (order.one, order.both) == (1, 1)
    assert order.srocc == pytest.approx(stats.spearmanr(before, [100 - i if i < 5 else -i for i in before]).statistic)
    assert order.srocc < 0


def test_without_attacks_that_lower_scores_only_the_worse_image_is_attacked():
    before, highest, _ = scores(20)
    order = order_of(before, highest)
    assert np.isnan(order.both)
    assert order.one == order_of(before, highest, before).one


@pytest.mark.parametrize("before", [np.arange(7.0), np.ones(9), np.array([np.nan, *range(7)])])
def test_too_few_images_or_equal_scores_have_no_order(before):
    assert order_of(before, before + 1) is None


@pytest.mark.parametrize("count", [8, 31, BLOCK + 3])
def test_the_share_of_flipped_pairs_is_that_of_all_pairs_one_by_one(count):
    before, after, _ = scores(count)
    after = after[::-1].round(2)  # some of them equal
    pairs = [(i, j) for i, j in permutations(range(count), 2) if before[i] < before[j]]
    swap = swap_of(before, after)
    assert swap.flipped == pytest.approx(np.mean([after[i] > after[j] for i, j in pairs]))
    assert swap.srocc == pytest.approx(stats.spearmanr(before, after).statistic)


def test_a_set_turned_round_and_one_left_alone():
    before = np.arange(9.0)
    assert (swap_of(before, -before).flipped, swap_of(before, -before).srocc) == (1, pytest.approx(-1))
    assert (swap_of(before, before).flipped, swap_of(before, before).srocc) == (0, pytest.approx(1))


def test_scores_that_all_become_equal_flip_no_pair_and_have_no_correlation():
    swap = swap_of(np.arange(9.0), np.ones(9))
    assert swap.flipped == 0
    assert np.isnan(swap.srocc)


@pytest.mark.parametrize("before", [np.arange(7.0), np.ones(9)])
def test_too_few_images_or_equal_scores_cannot_be_swapped(before):
    assert swap_of(before, before + 1) is None
