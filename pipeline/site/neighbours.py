"""Who stands beside a metric in the ranking, to compare it with."""

from __future__ import annotations

from metric_robustness.pipeline.scoring.board.leaderboard import Section
from metric_robustness.pipeline.scoring.board.standing import Standing

EACH_WAY = 2


def neighbours(section: Section, standing: Standing) -> list[Standing]:
    """Returns the metric and those next to it, most robust first; of a metric without a rank it alone.

    At an end of the ranking the other side gives more, so that there are as many as elsewhere.
    """
    ranked = [each for each in section.standings if each.rank]
    if standing not in ranked:
        return [standing]
    count = 2 * EACH_WAY + 1
    first = max(0, min(ranked.index(standing) - EACH_WAY, len(ranked) - count))
    return ranked[first : first + count]
