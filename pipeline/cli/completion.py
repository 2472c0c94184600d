"""What a shell is told when Tab is pressed: names of entries, read from their files without importing them."""

from __future__ import annotations

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.syntax import FOLDERS


def any_names(incomplete: str) -> list[str]:
    """Returns the names of metrics, attacks and defences that begin so."""
    return [name for folder in FOLDERS for name in lookup.entries(folder) if name.startswith(incomplete)]


def metrics(incomplete: str) -> list[str]:
    """Returns lists of metrics whose last name begins as the last of the list does, which has commas."""
    return _listed("metrics", incomplete)


def attacks(incomplete: str) -> list[str]:
    """Returns lists of attacks whose last name begins as the last of the list does, which has commas."""
    return _listed("attacks", incomplete)


def _listed(folder: str, incomplete: str) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in lookup.entries(folder) if name.startswith(last)]
