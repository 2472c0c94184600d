"""The numbers of a record, per image and per resample: most of its space, and few that read it ask for them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import pandas as pd
from pydantic import PlainSerializer, PlainValidator

from metric_robustness.pipeline.errors import TransientError
from metric_robustness.pipeline.files import read_sealed, write_sealed
from metric_robustness.pipeline.scoring.scores.effects import names_of, pairs_of
from metric_robustness.pipeline.scoring.scores.overtaken import Truth
from metric_robustness.pipeline.scoring.scores.robustness import Values

COLUMNS = ("before", "after", "linf")  # of the score pairs, beside the names

Listed = tuple[tuple[str, ...], tuple[str, ...]]  # the names of images, and of their clips


@dataclass(frozen=True)
class Numbers:
    """What the rows of a record come to, per image and per resample."""

    pairs: pd.DataFrame  # of `effects.score_pairs`
    gains: Values  # the absolute gain in every resample, (resamples,)
    truth: Truth | None = None  # which images are better; None where the data set does not know

    def load(self) -> Numbers:
        """Returns these numbers."""
        return self


@dataclass(frozen=True)
class CachedNumbers:
    """The place of a record's numbers in a file of the record cache, from which each use reads them."""

    file: Path
    about: str  # what the file is sealed to be about
    name: str  # of the record

    def load(self) -> Numbers:
        """Returns the numbers.

        Raises:
            TransientError: If another process has written the file since the record was read.
        """
        return _read(self.file, self.about)[self.name]


# JSON leaves them out: whoever reads it knows the place.
Source: TypeAlias = Annotated[
    Numbers | CachedNumbers,
    PlainValidator(lambda _: CachedNumbers(Path(), "", "")),
    PlainSerializer(lambda _: None, return_type=None),
]


def write_numbers(path: Path, about: str, found: Mapping[str, Numbers]) -> None:
    """Writes the numbers of a metric's records, by the records' names, to one file.

    Image names are stored once for all records that have the same images, because they take most of the space.

    Raises:
        BenchError: If it cannot be written.
    """
    names: dict[Listed, int] = {}
    index, arrays = {}, [np.empty(0)]
    for name, numbers in found.items():
        own = (tuple(numbers.pairs.index.tolist()), tuple(numbers.pairs["clip"].tolist()))
        truth = numbers.truth
        index[name] = (names.setdefault(own, len(names)), len(numbers.gains), None if truth is None else truth.rungs)
        arrays += [numbers.pairs[column].to_numpy() for column in COLUMNS]
        arrays += [numbers.gains] if truth is None else [numbers.gains, truth.places]
    text = np.frombuffer(json.dumps({"names": list(names), "records": index}).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, index=text, numbers=np.concatenate(arrays))  # each array costs as much as a thousand numbers
    write_sealed(path, packed.getvalue(), about)


@lru_cache(maxsize=1)  # the records of a metric are asked one after the other
def _read(path: Path, about: str) -> Mapping[str, Numbers]:
    """Returns the numbers of a metric's records, by the records' names; takes and raises what `CachedNumbers` does."""
    content = read_sealed(path, about)
    if content is None:
        raise TransientError(f"{path} was changed while tables were made from it: run again")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        index, numbers = json.loads(file["index"].tobytes()), file["numbers"]
    names = [names_of(tuple(images), tuple(clips)) for images, clips in index["names"]]
    found, start = {}, 0
    for name, (which, resamples, rungs) in index["records"].items():
        images = len(names[which].images)
        sizes = [images, images, images, resamples, 0 if rungs is None else images]
        ends = np.cumsum(sizes) + start
        *pairs, gains, places = np.split(numbers[start : ends[-1]], ends[:-1] - start)
        found[name] = Numbers(pairs_of(names[which], *pairs), gains, None if rungs is None else Truth(places, rungs))
        start = ends[-1]
    return found
