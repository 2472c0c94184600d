"""What a metric's cells come to beside each other, kept in the record cache: made anew where one of them changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import TypeAdapter

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest, read_sealed, write_sealed
from metric_robustness.pipeline.scoring.board.numbers import CachedNumbers
from metric_robustness.pipeline.scoring.board.record_cache import EXACT, scoring_code
from metric_robustness.pipeline.scoring.board.records import Record
from metric_robustness.pipeline.scoring.processes import Processes

Result = TypeVar("Result")
Job = tuple[Any, ...]  # the arguments of a call


class Foundation(NamedTuple):
    """What a result stands on."""

    file: Path | None  # that caches the result; None where it must not be cached
    about: str  # the hash of all that the result depends on
    rows: int  # how many rows must be read or resampled where it is not cached, roughly


@dataclass(frozen=True)
class Derived(Generic[Result]):
    """The results of a function of a metric's records, or of its cells."""

    function: Callable[..., Result]  # at the top level of a module
    form: Any  # the type of its result, in a list of one

    def of(self, jobs: Sequence[Job], processes: Processes) -> list[Result]:
        """Returns what the function returns for each job; those whose result is cached are not done again.

        Args:
            jobs: The arguments of each call: a metric's records on one data set, then what JSON can hold, sets, or
                data classes.
            processes: The processes that do the others in parallel where there are many rows.
        """
        return self.at([_foundation(self.function, job) for job in jobs], jobs, processes)

    def at(self, foundations: Sequence[Foundation], jobs: Sequence[Job], processes: Processes) -> list[Result]:
        """Returns what the function returns for each job, whatever its arguments are.

        Args:
            foundations: What each job's result stands on.
            jobs: The arguments of each call.
            processes: As for `of`.
        """
        found = [self._cached(each) for each in foundations]
        left = [i for i, known in enumerate(found) if not known]
        rows = sum(foundations[i].rows for i in left)
        for i, made in zip(left, processes.map(self.function, [jobs[i] for i in left], rows), strict=True):
            found[i] = [made]
            self._cache(foundations[i], made)
        return [result for known in found for result in known]

    def _cached(self, on: Foundation) -> list[Result]:
        """Returns a cached result; nothing if there is none, or it is damaged."""
        with suppress(BenchError):
            if on.file and (content := read_sealed(on.file, on.about)):
                result: list[Result] = _adapter(self.form).validate_json(content)
                return result
        return []

    def _cache(self, on: Foundation, made: Result) -> None:
        with suppress(BenchError):
            if on.file:
                write_sealed(on.file, _adapter(self.form).dump_json([made]), on.about)


def _foundation(function: Callable[..., Any], job: Job) -> Foundation:
    """Returns what the result of a function of a metric's records stands on."""
    records: Sequence[Record] = job[0]
    return Foundation(_file(function, records), _about(function, job), sum(record.n for record in records) // 2)


def _file(function: Callable[..., Any], records: Sequence[Record]) -> Path | None:
    """Returns the file of a result, beside the numbers that it is made from; None where these are not cached."""
    numbers = (record.scored.numbers for record in records if record.scored)
    folder = next((each.file.parent for each in numbers if isinstance(each, CachedNumbers)), None)
    first = records[0]
    name = digest(json.dumps([first.metric, first.dataset, first.kind, first.differentiable]).encode())[:16]
    return folder / f"{function.__name__}-{name}.derived" if folder else None


def _about(function: Callable[..., Any], job: Job) -> str:
    """Returns the hash of all that a result depends on: the code, and the job.

    The stamp of a record holds its CSV's hash, so that the record stands for its rows.
    """
    return f"{function.__name__} {digest(json.dumps([scoring_code(), job], default=_told).encode())}"


def _told(value: Any) -> Any:
    """Returns what JSON can hold in place of a value."""
    if isinstance(value, Record):
        return _adapter(list[Record]).dump_json([value], exclude={"__all__": {"path"}}).decode()
    if isinstance(value, frozenset):
        return sorted(value)
    return dict(value) if isinstance(value, Mapping) else vars(value)


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form, config=EXACT)
