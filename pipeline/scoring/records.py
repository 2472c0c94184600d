"""The records of scores.csv: a metric under an attack on a data set, per variant and setting of a universal pattern."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from pipeline.errors import DataError
from pipeline.rows import CLIP_MEAN
from pipeline.scoring.cells import Cell
from pipeline.scoring.outcomes import Outcome, moves, outcome
from pipeline.scoring.ranges import Ranges, fixed_scale
from pipeline.scoring.robustness import Scale, robustness, subset_scale
from pipeline.stamp import DatasetFacts, Stamp

SETTING = ["dataset", "variant", "train_dataset", "amplitude"]
CONTROL = "control"  # the family that is shown beside the attacks, and is none
COSTS = ("psnr", "ssim", "linf", "queries", "gradients")


@dataclass(frozen=True)
class Record:
    """One line of scores.csv."""

    metric: str
    attack: str
    dataset: str
    status: str  # done, failed, skipped or corrupt
    reason: str = ""
    stamp: Stamp | None = None
    variant: str = ""
    train_dataset: str = ""
    amplitude: float = math.nan
    asked: int = 0
    moved: pd.DataFrame | None = None  # of `outcomes.moves`; none unless done
    outcome: Outcome | None = None
    subset: dict[str, float] = field(default_factory=dict)  # scores under subset scaling
    costs: dict[str, float] = field(default_factory=dict)  # means over the rows
    scale: Scale | None = None
    flags: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Returns how many images were scored."""
        return self.outcome.n if self.outcome else 0

    @property
    def kind(self) -> str:
        """Returns NR, FR or video; nothing if the stamp is gone."""
        return self.stamp.metric.kind if self.stamp else ""

    @property
    def family(self) -> str:
        """Returns the attack's family; nothing if the stamp is gone."""
        return self.stamp.attack.family if self.stamp else ""

    @property
    def eps(self) -> float:
        """Returns the attack's bound on the change of a channel value, nan if it has none."""
        return float(self._settings().get("eps", math.nan))

    @property
    def ranks(self) -> bool:
        """Tells whether the attack counts for the worst case: it is to raise the score, and is no control."""
        return self.family != CONTROL and self._settings().get("goal") != "worse"

    @property
    def off_board(self) -> str:
        """Returns why the record is kept from the leaderboard; nothing if it is not."""
        settings = self.stamp.settings if self.stamp else {}
        if overrides := settings.get("overrides"):
            return "run with --set " + " --set ".join(f"{name}={value}" for name, value in sorted(overrides.items()))
        dtype = str(settings.get("dtype") or "float32")
        return "" if dtype == "float32" else f"searched in {dtype}"

    def _settings(self) -> dict[str, Any]:
        if not self.stamp:
            return {}
        return self.stamp.attack.settings | self.stamp.attack.variants.get(self.variant.split("+")[0], {})


def records(cells: list[Cell], ranges: Ranges) -> list[Record]:
    """Returns the records of all cells, sorted; those without rows carry the reason."""
    found = [record for cell in cells for record in _of_cell(cell, ranges)]
    flagged = [replace(record, flags=(*record.flags, *_noise_flag(record, found))) for record in found]
    return sorted(flagged, key=lambda record: (record.metric, record.attack, *map(str, _place(record))))


def _place(record: Record) -> tuple[str | float, ...]:
    return (record.dataset, record.variant, record.train_dataset, record.amplitude)


def _of_cell(cell: Cell, ranges: Ranges) -> Iterator[Record]:
    stamp = cell.stamp
    empty = Record(cell.metric, cell.attack, "", cell.status, cell.reason, stamp)
    if stamp is None:
        reason = cell.reason or f"no stamp stands beside {cell.path.name}: run the cell again"
        yield replace(empty, status="corrupt", reason=reason)
        return
    asked = {dataset.name: dataset for dataset in stamp.datasets}
    for name in sorted(asked.keys() - set(cell.rows["dataset"])):
        reason = cell.reason or "; ".join(_rows_missing(cell, asked[name], "", set())) or "no rows"
        status = "failed" if cell.status == "done" else cell.status
        yield replace(empty, dataset=name, asked=asked[name].images, status=status, reason=reason)
    if not asked and cell.rows.empty:
        yield empty
    try:
        scale = fixed_scale(stamp, ranges)
    except DataError as error:
        yield replace(empty, status="corrupt", reason=str(error))
        return
    for _, rows in cell.rows.groupby(SETTING, dropna=False):
        yield _of_rows(empty, cell, rows, asked.get(rows["dataset"].iloc[0]), scale)


def _of_rows(empty: Record, cell: Cell, rows: pd.DataFrame, asked: DatasetFacts | None, scale: Scale) -> Record:
    first = rows.iloc[0]
    clear, attacked = rows["clear"].to_numpy(), rows["attacked"].to_numpy()
    flags = list(cell.notes)
    if asked:
        if len(rows) < (count := _count(cell, asked, first["variant"])):
            flags.append(f"fewer images than asked: {len(rows)} of {count}")
        flags += _rows_missing(cell, asked, first["variant"], set(rows["image"]))
    flags += _gradient_flags(cell, first["variant"])
    try:
        own = subset_scale(clear, higher_is_better=scale.higher_is_better)
        subset = robustness(own(clear), own(attacked))
    except DataError:  # a single clear score: told by the empty columns, and of no use to the ranking
        subset = {}
    moved = moves(rows, scale)
    return replace(
        empty,
        **{name: first[name] for name in SETTING},
        asked=_count(cell, asked, first["variant"]) if asked else len(rows),
        moved=moved,
        outcome=outcome(moved),
        subset=subset,
        costs={name: float(rows[name].mean()) for name in COSTS},
        scale=scale,
        flags=tuple(flags),
    )


def _count(cell: Cell, asked: DatasetFacts, variant: str) -> int:
    """Returns how many rows there should be: one per image, or per clip where clips are scored."""
    of_clips = variant.endswith(CLIP_MEAN) or (cell.stamp is not None and cell.stamp.metric.kind == "video")
    return asked.clips if of_clips else asked.images


def _gradient_flags(cell: Cell, variant: str) -> list[str]:
    """Returns the flags of gradients that were zero or not finite on more than 1 % of the images."""
    images = int((cell.rows["variant"] == variant).sum())
    flaws = cell.stamp.flaws.get(variant, {}) if cell.stamp else {}
    return [f"{flaw} on {count} of {images} images" for flaw, count in flaws.items() if count > images / 100]


def _rows_missing(cell: Cell, asked: DatasetFacts, variant: str, there: set[str]) -> list[str]:
    """Returns the flag that names the images without a row, if there are any."""
    reasons = dict(asked.excluded)
    reasons |= {row.image: row.reason for row in cell.refused if (row.dataset, row.variant) == (asked.name, variant)}
    gone = sorted((image, reason) for image, reason in reasons.items() if image not in there)
    if not gone:
        return []
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    return ["rows missing: " + ", ".join(f"{image} ({reason})" for image, reason in gone[:3]) + more]


def _noise_flag(record: Record, others: list[Record]) -> Iterator[str]:
    """Yields a flag if plain noise of the same size moves the score as far as the attack does."""
    if record.outcome is None or record.family == CONTROL:
        return
    for noise in others:
        same = (noise.metric, noise.dataset, noise.variant) == (record.metric, record.dataset, "")
        if same and noise.family == CONTROL and noise.outcome and math.isclose(noise.eps, record.eps):
            by_noise, by_attack = (item.scores["absolute_gain"] for item in (noise.outcome, record.outcome))
            if abs(by_noise) >= abs(by_attack):
                yield f"{noise.attack} of the same eps moves the score as much: {by_noise:.3f} against {by_attack:.3f}"
