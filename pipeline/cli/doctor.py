"""The command that shows what this machine has: doctor."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import runpy
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from metric_robustness.pipeline import places
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
    from psutil import virtual_memory  # here, since the job that asks for the image has few packages

    memory = virtual_memory()
    found = {
        "commit": places.commit() or "not a git checkout",
        "python": platform.python_version(),
        **{package: version or "not installed" for package, version in places.versions().items()},
        "processor": f"{os.cpu_count()} cores, bfloat16 in hardware: {_bfloat16()}",
        "memory": f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
        **_gpus(),
    }
    for row in listing("datasets"):
        found[f"data set {row['name']}"] = row["state"]
    metrics = lookup.entries("metrics").values()
    absent = [entry.name for entry in metrics if entry.missing_weights()]
    found["weights"] = f"here for {len(metrics) - len(absent)} of {len(metrics)} metrics"
    if absent:
        found["weights missing for"] = ", ".join(absent)
    return found


def _gpus() -> dict[str, str]:
    """Returns a line for CUDA and one for each GPU.

    PyTorch is asked only where it can have one: every job begins with these lines, and to import it takes seconds.
    """
    build = _build_of_torch()
    if not (has_driver() or build.get("hip")):
        return {"CUDA": f"{build.get('cuda') or 'none'}, 0 devices"}
    import torch

    found = {"CUDA": f"{torch.version.cuda or 'none'}, {torch.cuda.device_count()} devices"}
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        about = torch.cuda.get_device_properties(index)
        found[f"GPU {index}"] = (
            f"{about.name}, sm_{about.major}{about.minor}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
        )
    return found


def has_driver() -> bool:
    """Tells whether this machine has NVIDIA's driver, without which CUDA sees no device."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _build_of_torch() -> dict[str, Any]:
    """Returns what PyTorch was built for, from the file that says so; nothing where it is not installed."""
    spec = find_spec("torch")
    files = [Path(place) / "version.py" for place in (spec.submodule_search_locations or () if spec else ())]
    return next((runpy.run_path(str(file)) for file in files if file.is_file()), {})


def _bfloat16() -> str:
    """Returns which unit of the processor has bfloat16, as Linux tells it."""
    with suppress(OSError):
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
        for name, flag in (("AMX", "amx_tile"), ("AVX-512", "avx512_bf16")):
            if flag in flags:
                return name
    return "no"
