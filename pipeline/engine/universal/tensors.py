"""Tensors as safetensors, with facts about them in the header."""

from __future__ import annotations

import json

from safetensors.torch import load, save
from torch import Tensor


def to_bytes(tensors: dict[str, Tensor], facts: dict[str, str]) -> bytes:
    """Returns tensors and facts as the content of a safetensors file."""
    return save({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, facts)


def from_bytes(content: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors and the facts that the content of a safetensors file holds."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return load(content), header.get("__metadata__", {})
