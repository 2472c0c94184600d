"""What a page loads when a reader asks for it: columns, curves, lists and points in files beside it.

From `file://` a page can read no file but scripts, so each of these files is one that hands its content over. What is
shown is a piece of HTML that a template wrote, escaped as in every page; what is drawn is JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metric_robustness.pipeline.scoring.board.leaderboard import Leaderboard
from metric_robustness.pipeline.site.addresses import address
from metric_robustness.pipeline.site.pages import Pages
from metric_robustness.pipeline.site.views import View

FOLDER = "details"
LONG = 40  # lines; a list beneath the ranking that is longer stands in a file of its own


def of_ranking(pages: Pages, board: Leaderboard, views: Sequence[View]) -> list[dict[str, str]]:
    """Writes what the ranking does not show at first; returns by section where it is, a path by name.

    `more` and `attacks` are columns beside the worst case, the name of a view is its columns, and `curves` are the
    security curves as small multiples.
    """
    found: list[dict[str, str]] = []
    for index, section in enumerate(board.sections, 1):
        parts = {"more": "ranking_more.html", "attacks": "ranking_attacks.html"}
        if section.budgets:
            parts["curves"] = "ranking_curves.html"
        known: dict[str, Any] = {"section": section, "index": index}
        told = {name: pages.render(template, **known) for name, template in parts.items()}
        told |= {view.name: pages.render("ranking_view.html", view=view, **known) for view in views if view.name}
        found.append({name: pages.write_detail(f"{FOLDER}/ranking-{index}-{name}.js", told[name]) for name in told})
    return found


def of_lists(pages: Pages, **lists: Sequence[Any]) -> dict[str, str]:
    """Writes those of the lists beneath the ranking that are long, and returns where they are, by their keyword.

    `flagged` and `sparing` are standings, `gaps` are gaps of the board.
    """
    return {
        name: pages.write_detail(f"{FOLDER}/ranking-{name}.js", pages.render(f"ranking_{name}.html", **{name: lines}))
        for name, lines in lists.items()
        if len(lines) > LONG
    }


def of_metric(metric: str, section: int, what: str) -> str:
    """Returns where a detail of a metric's page is: `what` of its section of that number."""
    return f"{address(f'{FOLDER}/metrics', metric).removesuffix('.html')}-{section}-{what}.js"
