"""Weights that a metric loads: whether they are here, or can be fetched."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from functools import cache

from pipeline.catalog import Entry

HUB = "https://huggingface.co"  # where pyiqa and timm keep theirs


def missing(entry: Entry) -> str:
    """Returns why a metric cannot load its weights, or nothing when they are here or can be fetched at first use."""
    absent = entry.missing_weights()
    if not absent:
        return ""
    if any(weight.startswith("weights/") for weight in absent):
        return f"{absent[0]} is missing from the checkout: restore it with git"
    if reason := offline():
        return f"weights missing ({', '.join(absent)}) and {reason}: fetch them on a machine with a network"
    return ""


@cache
def offline() -> str:
    """Returns why nothing can be downloaded, or nothing; asked once per process."""
    if os.environ.get("HF_HUB_OFFLINE", "") not in {"", "0"}:
        return "HF_HUB_OFFLINE is set"
    try:
        request = urllib.request.Request(HUB, method="HEAD")
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310  # a fixed https address
            return ""
    except urllib.error.HTTPError:
        return ""  # it answered
    except (OSError, ValueError):
        return "there is no network"
