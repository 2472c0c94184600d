"""How fast the formula metrics are beside their peers: the same images, and the same values but for rounding.

`python -m benchmarks.metrics` scores photographs with noise, and takes the gradient, with ours and with every peer in
turn, one image and eight at a time. Ours is compared with the peer that takes least; the largest difference of scores
stands beside it. pyiqa and scikit-image come with the project, the other peers with `pip install '.[bench]'`; one that
is not installed is named. scikit-image has no gradients.

Run it with one thread on a machine that does nothing else; where others compute too, `OMP_NUM_THREADS=1 python -m
benchmarks.metrics --clock cpu` counts only this process's work.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.photographs import open_crops
from benchmarks.ratios import Better
from benchmarks.speed import Clock, Row, Workload, median, metric_entry, ranged, speed_app, spread, timed, titled_table
from benchmarks.yardsticks.peers import WITHOUT_GRADIENT, PeerScore, peers
from metric_robustness.metrics.base import Images, Scores
from metric_robustness.pipeline.data.images import load_batch

METRICS = (
    "psnr",
    "psnry",
    "ssim",
    "ssimc",
    "ms_ssim",
    "cw_ssim",
    "gmsd",
    "fsim",
    "vsi",
    "vif",
    "nlpd",
    "brisque",
    "niqe_official",
    "piqe",
    "entropy",
    "mad",
    "nrqm",
    "pi",
    "msswd",
    "ilniqe",
)
PASSES = ("forward", "forward + backward")
LEAST = 0.02  # seconds of a repetition: a shorter pass is taken several times
FAR = 3.0
RATIOS: dict[str, Better] = {"ratio": "lower"}
FEWER = {"mad": 2, "ilniqe": 1}  # images in a batch: for a gradient pyiqa keeps some gigabytes of each
WORKLOADS = tuple(
    Workload(metric, images, 299, 9 if images == 1 else 5)
    for metric in METRICS
    for images in sorted({1, FEWER.get(metric, 8)})
)
QUICK = tuple(Workload(metric, 2, 192, 1) for metric in ("psnr", "ssimc"))


def measure(workload: Workload, folder: Path, clock: Clock) -> list[Row]:
    """Returns a row per pass: milliseconds per image of ours and of each peer, and ours over the fastest peer."""
    references = load_batch(open_crops(folder, workload.images, workload.side).photos, None).images
    noise = torch.randn(references.shape, generator=torch.Generator().manual_seed(0))
    images = ((references + 0.03 * noise).clamp(0, 1) * 255).round() / 255
    metric = metric_entry(workload.metric).load()().eval().requires_grad_(False)
    found = peers(workload.metric)
    ways: dict[str, PeerScore] = {"ours": metric.unchecked, **{name: way for name, way in found.items() if way}}
    missing = [name for name, way in found.items() if not way]
    rows = []
    for name in PASSES[: 2 if metric.differentiable else 1]:
        taken = {way: score for way, score in ways.items() if name == "forward" or way not in WITHOUT_GRADIENT}
        passes = {way: _pass(score, images, references, name) for way, score in taken.items()}
        scores = {way: run() for way, run in passes.items()}
        spent = _alternate(passes, workload.repetitions, clock)
        middle = {way: statistics.median(seconds) for way, seconds in spent.items()}
        fastest = min((way for way in middle if way != "ours"), key=middle.__getitem__)
        once = len(spent[fastest]) < len(spent["ours"])  # far behind ours
        beside = spent[fastest] * len(spent["ours"]) if once else spent[fastest]
        ratios = [ours / theirs for ours, theirs in zip(spent["ours"], beside, strict=True)]
        rows.append(
            {
                "metric": workload.metric,
                "images": workload.images,
                "pass": name,
                "milliseconds": {way: round(1000 * value / workload.images, 4) for way, value in middle.items()},
                "differences": {way: _difference(scores["ours"], scores[way]) for way in middle if way != "ours"},
                "fastest": fastest,
                "ratio": median(ratios),
                "ratio_spread": spread(ratios),
                "missing": missing,
            }
        )
    return rows


def _pass(score: PeerScore, images: Images, references: Images, name: str) -> Callable[[], Scores]:
    """Returns a function that takes one pass and returns the scores."""

    @torch.no_grad()
    def forward() -> Scores:
        return score(images, references)

    def both() -> Scores:
        given = images.detach().requires_grad_()
        scores = score(given, references)
        torch.autograd.grad(scores.sum(), given)
        return scores.detach()

    return forward if name == "forward" else both


def _alternate(passes: dict[str, Callable[[], Scores]], repetitions: int, clock: Clock) -> dict[str, list[float]]:
    """Returns the seconds of a pass in each repetition, of every way in turn.

    A peer that takes more than `FAR` times as long as the fastest way is measured once.
    """
    first = {way: max(timed(clock, run)[1], 1e-6) for way, run in passes.items()}
    spent: dict[str, list[float]] = {
        way: [] for way in passes if way == "ours" or first[way] < FAR * min(first.values())
    }
    for _ in range(repetitions):
        for way, seconds in spent.items():
            times = max(1, round(LEAST / first[way]))
            seconds.append(timed(clock, _repeat, passes[way], times)[1] / times)
    return {way: spent.get(way, [seconds]) for way, seconds in first.items()}


def _repeat(run: Callable[[], Scores], times: int) -> None:
    for _ in range(times):
        run()


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return float(f"{(ours.double() - theirs.double()).abs().max().item():.2g}")


def table(rows: list[Row]) -> Table:
    """Returns the rows for people."""
    numbers = ("images", "ours ms", "peer ms", "ours over peer", "largest difference", "over pyiqa")
    view = titled_table("Formula metrics, milliseconds per image", ("metric", "pass", "fastest peer"), numbers)
    for row in rows:
        spent, fastest = row["milliseconds"], row["fastest"]
        view.add_row(
            row["metric"],
            row["pass"],
            fastest,
            str(row["images"]),
            f"{spent['ours']:.2f}",
            f"{spent[fastest]:.2f}",
            ranged(row["ratio"], row["ratio_spread"]),
            f"{row['differences'][fastest]:.1g}",
            f"{spent['ours'] / spent['pyiqa']:.2f}",
        )
    if missing := sorted({name for row in rows for name in row["missing"]}):
        view.caption = f"not installed, and therefore not compared: {', '.join(missing)}"
    return view


app = speed_app("Measures the formula metrics beside their peers.", WORKLOADS, QUICK, measure, table)

if __name__ == "__main__":
    app()
