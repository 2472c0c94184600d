"""The time that is left, as a run shows it."""

from __future__ import annotations

import pytest

from metric_robustness.pipeline.engine.pace import Pace, in_words
from metric_robustness.pipeline.engine.progress import Event

IMAGES, OVERHEAD, PASS = 16, 0.3, 0.01  # of a batch; seconds of an image beside its passes, and of a pass


def simulated(attacks: dict[str, int], loading: float, resumed: int) -> tuple[float | None, float]:
    """Returns the estimate after ten seconds of a run, and what was left indeed.

    Args:
        attacks: The passes over an image of each attack, which works on 20 batches.
        loading: Seconds before the first scores.
        resumed: How many batches of the first attack an earlier run did.
    """
    pace, now = Pace(0), 0.0
    pace.begin({("m", attack): 20 * IMAGES * passes for attack, passes in attacks.items()}, now)
    events = [("clear", 1, IMAGES * PASS + (loading if not batch else 0)) for batch in range(20)]
    for attack, passes in attacks.items():
        done = resumed if attack == next(iter(attacks)) else 0
        events += [(attack, passes * done, 0.0)] if done else []
        events += [(attack, passes, IMAGES * (OVERHEAD + passes * PASS))] * (20 - done)
    estimate, at = None, 0.0
    for what, passes, seconds in events:
        now += seconds
        pace.hear(Event("m", what, IMAGES * passes), now)
        if estimate is None and now >= 10:
            estimate, at = pace.left(now), now
        assert now >= 10 or pace.left(now) is None
    return estimate, now - at


@pytest.mark.parametrize("loading", [0, 30], ids=["loads at once", "loads for 30 s"])
@pytest.mark.parametrize("resumed", [0, 10], ids=["new", "resumed"])
@pytest.mark.parametrize(
    "attacks",
    [{"fgsm": 3, "square": 5000}, {"ifgsm": 31, "mifgsm": 31, "madc": 401}, {"square": 1000}],
    ids="+".join,
)
def test_after_ten_seconds_an_estimate_is_right_within_a_factor_of_two(attacks, resumed, loading):
    estimate, left = simulated(attacks, loading, resumed)
    assert left / 2 <= estimate <= 2 * left


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (200, "3 min 20 s"), (12000, "3 h 20 min")])
def test_a_time_has_two_units(seconds, words):
    assert in_words(seconds) == words
