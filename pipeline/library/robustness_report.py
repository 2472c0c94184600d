"""What an evaluation comes to, for people in a notebook and for programs."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pandas as pd

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.library.example import Example
from metric_robustness.pipeline.library.html import comparison_html, report_html
from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.scores.statistics import Estimate
from metric_robustness.pipeline.scoring.tables.format import with_margin


class KeptFolder:
    """A temporary folder that is removed, without a warning, once nothing refers to this object."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="metric-robustness-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True)
class RunFacts:
    """What was run.

    Attributes:
        metric: The metric's name.
        dataset: The name of its images.
        folder: The run folder, with rows, stamps and tables as the command line writes them.
        notes: What could not be done and why, and what was measured; one line each.
        kept: Removes the folder with the last report that needs it; None for a folder of the user.
    """

    metric: str
    dataset: str
    folder: Path
    notes: tuple[str, ...]
    kept: KeptFolder | None


class RobustnessReport:
    """How far a metric's scores can be moved, and what speaks against trusting that number.

    It can be pickled; only `compare` needs the metric, which a pickled report has not.

    Attributes:
        rows: A row per image, attack and budget: `attack`, then the columns of the CSV. `clear` and `attacked` are
            scores in the metric's unit, `linf` the largest change of a channel in [0, 1], `variant` empty or a budget.
        example: One image before and after; None of clips.
        board: The leaderboard that the tables were made of.
    """

    def __init__(
        self,
        run: RunFacts,
        board: Leaderboard,
        rows: pd.DataFrame,
        example: Example | None,
        compare: Callable[[Sequence[str]], Comparison],
    ) -> None:
        self.run, self.board, self.rows, self.example = run, board, rows, example
        self._compare = compare
        self._page = ""  # what a notebook shows of a report that was pickled, and has no run folder any more
        self._defences: pd.DataFrame | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Returns all that a report holds without its metric and its temporary folder, so that it can be pickled."""
        kept = {"run": replace(self.run, kept=None), "_page": self._repr_html_(), "_defences": self.defences}
        return vars(self) | kept | {"_compare": _compared_no_more}

    @property
    def standing(self) -> Standing:
        """Returns the metric's line of the leaderboard, with all effects."""
        lines = (each for section in self.board.sections for each in section.standings)
        return next(each for each in lines if each.metric == self.run.metric)

    @property
    def worst(self) -> Estimate:
        """Returns the mean gain of the worst case within the budget, in parts of the range, with its 95 % interval."""
        return _estimate(self.standing.effects.worst)

    @property
    def curve(self) -> pd.DataFrame:
        """Returns the worst case within each budget: `budget` in 255ths, `gain`, `low` and `high`; may be empty."""
        found = self.standing.effects.curve
        effects = found.effects if found else {}
        return pd.DataFrame(
            [(budget, *_estimate(effect)) for budget, effect in effects.items()],
            columns=["budget", "gain", "low", "high"],
        )

    @property
    def flags(self) -> list[Flag]:
        """Returns the reasons to doubt the gains; each has a `code`, a `text` and the `attacks` that it concerns."""
        return self.standing.flags

    @property
    def notes(self) -> tuple[str, ...]:
        """Returns what could not be done and why, and what was measured."""
        return self.run.notes

    @property
    def defences(self) -> pd.DataFrame:
        """Returns what each defence is worth, as defences.csv has it; empty without defences."""
        if self._defences is not None:
            return self._defences
        file = self.run.folder / "defences.csv"
        return pd.read_csv(file, keep_default_na=False) if file.is_file() else pd.DataFrame()

    def compare(self, *names: str) -> Comparison:
        """Runs metrics of the catalogue on the same images, with the same attacks, and ranks all.

        Args:
            names: Such as "niqe" or "small_cnn+jpeg".

        Raises:
            ValueError: If there is none of a name.
        """
        return self._compare(names)

    def __repr__(self) -> str:
        scale = self.standing.scale
        unit = f" of its range, {scale.low:g} to {scale.high:g}" if scale else ""
        lines = [
            f"{self.run.metric} on {self.run.dataset}, {_images(self.standing)}: "
            f"attacks move the score by {with_margin(self.worst.value, self.worst[1:])}{unit}"
        ]
        if len(self.curve):
            steps = ", ".join(f"{row.gain:.3f} within {row.budget}/255" for row in self.curve.itertuples())
            lines.append(f"worst case: {steps}")
        lines += [f"flag: {flag}" for flag in self.flags]
        caption = next(each.caption for each in self.board.sections if self.standing in each.standings)
        return "\n".join([*lines, *self.notes, caption])

    def _repr_html_(self) -> str:
        return self._page or report_html(
            self.run.metric, self.run.folder, repr(self).splitlines(), self.flags, self.example
        )


def _compared_no_more(_: Sequence[str]) -> Comparison:
    raise BenchError("compare must have the metric, which a copied or pickled report has not: evaluate again")


class Comparison:
    """Metrics side by side on the same images.

    Attributes:
        board: The leaderboard: metrics of one kind are ranked among each other.
        notes: What could not be done and why.
    """

    def __init__(self, board: Leaderboard, folder: Path, notes: tuple[str, ...]) -> None:
        self.board, self.folder, self.notes = board, folder, notes

    @property
    def table(self) -> pd.DataFrame:
        """Returns a line per metric: its rank, worst-case gain with its interval, gain within budgets, flags' codes."""
        found = pd.DataFrame(
            [
                {
                    "section": section.title,
                    "rank": each.rank,
                    "metric": each.metric,
                    **dict(zip(("gain", "low", "high"), _estimate(each.effects.worst), strict=True)),
                    **_within(each),
                    "flags": ", ".join(dict.fromkeys(flag.code for flag in each.flags)),
                }
                for section in self.board.sections
                for each in section.standings
            ]
        )
        return found.astype({"rank": "Int64"})  # whole, also where a metric has none

    def __repr__(self) -> str:
        return "\n".join([self.table.to_string(index=False), *self.notes, *self.board.captions])

    def _repr_html_(self) -> str:
        return comparison_html(self.table, self.folder, [*self.notes, *self.board.captions])


def _within(standing: Standing) -> dict[str, float]:
    curve = standing.effects.curve
    effects = list(curve.effects.items())[:-1] if curve else []  # the last is the worst case
    return {f"within {budget}/255": effect.scores["absolute_gain"] for budget, effect in effects}


def _estimate(effect: Effect | None) -> Estimate:
    if effect is None:
        return Estimate(float("nan"), float("nan"), float("nan"))
    return Estimate(effect.scores["absolute_gain"], *effect.intervals["absolute_gain"])


def _images(standing: Standing) -> str:
    count = standing.effects.worst.n if standing.effects.worst else 0
    return f"{count} image{'' if count == 1 else 's'}"
