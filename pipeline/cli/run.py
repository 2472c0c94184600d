"""The command that attacks metrics: run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.budget import default_of
from metric_robustness.pipeline.cells.settings import LEVELS, parse_budgets, parse_overrides, settings_of
from metric_robustness.pipeline.cli import completion
from metric_robustness.pipeline.cli.options import RESULTS, register
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.isolation.importing import uncollected
from metric_robustness.pipeline.library.progress import RunProgress
from metric_robustness.pipeline.terminal import counted, err, out, print_folded

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.progress import Summary


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, RESULTS, run, "run --metrics ssim,niqe --attacks fgsm,ifgsm --dataset photos --out out")


def run(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the rows and tables go; run again to continue.")],
    metrics: Annotated[
        str,
        typer.Option(help="Names with commas, or all; default: the preset's.", autocompletion=completion.metrics),
    ] = "",
    attacks: Annotated[
        str,
        typer.Option(help="Names with commas, or all; default: the preset's.", autocompletion=completion.attacks),
    ] = "",
    defences: Annotated[
        str,
        typer.Option(help="Defences, or DEFENCE-PRESET, with commas, or all: judge the attacked images behind each."),
    ] = "",
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Attack the metric behind each of --defences instead of the bare one.")
    ] = False,
    dataset: Annotated[
        str, typer.Option(help="A data set's name, a folder of images and videos, iqa:CSV or ladder:CSV.")
    ] = "",
    train: Annotated[
        str, typer.Option(help="Training sets or folders for universal attacks, with commas; default: the preset's.")
    ] = "",
    preset: Annotated[str, typer.Option(help="smoke, demo, nightly or full: how much is run.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Photographs or clips per data set.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each video, from its beginning.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="An attack's setting, such as steps=20; all but eps keep rows off the leaderboard."),
    ] = None,
    budgets: Annotated[
        str, typer.Option(help="Smaller limits in 255ths, such as 1,2,4,8, for security curves; default: the preset's.")
    ] = "",
    codec: Annotated[
        str, typer.Option(help="Store clear and attacked clips with it before scoring, such as libx264:crf=23.")
    ] = "",
    jpeg: Annotated[
        int | None, typer.Option(min=1, max=100, help="Store clear and attacked images as JPEG before scoring.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    dtype: Annotated[
        Literal["float32", "bfloat16"], typer.Option(help="Of the attack's search; scores are always float32.")
    ] = "float32",
    batch: Annotated[int | None, typer.Option(min=1, help="Images per batch; default: by memory.")] = None,
    compiled: Annotated[
        bool | None,
        typer.Option("--compile/--no-compile", help="Compile the search's passes; default: where that saves time."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Metrics run at once, each in its own process.")] = 1,
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Write the attacked images as PNG, with a manifest.")
    ] = False,
    from_images: Annotated[
        Path | None,
        typer.Option(help="A folder of --save-images, or anybody's with a manifest: score its images, attack nothing."),
    ] = None,
    store: Annotated[
        str, typer.Option(help="A folder, or a GitLab project's API address, to find finished work in and keep ours.")
    ] = "",
    keep_every: Annotated[
        float, typer.Option(envvar="BENCHMARK_KEEP_EVERY", min=0, help="Seconds between copies of unfinished work.")
    ] = 300,
    replace_rows: Annotated[
        bool, typer.Option("--replace", help="Replace finished rows of other images or settings that lie in --out.")
    ] = False,
    patience: Annotated[
        float,
        typer.Option(envvar="BENCHMARK_PATIENCE", min=0, help="Seconds without a finished batch that end a metric."),
    ] = 86400,
    key: Annotated[str, typer.Option(help="The key that the cell was planned with; another one is refused.")] = "",
) -> None:
    """Attacks metrics on images, then writes rows, scores and the leaderboard. Finished work is never done again."""
    with uncollected():
        from metric_robustness.pipeline.engine.device import Compute
        from metric_robustness.pipeline.engine.machine import Machine
        from metric_robustness.pipeline.engine.run import run as run_cells
        from metric_robustness.pipeline.engine.selection import Selection
        from metric_robustness.pipeline.isolation.starter import starter
        from metric_robustness.pipeline.scoring.tables.write import (
            print_defences,
            print_leaderboard,
            what_defences_did,
            write_tables,
        )

    chosen = config.load().preset(preset)
    if train:
        chosen = chosen.model_copy(update={"train": tuple(name.strip() for name in train.split(",") if name.strip())})
    if budgets:
        chosen = chosen.model_copy(update={"budgets": parse_budgets(budgets)})
    changes = {"--set": overrides, "--dtype": dtype != "float32", "--codec": codec, "--jpeg": jpeg}
    if budgets and (changed := [name for name, value in changes.items() if value]):
        raise BenchError(f"--budgets must be of the usual settings; got {' and '.join(changed)} too: leave one out")
    if codec and jpeg:
        raise BenchError("one of --codec and --jpeg must be chosen; got both: leave one out")
    if adaptive and not defences:
        raise BenchError("--adaptive must have --defences to attack through; it has none: name them")
    if defences:
        guards = tuple(_usable(lookup.defence_names(defences)))
        chosen = chosen.model_copy(update={"through": guards} if adaptive else {"defences": guards})
    untrained = [] if attacks or from_images else chosen.untrained
    given = {"--attacks": attacks, "--dataset": dataset, "--train": train, "--set": overrides, "--limit": limit}
    given |= {"--budgets": budgets, "--adaptive": adaptive, "--save-images": save_images, "--codec": codec}
    if from_images and (extra := [name for name, value in given.items() if value]):
        raise BenchError(f"--from-images brings its own attacks and images; got {', '.join(extra)} too: leave it out")
    selection = Selection(
        metrics=[entry.name for entry in chosen.entries("metrics", metrics)],
        attacks=[] if from_images else [entry.name for entry in chosen.entries("attacks", attacks)],
        datasets=[dataset] if dataset else list(chosen.datasets),
        limit=limit or chosen.limit,
        frames=frames or chosen.frames,
        train=list(chosen.train),
        train_limit=chosen.train_limit,
        from_images=from_images,
        preset=preset,
    )
    settings = replace(
        settings_of(chosen),
        overrides=parse_overrides(overrides or []),
        dtype=dtype,
        codec=f"jpeg:quality={jpeg}" if jpeg else codec,
    )
    machine = Machine(
        out_folder,
        Compute(device, batch, compiled),
        jobs,
        store,
        keep_every,
        save_images=save_images,
        replace=replace_rows,
        patience=patience,
    )
    starter()
    with RunProgress(jobs) as progress:
        summary = run_cells(selection, settings, machine, progress, key=key)
    with err.status("scoring"):
        board = write_tables([out_folder], out_folder)
    print_leaderboard(board, out)
    print_defences(*what_defences_did([out_folder]), out)
    print_excluded(summary.excluded, set(selection.metrics), out_folder)
    _tell_reasons(summary, {(gap.metric, gap.reason) for gap in board.gaps})
    for remark, files in summary.remarks.items():
        err.print(f"{remark}: {counted(files, 'file')}", markup=False, soft_wrap=True)
    if untrained:
        err.print(f"not run, for want of --train: {', '.join(untrained)}", markup=False, soft_wrap=True)
    if budgets:
        _tell_unused(chosen.budgets, selection.attacks)
    err.print(f"rows and tables are in {out_folder}", markup=False, soft_wrap=True)
    if summary.statuses["failed"] or not summary.statuses["done"]:
        raise typer.Exit(Exit.FAILED)


def print_excluded(excluded: Mapping[tuple[str, str], Set[str]], ran: Set[object], out_folder: Path) -> None:
    """Prints the images without a row, each with the reason.

    Args:
        excluded: Image and reason -> the metrics that could not take it; none where nobody could.
        ran: All metrics.
        out_folder: The run folder, whose excluded.csv has those for which there is no room.
    """
    print_folded(
        [
            f"excluded: {image}: {reason}" + ("" if by in (set(), ran) else f" (by {', '.join(sorted(by))})")
            for (image, reason), by in excluded.items()
        ],
        str(out_folder / "excluded.csv"),
    )


def _tell_reasons(summary: Summary, told: Set[tuple[str, str]]) -> None:
    """Prints why cells were not run that the leaderboard does not name, such as those that judge defences.

    Args:
        summary: Of the run.
        told: Metrics and reasons that the leaderboard names.
    """
    kept = [f"{' '.join(cell)} keeps its earlier rows: {summary.reasons[cell]}" for cell in sorted(summary.kept)]
    others = summary.reasons.keys() - summary.kept
    untold = [cell for cell in sorted(others) if (cell[0], summary.reasons[cell]) not in told]
    lines = [f"not run: {metric} under {attack}: {summary.reasons[metric, attack]}" for metric, attack in untold]
    print_folded([*kept, *lines], "the lines above")


def _tell_unused(budgets: tuple[int, ...], attacks: Sequence[str]) -> None:
    """Prints which attacks are not run within which of the budgets, and why."""
    if at_once := [name for name in attacks if not _goes_on(name)]:
        err.print(f"not run within --budgets, for want of a search to go on: {', '.join(at_once)}", soft_wrap=True)
    for attack in filter(_goes_on, attacks):
        if wide := _beyond(attack, budgets):
            remedy = f"run it with --set eps={wide[-1]} instead of --budgets"
            err.print(f"not run within {', '.join(wide)}: {attack} goes no further: {remedy}", soft_wrap=True)


def _goes_on(attack: str) -> bool:
    """Tells whether an attack goes on within a smaller budget."""
    return bool(lookup.find("attacks", attack).fields.get("narrower"))


def _beyond(attack: str, budgets: tuple[int, ...]) -> list[str]:
    """Returns the budgets, such as 20/255, that are larger than what an attack may change anyway."""
    eps = default_of(lookup.find("attacks", attack), "eps")
    return [f"{each}/{LEVELS}" for each in budgets if isinstance(eps, int | float) and each > eps * LEVELS + 1e-6]


def _usable(guards: list[str]) -> list[str]:
    """Returns the defences whose weights are here or can be fetched; prints why it drops the others.

    Raises:
        BenchError: If there is none.
    """
    from metric_robustness.pipeline.weights.provision import missing

    reasons = {guard: missing(lookup.find("defences", guard.partition("-")[0])) for guard in guards}
    for guard, reason in reasons.items():
        if reason:
            err.print(f"excluded: {guard}: {reason}", markup=False, soft_wrap=True)
    usable = [guard for guard, reason in reasons.items() if not reason]
    if not usable:
        raise BenchError(
            f"--defences must name one that can be used; got {', '.join(guards)}: see python -m pipeline list"
        )
    return usable
