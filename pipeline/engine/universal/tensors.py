"""Tensors in a file, with facts about them in its header."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from metric_robustness.pipeline.files import write_atomically


def write_tensors(file: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> bytes:
    """Writes a safetensors file atomically; returns its content."""
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, about)
    write_atomically(file, content)
    return content


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Returns the tensors and the facts of a file, or None if it is damaged or gone."""
    try:
        content = file.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return load(content), header.get("__metadata__", {})
    except (OSError, SafetensorError, ValueError):
        return None
