"""The command that fits universal patterns: python -m pipeline fit."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from metric_robustness.pipeline import config
from metric_robustness.pipeline.cells.settings import Settings, parse_overrides, settings_of
from metric_robustness.pipeline.cli.options import OWN, register
from metric_robustness.pipeline.cli.progress import FitProgress
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.terminal import err, out

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.machine import Machine
    from metric_robustness.pipeline.engine.selection import Selection
    from metric_robustness.pipeline.isolation.worker import Send


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, OWN, fit, "fit optimized_uap niqe --train photos --out build/photos")


def fit(
    attack: Annotated[str, typer.Argument(help="A universal attack.")],
    metric: Annotated[str, typer.Argument(help="The metric to fool.")],
    train: Annotated[
        str, typer.Option(help="coco, voc2012, vimeo90k or folders, with commas; default: the preset's.")
    ] = "",
    preset: Annotated[str, typer.Option(help="smoke, demo, nightly or full: whose cells need the pattern.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Images per training set.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="An attack's setting, such as lr=0.01.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="Of the metric's passes.")] = "float32",
    batch: Annotated[int | None, typer.Option(min=1, help="Crops at once, where memory is short.")] = None,
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Compile the metric's passes; default: where that saves time."),
    ] = None,
    out_folder: Annotated[
        Path, typer.Option("--out", help="The folder of the run that needs the pattern; run again to continue.")
    ] = Path("build/fit"),
    store: Annotated[
        str, typer.Option(help="A folder, or a GitLab project's API address, to find patterns in and keep ours.")
    ] = "",
    checkpoint_every: Annotated[float, typer.Option(min=0, help="Seconds of work that a kill may cost.")] = 30,
    replacing: Annotated[
        bool, typer.Option("--replace", help="Replace patterns of other images that lie in --out.")
    ] = False,
    key: Annotated[str, typer.Option(help="The key that the pattern was planned with; another one is refused.")] = "",
) -> None:
    """Fits the pattern of a universal attack, and of its variants, to a metric; `run --out` of the folder uses it."""
    chosen = config.load().preset(preset)
    names = [name.strip() for name in train.split(",") if name.strip()] or list(chosen.train)
    if not names:
        raise BenchError("fit needs a training set; got none: add --train coco, voc2012, vimeo90k or a folder")
    # Only now: torch takes seconds, and every other command loads this file too.
    from metric_robustness.pipeline.engine.device import Compute
    from metric_robustness.pipeline.engine.machine import Machine
    from metric_robustness.pipeline.engine.selection import Selection
    from metric_robustness.pipeline.isolation.watch import LostError, Watched, watch

    selection = Selection([metric], [attack], train=names, train_limit=limit or chosen.train_limit)
    settings = replace(settings_of(chosen), overrides=parse_overrides(overrides or []), dtype=dtype, defences=())
    compute = Compute(device, batch, compiled)
    machine = Machine(out_folder, compute, store=store, checkpoint_every=checkpoint_every, replace=replacing)

    def on_lost(reason: str) -> NoReturn:
        raise LostError(f"the fit of {attack} on {metric} {reason}")

    watch([Watched(partial(_fit_and_tell, selection, settings, machine, key), _print, on_lost)])


def _print(answer: str) -> None:
    out.print(answer, markup=False, soft_wrap=True)


def _fit_and_tell(selection: Selection, settings: Settings, machine: Machine, key: str, send: Send) -> None:
    """Fits the patterns and sends what came of each; in a process of its own, since entries' code runs in it."""
    from metric_robustness.pipeline.engine.universal.fit_patterns import fit_patterns

    (metric,) = selection.metrics
    for fitted in fit_patterns(
        selection, settings, machine, lambda each: FitProgress(f"{metric} {each.label}"), key=key
    ):
        stamp = fitted.stamp
        for image, reason in stamp.train.passed_over.items():
            err.print(f"excluded: {image}: {reason}", markup=False, soft_wrap=True)
        for remark, files in stamp.train.remarks.items():
            err.print(f"{remark}: {files} {'file' if files == 1 else 'files'}", markup=False, soft_wrap=True)
        enlarged = f", {len(stamp.enlarged)} of {stamp.train.images} images enlarged" if stamp.enlarged else ""
        send(
            f"{fitted.file}: loss {stamp.loss[0]:.4f} to {stamp.loss[-1]:.4f} in {len(stamp.loss)} steps, "
            f"{stamp.seconds:.0f} s; largest value {fitted.largest:.4f}, RMS {fitted.rms:.4f}{enlarged}"
        )
