"""Facts about weight files for their list: who needs them, what the manifest knows of them, whether they are here."""

from __future__ import annotations

from typing import Any

from metric_robustness.pipeline.weights import sums
from metric_robustness.pipeline.weights.declared import Need


def records(needs: list[Need]) -> list[dict[str, Any]]:
    """Returns a JSON record per file; `size` is in bytes, and of a missing file what the manifest says."""
    pins = sums.read(sums.pins_file())
    return [
        {
            "name": need.name,
            "entries": list(need.entries),
            "here": need.here,
            "path": str(need.path),
            "size": need.path.stat().st_size if need.here else need.weight.size,
            "url": need.weight.url,
            "sha256": need.weight.sha256,
            "sha256_begins": need.weight.prefix,
            "pinned": pins.get(need.name, ""),
            "licence": need.weight.licence,
            "whole_repository": need.weight.whole_repository,
        }
        for need in needs
    ]
