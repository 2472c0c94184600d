"""What `show` prints: the leaderboard, one metric, one attack, or two metrics side by side, from leaderboard.json."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline import places
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion
from metric_robustness.pipeline.scoring.tables.format import with_margin

BARS = "▁▂▃▄▅▆▇█"
NUMBERS = {"rank", "worst case", "gain", "over noise", "worst on", "difference"}  # headings of columns
Facts = dict[str, Any]  # as leaderboard.json holds them


def default_folder() -> Path:
    """Returns the folder of the newest tables below build/, or results/ where there are none."""
    built = sorted((places.project() / "build").glob("*/leaderboard.json"), key=lambda file: file.stat().st_mtime_ns)
    return built[-1].parent if built else places.results()


def read_board(folder: Path) -> Facts:
    """Returns the leaderboard of a folder that `run`, `aggregate` or `fetch` wrote.

    Raises:
        BenchError: If the folder has no leaderboard.json.
        DataError: If the file cannot be read, or an older version wrote it.
    """
    path = folder / "leaderboard.json"
    if not path.is_file():
        raise BenchError(f"{folder} must hold leaderboard.json; got none: name with --from what `run --out` wrote")
    try:
        board: Facts = json.loads(path.read_text(encoding="utf-8"))
        sections = board["sections"]
        known = all({"p_better", "metrics", "attacks"} <= section.keys() for section in sections)
        known = known and all("worst_on" in metric for section in sections for metric in section["metrics"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} must be a leaderboard of ours; it cannot be read ({error}): write it again") from error
    if not known:
        raise DataError(f"{path} must be of this version; it is of an older one: write it again with run")
    return board


def chosen(board: Facts, names: Sequence[str]) -> list[Facts]:
    """Returns what the names ask for, from each section that has it.

    Args:
        board: The leaderboard.
        names: Nothing for the leaderboard itself, a metric, an attack, or two metrics.

    Raises:
        BenchError: If a name is unknown, or these names cannot be shown together.
    """
    sections = board["sections"]
    metrics = {metric["metric"]: None for section in sections for metric in section["metrics"]}
    attacks = {attack: None for section in sections for attack in section["attacks"]}
    for name in names:
        if name not in metrics and name not in attacks:
            tip = suggestion(name, metrics | attacks)
            raise BenchError(f"no metric or attack on the leaderboard is named {name!r}: {tip}")
    match [name in metrics for name in names]:
        case []:
            return list(sections)
        case [True]:
            return [_profile(part, names[0]) for part in sections if names[0] in _metrics(part)]
        case [False]:
            return [_under(part, names[0]) for part in sections if names[0] in part["attacks"]]
        case [True, True]:
            if found := [_pair(part, *names) for part in sections if set(names) <= _metrics(part).keys()]:
                return found
            raise BenchError(f"{names[0]} and {names[1]} must be of one kind and data set: show each alone")
        case _:
            raise BenchError(f"show must be given nothing, a metric, an attack or two metrics; got {' '.join(names)}")


def _metrics(section: Facts) -> dict[str, Facts]:
    return {metric["metric"]: metric for metric in section["metrics"]}


def _about(section: Facts) -> Facts:
    return {name: section[name] for name in ("dataset", "kind", "preset", "images", "note", "detectable")}


def _profile(section: Facts, metric: str) -> Facts:
    return {**_about(section), "attacks": section["attacks"], "profile": _metrics(section)[metric]}


def _under(section: Facts, attack: str) -> Facts:
    gains = {each["metric"]: each["attacks"].get(attack) for each in section["metrics"]}
    ordered = sorted(gains, key=lambda name: (gains[name] is None, _value(gains[name]), name))
    about = {"attack": attack, "family": section["attacks"][attack]}
    return {**_about(section), **about, "gains": {name: gains[name] for name in ordered}}


def _pair(section: Facts, first: str, second: str) -> Facts:
    pair = [_metrics(section)[name] for name in (first, second)]
    p_above = section["p_better"].get(first, {}).get(second)
    return {**_about(section), "attacks": section["attacks"], "pair": pair, "p_above": p_above}


def rendered(part: Facts) -> Iterator[Text | Table]:
    """Yields the lines and tables that show one part of what `chosen` returns."""
    yield Text(f"{part['kind']} metrics, absolute gain. {part['note']}", style="bold")
    if "profile" in part:
        yield from _profile_lines(part)
    elif "attack" in part:
        yield _attack_table(part)
    elif "pair" in part:
        yield from _pair_lines(part)
    else:
        yield from _section_lines(part)


def _section_lines(section: Facts) -> Iterator[Text | Table]:
    attacks = list(section["attacks"])
    highest = max(
        (_value(each["attacks"].get(a)) for each in section["metrics"] for a in attacks if a in each["attacks"]),
        default=0,
    )
    table = _table("rank", "95 %", "metric", "worst case", "by attack", "flags")
    for each in section["metrics"]:
        low_high = each["rank_interval"]
        table.add_row(
            str(each["rank"] or "n/a"),
            f"{low_high[0]}-{low_high[1]}" if low_high else "",
            Text(each["metric"]),
            Text(_gain(each["worst_case"]), style="bold"),
            sparkline([_value(each["attacks"].get(attack)) for attack in attacks], highest),
            Text(str(len({flag["code"] for flag in each["flags"]}) or ""), style="yellow"),
        )
    yield table
    yield Text(f"by attack, from 0 to {highest:.3f}: {', '.join(attacks)}", style="dim")
    if section["detectable"] is not None:
        yield Text(f"two metrics must differ by {section['detectable']:.3f} for these images to show it", style="dim")


def _profile_lines(part: Facts) -> Iterator[Text | Table]:
    metric = part["profile"]
    yield Text(f"{metric['metric']}: {metric['title']}")
    sure = metric["rank_interval"]
    among = f", {sure[0]} to {sure[1]} in 95 % of the resamples" if sure else ""
    yield Text(f"rank {metric['rank'] or 'n/a'}{among}; worst case {_gain(metric['worst_case'])}")
    highest = max(map(_value, metric["attacks"].values()), default=0)
    images = metric["worst_case"]["n"] if metric["worst_case"] else 0
    table = _table("attack", "family", "gain", "", "over noise", "worst on")
    for attack, family in part["attacks"].items():
        effect, more = metric["attacks"].get(attack), metric["over_noise"].get(attack)
        share = metric["worst_on"].get(attack)
        table.add_row(
            Text(attack),
            family,
            _gain(effect) if effect else Text(metric["missing"].get(attack, "n/a"), style="yellow"),
            sparkline([_value(effect)], highest),
            _margin(more) if more else "",
            f"{share / images:.0%}" if share is not None and images else "",
        )
    yield table
    for flag in metric["flags"]:
        concerned = f"{', '.join(flag['attacks'])}: " if flag["attacks"] else ""
        yield Text(f"flag: {concerned}{flag['text']}", style="yellow")


def _attack_table(part: Facts) -> Table:
    highest = max(map(_value, part["gains"].values()), default=0)
    table = _table("metric", f"gain under {part['attack']}", "")
    for metric, effect in part["gains"].items():
        table.add_row(Text(metric), _gain(effect), sparkline([_value(effect)], highest))
    return table


def _pair_lines(part: Facts) -> Iterator[Text | Table]:
    first, second = part["pair"]
    names = [each["metric"] for each in part["pair"]]
    table = _table("attack", *names, "difference")
    rows = {"worst case": [each["worst_case"] for each in part["pair"]]}
    rows |= {attack: [each["attacks"].get(attack) for each in part["pair"]] for attack in part["attacks"]}
    for attack, effects in rows.items():
        difference = _value(effects[0]) - _value(effects[1])
        shown = "n/a" if math.isnan(difference) else f"{round(difference, 3) + 0.0:+.3f}"
        table.add_row(Text(attack), *map(_gain, effects), shown)
    yield table
    if part["p_above"] is None:
        yield Text(
            "which of them stands above the other cannot be told: an attack is missing, or the images are too few"
        )
    else:
        p = part["p_above"]
        yield Text(f"P({first['metric']} above {second['metric']}) = {p:.3f}; the smaller gain is above")
    if part["detectable"] is not None:
        yield Text(f"two metrics must differ by {part['detectable']:.3f} for these images to show it", style="dim")


def sparkline(values: Sequence[float], highest: float) -> str:
    """Returns a bar per value, from 0 to the highest; a dot for nan, and the lowest bar for a value below 0."""
    return "".join(_bar(value, highest) for value in values)


def _bar(value: float, highest: float) -> str:
    if math.isnan(value):
        return "·"
    part = min(max(value / highest, 0), 1) if highest > 0 else 0
    return BARS[round(part * (len(BARS) - 1))]


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    return table


def _value(effect: Facts | None) -> float:
    """Returns the absolute gain, nan where there is none."""
    value = effect["absolute_gain"]["value"] if effect else None
    return math.nan if value is None else float(value)


def _gain(effect: Facts | None) -> str:
    return _margin(effect["absolute_gain"]) if effect else "n/a"


def _margin(estimate: Facts) -> str:
    value, low, high = (
        math.nan if estimate[name] is None else float(estimate[name]) for name in ("value", "low", "high")
    )
    return with_margin(value, (low, high))
