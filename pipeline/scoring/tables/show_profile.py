"""A metric's profile: its gain under every attack, within every budget, and what lowers its score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.scoring.board.flags import Flag
from metric_robustness.pipeline.scoring.tables.board_file import Facts
from metric_robustness.pipeline.scoring.tables.format import budget_with_ends
from metric_robustness.pipeline.scoring.tables.show_numbers import (
    estimate_of,
    gain,
    margin,
    new_table,
    sparkline,
    value_of,
)


def profile_lines(part: Facts) -> Iterator[Text | Table]:
    """Yields what is known of one metric of a section."""
    metric = part["profile"]
    yield Text(f"{metric['metric']}: {metric['title']}")
    sure = metric["rank_interval"]
    among = f", {sure[0]} to {sure[1]} in 95 % of the resamples" if sure else ""
    yield Text(f"rank {metric['rank'] or 'n/a'}{among}; worst case {gain(metric['worst_case'])}")
    if best := metric["best_known"]:
        by = ", ".join(f"{name} on {count}" for name, count in best["by"].items())
        yield Text(f"best known {gain(best)} by images that were sent in: {by}; they do not rank")
    if metric["curve"]:
        yield from _curve_lines(metric["curve"])
    if metric["fall"]:
        rank = f", rank {metric['fall_rank']}" if metric["fall_rank"] else ""
        yield Text(f"largest fall {gain(metric['fall'])}{rank}; swing {margin(metric['swing'])}")
    if orders := metric.get("order"):
        yield from _order_lines(orders)
    if swaps := metric.get("swap"):
        yield from _swap_lines(swaps, metric["order"])
    if contests := metric.get("overtaken"):
        yield from _overtaken_lines(contests)
    yield _attack_table(part["attacks"], metric)
    yield from spared_lines(metric["spared"])
    for flag in metric["flags"]:
        yield Text(f"flag: {Flag(flag['code'], flag['text'], tuple(flag['attacks']))}", style="yellow")


def _curve_lines(curve: Facts) -> Iterator[Text]:
    """Yields the gain within each budget, and the two numbers that the curve comes to."""
    cases = curve["worst_cases"]
    gains = [value_of(effect) for effect in cases.values()]
    told = ", ".join(f"{each:.3f} in {budget}/255" for budget, each in zip(cases, gains, strict=True))
    yield Text(f"budgets {sparkline([0, *gains], max(gains))} {told}")
    smallest = budget_with_ends(estimate_of(curve["smallest_budget"]), max(map(int, cases)))
    yield Text(f"mean over budgets {margin(curve['area'])}; a tenth of the range in {smallest} 255ths")


def _order_lines(orders: Facts) -> Iterator[Text]:
    """Yields which pairs of images flip within each budget."""
    told = ", ".join(f"{each['one']:.1%} in {budget}/255" for budget, each in orders.items())
    yield Text(f"order of images: pairs that flip when the worse image is attacked: {told}")
    largest, last = list(orders.items())[-1]
    both = f"when both are: {last['both']:.1%}; " if last["both"] is not None else ""
    left = _correlation(last["srocc"])
    yield Text(f"{both}rank correlation of all images before and after: {left}, in {largest}/255")


def _swap_lines(swaps: Facts, orders: Facts) -> Iterator[Text]:
    """Yields what is left of the images' order where each was driven to the score of another."""
    flipped = ", ".join(f"{each['flipped']:.1%} in {budget}/255" for budget, each in swaps.items())
    yield Text(f"order of images attacked as a set: pairs that flip: {flipped}")
    left = ", ".join(f"{_correlation(each['srocc'])} in {budget}/255" for budget, each in swaps.items())
    yield Text(f"rank correlation with the clear scores: {left}")
    first = next(iter(swaps.values()))
    if first["people_before"] is not None:
        after = ", ".join(f"{_correlation(each['people_after'])} in {budget}/255" for budget, each in swaps.items())
        yield Text(f"rank correlation with people: {_correlation(first['people_before'])} before, {after}")
    if ties := next(iter(orders.values()))["ties"]:
        yield Text(f"pairs of images with the same clear score, which have no order to change: {ties:.0f}")


def _correlation(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _overtaken_lines(contests: Facts) -> Iterator[Text]:
    """Yields how often a worse image overtakes a better one within each budget, and what was wrong before."""
    last = list(contests.values())[-1]
    better = "better encoding of its photograph" if last["truth"] == "rung" else "image that people prefer"
    told = ", ".join(f"{margin(each['share'])} in {budget}/255" for budget, each in contests.items())
    yield Text(f"share of pairs in which an attacked worse image overtakes a {better}: {told}")
    unsure = f"{last['wrong']} in wrong order and {last['ties']} in none before any attack"
    yield Text(f"{last['pairs']} such pairs: {unsure}{last['note'] and '; '}{last['note']}")


def _attack_table(families: Mapping[str, str], metric: Facts) -> Table:
    highest = max(map(value_of, metric["attacks"].values()), default=0)
    images = metric["worst_case"]["n"] if metric["worst_case"] else 0
    flickers = metric.get("flicker")
    further = ["flicker"] if flickers else []
    table = new_table("attack", "family", "gain", "", "over noise", "worst on", *further)
    for attack, family in families.items():
        effect, more = metric["attacks"].get(attack), metric["over_noise"].get(attack)
        share = metric["worst_on"].get(attack)
        table.add_row(
            Text(attack),
            family,
            gain(effect) if effect else _why_none(metric, attack),
            sparkline([value_of(effect)], highest),
            margin(more) if more else "",
            f"{share / images:.0%}" if share is not None and images else "",
            *([f"{flickers[attack]:.2f}" if attack in flickers else ""] if flickers else []),
        )
    return table


def _why_none(metric: Facts, attack: str) -> Text:
    """Returns what stands in place of a gain; an attack that was not needed has no warning's colour."""
    return Text("spared") if attack in metric["spared"] else Text(metric["missing"].get(attack, "n/a"), style="yellow")


def spared_lines(reasons: Mapping[str, str]) -> Iterator[Text]:
    """Yields why attacks were spared: below the table, since the reasons are sentences.

    Args:
        reasons: By attack, or by metric.
    """
    for name, reason in reasons.items():
        yield Text(f"spared: {name}: {reason}", style="dim")
