"""The tables for programs: scores.csv, leaderboard.csv and leaderboard.json."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from metric_robustness.pipeline.scoring.board.flags import EXPLANATIONS
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.board.records import COSTS, Record, flickers
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.curve import Curve
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.scores.opinions import OPINIONS
from metric_robustness.pipeline.scoring.scores.order import Swap
from metric_robustness.pipeline.scoring.scores.overtaken import ANY
from metric_robustness.pipeline.scoring.scores.robustness import BRIEF, SCORES, ScoreScale
from metric_robustness.pipeline.scoring.scores.statistics import Estimate
from metric_robustness.pipeline.scoring.tables.format import digits, plain
from metric_robustness.pipeline.scoring.tables.overtaken import OvertakenLine

INTERVAL_COLUMNS = tuple(f"{name}{end}" for name in SCORES for end in ("", "_low", "_high"))
SCORES_COLUMNS = (
    *("metric", "kind", "attack", "family", "dataset", "variant", "train_dataset", "amplitude", "n", "missing"),
    *INTERVAL_COLUMNS,
    *(f"{name}_subset" for name in SCORES),
    *COSTS,
    *OPINIONS,
    *("seconds", "scale_low", "scale_high", "scale_source", "flags", "status", "reason", "preset", "key", "commit"),
)
ORDER_COLUMNS = (
    *("dataset", "kind", "metric", "budget", "pairs", "ties", "flipped_one", "flipped_both", "srocc"),
    *("swap_flipped", "swap_srocc", "people_before", "people_after"),
)
SCALELESS = {"scale_low": "", "scale_high": "", "scale_source": ""}


def scores_csv(records: Iterable[Record]) -> str:
    """Returns scores.csv: every record with every score, its interval, flags, cost and origin."""
    return _csv(SCORES_COLUMNS, [_record(record) for record in records])


def leaderboard_csv(board: Leaderboard) -> str:
    """Returns leaderboard.csv: one line per metric and data set."""
    lines = [_standing_line(section, standing) for section in board.sections for standing in section.standings]
    columns = list(dict.fromkeys(column for line in lines for column in line))
    return _csv(columns, lines)


def order_csv(board: Leaderboard) -> str:
    """Returns order.csv: of every metric and budget, which pairs of images flip; no line where there are too few."""
    return _csv(
        ORDER_COLUMNS,
        [
            {"dataset": section.dataset, "kind": section.kind, "metric": standing.metric, "budget": str(budget)}
            | {"pairs": str(order.pairs), "ties": str(order.ties), "flipped_one": digits(order.one)}
            | {"flipped_both": digits(order.both), "srocc": digits(order.srocc)}
            | _swap_line(standing.effects.orders.swaps.get(budget))
            for section in board.sections
            for standing in section.standings
            for budget, order in standing.effects.orders.bounds.items()
        ],
    )


def _swap_line(swap: Swap | None) -> dict[str, str]:
    """Returns the columns of what an attack on the order left of it, empty where none was run."""
    if swap is None:
        return {}
    return {
        "swap_flipped": digits(swap.flipped),
        "swap_srocc": digits(swap.srocc),
        "people_before": digits(swap.people_before),
        "people_after": digits(swap.people_after),
    }


def leaderboard_json(board: Leaderboard, records: Iterable[Record] = (), contests: Iterable[OvertakenLine] = ()) -> str:
    """Returns leaderboard.json: all that the Markdown shows, and every score of every column with its interval.

    Args:
        board: The leaderboard.
        records: What it was made from; flicker is taken from them.
        contests: The lines of overtaken.csv; those of all pairs stand beside their metrics.
    """
    beside: dict[tuple[str, ...], dict[str, Any]] = {
        place: {"flicker": _plain(own)} for place, own in flickers(records).items()
    }
    for line in contests:
        if line.contest.apart == ANY:
            own = beside.setdefault(line.contest[:3], {}).setdefault("overtaken", {})
            own[str(line.contest.budget)] = _overtaken(line)
    content = {
        "title": "; ".join(board.captions),
        "sections": [_section(section, beside) for section in board.sections],
        "missing": [vars(gap) for gap in board.gaps],
        "flags": {code: explanation._asdict() for code, explanation in EXPLANATIONS.items()},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _record(record: Record) -> dict[str, str]:
    stamp, scored = record.stamp, record.scored
    line = {
        "metric": record.metric,
        "kind": record.kind,
        "attack": record.attack,
        "family": record.family,
        "dataset": record.dataset,
        "variant": record.variant,
        "train_dataset": record.on.train_dataset,
        "amplitude": digits(record.on.amplitude),
        "n": str(record.n),
        "missing": str(max(0, record.asked - record.n)),
        **_effect_line("", record.effect, SCORES),
        "flags": "; ".join(flag.text for flag in record.flags),
        "status": record.status,
        "reason": record.reason,
    }
    if scored:
        line |= {f"{name}_subset": digits(value) for name, value in scored.subset.items()}
        line |= {name: digits(value) for name, value in (scored.costs | scored.opinions).items()}
        line |= _scale_line(scored.scale)
    if stamp:
        seconds = stamp.seconds.get(record.variant, math.nan)
        line |= {"seconds": digits(seconds), "preset": stamp.preset, "key": stamp.key, "commit": stamp.commit}
    return line


def _effect_line(prefix: str, effect: Effect | None, scores: Iterable[str]) -> dict[str, str]:
    """Returns the columns of some scores with their intervals, empty if there is no effect."""
    line: dict[str, str] = {}
    for name in scores:
        value, (low, high) = (effect.scores[name], effect.intervals[name]) if effect else (math.nan, (math.nan,) * 2)
        line |= {f"{prefix}{name}{end}": digits(v) for end, v in (("", value), ("_low", low), ("_high", high))}
    return line


def _estimate_line(name: str, estimate: Estimate | None) -> dict[str, str]:
    """Returns the columns of a number with its interval, empty if there is none."""
    ends = zip(("", "_low", "_high"), estimate or (math.nan,) * 3, strict=True)
    return {f"{name}{end}": digits(value) for end, value in ends}


def _curve_line(section: Section, standing: Standing) -> dict[str, str]:
    """Returns the columns of the security curve, empty where there is none."""
    curve = standing.effects.curve
    line: dict[str, str] = {}
    for budget in section.budgets:
        line[f"within_{budget}_rank"] = str(standing.ranks.within.get(budget, ""))
        line |= _effect_line(f"within_{budget}_", curve.effects[budget] if curve else None, ("absolute_gain",))
    if section.budgets:
        line |= _estimate_line("curve_area", curve.area if curve else None)
        line |= _estimate_line("smallest_budget", curve.smallest if curve else None)
    return line


def _scale_line(scale: ScoreScale) -> dict[str, str]:
    return {"scale_low": digits(scale.low), "scale_high": digits(scale.high), "scale_source": scale.source}


def _standing_line(section: Section, standing: Standing) -> dict[str, str]:
    known = standing.effects.best_known
    line = {
        "preset": section.preset,
        "dataset": section.dataset,
        "kind": section.kind,
        "gradients": "yes" if section.gradients else "no",
        "rank": str(standing.rank or ""),
        "rank_low": str(standing.ranks.interval[0]) if standing.ranks.interval else "",
        "rank_high": str(standing.ranks.interval[1]) if standing.ranks.interval else "",
        "metric": standing.metric,
        "title": standing.title,
        "n": str(standing.effects.worst.n if standing.effects.worst else 0),
        **_effect_line("worst_case_", standing.effects.worst, SCORES),
        **_effect_line("best_known_", known.effect if known else None, ("absolute_gain",)),
        "best_known_by": "; ".join(known.origins) if known else "",
        **_curve_line(section, standing),
        "fall_rank": str(standing.ranks.fall or ""),
        **_effect_line("fall_", standing.effects.fall, ("absolute_gain",)),
        **_estimate_line("swing", standing.swing),
        **(_scale_line(standing.scale) if standing.scale else SCALELESS),
        "missing": _reasons(standing.missing),
        "spared": _reasons(standing.spared),
        "flags": "; ".join(map(str, standing.flags)),
        "note": section.caption,
    }
    for family in section.families:
        line |= _effect_line(f"family_{family}_", standing.effects.families.get(family), BRIEF)
    for attack in section.attacks:
        line |= _effect_line(f"{attack}_", standing.effects.attacks.get(attack), BRIEF)
    for variant in sorted(standing.effects.variants):
        line |= _effect_line(f"{variant}_", standing.effects.variants[variant], BRIEF)
    return line


def _reasons(reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{attack}: {reason}" for attack, reason in reasons.items())


def _section(section: Section, beside: Mapping[tuple[str, ...], dict[str, Any]]) -> dict[str, Any]:
    return {
        "dataset": section.dataset,
        "kind": section.kind,
        "gradients": section.gradients,
        "title": section.title,
        "preset": section.preset,
        "images": section.images,
        "note": section.caption,
        "detectable": None if section.detectable is None else _short(section.detectable),
        "attacks": section.attacks,
        "budgets": section.budgets,
        "metrics": [
            _standing(each) | beside.get((section.dataset, section.kind, each.metric), {}) for each in section.standings
        ],
        "p_better": {
            name: {other: _short(p) for other, p in others.items()} for name, others in section.p_better.items()
        },
    }


def _standing(standing: Standing) -> dict[str, Any]:
    scale, known, swaps = standing.scale, standing.effects.best_known, standing.effects.orders.swaps
    return {
        "rank": standing.rank,
        "rank_interval": standing.ranks.interval,
        "metric": standing.metric,
        "title": standing.title,
        "worst_case": _effect(standing.effects.worst) if standing.effects.worst else None,
        "worst_on": standing.effects.worst_on,
        "best_known": {**_effect(known.effect), "by": known.origins} if known else None,
        "curve": _curve(standing, standing.effects.curve) if standing.effects.curve else None,
        "fall_rank": standing.ranks.fall,
        "fall": _effect(standing.effects.fall) if standing.effects.fall else None,
        "swing": _estimate(standing.swing) if standing.swing else None,
        "order": {str(budget): _plain(asdict(order)) for budget, order in standing.effects.orders.bounds.items()},
        **({"swap": {str(budget): _plain(asdict(each)) for budget, each in swaps.items()}} if swaps else {}),
        "families": _effects(standing.effects.families),
        "attacks": _effects(standing.effects.attacks),
        "variants": _effects(standing.effects.variants),
        **({"opinions": {name: _plain(each) for name, each in standing.opinions.items()}} if standing.opinions else {}),
        "over_noise": {attack: _estimate(more) for attack, more in standing.effects.over_noise.items()},
        "missing": standing.missing,
        "spared": standing.spared,
        "flags": [{"code": flag.code, "text": flag.text, "attacks": list(flag.attacks)} for flag in standing.flags],
        "scale": {"low": scale.low, "high": scale.high, "source": scale.source} if scale else None,
    }


def _overtaken(line: OvertakenLine) -> dict[str, Any]:
    """Returns how often a worse image overtakes a better one within a budget."""
    return {
        "truth": line.contest.truth,
        **{name: getattr(line.found, name) for name in ("pairs", "wrong", "ties")},
        "share": _estimate(line.found.share),
        "note": line.note,
    }


def _curve(standing: Standing, curve: Curve) -> dict[str, Any]:
    """Returns the security curve; budgets are 255ths, in words since they are names in JSON."""
    return {
        "ranks": {str(budget): rank for budget, rank in standing.ranks.within.items()},
        "worst_cases": {str(budget): _effect(effect) for budget, effect in curve.effects.items()},
        "area": _estimate(curve.area),
        "smallest_budget": _estimate(curve.smallest),
    }


def _effects(effects: Mapping[str, Effect]) -> dict[str, dict[str, Any]]:
    return {name: _effect(effect) for name, effect in effects.items()}


def _effect(effect: Effect) -> dict[str, Any]:
    scores = {name: _estimate(Estimate(effect.scores[name], *effect.intervals[name])) for name in SCORES}
    return {"n": effect.n, **scores}


def _plain(values: Mapping[str, float]) -> dict[str, Any]:
    return {name: _short(value) for name, value in values.items()}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {name: _short(value) for name, value in estimate._asdict().items()}


def _short(value: float) -> float | str | None:
    return plain(float(digits(value) or "nan"))


def _csv(columns: Sequence[str], lines: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
