"""What one gradient costs on the metric, on the copy that searches run on, and on a compiled copy, alternating.

`python -m benchmarks.copies` says what folding batch norms and gradients in blocks bring, and what compiled passes
bring besides, with the steps of a traced pass, the seconds that it takes to compile them for one size of batch, and
those for each step.
`layout` is what the engine's layout of convolutions saves: the copy's time over that of the same copy in the usual one.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path

import torch
from rich.table import Table
from torch import nn
from torch._inductor.utils import fresh_cache

from benchmarks.photographs import open_crops
from benchmarks.ratios import Better
from benchmarks.speed import Clock, Row, Workload, gradients, median, metric_entry, speed_app, timed, titled_table
from metric_robustness.metrics.base import Images, Metric
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search_copy.fold import foldable, folded

RATIOS: dict[str, Better] = {"copy": "lower", "compiled": "lower"}
WORKLOADS = tuple(
    Workload(name, images, side, 6)
    for name, images, side in (
        ("mobilenet_v3_small", 16, 299),
        ("resnet50", 8, 224),
        ("small_cnn", 16, 299),
        ("eonss", 8, 299),
        ("cnniqa_live", 8, 299),
    )
)
QUICK = (Workload("mobilenet_v3_small", 2, 64, 1),)
DTYPES = (torch.float32, torch.bfloat16)


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns a row per data type: milliseconds per image of each way, and the copies' over the metric's."""
    images = load_batch(open_crops(folder, workload.images, workload.side).photos, None).images
    runner = MetricRunner(metric_entry(workload.metric), folder)
    plain = folded(runner.metric, foldable(runner.metric))
    usual = in_usual_layout(plain)
    rows = []
    for dtype in DTYPES:
        search = CompiledSearch(runner, Searched(plain, "a copy"))
        ahead = Ahead(gradient=True, bfloat16=dtype == torch.bfloat16, seconds=math.inf)
        with fresh_cache():  # of PyTorch's own programs
            refused, compiling = timed(clock, search.compile, images, None, ahead)
        if refused:
            raise ValueError(f"{workload.metric} must be compiled; got {search.searched.told}")
        ways = {"metric": runner.metric, "copy": plain, "usual": usual, "compiled": search.metric}
        spent: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(workload.repetitions):
            for way, network in ways.items():
                spent[way].append(timed(clock, take, network, images, dtype)[1])
        middle = {way: median([1000 * seconds / workload.images for seconds in found]) for way, found in spent.items()}
        steps = sum(len(graph.graph.nodes) for graph in search.known.traced.values() if not isinstance(graph, str))
        rows.append(
            {
                "metric": workload.metric,
                "dtype": str(dtype).removeprefix("torch."),
                "milliseconds": middle,
                **{way: round(middle[way] / middle["metric"], 3) for way in ("copy", "compiled")},
                "layout": round(middle["copy"] / middle["usual"], 3),
                "steps": steps,
                "compiling_seconds": round(compiling, 1),
            }
        )
        search.known.traced.clear()
    return rows


def in_usual_layout(network: Metric) -> Metric:
    """Returns a copy whose convolutions' weights lie as PyTorch lays them out by itself."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.contiguous_format)
    return twin


def take(network: Metric, images: Images, dtype: torch.dtype) -> None:
    """Takes one pass forward and one back."""
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        gradients(network, [images])


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    numbers = ("metric ms", "copy ms", "compiled ms", "copy", "compiled", "layout", "steps", "compiling s", "step ms")
    view = titled_table("One gradient, per image", ("metric", "dtype"), numbers)
    for row in rows:
        times = [f"{row['milliseconds'][way]:.2f}" for way in ("metric", "copy", "compiled")]
        ratios = [f"{row[way]:.2f}" for way in ("copy", "compiled", "layout")]
        took = f"{row['compiling_seconds']:.0f}", f"{1000 * row['compiling_seconds'] / row['steps']:.0f}"
        view.add_row(row["metric"], row["dtype"], *times, *ratios, str(row["steps"]), *took)
    return view


app = speed_app("Measures searches on copies beside the metric.", WORKLOADS, QUICK, measure, table)

if __name__ == "__main__":
    app()
