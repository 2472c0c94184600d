"""The leaderboard in the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.tables.format import with_margin


def print_leaderboard(board: Leaderboard, console: Console) -> None:
    """Prints worst case and gains by attack (by family if the terminal is too narrow for that), and what is missing."""
    for section in board.sections:
        console.print(Text(f"{section.title}, absolute gain. {section.caption}", style="bold"))
        by_attack = _table(section, "attacks")
        needed = Measurement.get(console, console.options.update(max_width=1000), by_attack).maximum
        fits = needed <= console.width
        console.print(by_attack if fits else _table(section, "families"))
    gaps = [f"{gap.status}: {gap.metric} under {gap.attack}: {gap.reason}" for gap in board.gaps_by_reason]
    for line in dict.fromkeys(gaps):  # a gap on several data sets gives equal lines
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _table(section: Section, columns: str) -> Table:
    """Returns a section with a column per attack or per family, without margins, which stand in the files."""
    names = list(getattr(section, columns))
    table = Table(box=None)
    table.add_column("rank", justify="right")
    table.add_column("metric", overflow="fold")
    for heading in ("worst case", *names):
        table.add_column(heading, justify="right", overflow="fold")
    for standing in section.standings:
        worst = standing.effects.worst
        of: Mapping[str, Effect] = getattr(standing.effects, columns)
        table.add_row(
            str(standing.rank or "n/a"),
            standing.metric,
            Text(with_margin(_gain(worst), worst.intervals["absolute_gain"]) if worst else "n/a", style="bold"),
            *(f"{_gain(of[name]):.3f}" if name in of else standing.absent(section.attacks_of(name)) for name in names),
        )
    return table


def _gain(effect: Effect) -> float:
    return effect.scores["absolute_gain"]
