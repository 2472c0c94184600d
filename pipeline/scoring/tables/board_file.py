"""Reads leaderboard.json, for what is shown or drawn of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from metric_robustness.pipeline import places
from metric_robustness.pipeline.errors import BenchError, DataError

Facts = dict[str, Any]  # as leaderboard.json holds them
ABOUT = ("dataset", "kind", "gradients", "title", "preset", "images", "note", "detectable", "budgets")
OF_SECTION = {"title", "gradients", "budgets", "p_better", "metrics", "attacks"}
OF_METRIC = {"worst_on", "curve", "fall_rank", "fall", "swing", "spared"}


def default_folder() -> Path:
    """Returns the one folder of tables below build/, or results/ where there is none.

    Raises:
        BenchError: If there are several: the newest need not be the one that is meant.
    """
    built = sorted(file.parent for file in (places.project() / "build").glob("*/leaderboard.json"))
    if len(built) > 1:
        named = ", ".join(os.path.relpath(folder) for folder in built)
        raise BenchError(f"there must be one folder to read; there are {named}: name one with --from")
    return built[0] if built else places.results()


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
        known = all(section.keys() >= OF_SECTION for section in sections)
        known = known and all(metric.keys() >= OF_METRIC for section in sections for metric in section["metrics"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} must be a leaderboard of ours; it cannot be read ({error}): write it again") from error
    if not known:
        raise DataError(f"{path} must be of this version; it is of an older one: write it again with run")
    return board


def about(section: Facts) -> Facts:
    """Returns what holds for a section as a whole."""
    return {name: section[name] for name in ABOUT}
