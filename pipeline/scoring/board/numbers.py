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
    index, arrays = {}, {}
    for name, numbers in found.items():
        own = (tuple(numbers.pairs.index.tolist()), tuple(numbers.pairs["clip"].tolist()))
        index[name] = names.setdefault(own, len(names)), bool(numbers.truth and numbers.truth.rungs)
        arrays[f"{name}/pairs"] = np.stack([numbers.pairs[column].to_numpy() for column in COLUMNS])
        arrays[f"{name}/gains"] = numbers.gains
        if numbers.truth:
            arrays[f"{name}/places"] = numbers.truth.places
    text = np.frombuffer(json.dumps({"names": list(names), "records": index}).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, index=text, **arrays)  # type: ignore[arg-type]  # the stubs take arrays for options
    write_sealed(path, packed.getvalue(), about)


@lru_cache(maxsize=1)  # the records of a metric are asked one after the other
def _read(path: Path, about: str) -> Mapping[str, Numbers]:
    """Returns the numbers of a metric's records, by the records' names; takes and raises what `CachedNumbers` does."""
    content = read_sealed(path, about)
    if content is None:
        raise TransientError(f"{path} was changed while tables were made from it: run again")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        index = json.loads(file["index"].tobytes())
        names = [names_of(tuple(images), tuple(clips)) for images, clips in index["names"]]
        found = {}
        for name, (which, rungs) in index["records"].items():
            pairs = pairs_of(names[which], *file[f"{name}/pairs"])
            truth = Truth(file[f"{name}/places"], rungs) if f"{name}/places" in file else None
            found[name] = Numbers(pairs, file[f"{name}/gains"], truth)
    return found
