"""Weights that a metric loads: whether they are here, or can be fetched."""

from __future__ import annotations

import urllib.error
import urllib.request
from functools import cache

from pipeline.catalogue.entry import Entry
from pipeline.errors import BenchError
from pipeline.weights.declared import choose
from pipeline.weights.display import Lines
from pipeline.weights.fetching import Fetcher
from pipeline.weights.network import forbidden_by, hub


def missing(entry: Entry) -> str:
    """Returns why an entry cannot load its weights, or nothing when they are here or can be fetched at first use."""
    absent = entry.missing_weights()
    if not absent:
        return ""
    if entry.network.trained and entry.network.fields["weights"][-1] in absent:
        return f"{entry.network.name} was not trained yet: see python -m pipeline train --help"
    if any(weight.startswith("weights/") for weight in absent):
        return f"{absent[0]} is missing from the checkout: restore it with git"
    if reason := offline():
        names = " ".join(part.name for part in entry.parts)
        return (
            f"weights missing ({', '.join(absent)}) and {reason}: run python -m pipeline weights fetch {names} "
            "where there is a network, or with --mirror FOLDER"
        )
    return ""


def provide(entry: Entry) -> str:
    """Fetches the weights of a metric that are not here, checked; returns why that failed, or nothing.

    What the library of a metric would fetch by itself comes unchecked, never from a mirror, and fails in its own words.
    """
    return "; ".join(filter(None, (_fetch(part.name) for part in entry.parts if part.missing_weights())))


@cache
def _fetch(name: str) -> str:
    """Fetches what one entry needs; a failure is kept, so that a run asks once per metric and not once per cell."""
    needs = [need for need in choose([name]) if not need.here]
    try:
        shown = Lines(len(needs))
        results = Fetcher(told=shown.hear).fetch(
            needs, len(needs), lambda result: shown.finish(result.need, result.line)
        )
    except BenchError as error:
        return str(error)
    return "; ".join(result.reason for result in results if result.status == "failed")


@cache
def offline() -> str:
    """Returns why nothing can be downloaded, or nothing; asked once per process."""
    if variable := forbidden_by():
        return f"{variable} is set"
    try:
        request = urllib.request.Request(hub(), method="HEAD")  # noqa: S310  # the hub's address, or the user's own
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return ""
    except urllib.error.HTTPError:
        return ""  # it answered
    except (OSError, ValueError):
        return "there is no network"
