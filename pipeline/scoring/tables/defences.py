"""Writes defences.csv and defences.md: every defence against every attack, unaware and aware of it side by side."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import fields

from pipeline.scoring.scores.defences import NONE, Defended
from pipeline.scoring.tables.format import digits, with_margin
from pipeline.scoring.tables.markdown import table

HEADER = ["defence", "gain, unaware", "gain, aware", "quality", "clean cost", "agreement", "ms/image"]
RATED = ["SROCC, clear", "SROCC, unaware", "SROCC, aware"]  # of images that people rated
MEANING = (
    "- Gain: mean |f(x) - f(D(x'))| in parts of the metric's range, whichever way the score moved; ± is half of the "
    "95 % bootstrap interval over clips. Unaware: the attack saw the bare metric; aware: it saw the metric behind the "
    "defence. Only the second says how much a defence is worth.\n"
    "- Clean cost: the same for images that nobody attacked, relative to f(x): what the defence itself does to the "
    "score. Agreement: rank correlation of the scores of clear images with and without the defence.\n"
    "- Quality: mean of (SSIM + PSNR/80)/2 of the purified attacked image against the clear one; equal images count as "
    "80 dB. A geometric defence is undone first.\n"
    "- ms/image: milliseconds that the defence alone takes for an image, on the machine and at the image size of the "
    "run; defences.csv has seconds.\n"
    "- SROCC, where people rated the images: of their opinions with the scores behind the defence, before and after "
    "the attack; defences.csv has PLCC too.\n"
)


def defences_csv(lines: Sequence[Defended]) -> str:
    """Returns defences.csv: every line of `defences.defended`."""
    names = [field.name for field in fields(Defended) if field.name not in {"gain_interval", "only_unaware"}]
    columns = [*names, "gain_of_range_low", "gain_of_range_high", "flag"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for line in lines:
        values = [getattr(line, name) for name in names]
        told = [digits(value) if isinstance(value, float) else str(value) for value in values]
        writer.writerow([*told, *map(digits, line.gain_interval), _flag(line)])
    return text.getvalue()


def defences_md(lines: Sequence[Defended]) -> str:
    """Returns the same for people: a table per metric, data set and attack, best defence first."""
    parts = ["# Defences"]
    for place in dict.fromkeys((line.metric, line.dataset, line.attack, line.variant) for line in lines):
        own = [line for line in lines if (line.metric, line.dataset, line.attack, line.variant) == place]
        parts.append("## {} on {}, attacked by {}".format(*place[:3]) + (f" ({place[3]})" if place[3] else ""))
        rated = any(not math.isnan(line.srocc_clear) for line in own)
        header = [*HEADER, *(RATED if rated else ()), ""]
        parts.append(table(header, _rows(own, rated=rated)))
        parts += [_certificate(line) for line in own if line.radius >= 0]
    parts += ["## What the numbers mean", MEANING]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _rows(lines: Sequence[Defended], *, rated: bool) -> list[list[str]]:
    by_defence: dict[str, dict[str, Defended]] = {}
    for line in lines:
        by_defence.setdefault(line.defence, {})[line.setting] = line
    ordered = sorted(by_defence.items(), key=lambda item: (item[0] != NONE, *_order(item[1]), item[0]))
    return [_row(defence, settings, rated=rated) for defence, settings in ordered]


def _certificate(line: Defended) -> str:
    """Returns what a smoothing defence certifies, beside what the attack did."""
    known = math.isfinite(line.certified_width)
    wide = f"{line.certified_width:.3g} of the range wide" if known else "without bounds: too few copies for the radius"
    beyond = "says nothing about this attack" if line.l2 > line.radius else "holds for half of these changes or more"
    return (
        f"{line.defence} ({line.setting}) certifies scores for changes of at most {line.radius:.3g} in l2, in an "
        f"interval that is {wide}. The attack's own l2 norm is {line.l2:.3g} (median), {line.l2 / line.radius:.3g} "
        f"times the radius: the certificate {beyond}. On {line.left:.0%} of the images the clear score lies outside of "
        "the interval."
    )


def _order(settings: dict[str, Defended]) -> tuple[bool, float]:
    """Returns what sorts: the gain of an attack that knows the defence; those without one last."""
    aware = settings.get("adaptive")
    return (aware is None, (aware or next(iter(settings.values()))).gain_of_range)


def _row(defence: str, settings: dict[str, Defended], *, rated: bool) -> list[str]:
    gains = [settings.get("undefended", settings.get(name)) for name in ("non-adaptive", "adaptive")]
    any_ = next(iter(settings.values()))
    opinions = [any_.srocc_clear, *(line.srocc_attacked if line else math.nan for line in gains)] if rated else []
    return [
        defence,
        *(with_margin(line.gain_of_range, line.gain_interval) if line else "not run" for line in gains),
        *(digits(round(value, 3)) or "n/a" for value in (any_.quality, any_.clean_cost, any_.agreement)),
        f"{1000 * any_.seconds:.3g}" if any_.seconds >= 0 else "n/a",
        *(digits(round(value, 3)) or "n/a" for value in opinions),
        " ".join(dict.fromkeys(filter(None, map(_flag, settings.values())))),
    ]


def _flag(line: Defended) -> str:
    return "only works on attacks that do not know it" if line.only_unaware else ""
