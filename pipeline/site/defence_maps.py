"""The defence heat maps of the pages: how far attacks still move the score of each defended metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from metric_robustness.pipeline.scoring.scores.defences import NONE, Defended


@dataclass(frozen=True)
class DefenceSummary:
    """What a defence does to images that nobody attacked, and what it costs; nan where that is unknown."""

    defence: str
    clean_shift: float  # mean unsigned change of the score, in parts of the range
    agreement: float  # SROCC of the scores with and without the defence
    opinions: float  # SROCC of the defended metric's scores with people's ratings
    seconds: float  # per image
    only_unaware: tuple[str, ...]  # attacks against which it works only while they do not know it


@dataclass(frozen=True)
class DefenceMap:
    """A metric's heat maps on one data set, defences by attacks: the bare metric first, then the best defence."""

    metric: str
    dataset: str
    unaware: pd.DataFrame  # shift by attacks on the bare metric, in parts of its range
    aware: pd.DataFrame  # shift by attacks that went through the defence, in the same order; empty if none ran
    quality: pd.DataFrame  # of the purified attacked images
    summaries: list[DefenceSummary]


def defence_maps(lines: Sequence[Defended]) -> Iterator[DefenceMap]:
    """Yields the maps of every metric and data set that has a line under default settings."""
    default = [line for line in lines if not line.case.variant]
    for metric, dataset in dict.fromkeys((line.case.metric, line.case.dataset) for line in default):
        own = [line for line in default if (line.case.metric, line.case.dataset) == (metric, dataset)]
        bare = [line for line in own if line.case.setting == "undefended"]
        unaware = [line for line in own if line.case.setting == "non-adaptive"]
        aware = [line for line in own if line.case.setting == "adaptive"]
        attacks = {line.case.attack for line in aware}
        maps = {
            "unaware": _map([*bare, *unaware], _shift),
            "aware": _map([*(line for line in bare if line.case.attack in attacks), *aware], _shift),
        }
        order = _order(maps["aware"] if aware else maps["unaware"], {line.case.defence for line in own})
        yield DefenceMap(
            metric,
            dataset,
            **{name: _in_order(each, order) for name, each in maps.items()},
            quality=_in_order(_map([*bare, *unaware], lambda line: line.quality), order),
            summaries=[_summary([line for line in own if line.case.defence == name]) for name in order if name != NONE],
        )


def _shift(line: Defended) -> float:
    return line.shift.value


def _map(lines: Sequence[Defended], value: Callable[[Defended], float]) -> pd.DataFrame:
    """Returns a value by defence and attack; empty where no defence has one."""
    if all(line.case.defence == NONE for line in lines):
        return pd.DataFrame()
    rows = [{"defence": line.case.defence, "attack": line.case.attack, "value": value(line)} for line in lines]
    return pd.DataFrame(rows).pivot_table(index="defence", columns="attack", values="value", aggfunc="mean")


def _order(shifts: pd.DataFrame, defences: Iterable[str]) -> list[str]:
    """Returns the bare metric, then the defences by their mean shift under the attacks that ran on all of them.

    Without such an attack, the order is by each one's mean over its own attacks; a defence without a shift comes last.
    """
    shared = shifts.dropna(axis="columns")
    means = (shifts if shared.empty else shared).mean(axis="columns")
    return sorted(defences, key=lambda name: (name != NONE, name not in means, means.get(name, math.inf), name))


def _in_order(table: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    return table.loc[[name for name in order if name in table.index]]


def _summary(lines: Sequence[Defended]) -> DefenceSummary:
    return DefenceSummary(
        defence=lines[0].case.defence,
        clean_shift=_mean(line.clean.clean_shift for line in lines),
        agreement=_mean(line.clean.agreement for line in lines),
        opinions=_mean(line.opinions.srocc_clear for line in lines),
        seconds=_mean(line.seconds for line in lines),
        only_unaware=tuple(sorted({line.case.attack for line in lines if line.only_unaware})),
    )


def _mean(values: Iterable[float]) -> float:
    """Returns the mean of the known values; nan without one."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
