"""The records of scores.csv: a metric under an attack on a data set, per variant and setting of a universal pattern."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from metric_robustness.pipeline.cells.row import BUDGET_VARIANT, CLIP_MEAN
from metric_robustness.pipeline.cells.stamp import DatasetFacts, Stamp
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.numbers import Numbers, Source
from metric_robustness.pipeline.scoring.board.probe_flags import probed
from metric_robustness.pipeline.scoring.read.cells import Status, StoredCell
from metric_robustness.pipeline.scoring.scores.effects import LEVEL_ERROR, Effect, effect_of, score_pairs
from metric_robustness.pipeline.scoring.scores.opinions import before_and_after
from metric_robustness.pipeline.scoring.scores.overtaken import Truth, truth_of
from metric_robustness.pipeline.scoring.scores.ranges import Ranges, fixed_scale
from metric_robustness.pipeline.scoring.scores.robustness import (
    ScoreScale,
    Values,
    pooled_order,
    robustness,
    subset_scale,
)

BUDGET = 10 / 255  # the largest change that counts for the worst case: a larger one would always win
EPS_VARIANT = re.compile(r"eps=[0-9./]+")  # of rows within another budget
SAVED = "saved"  # the family of attacked images that a run read from a folder
CONTROL = "control"  # the family that every metric of a table need not have
RANK = "rank"  # the family of attacks on the order of a set, which raise one score and lower another
GRADIENT_FLAWS = {"zero gradient": "zero_gradients", "gradient not finite": "broken_gradients"}  # in a stamp -> flag
LEAST_STEPS = 100  # of a fit: with fewer, Adam's pattern has barely left its start
FAR = 100  # ranges: no photograph moves a metric so far, unless it breaks down there
COSTS = ("psnr", "ssim", "linf", "flicker", "queries", "gradients")


class AttackSetting(NamedTuple):
    """On which data set, and how, an attack was run."""

    dataset: str = ""
    variant: str = ""
    train_dataset: str = ""  # of a universal pattern
    amplitude: float = math.nan  # of a universal pattern


NOWHERE = AttackSetting()  # of a cell without rows whose stamp names no data set


@dataclass(frozen=True)
class Scored:
    """What the rows of a record come to."""

    effect: Effect
    scale: ScoreScale
    subset: dict[str, float]  # scores under subset scaling
    costs: dict[str, float]  # means over the rows
    opinions: dict[str, float]  # correlations with what people think; empty where nobody rated an image
    excluded: dict[str, str]  # image whose row cannot be used -> reason
    within: bool  # whether some row changes its image by no more than the budget, or does not say by how much
    knows_better: bool  # whether the data set knows which images are better
    numbers: Source

    @property
    def pairs(self) -> pd.DataFrame:
        """Returns the score pairs, of `effects.score_pairs`."""
        return self.numbers.load().pairs

    @property
    def gains(self) -> Values:
        """Returns the absolute gain in every resample, (resamples,)."""
        return self.numbers.load().gains

    @property
    def truth(self) -> Truth | None:
        """Returns which images are better; None where the data set does not know."""
        return self.numbers.load().truth


@dataclass(frozen=True)
class Record:
    """One line of scores.csv."""

    metric: str
    attack: str
    path: Path  # of the CSV
    status: Status
    reason: str = ""  # why nothing was scored
    stamp: Stamp | None = None
    on: AttackSetting = NOWHERE
    asked: int = 0  # images, or clips, that there should be
    scored: Scored | None = None  # None unless done
    flags: tuple[Flag, ...] = ()

    @property
    def dataset(self) -> str:
        """Returns the data set; nothing where the stamp names none."""
        return self.on.dataset

    @property
    def variant(self) -> str:
        """Returns what differs from the attack's defaults."""
        return self.on.variant

    @property
    def effect(self) -> Effect | None:
        """Returns what the attack did; None unless done."""
        return self.scored.effect if self.scored else None

    @property
    def n(self) -> int:
        """Returns how many images were scored."""
        return self.effect.n if self.effect else 0

    @property
    def setting(self) -> str:
        """Returns "attack" or "attack:variant"."""
        return f"{self.attack}:{self.variant}" if self.variant else self.attack

    @property
    def kind(self) -> str:
        """Returns NR, FR or video; nothing if the stamp is gone."""
        return self.stamp.metric.kind if self.stamp else ""

    @property
    def family(self) -> str:
        """Returns the attack's family; nothing if the stamp is gone."""
        return self.stamp.attack.family if self.stamp else ""

    @property
    def sent_in(self) -> bool:
        """Returns whether its images were saved earlier, by us or by somebody else."""
        return self.family == SAVED

    @property
    def access(self) -> str:
        """Returns white or black; nothing if the stamp is gone."""
        return self.stamp.attack.access if self.stamp else ""

    @property
    def gradients(self) -> float:
        """Returns how many gradients the attack asked for, per image."""
        return self.scored.costs["gradients"] if self.scored else math.nan

    @property
    def eps(self) -> float:
        """Returns the attack's bound on the change of a channel value, nan if it has none."""
        return float(self._settings().get("eps", math.nan))

    @property
    def differentiable(self) -> bool:
        """Returns whether the metric has a gradient; true if the stamp is gone."""
        return self.stamp.metric.differentiable if self.stamp else True

    @property
    def budget(self) -> int | None:
        """Returns the budget in 255ths that the attack's search went on within; None if it had its own eps."""
        found = BUDGET_VARIANT.fullmatch(self.variant)
        return int(found[1]) if found else None

    @property
    def searched_within(self) -> int:
        """Returns the budget in 255ths that the whole search kept to; 0 of variants, or if its eps is unknown."""
        if self.variant or math.isnan(self.eps):
            return self.budget or 0
        return round(self.eps * 255)

    @property
    def lowers(self) -> bool:
        """Returns whether the attack was to lower the score, within eps."""
        return self._settings().get("goal") == "worse" and self.counts and not self.eps > BUDGET + LEVEL_ERROR

    @property
    def ranks(self) -> bool:
        """Returns whether a metric must have this record to be ranked: the attack means to raise it, within eps."""
        raises = self.family not in {CONTROL, RANK} and self._settings().get("goal") != "worse"
        return raises and not self.variant and not self.eps > BUDGET + LEVEL_ERROR

    @property
    def counts(self) -> bool:
        """Returns whether its rows count for the worst case, since they are of the images that all others attack."""
        own = {"", *(self.stamp.attack.variants if self.stamp else ())}
        return self.variant in own or bool(EPS_VARIANT.fullmatch(self.variant))

    @property
    def within(self) -> bool:
        """Returns whether some row may count for the worst case."""
        return self.scored is not None and self.scored.within

    @property
    def off_board(self) -> str:
        """Returns why the record is not on the leaderboard; empty if it is."""
        settings = self.stamp.settings if self.stamp else {}
        overrides = settings.get("overrides") or {}
        if overrides.keys() - {"eps"}:  # another eps is another budget
            return "run with --set " + " --set ".join(f"{name}={value}" for name, value in sorted(overrides.items()))
        if codec := settings.get("codec"):
            return f"stored with {codec} before it was scored"
        dtype = str(settings.get("dtype") or "float32")
        return "" if dtype == "float32" else f"searched in {dtype}"

    @property
    def facts(self) -> DatasetFacts | None:
        """Returns what the stamp says of the data set."""
        datasets = self.stamp.datasets if self.stamp else []
        return next((each for each in datasets if each.name == self.dataset), None)

    def without_rows(self, status: Status, reason: str) -> Record:
        """Returns the record as one of a cell that cannot be used."""
        return replace(self, status=status, reason=reason, scored=None, flags=())

    def _settings(self) -> dict[str, Any]:
        if not self.stamp:
            return {}
        return self.stamp.attack.settings | self.stamp.attack.variants.get(self.variant.split("+")[0], {})


def flickers(records: Iterable[Record]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Returns how far changes jump from frame to frame, in 255ths, by data set, kind and metric, then by attack.

    Only metrics of clips have it, and only attacks under default settings are told.
    """
    found: dict[tuple[str, str, str], dict[str, list[float]]] = {}
    for record in records:
        if record.scored and not record.variant and math.isfinite(flicker := record.scored.costs["flicker"]):
            own = found.setdefault((record.dataset, record.kind, record.metric), {})
            own.setdefault(record.attack, []).append(flicker)
    return {place: {attack: fmean(each) for attack, each in own.items()} for place, own in found.items()}


def of_cell(cell: StoredCell, ranges: Ranges) -> Iterator[Record]:
    """Yields the records of a cell; one without rows carries the reason."""
    stamp = cell.stamp
    empty = Record(cell.metric, cell.attack, cell.path, cell.status, cell.reason, stamp)
    if stamp is None:
        reason = cell.reason or f"no stamp stands beside {cell.path.name}: run the cell again"
        yield replace(empty, status="corrupt", reason=reason)
        return
    if stamp.settings.get("defences"):
        return  # one row per defence, of the bare metric: they have tables of their own
    asked = {dataset.name: dataset for dataset in stamp.datasets}
    for name in sorted(asked.keys() - set(cell.rows["dataset"].unique())):
        if why := stamp.spared.get(name):
            yield replace(empty, on=AttackSetting(name), asked=asked[name].images, status="spared", reason=why)
            continue
        reason = cell.reason or "; ".join(_rows_missing(cell, asked[name], "", ())) or "no rows"
        status = "failed" if cell.status == "done" else cell.status
        yield replace(empty, on=AttackSetting(name), asked=asked[name].images, status=status, reason=reason)
    if not asked and cell.rows.empty:
        yield empty
    try:
        scale = fixed_scale(stamp, ranges)
    except DataError as error:
        yield replace(empty, status="corrupt", reason=str(error))
        return
    for rows in _by_setting(cell.rows):
        yield _of_rows(empty, cell, rows, asked.get(rows["dataset"].iloc[0]), scale)


def _by_setting(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yields the rows of every setting."""
    if all(rows[name].nunique(dropna=False) == 1 for name in AttackSetting._fields):  # in most cells: no copy is needed
        yield rows
    else:
        for _, part in rows.groupby(list(AttackSetting._fields), dropna=False):
            yield part


def _of_rows(
    empty: Record, cell: StoredCell, rows: pd.DataFrame, asked: DatasetFacts | None, scale: ScoreScale
) -> Record:
    on = AttackSetting(*(rows[name].iloc[0] for name in AttackSetting._fields))
    clear, attacked = rows["clear"].to_numpy(), rows["attacked"].to_numpy()
    found = [("rows_excluded", note) for note in cell.notes]
    if asked:
        if len(rows) < (count := _count(cell, asked, on.variant)):
            found.append(("fewer_images", f"fewer images than asked: {len(rows)} of {count}"))
        found += [("rows_missing", text) for text in _rows_missing(cell, asked, on.variant, rows["image"])]
    excluded = _excluded_rows(cell, on.dataset, on.variant)
    found += _gradient_flags(cell, on.variant)
    found += _fit_flags(empty, rows)
    pairs = score_pairs(rows, scale)
    before, after = pairs["before"].to_numpy(), pairs["after"].to_numpy()
    if far := int(((np.abs(before) > FAR) | (np.abs(after) > FAR)).sum()):
        found.append(("far_from_range", f"{far} of {len(pairs)} images score over {FAR} ranges away from the range"))
    probe = cell.stamp.probes.get(on.dataset) if cell.stamp else None
    setting = empty.attack + (f":{on.variant}" if on.variant else "")
    order = pooled_order(clear, attacked)[:: 1 if scale.higher_is_better else -1]  # on every scale
    try:
        own = subset_scale(clear, higher_is_better=scale.higher_is_better)
        subset = robustness(own(clear), own(attacked), order)
    except DataError:  # all clear scores are equal, as with one image: the columns stay empty, and no rank needs them
        subset = {}
    effect, truth = effect_of(pairs, order), truth_of(rows)
    scored = Scored(
        effect=effect.summary,
        scale=scale,
        subset=subset,
        costs={name: float(rows[name].mean()) for name in COSTS},
        opinions=before_and_after(rows, higher_is_better=scale.higher_is_better),
        excluded=excluded,
        within=bool((~(pairs["linf"] > BUDGET + LEVEL_ERROR)).any()),
        knows_better=truth is not None,
        numbers=Numbers(pairs, effect.gains, truth),
    )
    return replace(
        empty,
        on=on,
        asked=_count(cell, asked, on.variant) if asked else len(rows),
        scored=scored,
        flags=(*(Flag(code, text, (setting,)) for code, text in found), *(probed(probe) if probe else ())),
    )


def _count(cell: StoredCell, asked: DatasetFacts, variant: str) -> int:
    """Returns how many rows there should be: one per image, or per clip where clips are scored."""
    of_clips = variant.endswith(CLIP_MEAN) or (cell.stamp is not None and cell.stamp.metric.kind == "video")
    return asked.clips if of_clips else asked.images


def _fit_flags(record: Record, rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yields the flags of a universal pattern that cannot have had an effect."""
    if record.family != "universal":
        return
    if rows["linf"].max() < 1 / 255 - LEVEL_ERROR:
        yield "fit_without_effect", f"at amplitude {rows['amplitude'].iloc[0]:g} its pattern changes no pixel's level"
    steps = record.stamp.attack.settings.get("least_steps", LEAST_STEPS) if record.stamp else LEAST_STEPS
    if steps < LEAST_STEPS:
        yield "fit_without_effect", f"its fit may have taken no more than {steps} steps"


def _gradient_flags(cell: StoredCell, variant: str) -> list[tuple[str, str]]:
    """Returns the flags of gradients that were zero or not finite on more than 1 % of the images."""
    flaws = cell.stamp.flaws.get(variant, {}) if cell.stamp else {}
    images = int((cell.rows["variant"] == variant).sum()) if flaws else 0
    return [
        (GRADIENT_FLAWS[flaw], f"{flaw} on {count} of {images} images")
        for flaw, count in flaws.items()
        if count > images / 100
    ]


def _excluded_rows(cell: StoredCell, dataset: str, variant: str) -> dict[str, str]:
    """Returns the images whose rows cannot be used, each with the reason."""
    return {row.image: row.reason for row in cell.excluded if (row.dataset, row.variant) == (dataset, variant)}


def _rows_missing(cell: StoredCell, asked: DatasetFacts, variant: str, rows: Iterable[str]) -> list[str]:
    """Returns the flag that names the images without a row, if there are any."""
    reasons = asked.excluded | _excluded_rows(cell, asked.name, variant)
    there = set(rows) if reasons else set()
    gone = sorted((image, reason) for image, reason in reasons.items() if image not in there)
    if not gone:
        return []
    more = f" and {len(gone) - 3} more: see excluded.csv" if len(gone) > 3 else ""
    return ["rows missing: " + ", ".join(f"{image} ({reason})" for image, reason in gone[:3]) + more]
