"""Renders pages and copies what they load, so that no page asks another host for anything."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.scoring.board.flags import EXPLANATIONS
from metric_robustness.pipeline.scoring.board.leaderboard import FEW, Section
from metric_robustness.pipeline.scoring.board.records import CONTROL
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.curve import SHARE
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.scores.robustness import SCORES
from metric_robustness.pipeline.scoring.tables.format import budget_with_ends, digits, with_margin
from metric_robustness.pipeline.site.addresses import address
from metric_robustness.pipeline.site.doubts import by_code, chip
from metric_robustness.pipeline.site.drawing import SCORE, SHADES, Axis, Panel, shade
from metric_robustness.pipeline.site.gallery import AMPLIFIED
from metric_robustness.pipeline.site.headline import headline
from metric_robustness.pipeline.site.neighbours import neighbours
from metric_robustness.pipeline.site.points import others, points
from metric_robustness.pipeline.site.views import WHOLE

HERE = Path(__file__).parent
MOST_COMPARED = 40  # metrics; a table of more pairs would not be readable
MINUS = "\N{MINUS SIGN}"  # the sign that formulas use
ASSETS = ("static", "vendor")  # the project's own files, and libraries from npm


class Pages:
    """Writes the pages of one site.

    Args:
        out: The site's root.
        shared: Values that every template may use by name, in addition to the ones defined here.
    """

    def __init__(self, out: Path, **shared: Any) -> None:
        self.out = out
        self.written: set[str] = set()
        self.environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.policies["json.dumps_kwargs"] = {
            "allow_nan": False,
            "separators": (",", ":"),
            "ensure_ascii": False,
        }
        self.environment.filters |= {
            "agreement": agreement,
            "breakable": breakable,
            "by_reason": by_reason,
            "chip": chip,
            "digits": digits,
            "estimate": lambda found: with_margin(found.value, found[1:]),
            "exact": exact,
            "gain": gain,
            "headline": headline,
            "levels": levels,
            "named": lambda name, values: (name, values.get(name)),
            "others": others,
            "often_worst": often_worst,
            "panel": panel,
            "points": points,
            "shade": shade,
            "sortable": sortable,
            "split_ends": lambda text: text.partition(" (")[0],
            "split_margin": split_margin,
        }
        self.environment.globals |= {
            "address": address,
            "amplified": AMPLIFIED,
            "axis_over": Axis.over,
            "by_code": by_code,
            "control": CONTROL,
            "budget_with_ends": budget_with_ends,
            "few": FEW,
            "whole": WHOLE,
            "explanations": EXPLANATIONS,
            "most_compared": MOST_COMPARED,
            "neighbours": neighbours,
            "scores": SCORES,
            "share": SHARE,
            "formulas": _formulas(),
            "shades": SHADES,
            **shared,
        }

    def write(self, path: str, template: str, **content: Any) -> None:
        """Renders a template, which may use `content` by name, and writes the page to a path below the site's root."""
        self.write_bytes(path, self.render(template, root="../" * path.count("/"), page=template, **content).encode())

    def render(self, template: str, **content: Any) -> str:
        """Returns a page, or the part of one that is loaded later; `root` leads from the page to the site's root."""
        return self.environment.get_template(template).render({"root": "", **content})

    def write_detail(self, path: str, content: Any) -> str:
        """Writes HTML, or what is drawn, as a script that hands it to details.js, and returns its path."""
        handed = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
        self.write_bytes(path, f"detail({handed});\n".encode())
        return path

    def write_assets(self) -> None:
        """Copies scripts, styles and libraries with their licences."""
        for folder in ASSETS:
            for file in sorted((HERE / folder).iterdir()):
                self.write_bytes(f"assets/{file.name}", file.read_bytes())

    def write_bytes(self, path: str, content: bytes) -> None:
        """Writes a file of the site, and remembers it as written."""
        write_atomically(self.out / path, content)
        self.written.add(path)


def _formulas() -> list[tuple[str, str, str]]:
    """Returns titles, formula and meaning of the scores; scores with the same formula share a line."""
    titles: dict[tuple[str, str], list[str]] = {}
    for score in SCORES.values():
        titles.setdefault((score.formula.replace(" - ", f" {MINUS} "), score.reads), []).append(score.title)
    return [(", ".join(names), formula, reads) for (formula, reads), names in titles.items()]


def gain(effect: Effect | None, score: str = SCORE) -> str:
    """Returns a score with its margin, for people."""
    return with_margin(effect.scores[score], effect.intervals[score]) if effect else "n/a"


def exact(effect: Effect | None, score: str = SCORE) -> str:
    """Returns a score with the digits of leaderboard.json; empty if there is none."""
    return sortable(effect.scores[score]) if effect else ""


def sortable(value: float) -> str:
    """Returns a number with the digits of leaderboard.json, written so that JavaScript can tell what is larger."""
    return digits(value).replace("inf", "Infinity")


def agreement(opinions: dict[str, float] | None) -> str:
    """Returns the rank correlations with people's opinions before and after an attack: "0.912 → 0.534"."""
    if opinions is None:
        return "n/a"
    values = [opinions[f"srocc_{moment}"] for moment in ("clear", "attacked")]
    return " → ".join("n/a" if math.isnan(value) else f"{value:.3f}" for value in values)


def often_worst(standing: Standing, attack: str) -> bool:
    """Returns whether no other attack was the worst on more of a metric's images."""
    counts = standing.effects.worst_on
    return counts.get(attack, 0) > 0 and counts[attack] == max(counts.values())


def split_margin(text: str) -> tuple[str, str]:
    """Returns a number and its margin, which "" stands for if it is not known."""
    value, _, margin = text.partition(" ±")
    return value, margin


def breakable(name: str) -> Markup:
    """Returns a name that a narrow column may break after an underscore, a plus or a hyphen."""
    return Markup("<wbr>").join(re.split(r"(?<=[_+-])", name))


def by_reason(missing: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Returns every reason once, with the attacks that are missing for it."""
    found: dict[str, list[str]] = {}
    for attack, reason in missing.items():
        found.setdefault(reason, []).append(attack)
    return list(found.items())


def levels(eps: float) -> str:
    """Returns an attack's budget in words: "10/255", or "no limit" for one that may change a pixel at will."""
    return "no limit" if eps >= 1 else f"{255 * eps:.3g}/255"


def panel(section: Section) -> Panel:
    """Returns the panel that the curves of a section share."""
    return Panel.over(curve for standing in section.standings if (curve := standing.effects.curve))
