"""The page that GitLab Pages shows first: what the tables were made from, and where they are."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from pipeline.scoring.leaderboard import Leaderboard

FILES = {
    "leaderboard.md": "the leaderboard, to read",
    "leaderboard.csv": "the leaderboard, for spreadsheets",
    "leaderboard.json": "the leaderboard, for programs",
    "scores.csv": "every score of every cell, with intervals",
    "ranges.csv": "measured range of every metric",
    "cells.csv": "how every cell ended, and what it took",
    "rows.zip": "every row",
    "SHA256SUMS": "checksums",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Robustness leaderboard</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }}
</style>
<h1>Robustness leaderboard</h1>
<p>{caption}.</p>
<ul>
{files}
</ul>
</html>
"""


def to_html(board: Leaderboard, files: Iterable[str]) -> str:
    """Returns the page; it lists those of the known files that are there."""
    there = set(files)
    items = [f'<li><a href="{name}">{name}</a>: {what}</li>' for name, what in FILES.items() if name in there]
    caption = "; ".join(board.captions) or "No cell is on the leaderboard"
    return PAGE.format(caption=escape(caption), files="\n".join(items))
