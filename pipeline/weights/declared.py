"""Which entries need which weight files, and which of them a user names."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import weights_path
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.weights import manifest
from metric_robustness.pipeline.weights.manifest import Weight


@dataclass(frozen=True)
class Need:
    """A weight file and the entries that load it."""

    weight: Weight
    entries: tuple[str, ...]

    @property
    def name(self) -> str:
        """Returns the declared name; for a file of the checkout, its path there."""
        return self.weight.name

    @property
    def path(self) -> Path:
        """Returns where the file lies on this machine, or would."""
        folder, _, rest = self.name.partition("/")
        ours = folder in FOLDERS
        return weights_path(rest, folder) if ours else weights_path(self.name)

    @property
    def here(self) -> bool:
        """Tells whether the file is on this machine."""
        return self.path.is_file()

    @property
    def who(self) -> str:
        """Returns the entries that need it, as messages name them."""
        return ", ".join(self.entries)


def declared() -> dict[str, Need]:
    """Returns every weight file that a metric or a defence declares, by name."""
    users: dict[str, list[str]] = {}
    for folder in ("metrics", "defences"):
        for entry in lookup.entries(folder).values():
            for name in entry.fields.get("weights", ()):
                users.setdefault(_full(name, folder), []).append(entry.name)
    return {name: Need(manifest.weight(name), tuple(entries)) for name, entries in sorted(users.items())}


def choose(names: list[str]) -> list[Need]:
    """Returns the files that names stand for. A name is an entry's, a declared file's, or a file's without its folder.

    Args:
        names: What the user wrote; an empty list means every file.

    Raises:
        BenchError: If a name is none of these; the message suggests similar ones.
    """
    known = declared()
    chosen: dict[str, Need] = {}
    for name in names or known:
        found = {key: need for key, need in known.items() if name in (key, key.rpartition("/")[2], *need.entries)}
        if not found:
            _require_entry(name, known)
        chosen |= found
    return list(chosen.values())


def _require_entry(name: str, known: dict[str, Need]) -> None:
    """Raises BenchError unless the name is that of an entry that loads no weights."""
    entries = {entry: folder for folder in ("metrics", "defences") for entry in lookup.entries(folder)}
    if name in entries:
        problem = lookup.entries(entries[name])[name].problem
        if problem:
            raise BenchError(f"{name} must be readable, so that its weights are known; {problem}")
        return
    close = difflib.get_close_matches(name, [*entries, *known, *(key.rpartition("/")[2] for key in known)], n=3)
    guess = f"did you mean {' or '.join(close)}?" if close else "see python -m pipeline weights list"
    raise BenchError(f"no metric and no weight file is named {name!r}: {guess}")


def _full(name: str, folder: str) -> str:
    return f"{folder}/{name}" if name.startswith("weights/") else name
