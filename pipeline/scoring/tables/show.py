"""What `show` prints: the leaderboard, one metric, one attack, or two metrics side by side, from leaderboard.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.tables.board_file import Facts, about
from metric_robustness.pipeline.scoring.tables.show_numbers import gain, new_table, sparkline, value_of
from metric_robustness.pipeline.scoring.tables.show_order import by_fall, fall_table, within, within_table
from metric_robustness.pipeline.scoring.tables.show_profile import profile_lines, spared_lines


def ordered(board: Facts, names: Sequence[str], budget: int | None, *, worse: bool) -> list[Facts]:
    """Returns what the options and names of `show` ask for.

    Args:
        board: The leaderboard.
        names: As `chosen` takes them; none with an option.
        budget: In 255ths, if the metrics shall stand by what moves them within it.
        worse: Whether they shall stand by what lowers their scores.

    Raises:
        BenchError: If there is nothing of that kind, or these cannot be asked for together.
    """
    asked = [*names, *(["--budget"] if budget is not None else []), *(["--worse"] if worse else [])]
    if (budget is not None or worse) and len(asked) > 1:
        raise BenchError(f"--budget and --worse must each stand alone; got {' '.join(asked)}: ask for one")
    if budget is not None:
        return within(board["sections"], budget)
    return by_fall(board["sections"]) if worse else chosen(board, names)


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
            raise BenchError(
                f"{names[0]} and {names[1]} must be of one kind and data set, and both have gradients or neither: "
                "show each alone"
            )
        case _:
            raise BenchError(f"show must be given nothing, a metric, an attack or two metrics; got {' '.join(names)}")


def _metrics(section: Facts) -> dict[str, Facts]:
    return {metric["metric"]: metric for metric in section["metrics"]}


def _profile(section: Facts, metric: str) -> Facts:
    return {**about(section), "attacks": section["attacks"], "profile": _metrics(section)[metric]}


def _under(section: Facts, attack: str) -> Facts:
    gains = {each["metric"]: each["attacks"].get(attack) for each in section["metrics"]}
    names = sorted(gains, key=lambda name: (gains[name] is None, value_of(gains[name]), name))
    spared = {each["metric"]: each["spared"][attack] for each in section["metrics"] if attack in each["spared"]}
    under = {"attack": attack, "family": section["attacks"][attack], "spared": spared}
    return {**about(section), **under, "gains": {name: gains[name] for name in names}}


def _pair(section: Facts, first: str, second: str) -> Facts:
    pair = [_metrics(section)[name] for name in (first, second)]
    p_above = section["p_better"].get(first, {}).get(second)
    return {**about(section), "attacks": section["attacks"], "pair": pair, "p_above": p_above}


def rendered(part: Facts) -> Iterator[Text | Table]:
    """Yields the lines and tables that show one part of what `chosen` returns."""
    yield Text(f"{part['title']}, {_what(part)}. {part['note']}", style="bold")
    if "within" in part:
        yield within_table(part)
    elif "falls" in part:
        yield fall_table(part)
    elif "profile" in part:
        yield from profile_lines(part)
    elif "attack" in part:
        yield _attack_table(part)
        yield from spared_lines(part["spared"])
    elif "pair" in part:
        yield from _pair_lines(part)
    else:
        yield from _section_lines(part)


def _what(part: Facts) -> str:
    """Returns what the numbers of a part are."""
    if "falls" in part:
        return "absolute gain of attacks that lower scores"
    return f"absolute gain within {part['budget']}/255" if "within" in part else "absolute gain"


def _section_lines(section: Facts) -> Iterator[Text | Table]:
    attacks = list(section["attacks"])
    highest = max(
        (value_of(each["attacks"].get(a)) for each in section["metrics"] for a in attacks if a in each["attacks"]),
        default=0,
    )
    table = new_table("rank", "95 %", "metric", "worst case", "by attack", "flags")
    for each in section["metrics"]:
        low_high = each["rank_interval"]
        table.add_row(
            str(each["rank"] or "n/a"),
            f"{low_high[0]}-{low_high[1]}" if low_high else "",
            Text(each["metric"]),
            Text(gain(each["worst_case"]), style="bold"),
            sparkline([value_of(each["attacks"].get(attack)) for attack in attacks], highest),
            Text(str(len({flag["code"] for flag in each["flags"]}) or ""), style="yellow"),
        )
    yield table
    yield Text(f"by attack, from 0 to {highest:.3f}: {', '.join(attacks)}", style="dim")
    if section["detectable"] is not None:
        yield Text(f"two metrics must differ by {section['detectable']:.3f} for these images to show it", style="dim")


def _attack_table(part: Facts) -> Table:
    highest = max(map(value_of, part["gains"].values()), default=0)
    table = new_table("metric", f"gain under {part['attack']}", "")
    for metric, effect in part["gains"].items():
        shown = gain(effect, "spared" if metric in part["spared"] else "n/a")
        table.add_row(Text(metric), shown, sparkline([value_of(effect)], highest))
    return table


def _pair_lines(part: Facts) -> Iterator[Text | Table]:
    first, second = part["pair"]
    names = [each["metric"] for each in part["pair"]]
    table = new_table("attack", *names, "difference")
    rows = {"worst case": [each["worst_case"] for each in part["pair"]]}
    for budget in map(str, part["budgets"][:-1]):  # the largest is the worst case
        rows[f"within {budget}/255"] = [each["curve"] and each["curve"]["worst_cases"][budget] for each in part["pair"]]
    rows |= {attack: [each["attacks"].get(attack) for each in part["pair"]] for attack in part["attacks"]}
    for name, effects in rows.items():
        difference = value_of(effects[0]) - value_of(effects[1])
        shown = "n/a" if math.isnan(difference) else f"{round(difference, 3) + 0.0:+.3f}"
        absent = ["spared" if name in each["spared"] else "n/a" for each in part["pair"]]
        table.add_row(Text(name), *map(gain, effects, absent), shown)
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
