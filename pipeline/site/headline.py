"""What the numbers of a section come to, in one sentence."""

from __future__ import annotations

from metric_robustness.pipeline.scoring.board.leaderboard import Section
from metric_robustness.pipeline.site.views import WHOLE

KINDS = {"NR": "no-reference", "FR": "full-reference", "video": "video"}
SHARES = (  # of a metric's range, largest first
    (1.0, "their whole range"),
    (3 / 4, "three quarters of their range"),
    (1 / 2, "half of their range"),
    (1 / 3, "a third of their range"),
    (1 / 4, "a quarter of their range"),
    (1 / 5, "a fifth of their range"),
    (1 / 10, "a tenth of their range"),
    (1 / 20, "a twentieth of their range"),
)
LEAST = 2  # metrics of which "most" can be said


def headline(section: Section) -> str:
    """Returns the largest share of the range by which more than half of the ranked metrics move; "" for too few.

    An attack shows how far a metric moves at least, so the sentence stays true where a gain is doubted to be too small.
    """
    gains = [standing.gain for standing in section.standings if standing.rank]
    if len(gains) < LEAST:
        return ""
    metrics = f"most {KINDS[section.kind]} metrics" + ("" if section.gradients else " without gradients")
    change = f"A change of {WHOLE} in 255 levels moves {metrics} by"
    for share, words in SHARES:
        if 2 * sum(gain >= share for gain in gains) > len(gains):
            return f"{change} {words} or more."
    return f"{change} less than {SHARES[-1][1]}."
