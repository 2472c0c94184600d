"""Retention: which objects of the result store may go, and why each goes or stays.

Whether a result is wanted, the plan of a night says. How long nobody wanted it, no date of the store tells: a result of
last year may have been wanted until yesterday. So each prune notes in the store since when it sees a result unwanted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from metric_robustness.pipeline.errors import printable
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.store.store import CONNECTIONS, Kind, Place, RefusedError, Store, Upload
from metric_robustness.pipeline.terminal import err

NOTE = Place("unwanted", digest(b"unwanted")[:32], "since.json")
RESULTS = {"cells", "clear", "fits"}  # kinds that a plan wants, or does not

Since = dict[str, str]  # KIND/KEY -> the day on which it was first seen unwanted


class Retention(NamedTuple):
    """How long what nobody needs is kept."""

    unfinished: int = 14  # days since the last upload
    unwanted: int = 90  # days since a plan last wanted it


class Fate(NamedTuple):
    """What happens to an upload, and why."""

    upload: Upload
    goes: bool
    reason: str


class StorePart(NamedTuple):
    """The uploads of one kind that have one fate for one reason."""

    kind: Kind
    goes: bool
    reason: str
    uploads: int
    size: int  # bytes


@dataclass(frozen=True)
class Prune:
    """What goes from a store, and what stays."""

    fates: list[Fate]
    since: Since  # of all unwanted results, also of those that go: an interrupted prune can be repeated
    noted: bool  # whether the store knows this already

    @property
    def going(self) -> list[Upload]:
        """Returns the uploads that go."""
        return [fate.upload for fate in self.fates if fate.goes]

    @property
    def parts(self) -> list[StorePart]:
        """Returns how many uploads and bytes go or stay, by kind and reason; those that go stand first."""
        count: Counter[tuple[Kind, bool, str]] = Counter()
        size: Counter[tuple[Kind, bool, str]] = Counter()
        for upload, goes, reason in self.fates:
            count[upload.place.kind, goes, reason] += 1
            size[upload.place.kind, goes, reason] += upload.size
        ordered = sorted(count, key=lambda part: (not part[1], part[0], part[2]))
        return [StorePart(*part, count[part], size[part]) for part in ordered]

    def carry_out(self, store: Store) -> None:
        """Notes since when results are unwanted, then removes what goes; may be repeated where it was interrupted.

        Raises:
            BenchError: If the store lets nothing be removed.
            TransientError: If the store cannot be reached.
        """
        if not self.noted:
            store.write(NOTE, json.dumps(self.since, sort_keys=True).encode())
        ordered = sorted(self.going, key=lambda upload: upload.place)
        groups = [list(group) for _, group in groupby(ordered, key=lambda upload: upload.place[:2])]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            for _ in pool.map(store.remove, groups):
                pass


def plan_prune(
    store: Store,
    wanted: AbstractSet[tuple[Kind, str]] | None,
    now: datetime,
    retention: Retention = Retention(),  # noqa: B008  # it cannot be changed
) -> Prune:
    """Decides about all uploads of a store; changes nothing.

    Args:
        store: The store.
        wanted: The kinds and keys that a plan or published tables need; None if no plan is given: then results stay.
        now: The time.
        retention: How long what nobody needs is kept.

    Raises:
        BenchError: If the store may not be listed.
        TransientError: If it cannot be reached.
    """
    uploads = store.uploads()
    newest = {upload.place: upload for upload in uploads}
    before = _noted(store) if NOTE in newest else {}
    today = now.astimezone(UTC).date()
    unwanted = {
        f"{place.kind}/{place.key}": before.get(f"{place.kind}/{place.key}", today.isoformat())
        for place in newest
        if wanted is not None and place.kind in RESULTS and place[:2] not in wanted
    }
    rules = _Rules(wanted, unwanted, now, today, retention)
    fates = [
        rules.of(upload) if upload is newest[upload.place] else Fate(upload, True, "replaced by a newer upload")
        for upload in uploads
    ]
    since = before if wanted is None else unwanted
    return Prune(fates, since, noted=since == before)


class _Rules(NamedTuple):
    wanted: AbstractSet[tuple[Kind, str]] | None
    unwanted: Mapping[str, str]
    now: datetime
    today: date
    retention: Retention

    def of(self, upload: Upload) -> Fate:
        """Returns the fate of an object's newest upload."""
        kind = upload.place.kind
        if kind == "unfinished":
            return self._unfinished(upload)
        if kind not in RESULTS:
            return Fate(upload, False, "a note of the benchmark")
        if self.wanted is None:
            return Fate(upload, False, "no --plan says what is wanted")
        if (since := self.unwanted.get(f"{kind}/{upload.place.key}")) is None:
            return Fate(upload, False, "the plan or the published tables need it")
        days = self.retention.unwanted
        if self.today - date.fromisoformat(since) >= timedelta(days=days):
            return Fate(upload, True, f"wanted by no plan for {days} days")
        return Fate(upload, False, f"wanted by no plan, but for less than {days} days")

    def _unfinished(self, upload: Upload) -> Fate:
        days = self.retention.unfinished
        if self.now.timestamp() - upload.when < timedelta(days=days).total_seconds():
            return Fate(upload, False, f"work of the last {days} days")
        if self.wanted and upload.place[:2] in self.wanted:
            return Fate(upload, False, "the plan continues it")
        return Fate(upload, True, f"unfinished for {days} days")


def _noted(store: Store) -> Since:
    """Returns what earlier prunes noted; nothing where that cannot be believed, so that the days are counted anew."""
    try:
        content = store.read(NOTE)
        return dict(_days(json.loads(content or b"{}")))
    except (RefusedError, ValueError, AttributeError) as error:
        err.print(f"{NOTE} counts anew: {printable(str(error))}", markup=False, soft_wrap=True)
        return {}


def _days(found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, day in found.items():
        yield str(name), date.fromisoformat(day).isoformat()
