"""The contract of an attack that gives each image of a set a target."""

from __future__ import annotations

import pytest

from metric_robustness.attacks.rank_swap import RankSwap
from metric_robustness.metrics.base import Scores
from metric_robustness.pipeline.contract.attack import has_targets
from metric_robustness.pipeline.contract.base import BrokenPromiseError


class Mean(RankSwap):
    """One target for all."""

    def targets(self, scores: Scores) -> Scores:
        return scores.mean()


class Endless(RankSwap):
    """Targets that no score reaches."""

    def targets(self, scores: Scores) -> Scores:
        return 1 / (scores - scores.min())


class FirstCome(RankSwap):
    """The opposite order, in which the first of two equal scores comes first."""

    def targets(self, scores: Scores) -> Scores:
        order = scores.argsort(stable=True)
        found = scores.clone()
        found[order] = scores[order.flip(0)] + order / 100
        return found


class Otherwise(RankSwap):
    """A family of its own."""

    family = "sign"


def test_opposite_ranks_keep_the_contract():
    assert has_targets(RankSwap()) == "targets from 1.5 to 9.5 for scores from 1 to 9.5"


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        (Mean(), r"targets of 8 scores have shape \(\), 0 values not finite: return one finite score per image"),
        (Endless(), r"targets of 8 scores have shape \(8,\), 1 values not finite"),
        (
            Otherwise(),
            'its family is "sign", by which no table knows it: leave it to the base class',
        ),
        (FirstCome(), r"in another order of the images targets differ by 0\.\d+: let equal scores share one"),
    ],
    ids=["one for all", "infinite", "another family", "first come"],
)
def test_a_broken_promise_is_named(attack, told):
    with pytest.raises(BrokenPromiseError, match=told):
        has_targets(attack)
