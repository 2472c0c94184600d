"""The one chip beside a number: the gravest reason to doubt it, and the attack that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metric_robustness.pipeline.scoring.board.flags import EXPLANATIONS, Flag

ORDER = tuple(EXPLANATIONS)  # the gravest first
OF_IMAGES = {"fewer_images", "rows_missing", "rows_excluded"}  # which images count; the numbers of the others stand
NAMED = 2  # attacks that a chip has room for


@dataclass(frozen=True)
class Chip:
    """What stands beside a metric's number.

    Attributes:
        title: Of the gravest flag.
        about: The attacks that it concerns; empty where it concerns the metric itself.
        more: How many further kinds of flags there are.
        tip: What all of them mean, and what was seen.
        doubted: Whether the number itself is doubted, not only which images it counts.
    """

    title: str
    about: str
    more: int
    tip: str
    doubted: bool


def by_code(flags: Sequence[Flag]) -> dict[str, list[Flag]]:
    """Returns a metric's flags by their code, the gravest first."""
    return {code: found for code in ORDER if (found := [flag for flag in flags if flag.code == code])}


def chip(flags: Sequence[Flag]) -> Chip | None:
    """Returns the chip of a metric's flags; None without one."""
    found = by_code(flags)
    if not found:
        return None
    first = next(iter(found))
    attacks = list(dict.fromkeys(name.partition(":")[0] for flag in found[first] for name in flag.attacks))
    told = (f"{EXPLANATIONS[code].text} {'. '.join(map(str, same))}." for code, same in found.items())
    return Chip(
        title=EXPLANATIONS[first].title,
        about=", ".join(attacks) if len(attacks) <= NAMED else f"{len(attacks)} attacks",
        more=len(found) - 1,
        tip=" ".join(told),
        doubted=not found.keys() <= OF_IMAGES,
    )
