"""The leaderboard as data: per data set and kind of metric, who stands where, and what is missing and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

import pandas as pd

from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.records import BUDGET, CONTROL, Record
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.scores.effects import (
    Effect,
    averaged,
    beyond,
    effect_of,
    over_settings,
    worst_case,
)
from metric_robustness.pipeline.scoring.scores.opinions import OPINIONS
from metric_robustness.pipeline.scoring.scores.ranking import ranking
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale
from metric_robustness.pipeline.scoring.scores.statistics import Estimate, interval

KINDS = ("NR", "FR", "video")
CITABLE = {"nightly", "full"}  # presets whose ranking may be cited
FEW = 64  # images, below which a gain is known to no better than about 10 %


@dataclass(frozen=True)
class Effects:
    """What attacks did to one metric."""

    worst: Effect | None  # of the worst that was done to each image within the budget; None if no attack was done
    worst_on: dict[str, int]  # attack -> images on which it was the worst; on the others nothing raised the score
    fall: Effect | None  # of what lowered the score of each image most within the budget
    families: dict[str, Effect]
    attacks: dict[str, Effect]  # under default settings
    variants: dict[str, Effect]  # "attack:variant"
    over_noise: dict[str, Estimate]  # attack -> its gain less that of the control of the same eps, image by image


@dataclass(frozen=True)
class Standing:
    """One metric on the leaderboard."""

    metric: str
    title: str
    rank: int | None  # None while an attack of the table is missing
    effects: Effects
    missing: dict[str, str]  # attack -> reason
    flags: list[Flag]
    scale: ScoreScale | None
    opinions: dict[str, dict[str, float]] = field(default_factory=dict)  # attack -> correlations with people's opinions
    rank_interval: tuple[int, int] | None = None  # where it stands in 95 % of the resamples; None if unknown

    @property
    def swing(self) -> Estimate | None:
        """Returns how far a score can be moved at all, in parts of the range: largest rise less largest fall."""
        up, down = self.effects.worst, self.effects.fall
        if up is None or down is None:
            return None
        value = up.scores["absolute_gain"] - down.scores["absolute_gain"]
        return Estimate(value, *interval(up.gains - down.gains))

    @property
    def gain(self) -> float:
        """Returns what ranks: the worst-case absolute gain."""
        return self.effects.worst.scores["absolute_gain"] if self.effects.worst else math.inf


@dataclass(frozen=True)
class Section:
    """The metrics of one kind on one data set."""

    dataset: str
    kind: str
    preset: str
    images: int
    attacks: dict[str, str]  # attack -> family, the control last
    families: list[str]
    standings: list[Standing]
    p_better: dict[str, dict[str, float]]  # [A][B]: P(A above B), of the ranked metrics
    detectable: float | None  # the least difference of two metrics' gains that these images can show to differ from 0

    @property
    def unit(self) -> str:
        """Returns what is scored as a whole."""
        return "clip" if self.kind == "video" else "image"

    @property
    def caption(self) -> str:
        """Returns what the section was made from, and whether it may be cited."""
        preset = f"Preset {self.preset}" if self.preset else "No preset"
        images = f"{self.images} {self.unit}{'' if self.images == 1 else 's'}"
        citable = self.images >= FEW and set(self.preset.split("+")) <= CITABLE
        return f"{preset}, data set {self.dataset}, {images}" + (
            "" if citable else ": an illustration, not a ranking to cite"
        )


@dataclass(frozen=True)
class Gap:
    """A cell that is not on the leaderboard."""

    metric: str
    attack: str
    dataset: str
    status: str
    reason: str


@dataclass(frozen=True)
class Leaderboard:
    """All sections, and all cells that are in none of them."""

    sections: list[Section]
    gaps: list[Gap] = field(default_factory=list)

    @property
    def gaps_by_reason(self) -> list[Gap]:
        """Returns the gaps, those of a metric with one reason as one, its attacks joined by commas."""
        together: dict[tuple[str, ...], list[str]] = {}
        for gap in self.gaps:
            together.setdefault((gap.metric, gap.dataset, gap.status, gap.reason), []).append(gap.attack)
        return [Gap(metric, ", ".join(attacks), *rest) for (metric, *rest), attacks in together.items()]

    @property
    def captions(self) -> list[str]:
        """Returns the captions of the sections, each once."""
        return list(dict.fromkeys(section.caption for section in self.sections))


def build(records: list[Record], processes: Processes | None = None) -> Leaderboard:
    """Returns the leaderboard of the records. Fixed scaling ranks: smallest worst-case absolute gain first.

    Args:
        records: All of them, as `consistency.together` returns them.
        processes: The processes that resample metrics in parallel where there are many rows.
    """
    workers = processes or Processes()
    gaps = [
        Gap(record.metric, record.attack + (f":{record.variant}" if record.variant else ""), record.dataset, *why)
        for record in records
        if (why := _why_not(record))
    ]
    on_board = [record for record in records if record.stamp and not record.off_board]
    sections = []
    for dataset in sorted({record.dataset for record in on_board}):
        for kind in KINDS:
            part = [record for record in on_board if (record.dataset, record.kind) == (dataset, kind)]
            if part:
                section, never_run = _section(dataset, kind, part, workers)
                sections.append(section)
                gaps += never_run
    return Leaderboard(sections, sorted(set(gaps), key=lambda gap: (gap.metric, gap.attack, gap.dataset, gap.reason)))


def _why_not(record: Record) -> tuple[str, str] | None:
    """Returns status and reason of a record that is not on the leaderboard."""
    if record.status != "done":
        return record.status, record.reason
    return ("off the leaderboard", record.off_board) if record.off_board else None


def _section(dataset: str, kind: str, records: list[Record], processes: Processes) -> tuple[Section, list[Gap]]:
    families = {record.attack: record.family for record in records}
    attacks = dict(sorted(families.items(), key=lambda item: (item[1] == CONTROL, item[1], item[0])))
    wanted = {record.attack for record in records if record.effect and record.ranks}
    by_metric: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.metric):
        by_metric.setdefault(record.metric, []).append(record)
    jobs = [(own, attacks, wanted) for own in by_metric.values()]
    standings = processes.map(_unranked, jobs, sum(record.n for record in records) // 2)
    whole = {each.metric for each in standings if wanted and not wanted & each.missing.keys()}
    standings.sort(key=lambda standing: (standing.metric not in whole, standing.gain, standing.metric))
    sure = ranking(
        {each.metric: worst.gains for each in standings if each.metric in whole and (worst := each.effects.worst)}
    )
    ranked = [
        replace(standing, rank=i, rank_interval=sure.intervals.get(standing.metric))
        if standing.metric in whole
        else standing
        for i, standing in enumerate(standings, 1)
    ]
    section = Section(
        dataset=dataset,
        kind=kind,
        preset="+".join(sorted({record.stamp.preset for record in records if record.stamp} - {""})),
        images=max(record.n for record in records),
        attacks=attacks,
        families=sorted({family for attack, family in attacks.items() if attack in wanted}),
        standings=ranked,
        p_better=sure.p_better,
        detectable=sure.detectable,
    )
    known = {(record.metric, record.attack) for record in records}
    never_run = [
        Gap(standing.metric, attack, dataset, "missing", reason)
        for standing in ranked
        for attack, reason in standing.missing.items()
        if (standing.metric, attack) not in known
    ]
    return section, never_run


def _unranked(own: list[Record], attacks: Mapping[str, str], wanted: set[str]) -> Standing:
    """Returns a metric's standing without its rank, which depends on the other metrics.

    Args:
        own: The metric's records.
        attacks: The attacks of the section with their families.
        wanted: The attacks without which a metric has no rank.
    """
    settings: dict[tuple[str, str], list[Record]] = {}
    for record in own:
        if record.scored:
            settings.setdefault((record.attack, record.variant), []).append(record)
    effects = {key: _effect(group) for key, group in settings.items()}
    default = {attack: effects[attack, ""] for attack in attacks if (attack, "") in effects}
    counting = [record for record in own if record.counts and record.within]
    families = {}
    for family in sorted({attacks[record.attack] for record in counting if record.attack in wanted}):
        families[family], _ = _worst([record for record in counting if attacks[record.attack] == family])
    worst, shares = _worst(counting) if counting else (None, {})
    fall, _ = _worst(counting, up=False) if counting else (None, {})
    reasons = {record.attack: record.reason for record in own if record.status != "done"}
    missing = {attack: reasons.get(attack, "not run") for attack in attacks if attack not in default}
    stamp = own[0].stamp
    return Standing(
        metric=own[0].metric,
        title=stamp.metric.title if stamp else "",
        rank=None,
        effects=Effects(
            worst=worst,
            worst_on=shares,
            fall=fall,
            families=families,
            attacks=default,
            variants={f"{attack}:{variant}": effects[attack, variant] for attack, variant in effects if variant},
            over_noise=_over_noise(settings, default),
        ),
        missing=missing,
        flags=_flags(own),
        scale=next((record.scored.scale for record in own if record.scored), None),
        opinions={attack: found for attack in default if (found := _opinions(settings[attack, ""]))},
    )


def _opinions(settings: list[Record]) -> dict[str, float]:
    """Returns the correlations with people's opinions, of a universal attack's settings their means."""
    rated = [record.scored.opinions for record in settings if record.scored and record.scored.opinions]
    return {name: fmean(each[name] for each in rated) for name in OPINIONS} if rated else {}


def _pairs(settings: list[Record]) -> list[pd.DataFrame]:
    return [record.scored.pairs for record in settings if record.scored]


def _effect(settings: list[Record]) -> Effect:
    if len(settings) == 1 and settings[0].effect:
        return settings[0].effect
    return averaged(_pairs(settings))


def _worst(counting: Sequence[Record], *, up: bool = True) -> tuple[Effect, dict[str, int]]:
    """Returns the effect of the per-image worst case, and on how many images each attack was the worst."""
    pairs = [(record.attack, record.scored.pairs) for record in counting if record.scored]
    worst = worst_case(pairs, BUDGET, up=up)
    shares = Counter(worst["attack"])
    return effect_of(worst), {name: shares[name] for name in sorted({name for name, _ in pairs})}


def _over_noise(settings: Mapping[tuple[str, str], list[Record]], effects: Mapping[str, Effect]) -> dict[str, Estimate]:
    """Returns what each attack under default settings gained beyond the control of its eps, where there is one."""
    pairs = {
        attack: (group[0], over_settings(_pairs(group))) for (attack, variant), group in settings.items() if not variant
    }
    controls = [attack for attack, (record, _) in pairs.items() if record.family == CONTROL]
    found = {}
    for attack, (record, own) in sorted(pairs.items()):
        same = [name for name in controls if math.isclose(pairs[name][0].eps, record.eps)]
        if record.family == CONTROL or not same:
            continue
        if more := beyond(own, pairs[same[0]][1], effects[attack].gains, effects[same[0]].gains):
            found[attack], _ = more
    return found


def _flags(own: list[Record]) -> list[Flag]:
    """Returns each flag once, with all the attacks that it concerns; one of the metric itself in its first wording."""
    concerned: dict[tuple[str, str], dict[str, None]] = {}
    of_metric: dict[str, Flag] = {}
    for record in own:
        for flag in record.flags:
            if flag.attacks:
                concerned.setdefault((flag.code, flag.text), {}).update(dict.fromkeys(flag.attacks))
            else:
                of_metric.setdefault(flag.code, flag)
    return [*of_metric.values(), *(Flag(code, text, tuple(attacks)) for (code, text), attacks in concerned.items())]
