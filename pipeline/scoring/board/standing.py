"""A metric's standing: what attacks did to it, on one data set."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from statistics import fmean
from typing import TypeAlias

import pandas as pd

from metric_robustness.pipeline.scoring.board.best_known import BestKnown, best_known, not_counted
from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.records import BUDGET, CONTROL, RANK, Record
from metric_robustness.pipeline.scoring.scores.curve import Curve, curve_of
from metric_robustness.pipeline.scoring.scores.effects import (
    Effect,
    Resampled,
    averaged,
    beyond,
    effect_of,
    over_settings,
    worst_case,
)
from metric_robustness.pipeline.scoring.scores.opinions import OPINIONS
from metric_robustness.pipeline.scoring.scores.order import Order, Orders, Swap, order_of, swap_of
from metric_robustness.pipeline.scoring.scores.robustness import ScoreScale
from metric_robustness.pipeline.scoring.scores.statistics import Estimate, interval

LARGEST = round(BUDGET * 255)  # the last budget of every curve

Cases: TypeAlias = Callable[..., pd.DataFrame]  # (budget, up=True) -> the worst case of a metric's records within it


@dataclass(frozen=True)
class Demands:
    """What a metric must have to be ranked beside the others of its section.

    Attributes:
        attacks: The attacks under default settings.
        budgets: By smaller budget, in 255ths, the attacks that went on within it.
        falls: The attacks that were to lower the score.
    """

    attacks: frozenset[str]
    budgets: Mapping[int, frozenset[str]]
    falls: frozenset[str]

    @classmethod
    def of(cls, records: Sequence[Record]) -> Demands:
        """Returns what some metric of a section has."""
        done = [record for record in records if record.effect]
        budgets: dict[int, set[str]] = {}
        for record in done:
            if record.budget and record.budget < LARGEST and record.family not in {CONTROL, RANK}:
                budgets.setdefault(record.budget, set()).add(record.attack)
        return cls(
            frozenset(record.attack for record in done if record.ranks),
            {budget: frozenset(budgets[budget]) for budget in sorted(budgets)},
            frozenset(record.attack for record in done if record.lowers),
        )


@dataclass(frozen=True)
class Effects:
    """What attacks did to one metric."""

    worst: Resampled | None  # of the worst that was done to each image within the budget; None if no attack was done
    worst_on: dict[str, int]  # attack -> images on which it was the worst; on the others nothing raised the score
    curve: Curve | None  # None where a smaller budget was not tried
    fall: (
        Resampled | None
    )  # of what lowered each image's score most within the budget; None unless attacks were to do so
    best_known: BestKnown | None  # None where no image that was sent in beats the suite
    families: dict[str, Effect]
    attacks: dict[str, Effect]  # under default settings
    variants: dict[str, Effect]  # "attack:variant"
    orders: Orders  # what becomes of the images' order
    over_noise: dict[str, Estimate]  # attack -> its gain less that of the control of the same eps, image by image


@dataclass(frozen=True)
class Ranks:
    """Where a metric stands among the others of its section, the hardest to move first."""

    worst: int | None = None  # by its worst case; None while an attack of the table is missing
    interval: tuple[int, int] | None = None  # where it stands by that in 95 % of the resamples; None if unknown
    within: Mapping[int, int] = field(default_factory=dict)  # by its worst case within each budget, in 255ths
    fall: int | None = None  # by what lowers its score


@dataclass(frozen=True)
class Standing:
    """One metric on the leaderboard."""

    metric: str
    title: str
    effects: Effects
    missing: dict[str, str]  # attack -> reason
    spared: dict[str, str]  # attack that was not needed -> reason
    not_counted: dict[str, str]  # attack that was sent in -> which of its images do not count, and why
    flags: list[Flag]
    scale: ScoreScale | None
    opinions: dict[str, dict[str, float]] = field(default_factory=dict)  # attack -> correlations with people's opinions
    ranks: Ranks = Ranks()

    @property
    def rank(self) -> int | None:
        """Returns where the metric stands by its worst case; None while an attack of the table is missing."""
        return self.ranks.worst

    @property
    def swing(self) -> Estimate | None:
        """Returns how far a score can be moved at all, in parts of the range: largest rise less largest fall."""
        up, down = self.effects.worst, self.effects.fall
        if up is None or down is None:
            return None
        value = up.scores["absolute_gain"] - down.scores["absolute_gain"]
        return Estimate(value, *interval(up.gains - down.gains))

    def absent(self, attacks: Iterable[str]) -> str:
        """Returns what stands in a table in place of a gain that attacks would have given, had they been run."""
        return "spared" if set(attacks) <= self.spared.keys() else "n/a"

    @property
    def gain(self) -> float:
        """Returns what ranks: the worst-case absolute gain."""
        return self.effects.worst.scores["absolute_gain"] if self.effects.worst else math.inf


def standing_of(
    own: list[Record], attacks: Mapping[str, str], demands: Demands, sent: Sequence[Record] = ()
) -> Standing:
    """Returns a metric's standing without its ranks, which depend on the other metrics.

    Args:
        own: The metric's records.
        attacks: The attacks of the section with their families.
        demands: What the section demands.
        sent: The metric's records of images that were sent in, which only the best known counts.
    """
    settings: dict[tuple[str, str], list[Record]] = {}
    for record in own:
        if record.scored:
            settings.setdefault((record.attack, record.variant), []).append(record)
    resampled = {key: _effect(group) for key, group in settings.items()}
    effects = {key: effect.summary for key, effect in resampled.items()}
    default = {attack: effects[attack, ""] for attack in attacks if (attack, "") in effects}
    counting = [record for record in own if record.counts and record.within]
    families = {}
    for family in sorted({attacks[record.attack] for record in counting if record.attack in demands.attacks}):
        own_pairs = _named_pairs(record for record in counting if attacks[record.attack] == family)
        families[family] = effect_of(worst_case(own_pairs, BUDGET)).summary
    cases = cache(partial(worst_case, _named_pairs(counting)))  # several numbers of a standing ask for the same one
    worst = effect_of(cases(BUDGET)) if counting else None
    pairs = cases(BUDGET) if sent and counting else None
    swaps = _swaps(counting)
    reasons = {record.attack: record.reason for record in own if record.status not in {"done", "spared"}}
    spared = {record.attack: record.reason for record in own if record.status == "spared"}
    absent = [attack for attack in attacks if attack not in default and attack not in spared]
    stamp = own[0].stamp
    return Standing(
        metric=own[0].metric,
        title=stamp.metric.title if stamp else "",
        effects=Effects(
            worst=worst,
            worst_on=_shares(cases(BUDGET), counting) if counting else {},
            curve=_curve(counting, cases, worst, demands, set(spared)) if worst else None,
            fall=_fall(own, cases, demands, set(spared)) if counting else None,
            best_known=best_known(pairs, sent) if pairs is not None else None,
            orders=Orders(_bounds(counting, cases, {*demands.budgets, *swaps, LARGEST}), swaps),
            families=families,
            attacks=default,
            variants={f"{attack}:{variant}": effects[attack, variant] for attack, variant in effects if variant},
            over_noise=_over_noise(settings, resampled),
        ),
        not_counted={} if pairs is None else _not_counted(pairs, sent),
        missing={attack: reasons.get(attack, "not run") for attack in absent},
        spared=spared,
        flags=_flags(own),
        scale=next((record.scored.scale for record in own if record.scored), None),
        opinions={attack: found for attack in default if (found := _opinions(settings[attack, ""]))},
    )


def _not_counted(suite: pd.DataFrame, sent: Sequence[Record]) -> dict[str, str]:
    found = {record.attack: "; ".join(not_counted(record, suite)) for record in sent if record.scored}
    return {attack: reason for attack, reason in found.items() if reason}


def _opinions(settings: list[Record]) -> dict[str, float]:
    """Returns the correlations with people's opinions, of a universal attack's settings their means."""
    rated = [record.scored.opinions for record in settings if record.scored and record.scored.opinions]
    return {name: fmean(each[name] for each in rated) for name in OPINIONS} if rated else {}


def _pairs(settings: list[Record]) -> list[pd.DataFrame]:
    return [record.scored.pairs for record in settings if record.scored]


def _named_pairs(records: Iterable[Record]) -> list[tuple[str, pd.DataFrame]]:
    return [(record.attack, record.scored.pairs) for record in records if record.scored]


def _effect(settings: list[Record]) -> Resampled:
    if len(settings) == 1 and (only := settings[0].scored):
        return Resampled(only.effect.n, only.effect.scores, only.effect.intervals, only.gains)
    return averaged(_pairs(settings))


def _shares(worst: pd.DataFrame, counting: Sequence[Record]) -> dict[str, int]:
    """Returns on how many images each attack was the worst."""
    shares = Counter(worst["attack"])
    return {name: shares[name] for name in sorted({record.attack for record in counting})}


def _curve(
    counting: Sequence[Record], cases: Cases, worst: Resampled, demands: Demands, spared: set[str]
) -> Curve | None:
    """Returns the security curve; None unless every attack that others have within a budget is there, or not needed."""
    there = {(record.budget, record.attack) for record in counting}
    wanted = {(budget, attack) for budget, attacks in demands.budgets.items() for attack in attacks - spared}
    if not wanted or not wanted <= there:
        return None
    effects = {budget: effect_of(cases(budget / 255)) for budget in demands.budgets}
    return curve_of({**effects, LARGEST: worst})


def _fall(own: Sequence[Record], cases: Cases, demands: Demands, spared: set[str]) -> Resampled | None:
    """Returns what lowered the score most; None unless every attack that was to do so elsewhere was done, or spared."""
    done = {record.attack for record in own if record.effect and record.lowers}
    if not demands.falls or not demands.falls - spared <= done:
        return None
    return effect_of(cases(BUDGET, up=False))


def _bounds(counting: Sequence[Record], cases: Cases, budgets: Iterable[int]) -> dict[int, Order]:
    """Returns what the attacks do to the order of the images within each budget, in 255ths."""
    found: dict[int, Order] = {}
    for budget in sorted(budgets) if counting else ():
        up = cases(budget / 255)
        down = cases(budget / 255, up=False)["after"].to_numpy() if any(r.lowers for r in counting) else None
        if order := order_of(up["before"].to_numpy(), up["after"].to_numpy(), down):
            found[budget] = order
    return found


def _swaps(counting: Sequence[Record]) -> dict[int, Swap]:
    """Returns the least that attacks on the order leave of it within each budget that some of them searched.

    What was found within a smaller budget counts within a larger one, too.
    """
    found: dict[int, list[Swap]] = {}
    for record in counting:
        budget = record.searched_within
        if record.family != RANK or record.scored is None or not budget or budget > LARGEST:
            continue
        pairs, opinions = record.scored.pairs, record.scored.opinions
        people = (opinions["srocc_clear"], opinions["srocc_attacked"]) if opinions else (math.nan, math.nan)
        if swap := swap_of(pairs["before"].to_numpy(), pairs["after"].to_numpy(), people):
            found.setdefault(budget, []).append(swap)
    least: dict[int, Swap] = {}
    for budget in sorted(found):
        least[budget] = min([*found[budget], *list(least.values())[-1:]], key=lambda swap: swap.left)
    return least


def _over_noise(
    settings: Mapping[tuple[str, str], list[Record]], effects: Mapping[tuple[str, str], Resampled]
) -> dict[str, Estimate]:
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
        if more := beyond(own, pairs[same[0]][1], effects[attack, ""].gains, effects[same[0], ""].gains):
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
