"""METRIC+DEFENCE: a metric behind a purification, or one that a robust training made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from pipeline.catalogue.entry import Entry, weights_path
from pipeline.errors import BenchError


def trained(bare: Entry, defence: Entry, preset: str, root: Path) -> Entry:
    """Returns the metric that a robust training made of another: a metric like any other, with weights of its own."""
    name = f"{bare.name}+{defence.name}" + (f"-{preset}" if preset else "")
    if bare.defence:
        raise BenchError(f"{defence.name} trains a metric as it is; got {bare.name}: put it right after the metric")
    weights = f"weights/{name}.safetensors"
    file = weights_path(weights, bare.folder, root)
    own = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    heads = [entry.title.partition(":")[0] for entry in (bare, defence)]
    return replace(
        bare,
        name=name,
        title=f"{heads[0]} after {heads[1]}" + (f" ({preset})" if preset else ""),
        fields=bare.fields | {"weights": (*bare.fields.get("weights", ()), weights), "verified": _seen(file)},
        fingerprint=hashlib.sha256(f"{bare.fingerprint} {weights} {own}".encode()).hexdigest()[:16],
        problem=bare.problem or defence.problem,
        bare=bare,
        defence=defence,
        preset=preset,
    )


def _seen(weights: Path) -> str:
    """Returns what the file beside weights says of how well they do, in the manner of an entry's `verified`."""
    try:
        made = json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))
        learned = "opinions" if isinstance(made["labels"], str) else "labels"
        return f"photographs held out: SROCC {made['epochs'][-1]['srocc']:.2f} with {learned}".replace("0.", ".")
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def defended(bare: Entry, defence: Entry, preset: str = "") -> Entry:
    """Returns the metric that looks at an image through a defence."""
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
        bare=bare,
        defence=defence,
        preset=preset,
    )
