"""Defences at work: built with their default settings and with every preset."""

from __future__ import annotations

from dataclasses import replace

from defences.base import Defence
from pipeline.catalog import Entry
from pipeline.errors import BenchError, DataError
from pipeline.evaluate.batching import one_line


def build_defences(entry: Entry) -> dict[str, Defence]:
    """Returns a defence under the empty name, and beside it one per preset.

    Raises:
        DataError: If it does not load, its weights cannot be used, or a preset names no field.
    """
    try:
        default: Defence = entry.load()()
        return {"": default} | {name: replace(default, **changes) for name, changes in default.presets.items()}
    except BenchError:
        raise
    except Exception as error:  # whatever a contributor's code raises costs only its own cells
        raise DataError(f"{entry.name} cannot be built: {one_line(error)}") from error
