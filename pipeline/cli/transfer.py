"""The command that has metrics score the images that others were attacked with: transfer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cells.cell import is_universal
from metric_robustness.pipeline.cells.settings import settings_of
from metric_robustness.pipeline.cli.options import RESULTS, Device, Preset, register
from metric_robustness.pipeline.cli.run import print_excluded
from metric_robustness.pipeline.errors import BenchError, Exit
from metric_robustness.pipeline.library.progress import RunProgress
from metric_robustness.pipeline.terminal import answers, counted, err, print_folded


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    register(app, RESULTS, transfer, "transfer --metrics small_cnn,niqe,brisque --dataset photos --out build/transfer")


def transfer(
    out_folder: Annotated[Path, typer.Option("--out", help="Where rows, images and tables go; run again to continue.")],
    metrics: Annotated[str, typer.Option(help="Two names or more, with commas, or all; default: the preset's.")] = "",
    attacks: Annotated[str, typer.Option(help="Names with commas.")] = "transfer",
    dataset: Annotated[str, typer.Option(help="A data set's name, or a folder; default: the preset's.")] = "",
    preset: Preset = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Photographs or clips per data set.")] = None,
    device: Device = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Metrics run at once, each in its own process.")] = 1,
) -> None:
    """Attacks each metric once, has all score the images, and prints whose images move whom; writes transfer.csv."""
    from metric_robustness.pipeline.engine.device import Compute
    from metric_robustness.pipeline.engine.machine import Machine
    from metric_robustness.pipeline.engine.run import run
    from metric_robustness.pipeline.engine.selection import Selection
    from metric_robustness.pipeline.isolation.starter import starter
    from metric_robustness.pipeline.scoring.tables.transfer import transfer_tables
    from metric_robustness.pipeline.scoring.tables.write import what_transferred, write_tables

    if fitted := [name for name in map(str.strip, attacks.split(",")) if name != "all" and _is_fitted(name)]:
        raise BenchError(
            f"--attacks must be made of each image; got {', '.join(fitted)}, which a fit finds for all images: use "
            "run --save-images, then run --from-images"
        )
    chosen = config.load().preset(preset)
    names = [entry.name for entry in chosen.entries("metrics", metrics)]
    if len(names) < 2:
        raise BenchError(f"--metrics must be two or more; got {', '.join(names)}: add one to score its images")
    attacked = Selection(
        metrics=names,
        attacks=[entry.name for entry in chosen.entries("attacks", attacks) if not is_universal(entry)],
        datasets=[dataset] if dataset else list(chosen.datasets),
        limit=limit or chosen.limit,
        frames=chosen.frames,
        preset=preset,
    )
    settings, machine = settings_of(chosen), Machine(out_folder, Compute(device), jobs=jobs, save_images=True)
    scored = Selection(metrics=names, from_images=out_folder / "images", preset=preset)
    starter()
    with RunProgress(jobs) as progress:
        made = run(attacked, settings, machine, progress)
        if not made.statuses["done"]:
            raise typer.Exit(Exit.FAILED)
        crossed = run(scored, settings, replace(machine, save_images=False), progress)
    with err.status("scoring"):
        write_tables([out_folder], out_folder)
    lines = what_transferred([out_folder])
    for part in transfer_tables(lines):
        answers().print(part)
    for attack in attacked.attacks:
        if attack not in {line.crossing.attack for line in lines}:
            control = lookup.find("attacks", attack).fields["family"] == "control"
            why = "it knows no metric" if control else "no metric has images of it that another one scored"
            err.print(f"no table of {attack}: {why}", soft_wrap=True)
    for each, by in crossed.excluded.items():
        for metric in by:
            made.exclude(metric, [each])
    print_excluded(made.excluded, set(names), out_folder)
    reasons = {**made.reasons, **crossed.reasons}
    missing = [f"missing: {metric} under {attack}: {why}" for (metric, attack), why in sorted(reasons.items())]
    print_folded(missing, str(out_folder / "leaderboard.md"))
    for remark, files in {**made.remarks, **crossed.remarks}.items():
        err.print(f"{remark}: {counted(files, 'file')}", markup=False, soft_wrap=True)
    err.print(f"rows and tables are in {out_folder}", markup=False, soft_wrap=True)
    if made.statuses["failed"] or crossed.statuses["failed"]:
        raise typer.Exit(Exit.FAILED)


def _is_fitted(attack: str) -> bool:
    """Tells whether an attack is universal: its amplitudes are not comparable, so no matrix has them."""
    return is_universal(lookup.find("attacks", attack))
