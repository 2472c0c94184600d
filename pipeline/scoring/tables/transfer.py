"""Makes transfer.csv: how far the images that one metric was attacked with move another.

A line is an attack's images, made on the metric `source` and scored by the metric `target`. Where both are one, it says
what the attack reaches if it knows the metric.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.scoring.board.records import Record
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.tables.format import digits, with_margin

COLUMNS = ("dataset", "attack", "variant", "source", "target", "n", "gain", "gain_low", "gain_high", "of_own")


class Crossing(NamedTuple):
    """Which images are scored, and by which metric: the first columns of transfer.csv."""

    dataset: str
    attack: str
    variant: str
    source: str  # the metric that was attacked
    target: str  # the metric that scores


@dataclass(frozen=True)
class Transferred:
    """One line of transfer.csv."""

    crossing: Crossing
    effect: Effect
    own: float  # the mean gain of the target's own attack of the same name, nan if it was not run

    @property
    def gain(self) -> float:
        """Returns the mean absolute gain in parts of the target's range."""
        return self.effect.scores["absolute_gain"]


def transferred(records: Iterable[Record]) -> list[Transferred]:
    """Returns how saved images of attacks on one metric do on others, sorted; empty where no metric scored another's.

    What an attack reached on its own metric, in the same folder, stands on the diagonal.
    """
    found: dict[Crossing, Effect] = {}
    direct: dict[Crossing, Effect] = {}
    for record in records:
        if record.effect is None or record.on.train_dataset:
            continue  # a universal pattern has a line per amplitude, which are not comparable
        attack, _, source = record.attack.partition("@")
        into = found if record.sent_in and source else direct
        into[Crossing(record.dataset, attack, record.variant, source or record.metric, record.metric)] = record.effect
    crossed = {crossing[:3] for crossing in found if crossing.source != crossing.target}
    every = {crossing: effect for crossing, effect in (direct | found).items() if crossing[:3] in crossed}
    own = {(*crossing[:3], crossing.target): effect for crossing, effect in every.items() if _on_itself(crossing)}
    return [
        Transferred(crossing, effect, mean.scores["absolute_gain"] if mean else float("nan"))
        for crossing, effect in sorted(every.items(), key=lambda item: item[0])
        for mean in [own.get((*crossing[:3], crossing.target))]
    ]


def _on_itself(crossing: Crossing) -> bool:
    return crossing.source == crossing.target


def transfer_csv(lines: Sequence[Transferred]) -> str:
    """Returns transfer.csv; `of_own` is the gain in parts of what the target's own attack reaches."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        share = line.gain / line.own if line.own > 0 else float("nan")
        numbers = (line.gain, *line.effect.intervals["absolute_gain"], share)
        writer.writerow([*line.crossing, line.effect.n, *map(digits, numbers)])
    return text.getvalue()


def transfer_tables(lines: Sequence[Transferred]) -> Iterable[Text | Table]:
    """Yields a title and a matrix, attacked metrics by scoring ones, for each data set, attack and variant."""
    for group in dict.fromkeys(line.crossing[:3] for line in lines):
        own = {line.crossing[3:]: line for line in lines if line.crossing[:3] == group}
        dataset, attack, variant = group
        name = f"{attack}:{variant}" if variant else attack
        yield Text(f"{dataset}, {name}: absolute gain of images that were made on a metric, by others", style="bold")
        targets = sorted({target for _, target in own})
        table = Table("made on", box=None, header_style="dim")
        for target in targets:
            table.add_column(Text(target), justify="right")
        for source in sorted({source for source, _ in own}):
            table.add_row(Text(source), *(_shown(own.get((source, target))) for target in targets))
        yield table


def _shown(line: Transferred | None) -> Text:
    if line is None:
        return Text("n/a", style="dim")
    text = with_margin(line.gain, line.effect.intervals["absolute_gain"])
    return Text(text, style="bold" if _on_itself(line.crossing) else "")
