"""The transfer matrices of the pages: how far images that were made on one metric move another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.tables.transfer import Transferred


@dataclass(frozen=True)
class TransferMap:
    """The matrix of one attack on one data set."""

    title: str
    targets: list[str]  # the metrics that score
    gains: dict[str, list[float]]  # by the metric that the images were made on: a gain per target, nan where none is


def transfer_maps(lines: Sequence[Transferred]) -> Iterator[TransferMap]:
    """Yields the matrix of every data set, attack and variant."""
    for group in dict.fromkeys(line.crossing[:3] for line in lines):
        own = {(line.crossing.source, line.crossing.target): line for line in lines if line.crossing[:3] == group}
        dataset, attack, variant = group
        targets = sorted({target for _, target in own})
        yield TransferMap(
            f"{attack}{f':{variant}' if variant else ''} on {dataset}",
            targets,
            {
                source: [own[source, name].gain if (source, name) in own else math.nan for name in targets]
                for source in sorted({source for source, _ in own})
            },
        )
