"""The list of weight files: which entries need them, what is known of them, and whether they are here."""

from __future__ import annotations

from typing import Any

from rich.markup import escape
from rich.table import Table

from pipeline.weights import sums
from pipeline.weights.declared import Need


def records(needs: list[Need]) -> list[dict[str, Any]]:
    """Returns a record per file for programs; `size` is in bytes, and of a missing file what the manifest says."""
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


def table(found: list[dict[str, Any]]) -> Table:
    """Returns the same for people; licences are numbered, see `licences`."""
    numbers = list(licences(found).values())
    shown = Table(box=None, pad_edge=False)
    for column in ("", "sha256", "licence", "needed by"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("MB", justify="right", no_wrap=True)
    shown.add_column("file", overflow="fold")
    for record in found:
        first, *others = record["entries"]
        shown.add_row(
            "[green]here" if record["here"] else "[yellow]missing",
            _hash(record),
            f"({numbers.index(record['licence']) + 1})",
            f"{first} +{len(others)}" if others else first,
            "" if record["size"] is None else f"{record['size'] / 1e6:.1f}",
            escape(record["name"]) + (" and all beside it" if record["whole_repository"] else ""),
        )
    return shown


def licences(found: list[dict[str, Any]]) -> dict[str, str]:
    """Returns the licences by number, in the order of the list."""
    return {f"({number})": text for number, text in enumerate(dict.fromkeys(item["licence"] for item in found), 1)}


def _hash(record: dict[str, Any]) -> str:
    """Returns how a file is checked, in a word."""
    if record["sha256"]:
        return "known"
    if record["pinned"]:
        return "pinned"
    return "in its name" if record["sha256_begins"] else "at first use"
