"""The weights that an entry loads: whether they are here or can be fetched; fetches them."""

from __future__ import annotations

import urllib.error
import urllib.request
from functools import cache

from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.weights.declared import choose
from metric_robustness.pipeline.weights.fetching import Fetcher
from metric_robustness.pipeline.weights.lines import FetchLines
from metric_robustness.pipeline.weights.network import forbidden_by, hub


def missing(entry: Entry) -> str:
    """Returns why an entry cannot load its weights; empty when they are here or can be fetched at first use."""
    absent = entry.missing_weights()
    if not absent:
        return ""
    if entry.network.trained and entry.network.fields["weights"][-1] in absent:
        return f"{entry.network.name} was not trained yet: see python -m pipeline train --help"
    if any(weight.startswith("weights/") for weight in absent):
        lost = next(weight for weight in absent if weight.startswith("weights/"))
        return f"{lost} is missing from the checkout: put the file into {entry.folder}/weights, or restore it with git"
    if reason := offline():
        names = " ".join(part.name for part in entry.parts)
        return (
            f"weights missing ({', '.join(absent)}) and {reason}: run python -m pipeline weights fetch {names} "
            "where there is a network, or with --mirror FOLDER"
        )
    return ""


def provide(entry: Entry) -> str:
    """Fetches and checks the weights of an entry that are not here; returns why that failed, empty if it did not.

    The entry's library could fetch them too, but without a check, without a mirror, and with a traceback.
    """
    return "; ".join(filter(None, (_fetch(part.name) for part in entry.parts if part.missing_weights())))


@cache
def _fetch(name: str) -> str:
    """Fetches what one entry needs; remembers a failure, so that a run asks once per metric and not once per cell."""
    needs = [need for need in choose([name]) if not need.here]
    try:
        lines = FetchLines(len(needs))
        results = Fetcher(on_progress=lines.on_progress).fetch(needs, len(needs), lines.on_result)
    except BenchError as error:
        return str(error)
    return "; ".join(result.reason for result in results if result.status == "failed")


@cache
def offline() -> str:
    """Returns why nothing can be downloaded, empty if something can; asks the network once per process."""
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
