"""METRIC+DEFENCE: a metric that sees purified images, or that a robust training made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from metric_robustness.pipeline.catalogue.entry import DefendedAs, Entry, weights_path
from metric_robustness.pipeline.errors import BenchError


def trained(bare: Entry, defence: Entry, preset: str, root: Path | None = None) -> Entry:
    """Returns the metric that a robust training made of another one: it has weights of its own."""
    name = f"{bare.name}+{defence.name}" + (f"-{preset}" if preset else "")
    if bare.defence:
        raise BenchError(
            f"{defence.name} must train a metric without a defence; got {bare.name}: put it right after the metric"
        )
    weights = f"weights/{name}.safetensors"
    file = weights_path(weights, bare.folder, root or bare.root)
    own = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    heads = [entry.title.partition(":")[0] for entry in (bare, defence)]
    return replace(
        bare,
        name=name,
        title=f"{heads[0]} after {heads[1]}" + (f" ({preset})" if preset else ""),
        fields=bare.fields | {"weights": (*bare.fields.get("weights", ()), weights), "verified": _verified(file)},
        fingerprint=hashlib.sha256(f"{bare.fingerprint} {weights} {own}".encode()).hexdigest()[:16],
        problem=bare.problem or defence.problem,
        defended=DefendedAs(bare, defence, preset),
    )


def _verified(weights: Path) -> str:
    """Returns the accuracy that training recorded in the JSON file of the weights, for `verified`; else nothing."""
    try:
        made = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        learned = "opinions" if isinstance(made["labels"], str) else "labels"
        return f"photographs held out: SROCC {made['epochs'][-1]['srocc']:.2f} with {learned}".replace("0.", ".")
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def defended(bare: Entry, defence: Entry, preset: str = "") -> Entry:
    """Returns the metric that scores an image after a defence has purified it."""
    defence_name = f"{defence.name}-{preset}" if preset else defence.name
    heads = [entry.title.partition(":")[0] for entry in (bare, defence)]
    either = [bare.fields, defence.fields]
    return replace(
        bare,
        name=f"{bare.name}+{defence_name}",
        title=f"{heads[0]} behind {heads[1]}" + (f" ({preset})" if preset else ""),
        fields=bare.fields
        | {
            "cost": "heavy" if any(fields.get("cost") == "heavy" for fields in either) else "light",
            "gpu_memory": bare.fields.get("gpu_memory", 8) + defence.fields.get("gpu_memory", 0),
        },
        fingerprint=hashlib.sha256(f"{bare.fingerprint} {defence.fingerprint} {preset}".encode()).hexdigest()[:16],
        problem=bare.problem or defence.problem,
        defended=DefendedAs(bare, defence, preset),
    )
