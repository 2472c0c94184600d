"""Makes defences.csv and defences.md: every defence against attacks that know it and attacks that do not."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from metric_robustness.pipeline.scoring.scores.defences import NONE, Case, CertifiedInterval, Clean, Defended, Opinions
from metric_robustness.pipeline.scoring.tables.format import digits, with_margin
from metric_robustness.pipeline.scoring.tables.markdown_text import plain, table

COLUMNS = (
    *Case._fields,
    *("n", "gain", "shift", "quality"),
    *Clean._fields,
    *Opinions._fields,
    "seconds",
    *CertifiedInterval._fields,
    *("shift_low", "shift_high", "flag"),
)
HEADER = ["defence", "shift, unaware", "shift, aware", "quality", "clean shift", "agreement", "ms/image"]
RATED = ["SROCC, clear", "SROCC, unaware", "SROCC, aware"]  # of images that people rated
MEANING = (
    "- Shift: mean |f(x) - f(D(x'))| in parts of the metric's range, whichever way the score moved; ± is half of the "
    "95 % bootstrap interval over clips. Unaware: the attack saw the bare metric; aware: it saw the metric behind the "
    "defence. Only the second says how much a defence is worth. defences.csv also has the gain, which is signed: above "
    "0 where the attack raised the score.\n"
    "- Clean shift: the same for images that nobody attacked: what the defence itself does to the score. Agreement: "
    "rank correlation of the scores of clear images with and without the defence.\n"
    "- Quality: mean of (SSIM + PSNR/80)/2 of the purified attacked image against the clear one; equal images count as "
    "80 dB. A geometric defence is undone first.\n"
    "- ms/image: milliseconds that the defence alone takes for an image, on the machine and at the image size of the "
    "run; defences.csv has seconds.\n"
    "- SROCC, where people rated the images: of their opinions with the scores behind the defence, before and after "
    "the attack; defences.csv has PLCC too.\n"
)


def defences_csv(lines: Sequence[Defended]) -> str:
    """Returns defences.csv: every line of `defences.defended`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        interval = line.shift[1:]
        numbers = (line.gain, line.shift.value, line.quality, *line.clean, *line.opinions)
        rest = (line.seconds, *line.certificate, *interval)
        writer.writerow([*line.case, line.n, *map(digits, numbers), *map(digits, rest), _flag(line)])
    return text.getvalue()


def defences_md(lines: Sequence[Defended], missing: Sequence[str] = ()) -> str:
    """Returns defences.md, for people: a table per metric, data set and attack, best defence first; what is missing."""
    parts = ["# Defences"]
    for title, own in _tables(lines):
        parts.append(f"## {plain(title)}")
        rated = any(not math.isnan(line.opinions.srocc_clear) for line in own)
        header = [*HEADER, *(RATED if rated else ()), ""]
        parts.append(table(header, _rows(own, rated=rated)))
        parts += [_certificate(line) for line in own if line.certificate.radius >= 0]
    if missing:
        parts += ["## What is missing", "\n".join(f"- {plain(line)}" for line in missing)]
    parts += ["## What the numbers mean", MEANING]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def print_defences(lines: Sequence[Defended], missing: Sequence[str], console: Console) -> None:
    """Prints the columns of defences.md that a terminal has room for, and what is missing."""
    for title, own in _tables(lines):
        console.print(Text(title, style="bold"))
        shown = Table(box=None, pad_edge=False)
        for heading in (*HEADER[:3], HEADER[4]):
            shown.add_column(heading, justify="left" if heading == "defence" else "right", overflow="fold")
        for defence, unaware, aware, _, clean, *_ in _rows(own, rated=False):
            shown.add_row(Text(defence), unaware, aware, clean)
        console.print(shown)
    for line in missing:
        console.print(Text(line, style="yellow"), soft_wrap=True)


def _tables(lines: Sequence[Defended]) -> Iterator[tuple[str, list[Defended]]]:
    """Yields the heading and the lines of each table."""
    for place in dict.fromkeys(map(_table_of, lines)):
        title = "{} on {}, attacked by {}".format(*place[:3]) + (f" ({place[3]})" if place[3] else "")
        yield title, [line for line in lines if _table_of(line) == place]


def _table_of(line: Defended) -> tuple[str, ...]:
    return (line.case.metric, line.case.dataset, line.case.attack, line.case.variant)


def _rows(lines: Sequence[Defended], *, rated: bool) -> list[list[str]]:
    by_defence: dict[str, dict[str, Defended]] = {}
    for line in lines:
        by_defence.setdefault(line.case.defence, {})[line.case.setting] = line
    ordered = sorted(by_defence.items(), key=lambda item: (item[0] != NONE, *_order(item[1]), item[0]))
    return [_row(defence, settings, rated=rated) for defence, settings in ordered]


def _certificate(line: Defended) -> str:
    """Returns a sentence that compares what a smoothing defence certifies with what the attack did."""
    radius, l2, width, left = line.certificate
    known = math.isfinite(width)
    wide = f"{width:.3g} of the range wide" if known else "without bounds: too few copies for the radius"
    beyond = "says nothing about this attack" if l2 > radius else "holds for half of these changes or more"
    return (
        f"{line.case.defence} ({line.case.setting}) certifies scores for changes of at most {radius:.3g} in l2, in an "
        f"interval that is {wide}. The attack's own l2 norm is {l2:.3g} (median), {l2 / radius:.3g} times the radius: "
        f"the certificate {beyond}. On {left:.0%} of the images the clear score lies outside of the interval."
    )


def _order(settings: dict[str, Defended]) -> tuple[bool, float]:
    """Returns the sort key: the shift under an attack that knows the defence; defences without one come last."""
    aware = settings.get("adaptive")
    return (aware is None, (aware or next(iter(settings.values()))).shift.value)


def _row(defence: str, settings: dict[str, Defended], *, rated: bool) -> list[str]:
    pair = [settings.get("undefended", settings.get(name)) for name in ("non-adaptive", "adaptive")]
    any_ = next(iter(settings.values()))
    opinions = (
        [any_.opinions.srocc_clear, *(line.opinions.srocc_attacked if line else math.nan for line in pair)]
        if rated
        else []
    )
    return [
        defence,
        *(with_margin(line.shift.value, line.shift[1:]) if line else "not run" for line in pair),
        *(digits(round(value, 3)) or "n/a" for value in (any_.quality, any_.clean.clean_shift, any_.clean.agreement)),
        f"{1000 * any_.seconds:.3g}" if any_.seconds >= 0 else "n/a",
        *(digits(round(value, 3)) or "n/a" for value in opinions),
        " ".join(dict.fromkeys(filter(None, map(_flag, settings.values())))),
    ]


def _flag(line: Defended) -> str:
    return "only works on attacks that do not know it" if line.only_unaware else ""
