"""Best known: attacked images that somebody else found, where they beat the suite.

The suite says "at least": a stronger attack may exist. Whoever has found better images sends them in with a manifest
(`run --from-images`); they stand beside the suite's worst case, by the name of their attack, and do not rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from metric_robustness.pipeline.scoring.board.records import BUDGET, Record
from metric_robustness.pipeline.scoring.scores.effects import LEVEL_ERROR, Effect, effect_of, worst_case

SAME = 1e-4  # parts of the range by which an image's clear score may differ: batches of other sizes move last digits


@dataclass(frozen=True)
class BestKnown:
    """The worst case of the suite and of all that was sent in."""

    effect: Effect
    origins: dict[str, int]  # attack that was sent in -> images on which it beat the suite


def best_known(suite: pd.DataFrame, sent: Sequence[Record]) -> BestKnown | None:
    """Returns the best that is known of a metric; None where nothing that was sent in beats the suite.

    Args:
        suite: The score pairs of the suite's worst case.
        sent: The metric's records of images that were sent in.
    """
    tables = [(record.attack, _same_images(record, suite)) for record in sent if record.scored]
    found = worst_case([("", suite), *((name, pairs) for name, pairs in tables if len(pairs))], BUDGET)
    origins = Counter(found["attack"])
    del origins[""]
    return BestKnown(effect_of(found).summary, dict(sorted(origins.items()))) if origins else None


def _same_images(record: Record, suite: pd.DataFrame) -> pd.DataFrame:
    """Returns the score pairs of images that the suite attacked, too: of the same name, and of the same clear score."""
    assert record.scored is not None
    pairs = record.scored.pairs
    pairs = pairs.loc[pairs.index.isin(suite.index)]
    clear = suite["before"].reindex(pairs.index)
    return pairs[(pairs["before"] - clear).abs() <= SAME]


def not_counted(record: Record, suite: pd.DataFrame) -> Iterator[str]:
    """Yields why images of a record that was sent in do not count, naming them."""
    assert record.scored is not None
    pairs = record.scored.pairs
    clear = suite["before"].reindex(pairs.index)
    for reason, images in (
        ("changed by more than 10/255", pairs["linf"] > BUDGET + LEVEL_ERROR),
        ("no clear image of this data set has the name", clear.isna()),
        ("another image than the data set's, by its clear score", (pairs["before"] - clear).abs() > SAME),
    ):
        names = list(pairs.index[np.asarray(images)])
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield f"{reason}: {', '.join(names[:3])}{more}"
    excluded = record.facts.excluded if record.facts else {}
    yield from (f"{image}: {reason}" for image, reason in sorted(excluded.items()))
