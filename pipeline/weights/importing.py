"""Importing: checks files that a user already has, and copies them to where the libraries look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.files import file_digest
from metric_robustness.pipeline.weights.declared import Need, declared
from metric_robustness.pipeline.weights.fetching import Fetcher, FetchResult
from metric_robustness.pipeline.weights.opening import open_all
from metric_robustness.pipeline.weights.sources import PathSource


def recognise(paths: list[Path], name: str) -> list[tuple[Path, Need]]:
    """Returns which declared file each path is, by its name and as many of its folders as that needs.

    Args:
        paths: Files, or folders that hold declared files.
        name: The declared name, for a single path that has another name; empty otherwise.

    Raises:
        BenchError: If a file is missing, is not declared by a metric, or could be several of the declared ones.
    """
    known = {key: need for key, need in declared().items() if not need.weight.own}
    if name:
        if len(paths) != 1 or name not in known:
            raise BenchError(f"--as must name one declared file for one path; got {name!r}: see weights list")
        return [(_present(paths[0]), known[name])]
    found = []
    for path in paths:
        if path.is_dir():
            found += list(_below(path, known))
        else:
            found.append((path, _one(_present(path), known)))
    if not found:
        raise BenchError(f"{paths[0]} holds no file that a metric declares: see python -m pipeline weights list")
    return found


def take(found: list[tuple[Path, Need]]) -> Iterator[FetchResult]:
    """Checks files, copies them into their places, and yields the result for each."""
    fetcher = Fetcher(anew=True)
    opened = open_all([path for path, _ in found])
    for (path, need), (_, seen) in zip(found, opened, strict=True):
        if seen.problem:
            reason = f"{path} {seen.problem}: it is refused; get another copy"
            yield FetchResult(need, "failed", reason=reason, exit_code=DataError.exit_code)
        else:
            yield fetcher.one(need, PathSource(path))


def _present(path: Path) -> Path:
    if not path.is_file():
        raise BenchError(f"{path} must be a file; there is none: check the path")
    return path


def _below(folder: Path, known: dict[str, Need]) -> Iterator[tuple[Path, Need]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            fitting = _fitting(path, known)
            if len(fitting) == 1:
                yield path, fitting[0]


def _one(path: Path, known: dict[str, Need]) -> Need:
    fitting = _fitting(path, known)
    if len(fitting) > 1:  # several files are named model.safetensors: the content may decide
        sha256 = file_digest(path)
        fitting = [need for need in fitting if need.weight.sha256 == sha256] or fitting
    if len(fitting) != 1:
        what = " or ".join(need.name for need in fitting) or "none of them"
        raise BenchError(f"{path} must be a file that a metric declares; it may be {what}: name it with --as NAME")
    return fitting[0]


def _fitting(path: Path, known: dict[str, Need]) -> list[Need]:
    """Returns the declared files whose path has the longest end in common with a path, at least the file's name."""
    shared = {key: _common(path.absolute().parts, Path(key).parts) for key in known}
    longest = max(shared.values(), default=0)
    return [known[key] for key, length in shared.items() if length == longest > 0]


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Returns how many parts two paths have in common, counted from their ends."""
    count = 0
    for mine, yours in zip(reversed(one), reversed(other), strict=False):
        if mine != yours:
            break
        count += 1
    return count
