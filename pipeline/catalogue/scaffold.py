"""Writes the file of a new entry."""

from __future__ import annotations

import keyword
from pathlib import Path
from typing import Literal

from metric_robustness.pipeline import places
from metric_robustness.pipeline.catalogue.lookup import entries
from metric_robustness.pipeline.catalogue.reading import NAME
from metric_robustness.pipeline.catalogue.syntax import FOLDERS
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import write_atomically

TEMPLATES = Path(__file__).with_name("templates")


def write(kind: Literal["metric", "attack", "defence"], name: str) -> Path:
    """Writes the file of a new metric, attack or defence and returns its path below the project.

    Raises:
        BenchError: If the name is not allowed, or taken, or the project cannot be used.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or name == "base" or name.endswith("_adapter"):
        raise BenchError(
            f"the name must match [a-z][a-z0-9_]* and not be a keyword, base or *_adapter; got {name!r}: choose another"
        )
    taken = [folder for folder in FOLDERS if name in entries(folder)]
    if taken:
        raise BenchError(
            f"the name must be new; {taken[0]}/{name}.py is there already: choose another name, or edit that file"
        )
    path = places.project() / f"{kind}s" / f"{name}.py"
    if path.exists():  # the user's own file, which is not an entry
        raise BenchError(f"{path} is there already, and is no {kind} of the benchmark: choose another name")
    template = (TEMPLATES / f"{kind}.txt").read_text(encoding="utf-8")
    words = name.split("_")
    title, class_name = " ".join(words).capitalize(), "".join(word.capitalize() for word in words)
    write_atomically(path, template.replace("{title}", title).replace("{class_name}", class_name))
    return path.relative_to(places.project())
