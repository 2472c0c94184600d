"""What docs/attacks.md says of each attack: a line of its parameters, and one of its formula and where it is from."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from typing import Any

from metric_robustness.pipeline.catalogue.budget import budget
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.cells.settings import FOUND

LEVELS = 255  # of a channel
SINGULAR = {"queries": "query", "gradients": "gradient"}
HEAD = """# Attacks

Written by `python -m pipeline catalogue` from the attacks' own files; a test compares the two. The base benchmark is
[Antsiferova et al. 2024](https://arxiv.org/abs/2310.06958), *page* its
[methodology page](https://videoprocessing.ai/benchmarks/metrics-robustness-methodology.html), *published code* its
[repository](https://github.com/msu-video-group/MSU_Metrics_Robustness_Benchmark).

- *suite*: `base` holds the attacks of the base benchmark and the control, `strong` looks for the worst case, `wide` has
  all others; presets choose by it.
- *access*: `white` takes gradients of the metric, `black` asks for scores at most.
- *settings* are what the benchmark runs, by the names that `--set` takes; `goal` is `better` unless it is named. Pixels
  are in [0, 1]; eps 1 is no limit. A *variant* changes some settings, and runs and is listed beside the default.
  *narrower*: so it goes on within each smaller budget, from what it found within the larger one. *scout*: so it tries
  up to four images of a metric that has gradients, and attacks the others only where it finds a quarter of what the
  attack tried beside it does.
- *spends* counts forward passes (queries) and backward passes (gradients) on one image. A gradient needs a query, which
  counts as well; what a surrogate metric takes does not.
"""
BESIDE = ("narrower",)  # further settings of an attack, which are no variants
COLUMNS = ("attack", "what it does", "suite", "access", "family", "settings", "variants", "spends")
FORMULAS = """

## Formulas, sources, differences

x is the clear image, y the adversarial one, p the pattern of a universal attack. What stands at an arrow is done
`steps` times; of a universal attack once for each batch of each epoch. J is the objective: the score in parts of the
metric's range, larger where the metric calls the image better (with `goal=worse`: smaller); ∇J(y) is its gradient.
Means, maxima and sums are over one image, in the fit of a universal attack over a batch of crops, its maxima over the
pattern. clip(y) brings each value within eps of x (of a pattern: amplitude·eps) and into [0, 1], a crop into [0, 1]
only. adam(g) is m / (v + 1e-8·max v), where m is the mean of the g so far with decay .9, and v the root of the mean
of their squares with decay .999, both without the bias of the first steps. tile(p) repeats p over the image from its
upper left corner.

What holds for all: the page's loss is 1 - score / range, minimised, with the range measured on NIPS 2017; ours is
declared by the metric, and its sign follows the metric's direction. After the attack y is clipped once more and
rounded to 8 bits within eps, and then scored, since people exchange 8-bit images. The published code scores y as it
is.

"""


def count_attacks(attacks: list[Entry]) -> str:
    """Returns the line above the table."""
    suites = Counter(entry.fields["suite"] for entry in attacks)
    variants = sum(len(entry.fields["variants"]) for entry in attacks)
    shown = ", ".join(f"{count} of the {suite} suite" for suite, count in sorted(suites.items()))
    return f"{len(attacks)} attacks with {variants} variants beside their defaults: {shown}."


def attack_row(entry: Entry) -> tuple[str, ...]:
    """Returns an attack's line of the first table, a text per column."""
    fields: dict[str, Any] = entry.fields
    settings = {name: _as_written(text) for name, text in entry.settings.items() if name not in FOUND}
    if settings.get("goal") == "better":
        del settings["goal"]
    beside = {name: fields[name] for name in BESIDE if fields.get(name)}
    if entry.name in fields.get("scout", {}):
        beside["scout"] = fields["scout"][entry.name]
    return (
        *(entry.name, entry.title, fields["suite"], fields["access"], fields["family"]),
        _settings(settings),
        "; ".join(f"{name}: {_variant(entry, changes)}" for name, changes in {**fields["variants"], **beside}.items()),
        "; ".join([_spends(entry), *(f"surrogate {metric}" for metric in fields["needs"])]),
    )


def formulas() -> str:
    """Returns the page's second table."""
    from metric_robustness.pipeline.scoring.tables.markdown_text import table

    known = [entry for entry in entries("attacks").values() if not entry.problem]
    columns = ("formula", "source", "differs")
    rows = [(entry.name, *(entry.fields.get(column, "") or "not said" for column in columns)) for entry in known]
    return FORMULAS + table(("attack", "formula", "source", "what differs, and why"), rows, links=True) + "\n"


def _variant(entry: Entry, changes: Mapping[str, Any]) -> str:
    shown = _settings({name: _number(value) for name, value in changes.items()})
    spent = _spends(entry, changes)
    return shown if spent == _spends(entry) else f"{shown} ({spent})"


def _spends(entry: Entry, changes: Mapping[str, Any] | None = None) -> str:
    if entry.fields["family"] == "universal":
        return "nothing; the fit a query and a gradient per crop and epoch"
    spent = {name: count for name, count in budget(entry, changes).items() if count != "0"}
    shown = (f"{count} {SINGULAR[name] if count == '1' else name}" for name, count in spent.items())
    return ", ".join(shown) or "nothing"


def _settings(shown: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {text}" for name, text in shown.items())


def _as_written(text: str) -> str:
    """Returns a default as the file spells it, numbers without superfluous digits, texts without quotes."""
    try:
        return _number(ast.literal_eval(text))
    except ValueError:  # a quotient, such as 10 / 255
        return text.replace(" / ", "/")


def _number(value: Any) -> str:
    """Returns a value as people write it: a float that is a multiple of a quarter of a level as such, 10/255."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_number, value))})"
    if not isinstance(value, float):
        return str(value)
    levels = value * LEVELS
    if 0 < value < 1 and len(repr(value)) > len("0.000000") and abs(levels * 4 - round(levels * 4)) < 1e-9:
        return f"{round(levels * 4) / 4:g}/{LEVELS}"
    return f"{value:g}"
