"""The leaderboard for people, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from metric_robustness.pipeline.cells.row import BUDGET_VARIANT
from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard, Section
from metric_robustness.pipeline.scoring.board.records import CONTROL
from metric_robustness.pipeline.scoring.board.standing import Standing
from metric_robustness.pipeline.scoring.scores.effects import Effect
from metric_robustness.pipeline.scoring.scores.robustness import SCORES
from metric_robustness.pipeline.scoring.tables.format import budget_with_ends, with_margin
from metric_robustness.pipeline.scoring.tables.markdown_text import plain, table

# "R-score", which also stands for "R-score as printed".
HIGHER = min((score.title for score in SCORES.values() if score.higher_is_better), key=len)
MEANING = (
    "- Absolute gain: how far an attack raised the score, in parts of the metric's range (0.1 is a tenth); ± is half "
    "of the 95 % bootstrap interval over clips. 64 images tell a gain to about 10 %, 250 to about 5 %.\n"
    "- Worst case: for every image the largest rise by anything that changed no channel by more than 10/255, as "
    "measured on the image: every attack, variant and amplitude counts, and so does leaving the image alone, so that "
    "it is never below 0. It says *at least*: a stronger attack may exist. A family's column is the same within it. It "
    "ranks, smallest first, but only metrics on which each attack with this eps was done.\n"
    "- Within a smaller budget the same holds of changes up to that budget. What reaches a tenth of the range within "
    "fewer 255ths is easier to fool.\n"
    "- Spared: on a few images steps along the gradient led further than a search that asks for scores only, so that "
    "search was not run on the others.\n"
    "- The control is noise of the same size: an attack that raises the score no more has shown nothing. A higher "
    f"{HIGHER} is more robust; of all other scores, the smaller.\n"
)


def to_markdown(board: Leaderboard) -> str:
    """Returns the leaderboard; the line below the heading says what it was made from."""
    parts = ["# Robustness leaderboard", f"{plain('; '.join(board.captions)) or 'No cell is on the leaderboard'}."]
    for section in board.sections:
        parts += _section(section)
    parts += ["## What is missing, and why", _gaps(board), "## What the numbers mean", MEANING]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    """Yields what is told of a section: its heading, then each part that has something to tell."""
    yield f"## {plain(section.title)}"
    for part in (_ranking, _best_known, _curves, _scores, _falls, _variants, _agreement, _spared, _flags):
        yield from part(section)


def _ranking(section: Section) -> Iterator[str]:
    yield "Absolute gain:"
    attacks = [name + (f" ({CONTROL})" if family == CONTROL else "") for name, family in section.attacks.items()]
    yield table(
        ["rank", "metric", "worst case", *(f"family {family}" for family in section.families), *attacks],
        [
            [
                str(standing.rank or "n/a"),
                f"{standing.metric}: {standing.title}",
                f"**{_gain(standing.effects.worst)}**",
                *(_found(section, standing, standing.effects.families, family) for family in section.families),
                *(_found(section, standing, standing.effects.attacks, attack) for attack in section.attacks),
            ]
            for standing in section.standings
        ],
    )


def _best_known(section: Section) -> Iterator[str]:
    known = [(standing, best) for standing in section.standings if (best := standing.effects.best_known)]
    if known:
        yield (
            "Best known: with images that somebody sent in and that beat the suite (absolute gain; they do not rank):"
        )
        yield table(
            ["metric", "suite", "best known", "by, on images"],
            [
                [
                    standing.metric,
                    _gain(standing.effects.worst),
                    f"**{_gain(best.effect)}**",
                    ", ".join(f"{attack} ({images})" for attack, images in best.origins.items()),
                ]
                for standing, best in known
            ],
        )


def _curves(section: Section) -> Iterator[str]:
    """Yields the table of the security curves."""
    if not section.budgets:
        return
    yield (
        "Within smaller budgets (absolute gain of the worst case, and the rank there); the mean over all budgets; and "
        "the smallest budget, in 255ths, that moves the score by a tenth of its range, with its 95 % interval:"
    )
    yield table(
        ["metric", *(f"{budget}/255" for budget in section.budgets), "mean", "budget for 0.1"],
        [
            [
                standing.metric,
                *(
                    f"{_gain(effect)} ({standing.ranks.within.get(budget, 'n/a')})"
                    for budget, effect in curve.effects.items()
                ),
                with_margin(curve.area.value, curve.area[1:]),
                budget_with_ends(curve.smallest, section.budgets[-1]),
            ]
            for standing in section.standings
            if (curve := standing.effects.curve)
        ],
    )


def _scores(section: Section) -> Iterator[str]:
    yield "All scores of the worst case:"
    yield table(
        ["rank", "metric", "images", *(score.title for score in SCORES.values()), "scaled by"],
        [
            [
                str(standing.rank or "n/a"),
                standing.metric,
                str(worst.n),
                *(with_margin(worst.scores[name], worst.intervals[name]) for name in SCORES),
                f"{standing.scale.low:.6g} to {standing.scale.high:.6g}, {standing.scale.source}",
            ]
            for standing in section.standings
            if (worst := standing.effects.worst) and standing.scale
        ],
    )


def _falls(section: Section) -> Iterator[str]:
    fallen = sorted((each.ranks.fall or math.inf, each.metric, each) for each in section.standings if each.swing)
    if fallen:
        yield (
            "Worse: how far attacks that are to lower the score do so within 10/255 (absolute gain, the smallest fall "
            "first), and how far a score can be moved at all:"
        )
        yield table(
            ["rank", "metric", "largest fall", "largest rise", "swing"],
            [
                [
                    str(standing.ranks.fall or "n/a"),
                    standing.metric,
                    f"**{_gain(standing.effects.fall)}**",
                    _gain(standing.effects.worst),
                    with_margin(standing.swing.value, standing.swing[1:]) if standing.swing else "n/a",
                ]
                for *_, standing in fallen
            ],
        )


def _variants(section: Section) -> Iterator[str]:
    named = {name for standing in section.standings for name in standing.effects.variants}
    variants = sorted(name for name in named if not BUDGET_VARIANT.fullmatch(name.partition(":")[2]))
    if variants:
        yield "Other settings (absolute gain; of the worst case where they stay within 10/255):"
        yield table(
            ["metric", *variants],
            [
                [standing.metric, *(_gain(standing.effects.variants.get(name)) for name in variants)]
                for standing in section.standings
            ],
        )


def _agreement(section: Section) -> Iterator[str]:
    rated = [standing for standing in section.standings if standing.opinions]
    if rated:
        yield "Agreement with the opinions of people, who saw the clear images (SROCC / PLCC, 1 is best):"
        yield table(
            ["metric", "clear", *section.attacks],
            [[standing.metric, *_opinions(standing, section.attacks)] for standing in rated],
        )


def _spared(section: Section) -> Iterator[str]:
    spared = [
        f"- {standing.metric}: {attack}: {plain(reason)}"
        for standing in section.standings
        for attack, reason in standing.spared.items()
    ]
    if spared:
        yield "Spared, since they were not needed:"
        yield "\n".join(spared)


def _flags(section: Section) -> Iterator[str]:
    flags = [f"- {standing.metric}: {plain(str(flag))}" for standing in section.standings for flag in standing.flags]
    if flags:
        yield "To be read with care:"
        yield "\n".join(flags)


def _found(section: Section, standing: Standing, effects: Mapping[str, Effect], name: str) -> str:
    return _gain(effects[name]) if name in effects else standing.absent(section.attacks_of(name))


def _opinions(standing: Standing, attacks: Iterable[str]) -> Iterator[str]:
    """Yields the correlations of clear scores, then those of scores under each attack."""
    first = next(iter(standing.opinions.values()))
    for moment, found in (("clear", first), *(("attacked", standing.opinions.get(attack)) for attack in attacks)):
        values = [found[f"{name}_{moment}"] for name in ("srocc", "plcc")] if found else [math.nan]
        yield " / ".join(f"{value:.3f}" for value in values) if math.isfinite(values[0]) else "n/a"


def _gaps(board: Leaderboard) -> str:
    if not board.gaps:
        return "Nothing."
    return table(
        ["metric", "attacks", "data set", "status", "why"],
        [[gap.metric, gap.attack, gap.dataset or "n/a", gap.status, gap.reason] for gap in board.gaps_by_reason],
    )


def _gain(effect: Effect | None) -> str:
    return with_margin(effect.scores["absolute_gain"], effect.intervals["absolute_gain"]) if effect else "n/a"
