"""What lies finished in a run folder, and what a further run there may do to it: a rerun adds, and replaces nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cells.stamp import DatasetFacts, Stamp
from metric_robustness.pipeline.errors import BenchError

REMEDY = "choose another --out, or add --replace"


def finished(out: Path) -> dict[Path, Stamp]:
    """Returns the stamps of the finished cells of a run folder, by the paths of their rows."""
    csvs = [path.with_suffix(".csv") for path in sorted(out.glob("[!.]*/[!.]*.json"))]
    return {csv: stamp for csv in csvs if (stamp := is_finished(csv))}


def is_finished(csv: Path) -> Stamp | None:
    """Returns the stamp of a cell that has finished rows; None for any other."""
    stamp = Stamp.read(csv.with_suffix(".json"))
    return stamp if stamp and stamp.status == "done" and csv.is_file() else None


def names_there(there: Mapping[Path, Stamp]) -> dict[str, set[str]]:
    """Returns what a folder's rows call the data sets and training sets of each digest."""
    found: dict[str, set[str]] = {}
    for facts in (facts for stamp in there.values() for facts in _all(stamp)):
        found.setdefault(facts.digest, set()).add(facts.name)
    return found


def with_what_is_there(cell: Cell, there: Mapping[Path, Stamp], out: Path) -> Cell:
    """Returns the cell with the variants, budgets, distortions and defences of its finished rows, too.

    So a run that asks for fewer finds all done, and one that asks for others makes both.
    """
    stamp = there.get(cell.csv(out))
    if stamp is None:
        return cell
    asked, own = cell.settings, stamp.settings
    settings = replace(
        asked,
        variants=_variants(cell, own.get("variants", False)),
        budgets=tuple(sorted({*own.get("budgets", ()), *asked.budgets})),
        distortions=tuple(dict.fromkeys([*map(Distortion.of, own.get("jpeg", ())), *asked.distortions])),
        defences=tuple(dict.fromkeys([*own.get("defences", ()), *asked.defences])),
    )
    return replace(cell, settings=settings)


def _variants(cell: Cell, there: bool | list[str]) -> bool | tuple[str, ...]:
    """Returns which variants of the attack are run, so that those of the finished rows are among them."""
    asked, own = cell.settings, Settings(there if isinstance(there, bool) else tuple(there))
    known = cell.attack.fields.get("variants", ())
    if all(own.takes(variant) for variant in known if asked.takes(variant)):
        return own.variants
    if isinstance(own.variants, bool) or isinstance(asked.variants, bool):
        return True if own.variants else asked.variants
    return tuple(dict.fromkeys([*own.variants, *asked.variants]))


def require_kept(
    cells: Sequence[Cell],
    there: Mapping[Path, Stamp],
    out: Path,
    remedy: str = REMEDY,
    parts: Container[tuple[str, str]] = (),
) -> None:
    """Refuses a run that would replace finished rows of other images or settings, or stand beside rows of a namesake.

    Args:
        cells: The cells of the run.
        there: What lies finished in the folder.
        out: The folder.
        remedy: What the message says to do.
        parts: Data sets, each with a digest that it had, of which all images are among those of today.

    Raises:
        BenchError: If there is such a cell.
    """
    for reason in replaced(cells, there, out, parts):
        raise BenchError(f"{out} holds rows of {reason}: {remedy}")


def replaced(
    cells: Sequence[Cell], there: Mapping[Path, Stamp], out: Path, parts: Container[tuple[str, str]] = ()
) -> Iterator[str]:
    """Yields, cell by cell, of what other images or settings the finished rows are that a run would replace."""
    own = {cell.csv(out) for cell in cells}
    further = [stamp for csv, stamp in there.items() if csv not in own and not _saved(stamp)]
    namesakes = {(facts.name, facts.digest) for stamp in further for facts in _all(stamp)}
    for cell in cells:
        stamp = there.get(cell.csv(out))
        here = {**cell.datasets, **cell.train}
        if stamp and (reason := _other(cell, stamp, parts)):
            yield reason
        elif not cell.attack.fields.get("saved"):
            others = [name for name, digest in sorted(namesakes) if name in here and here[name] != digest]
            if others:
                yield f"other images that are called {others[0]}, too"


def _other(cell: Cell, stamp: Stamp, parts: Container[tuple[str, str]]) -> str:
    """Returns of what other images or settings a cell's finished rows are; nothing if it is code alone that differs."""
    for kind, there, here in (("data set", stamp.datasets, cell.datasets), ("training set", stamp.train, cell.train)):
        names = sorted(facts.name for facts in there)
        if names != sorted(here):
            return f"{kind} {', '.join(names)}, and this run is of {', '.join(sorted(here)) or 'none'}"
        for facts in there:
            grown = kind == "data set" and (facts.name, facts.digest) in parts
            if here[facts.name] != facts.digest and not grown:
                return f"other images that are called {facts.name}, too ({facts.images} files)"
    budgets = set(stamp.settings.get("budgets", ()))
    added = set(cell.budgets) - budgets
    if added and budgets and max(added) > min(budgets):
        # A search within a budget begins at what the one within the next larger budget found.
        return f"searches within {min(budgets)}/255, which one within {max(added)}/255 would change"
    jpeg = stamp.settings.get("jpeg") or [cell.settings.distortions[0].setting]
    if cell.metric.full_reference and jpeg[0] != cell.settings.distortions[0].setting:
        return f"images distorted by JPEG {jpeg[0]}, and this run's are by {cell.settings.distortions[0].setting}"
    return ""


def _all(stamp: Stamp) -> list[DatasetFacts]:
    return [*stamp.datasets, *stamp.train]


def _saved(stamp: Stamp) -> bool:
    """Tells whether the cell scored saved images, which bring their clear images along."""
    return stamp.attack.family == "saved" or "@" in stamp.attack.name
