"""The command that shows what this machine has: doctor."""

from __future__ import annotations

import json
import os
import platform

import psutil
import typer
from rich.table import Table

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cli.options import HERE, Json, register
from metric_robustness.pipeline.library.listing import listing
from metric_robustness.pipeline.terminal import out, plain


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, HERE, doctor, "doctor --json")


def doctor(as_json: Json = False) -> None:
    """Shows what this machine has: versions, GPU, driver, memory, data sets and weights."""
    found = examine()
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in found.items():
        table.add_row(name, plain(value))
    out.print(table)


GIB = 2**30


def examine() -> dict[str, str]:
    """Returns versions, processor, GPUs, memory, data sets and weights: a name and a line of text for each."""
    import torch

    from metric_robustness.pipeline.engine.device import commit, versions

    memory = psutil.virtual_memory()
    found = {
        "commit": commit() or "not a git checkout",
        "python": platform.python_version(),
        **{package: version or "not installed" for package, version in versions().items()},
        "processor": f"{os.cpu_count()} cores, bfloat16 in hardware: {_bfloat16()}",
        "memory": f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
        "CUDA": f"{torch.version.cuda or 'none'}, {torch.cuda.device_count()} devices",
    }
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        about = torch.cuda.get_device_properties(index)
        found[f"GPU {index}"] = (
            f"{about.name}, sm_{about.major}{about.minor}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
        )
    for row in listing("datasets"):
        found[f"data set {row['name']}"] = row["state"]
    metrics = lookup.entries("metrics").values()
    absent = [entry.name for entry in metrics if entry.missing_weights()]
    found["weights"] = f"here for {len(metrics) - len(absent)} of {len(metrics)} metrics"
    if absent:
        found["weights missing for"] = ", ".join(absent)
    return found


def _bfloat16() -> str:
    import torch

    for name, has in (
        ("AMX", torch.cpu._is_amx_tile_supported),  # torch has no public name for it
        ("AVX-512", torch.cpu._is_avx512_bf16_supported),
    ):
        if has():
            return name
    return "no"
