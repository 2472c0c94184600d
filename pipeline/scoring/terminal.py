"""The leaderboard in the terminal, in at most 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.scoring.leaderboard import Leaderboard, Section
from pipeline.scoring.numbers import with_margin
from pipeline.scoring.outcomes import Outcome

WIDE = 3  # columns of gains up to which the margin stands beside the gain; below it with more


def print_leaderboard(board: Leaderboard, console: Console) -> None:
    """Prints worst case and attacks, or families where the attacks are too many for one line, and what is missing."""
    for section in board.sections:
        console.print(Text(f"{section.kind} metrics. {section.caption}", style="bold"))
        console.print(_table(section))
    for gap in board.gaps_by_reason:
        line = f"{gap.status}: {gap.metric} under {gap.attack}: {gap.reason}"
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _table(section: Section) -> Table:
    attacks = list(section.attacks) if len(section.attacks) <= 2 * WIDE else []
    families = [] if attacks else section.families
    columns = 1 + len(attacks or families)
    table = Table(box=None)
    table.add_column("rank", justify="right")
    table.add_column("metric", overflow="fold")
    table.add_column("worst case", justify="right", style="bold")
    for heading in attacks or families:
        table.add_column(heading, justify="right", overflow="fold")
    for standing in section.standings:
        shown = [standing.worst, *(standing.attacks.get(name) for name in attacks)]
        shown += [standing.families.get(name) for name in families]
        table.add_row(str(standing.rank or "n/a"), standing.metric, *(_gain(each, columns <= WIDE) for each in shown))
    return table


def _gain(outcome: Outcome | None, beside: bool) -> str:
    if outcome is None:
        return "n/a"
    text = with_margin(outcome.scores["absolute_gain"], outcome.intervals["absolute_gain"])
    return text if beside else text.replace(" ", "\n")
