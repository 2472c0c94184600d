"""The record of a finished unit of a pass: a batch of images, or a clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from typing_extensions import TypedDict  # pydantic checks no other before Python 3.12

Seconds: TypeAlias = dict[str, tuple[float, int]]  # defence -> the seconds that it took, and for how many images


class UnitRecord(TypedDict):
    """What a checkpoint holds of a finished unit."""

    rows: list[dict[str, str]]
    flaws: dict[str, int]  # of how many images some gradient was zero, or not finite
    excluded: dict[str, str]  # image, or clip -> reason
    seconds: float
    purified: Seconds
    saved: dict[str, str]  # image file below the output folder -> its sha256


def empty_record(excluded: Mapping[str, str] | None = None) -> UnitRecord:
    """Returns a record without rows."""
    return UnitRecord(rows=[], flaws={}, excluded=dict(excluded or {}), seconds=0.0, purified={}, saved={})


def add(record: UnitRecord, further: UnitRecord) -> None:
    """Adds further work on the same unit to its record."""
    record["rows"] += further["rows"]
    record["flaws"] = dict(Counter(record["flaws"]) + Counter(further["flaws"]))
    record["excluded"] |= further["excluded"]
    record["seconds"] += further["seconds"]
    add_seconds(record["purified"], further["purified"])


def add_seconds(total: Seconds, further: Mapping[str, tuple[float, int]]) -> None:
    """Adds the seconds that defences took, and the number of images."""
    for name, (seconds, images) in further.items():
        before = total.get(name, (0.0, 0))
        total[name] = (before[0] + seconds, before[1] + images)
