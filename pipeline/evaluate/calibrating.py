"""Calibrates metrics one after the other, tells their ranges, and keeps these where asked to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pipeline.catalog import Entry
from pipeline.ci.stores import open_store
from pipeline.config import Preset
from pipeline.errors import DataError
from pipeline.evaluate.calibrate import Clear, calibrate
from pipeline.files import write_atomically
from pipeline.scoring.leaderboard import FEW
from pipeline.scoring.ranges import Source, as_csv, line_of, read_lines
from pipeline.terminal import err, out


def calibrate_all(
    entries: Iterable[Entry], preset: Preset, folder: Path, *, device: str, store: str = "", ranges: Path | None = None
) -> bool:
    """Scores the clear images for each metric; one that cannot be calibrated is named, and the others go on.

    Args:
        entries: The metrics.
        preset: Its data sets are scored.
        folder: An output folder of `run`.
        device: cpu or cuda.
        store: Where the scores are kept too, or nothing.
        ranges: The ranges.csv whose lines of these metrics are replaced, or None.

    Returns:
        Whether all were calibrated.
    """
    kept = open_store(store) if store else None
    failed = False
    for entry in entries:
        try:
            with err.status(f"{entry.name}: scoring the clear images"):
                found = calibrate(entry.name, preset, folder, device, kept)
        except DataError as error:
            err.print(f"error: {error}", markup=False, soft_wrap=True)
            failed = True
            continue
        for clear in found:
            kind = clear.dataset + ("" if clear.jpeg is None else f", jpeg={clear.jpeg}")
            out.print(f"{entry.name} on {kind}: {clear.low:.6g} to {clear.high:.6g}, {clear.images} images")
            for photo, reason in clear.excluded.items():
                err.print(f"left out: {photo}: {reason}", markup=False, soft_wrap=True)
        if ranges:
            _keep(entry, found, ranges)
    return not failed


def _keep(entry: Entry, found: list[Clear], ranges: Path) -> None:
    """Replaces a metric's line, and tells how the range differs from the declared one."""
    if entry.full_reference:
        err.print(f"{entry.name} keeps its declared range: its clear image is the reference, compressed", markup=False)
        return
    clear = next((each for each in found if each.images >= FEW and each.low < each.high), None)
    if clear is None:
        err.print(f"{entry.name} keeps the range it has: {FEW} images or more of one set measure one", markup=False)
        return
    today = datetime.now(UTC).date().isoformat()
    source = Source(clear.images, clear.dataset, clear.digest, today)
    line = line_of(entry.name, (clear.low, clear.high), entry.fields["score_range"], source)
    write_atomically(ranges, as_csv({**read_lines(ranges), entry.name: line}.values()))
    out.print(
        f"  declared: {line.declared_low} to {line.declared_high}"
        + (f"; it {line.difference}" if line.difference else ""),
        markup=False,
        soft_wrap=True,
    )
