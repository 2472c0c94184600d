"""What a defence is worth: how much it weakens attacks, those that know it and those that do not, and what it costs.

The measures are those of Gushchin et al., Adversarial purification for no-reference image-quality metrics, 2024,
https://arxiv.org/abs/2404.06957; f is the metric, x the clear image, x' the attacked one, D the defence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.scoring.read.cells import StoredCell
from metric_robustness.pipeline.scoring.scores.opinions import before_and_after
from metric_robustness.pipeline.scoring.scores.ranges import Ranges, fixed_scale
from metric_robustness.pipeline.scoring.scores.ranks import spearman
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale, Values
from metric_robustness.pipeline.scoring.scores.statistics import UNKNOWN, Estimate, mean_of

SAME = 80.0  # dB: a higher PSNR counts as this, since that of equal images is infinite
CERTIFIED = ("radius", "certified_low", "certified_high")  # the columns of a smoothing defence
NONE = "none"  # stands for the defence in lines of the bare metric
NO_ESTIMATE = Estimate(math.nan, *UNKNOWN)
Setting = Literal["undefended", "non-adaptive", "adaptive"]


class Case(NamedTuple):
    """What a line of defences.csv is about: metric, defence, attack and data set; its first columns."""

    metric: str
    defence: str
    attack: str
    dataset: str
    variant: str
    setting: Setting  # whether the attack knew the defence

    @property
    def order(self) -> tuple[str, ...]:
        """Returns what tables are sorted by."""
        return (self.metric, self.dataset, self.attack, self.variant, self.defence, self.setting)


class Clean(NamedTuple):
    """What a defence does to images that nobody attacked."""

    clean_shift: float  # mean |f(x) - f(D(x))| in parts of the metric's range
    agreement: float  # SROCC of f(x) with f(D(x)); nan for fewer than three images


class Opinions(NamedTuple):
    """Correlations of the defended metric's scores with mean opinion scores; nan where nobody rated the images."""

    srocc_clear: float = math.nan  # of f(D(x))
    srocc_attacked: float = math.nan  # of f(D(x'))
    plcc_clear: float = math.nan
    plcc_attacked: float = math.nan


class CertifiedInterval(NamedTuple):
    """What a smoothing defence certifies; nan for other defences, but for `l2`."""

    radius: float  # the largest l2 norm of a change that the interval is certified for
    l2: float  # median l2 norm of the attack's changes, known for every defence
    certified_width: float  # mean width of the interval about the attacked image, in parts of the range
    left: float  # share of images whose clear score f(D(x)) lies outside the interval of the attacked image


@dataclass(frozen=True)
class Defended:
    """One line of defences.csv: a defence of a metric against an attack on a data set."""

    case: Case
    n: int  # rows
    gain: float  # mean f(D(x')) - f(x) in parts of the metric's range; above 0 where the attack raised the score
    shift: Estimate  # mean |f(D(x')) - f(x)| in parts of the metric's range; the paper's G divides by |f(x)| instead
    quality: float  # mean (SSIM(x, D(x')) + PSNR(x, D(x')) / 80) / 2, the paper's Q
    clean: Clean
    opinions: Opinions
    seconds: float  # per image, of the defence alone, on the machine of the cell's stamp; nan where it was not timed
    certificate: CertifiedInterval
    only_unaware: bool = False  # whether an attack that knows the defence regains over half of the shift


def about_defences(paths: Sequence[Path]) -> list[Path]:
    """Returns, of the CSVs of cells, those of metrics that have defences: of the bare metrics and of the defended."""
    metrics = {_bare(path) for path in paths if "+" in path.parent.name or "+defended" in path.name}
    return [path for path in paths if _bare(path) in metrics]


def _bare(path: Path) -> str:
    return path.parent.name.partition("+")[0]


def defended(cells: Iterable[StoredCell], ranges: Ranges) -> list[Defended]:
    """Returns the lines of all defended metrics, and of the bare metrics under the same attacks, sorted.

    The metric of an adaptive cell is METRIC+DEFENCE. Its rows lack the clear scores of the bare metric, which are taken
    from the bare metric's cells.

    Args:
        cells: Cells of bare and of defended metrics; those that are not done are skipped.
        ranges: The measured ranges.
    """
    usable = [cell for cell in cells if cell.status == "done" and cell.stamp]
    clear = _bare_clear(usable)
    lines = [line for cell in usable for line in _lines(cell, ranges, clear)]
    with_defence = {_attacked(line.case) for line in lines if line.case.defence != NONE}
    lines = [line for line in lines if _attacked(line.case) in with_defence]
    return sorted(_flagged({line.case: line for line in lines}), key=lambda line: line.case.order)


def without_bare(cells: Iterable[StoredCell]) -> list[str]:
    """Returns a line for each defended metric whose rows cannot be compared with the bare metric's: what to run."""
    usable = [cell for cell in cells if cell.status == "done" and cell.stamp]
    bare = {
        (cell.metric, dataset)
        for cell in usable
        for dataset in (*cell.rows["dataset"].unique(), *cell.defended["dataset"].unique())
    }
    lines = {}
    for cell in usable:
        metric, _, defence = cell.metric.rpartition("+")
        lost = [dataset for dataset in cell.rows["dataset"].unique() if metric and (metric, dataset) not in bare]
        if lost:
            lines[metric, defence] = (
                f"{cell.metric} on {', '.join(lost)}: the bare metric was not run, so what the defence is worth is "
                f"unknown: add run --metrics {metric} --attacks {cell.attack}, with the same --dataset and --out"
            )
    return list(lines.values())


def without_rows(cells: Iterable[StoredCell]) -> list[str]:
    """Returns a line for each reason why a metric has no rows behind its defences, unless its bare cell tells it.

    The leaderboard, which names all other cells without rows, is of metrics as they were attacked: it has no place for
    these.
    """
    attacks: dict[tuple[str, str, str], set[str]] = {}
    bare = set()
    for cell in cells:
        behind = cell.stamp is not None and bool(cell.stamp.settings.get("defences"))
        for status, reason in _without_rows(cell) if behind else [(cell.status, cell.reason)]:
            if behind:
                attacks.setdefault((status, cell.metric, reason), set()).add(cell.attack)
            else:
                bare.add((status, cell.metric, reason, cell.attack))
    return [
        f"{status}: {metric} behind its defences, under {', '.join(names)}: {reason}"
        for (status, metric, reason), found in attacks.items()
        if (names := sorted(name for name in found if (status, metric, reason, name) not in bare))
    ]


def _without_rows(cell: StoredCell) -> Iterator[tuple[str, str]]:
    """Yields the status and the reason of a cell with defences, where it has no rows of a data set."""
    if cell.status != "done":
        yield cell.status, cell.reason
        return
    there = {*cell.defended["dataset"].unique()}
    for dataset in cell.stamp.datasets if cell.stamp else ():
        if dataset.name not in there and cell.stamp and dataset.name not in cell.stamp.spared:
            yield "failed", f"no rows on {dataset.name}"


def _attacked(case: Case) -> tuple[str, ...]:
    return (case.metric, case.attack, case.dataset)


def _bare_clear(cells: Sequence[StoredCell]) -> pd.Series:
    """Returns f(x) of every cell's metric, by metric, data set, distortion and image."""
    parts = [
        pd.DataFrame(
            {
                "metric": cell.metric,
                "dataset": rows["dataset"],
                "distortion": rows["variant"].map(_distortion),
                "image": rows["image"],
                "clear": rows["clear"],
            }
        )
        for cell in cells
        for rows in (cell.rows, cell.defended)
        if len(rows)
    ]
    keys = ["metric", "dataset", "distortion", "image"]
    parts = parts or [pd.DataFrame(columns=[*keys, "clear"])]
    return pd.concat(parts).drop_duplicates(keys).set_index(keys)["clear"]


def _distortion(variant: str) -> str:
    """Returns the part of a variant that names the distortion of the attacked images, such as jpeg=50."""
    return next((part for part in variant.split("+") if part.startswith("jpeg=")), "")


def _lines(cell: StoredCell, ranges: Ranges, clear: pd.Series) -> Iterator[Defended]:
    for context, defence, setting, rows in _groups(cell, ranges, clear):
        yield context.line(defence, setting, rows)


def each_image(cells: Iterable[StoredCell], ranges: Ranges) -> pd.DataFrame:
    """Returns what defences did on every image under default settings, a row each.

    The columns are metric, dataset, attack, defence, setting and image; `shift`, |f(x) - f(D(x'))| in parts of the
    range; `ssim` of the attacked image before the defence; and `value`, f(x) on the scale where 0 is worst and 1 best.

    Args:
        cells: Cells of bare and of defended metrics; those that are not done are skipped.
        ranges: The measured ranges.
    """
    usable = [cell for cell in cells if cell.status == "done" and cell.stamp]
    clear = _bare_clear(usable)
    parts = [
        rows.assign(
            metric=context.metric,
            attack=context.attack,
            defence=defence,
            setting=setting,
            value=context.scale(rows["clear"].to_numpy()),
            shift=(rows["clear"] - rows["attacked_defended"]).abs() / (context.scale.high - context.scale.low),
        )
        for cell in usable
        for context, defence, setting, rows in _groups(cell, ranges, clear)
        if not context.variant
    ]
    columns = ["metric", "dataset", "attack", "defence", "setting", "image", "shift", "ssim", "value"]
    return pd.concat([pd.DataFrame(columns=columns), *(part[columns] for part in parts)], ignore_index=True)


def _groups(
    cell: StoredCell, ranges: Ranges, clear: pd.Series
) -> Iterator[tuple[DefenceContext, str, Setting, pd.DataFrame]]:
    """Yields, per defence, what its rows have in common, its name, the setting and the rows; their `clear` is f(x)."""
    if cell.stamp is None:
        return
    try:
        scale = fixed_scale(cell.stamp, ranges)
    except DataError:
        return  # scores.csv gives the reason
    metric, _, preset = cell.metric.rpartition("+") if "+" in cell.metric else (cell.metric, "", "")
    for (dataset, variant), rows in pd.concat([cell.rows, cell.defended]).groupby(["dataset", "variant"]):
        context = DefenceContext(metric, str(dataset), cell.attack, str(variant), scale, cell.stamp.purifying)
        if preset:
            images = [(metric, dataset, _distortion(str(variant)), image) for image in rows["image"]]
            bare = clear.reindex(pd.MultiIndex.from_tuples(images, names=clear.index.names)).to_numpy()
            setting: Setting = "adaptive" if _knows(cell.attack, metric, preset) else "non-adaptive"
            yield context, preset, setting, _through(rows, clear=bare).dropna(subset="clear")
            continue
        for defence, part in rows.groupby("defence"):
            if defence:
                aware = "@" in cell.attack and _knows(cell.attack, metric, str(defence))
                yield context, str(defence), "adaptive" if aware else "non-adaptive", part
        once = rows.drop_duplicates(["image", "train_dataset", "amplitude"])
        bare_measures = {"psnr_defended": once["psnr"], "ssim_defended": once["ssim"]}
        bare_measures |= dict.fromkeys(CERTIFIED, pd.Series(math.nan, index=once.index))
        yield context, NONE, "undefended", _through(once, clear=once["clear"]).assign(**bare_measures)


def _knows(attack: str, metric: str, defence: str) -> bool:
    """Returns whether an attack on a defended metric went through its defence.

    It did, unless its images were saved from an attack on another metric. An attack by saved images is named
    ATTACK@METRIC or ATTACK@METRIC+DEFENCE, after the metric that they were made for.
    """
    _, saved, source = attack.partition("@")
    return not saved or source == f"{metric}+{defence}"


def _through(rows: pd.DataFrame, clear: Any) -> pd.DataFrame:
    """Returns rows with their scores as the defended metric's, and `clear` as the bare metric's clear scores."""
    return rows.assign(clear_defended=rows["clear"], attacked_defended=rows["attacked"], clear=clear)


class DefenceContext(NamedTuple):
    """What the lines of all defences in a cell, on one data set and variant, have in common."""

    metric: str
    dataset: str
    attack: str
    variant: str
    scale: ScoreScale  # of the metric
    purifying: dict[str, float]  # defence -> seconds per image

    def line(self, defence: str, setting: Setting, rows: pd.DataFrame) -> Defended:
        """Returns the line of one defence, from its rows, whose `clear` is f(x)."""
        clear, before, after = (rows[name].to_numpy() for name in ("clear", "clear_defended", "attacked_defended"))
        width = self.scale.high - self.scale.low
        quality = (rows["ssim_defended"] + rows["psnr_defended"].clip(upper=SAME) / SAME) / 2
        agreed = before_and_after(
            rows,
            higher_is_better=self.scale.higher_is_better,
            clear="clear_defended",
            attacked="attacked_defended",
        )
        return Defended(
            case=Case(self.metric, defence, self.attack, self.dataset, self.variant, setting),
            n=len(rows),
            gain=_mean(self.scale(after) - self.scale(clear)),
            shift=mean_of(np.abs(clear - after) / width, rows["clip"])[0] if len(rows) else NO_ESTIMATE,
            quality=_mean(quality.to_numpy()),
            clean=Clean(
                clean_shift=_mean(np.abs(clear - before) / width),
                agreement=spearman(clear, before) if len(rows) > 2 else math.nan,
            ),
            opinions=Opinions(**agreed),
            seconds=self.purifying.get(defence, math.nan),
            certificate=self._certificate(rows),
        )

    def _certificate(self, rows: pd.DataFrame) -> CertifiedInterval:
        width, left = self._certified(rows)
        median = float(rows["l2"].median()) if len(rows) else math.nan
        return CertifiedInterval(_mean(rows["radius"].to_numpy()), median, width, left)

    def _certified(self, rows: pd.DataFrame) -> tuple[float, float]:
        """Returns the mean width of the certified intervals, and the share of images whose clear score is outside."""
        low, high, before = (rows[name].to_numpy() for name in ("certified_low", "certified_high", "clear_defended"))
        if not len(rows) or np.isnan(low).any():
            return math.nan, math.nan
        width = _mean(high - low) / (self.scale.high - self.scale.low)
        return width, _mean(((before < low) | (before > high)).astype(float))


def _mean(values: Values) -> float:
    return float(values.mean()) if values.size else math.nan


def _flagged(lines: dict[Case, Defended]) -> list[Defended]:
    """Returns the lines; those of defences that only work on attacks that do not know them are marked."""
    result = []
    for case, line in lines.items():
        bare = lines.get(case._replace(defence=NONE, setting="undefended"))
        unaware = lines.get(case._replace(setting="non-adaptive"))
        aware = lines.get(case._replace(setting="adaptive"))
        if case.defence != NONE and bare and unaware and aware:
            taken = bare.shift.value - unaware.shift.value
            given_back = aware.shift.value - unaware.shift.value
            result.append(replace(line, only_unaware=bool(taken > 0 and given_back > taken / 2)))
        else:
            result.append(line)
    return result
