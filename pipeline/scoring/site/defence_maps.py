"""The defence heat maps of the pages: how far attacks still move a metric behind each defence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.scoring.defences import Defended, heat

CLEAR = "clear"


@dataclass(frozen=True)
class DefenceMap:
    """A metric's heat maps on one data set, defences by attacks; the best defence comes first."""

    metric: str
    dataset: str
    unaware: pd.DataFrame  # gain of attacks on the bare metric, in parts of its range; `clear`: the defence's own cost
    aware: pd.DataFrame  # gain of attacks that went through the defence
    quality: pd.DataFrame  # of the purified attacked images
    agreement: dict[str, float]  # SROCC of the clear images' scores with and without the defence


def defence_maps(lines: Sequence[Defended]) -> Iterator[DefenceMap]:
    """Yields the maps of every metric and data set that lines under default settings tell of."""
    default = [line for line in lines if not line.variant]
    for metric, dataset in dict.fromkeys((line.metric, line.dataset) for line in default):
        own = [line for line in default if (line.metric, line.dataset) == (metric, dataset)]
        aware = any(line.setting == "adaptive" for line in own)
        yield DefenceMap(
            metric,
            dataset,
            unaware=heat(own, metric, "gain_of_range", "non-adaptive"),
            aware=heat(own, metric, "gain_of_range", "adaptive") if aware else pd.DataFrame(),
            quality=heat(own, metric, "quality", "non-adaptive").drop(columns=CLEAR),
            agreement={line.defence: line.agreement for line in own},
        )
