"""Writes docs/metrics.md: every metric of the catalogue in one table, from the syntax trees alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.catalog import ROOT, Entry, entries
from pipeline.files import write_atomically
from pipeline.scoring.markdown import table

PAGE = ROOT / "docs" / "metrics.md"
HEAD = """# Metrics

Written by `python -m pipeline catalogue` from the metrics' own files; a test compares the two.

- *range* is that of ordinary images, until `results/ranges.csv` holds a measured one.
- *access*: `white` offers a gradient to the image; with `black` only attacks that ask for scores are run.
- *cost*: `heavy` takes over a second for one gradient at 299x299 on 2 cores; the GPU memory is what one job asks for.
- *verified* tells what the scores were compared with; `unverified`: neither published scores nor weights were at hand.
"""
COLUMNS = ("metric", "kind", "better", "range", "trained on", "access", "cost", "licence", "verified")


def write() -> Path:
    """Writes docs/metrics.md anew and returns its path."""
    PAGE.parent.mkdir(exist_ok=True)
    write_atomically(PAGE, page())
    return PAGE


def page() -> str:
    """Returns the text of docs/metrics.md."""
    metrics = [entry for entry in entries("metrics").values() if not entry.problem]
    unverified = sum(not entry.fields.get("verified") for entry in metrics)
    counts = {kind: sum(entry.kind == kind for entry in metrics) for kind in ("NR", "FR", "video")}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    count = f"{len(metrics)} metrics: {told}; {unverified} of them unverified.\n"
    return f"{HEAD}\n{count}\n{table(COLUMNS, [row(entry) for entry in metrics])}"


def row(entry: Entry) -> tuple[str, ...]:
    """Returns a metric's line, one text per column."""
    fields: dict[str, Any] = entry.fields
    low, high = fields["score_range"]
    access = "white" if fields.get("differentiable", True) else "black"
    alone = ", one by one" if fields.get("batch_dependent") else ""
    random = ", random" if fields.get("random") else ""
    return (
        entry.name,
        entry.kind,
        "higher" if fields["higher_is_better"] else "lower",
        f"{low:g} to {high:g}",
        fields.get("trained_on", ""),
        f"{access}{alone}{random}",
        f"{fields.get('cost', 'light')}, {fields.get('gpu_memory', 8)} GB",
        fields.get("licence", ""),
        fields.get("verified", "") or "unverified",
    )
