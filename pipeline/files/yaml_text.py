"""Reads YAML that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from metric_robustness.pipeline.errors import BenchError

MOST = 100_000  # values in a file, each counted as often as an alias repeats it


def parse_yaml(path: Path) -> Any:
    """Returns what a YAML file holds.

    Raises:
        BenchError: If it is not YAML, or its aliases repeat values without end.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _count(root, {}) > MOST:
            raise BenchError(
                f"{path.name} must hold at most {MOST} values; its aliases make more of them: write out what is meant"
            )
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BenchError(f"{path.name} must be YAML; got {' '.join(str(error).split())}: correct it") from error


def _count(node: yaml.Node, known: dict[int, float]) -> float:
    """Returns how many values a node stands for; infinity if it holds itself."""
    if id(node) not in known:
        known[id(node)] = float("inf")
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_count(part, known) for part in parts) if isinstance(parts, list) else 1
    return known[id(node)]
