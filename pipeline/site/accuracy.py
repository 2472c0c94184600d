"""How well metrics agree with people, for the plots: on a section's own images if people rated them, else on others."""

from __future__ import annotations

import math
from typing import NamedTuple

from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section


class Accuracy(NamedTuple):
    """Rank correlation of metrics' clear scores with mean opinion scores, all on one data set."""

    dataset: str
    srocc: dict[str, float]  # by metric; 1 is best


def accuracy(board: Leaderboard, section: Section) -> Accuracy | None:
    """Returns how well the metrics of a section agree with people; None if people rated no image that they scored.

    Takes the section's own data set if people rated it, else the rated one on which most of the section's metrics ran.
    All metrics share that data set, since correlations on different images do not compare.
    """
    known = [Accuracy(each.dataset, _srocc(each)) for each in board.sections if each.kind == section.kind]
    names = {standing.metric for standing in section.standings}
    usable = [(each, len(names & each.srocc.keys())) for each in known]
    found = max(
        ((each.dataset == section.dataset, count, each) for each, count in usable if count),
        key=lambda one: one[:2],  # max takes the first of equals, and sections are sorted
        default=None,
    )
    return found[2] if found else None


def _srocc(section: Section) -> dict[str, float]:
    """Returns the correlation by metric, of the attack with most images, as each may exclude others."""
    found = {}
    for standing in section.standings:
        most = max(standing.opinions, key=lambda attack: standing.effects.attacks[attack].n, default=None)
        value = standing.opinions[most]["srocc_clear"] if most else math.nan
        if math.isfinite(value):
            found[standing.metric] = value
    return found
