"""Flags on attacks that are beaten by what should be weaker: noise, one step, or no gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from metric_robustness.pipeline.scoring.board.derived import Derived
from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.board.records import CONTROL, Record
from metric_robustness.pipeline.scoring.processes import Processes
from metric_robustness.pipeline.scoring.scores.effects import beyond

SURE = 0.95  # in so many of the resamples the weaker attack must win


def doubtful(records: Sequence[Record], processes: Processes) -> list[Record]:
    """Returns the records with a flag on each that noise, a single step or an attack without gradients outdid."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.effect is not None:
            groups.setdefault((record.metric, record.dataset), []).append(record)
    doubts = Derived(doubts_of, list[list[list[Flag]]]).of([(group,) for group in groups.values()], processes)
    found = {
        id(record): flags
        for group, own in zip(groups.values(), doubts, strict=True)
        for record, flags in zip(group, own, strict=True)
    }
    return [replace(record, flags=(*record.flags, *found.get(id(record), ()))) for record in records]


def doubts_of(group: Sequence[Record]) -> list[list[Flag]]:
    """Returns the flags on each record of a metric on a data set."""
    found: list[list[Flag]] = [[] for _ in group]
    places = {id(record): place for place, record in enumerate(group)}
    for record, flag in (*_noise(group), *_weaker(group)):
        found[places[id(record)]].append(flag)
    return found


def _noise(group: Sequence[Record]) -> Iterator[tuple[Record, Flag]]:
    """Yields the strongest attack, if noise of the same eps raises the score as much."""
    strongest = max((record for record in group if record.ranks), key=_gain, default=None)
    for noise in group:
        if strongest is None or noise.family != CONTROL or noise.variant or not math.isclose(noise.eps, strongest.eps):
            continue
        by_noise, by_attack = _gain(noise), _gain(strongest)
        if by_noise >= by_attack:
            text = f"{noise.attack} of the same eps raises the score as much: {by_noise:.3f} against {by_attack:.3f}"
            yield strongest, Flag("noise_as_strong", text, (strongest.setting,))


def _weaker(group: Sequence[Record]) -> Iterator[tuple[Record, Flag]]:
    """Yields the strongest attack by gradients, where one that should be weaker outdoes it."""
    able = [record for record in group if record.ranks]
    white = [record for record in able if record.access == "white"]
    many = [record for record in white if record.gradients > 1]
    for record in able:
        if record.access == "black":
            yield from _outdone(record, white, "masked_gradients", "which asks for scores only")
        elif 0 < record.gradients <= 1:
            yield from _outdone(record, many, "one_step_beats_iterative", "a single step")


def _outdone(weak: Record, strong: Sequence[Record], code: str, why: str) -> Iterator[tuple[Record, Flag]]:
    """Yields the best of the attacks that have as much room as the weak one, if that raised the score more."""
    best = max((each for each in strong if not each.eps < weak.eps - 1e-6), key=_gain, default=None)
    if best is None or not _gain(weak) > _gain(best) or weak.scored is None or best.scored is None:
        return
    more = beyond(weak.scored.pairs, best.scored.pairs, weak.scored.gains, best.scored.gains)
    share = float((more[1] > 0).mean()) if more else 0.0
    if share >= SURE:
        numbers = f"{_gain(weak):.3f} against {_gain(best):.3f}, more in {share:.0%} of the resamples"
        yield best, Flag(code, f"{weak.attack}, {why}, raised the score more: {numbers}", (best.setting,))


def _gain(record: Record) -> float:
    return record.effect.scores["absolute_gain"] if record.effect else math.nan
