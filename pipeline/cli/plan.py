"""The commands that plan a pipeline: inventory, plan. They also run on a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from metric_robustness.pipeline import config
from metric_robustness.pipeline.cli.options import BEHIND, Device, Preset, StoreAddress, register
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.terminal import err, out, plain

if TYPE_CHECKING:
    from metric_robustness.pipeline.ci.plan import Plan

Chosen = Annotated[str, typer.Option(help="Run these only: names with commas, or all; default: the preset's.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(app, BEHIND, inventory, "inventory --preset nightly --out inventory.json")
    register(app, BEHIND, plan, "plan --preset nightly --store build/store --out build/plan --dry-run")


def inventory(
    out_file: Annotated[Path, typer.Option("--out", help="The file to write.")],
    preset: Preset = "nightly",
) -> None:
    """Writes down which images this machine has for a preset: planning may happen where there are none."""
    from metric_robustness.pipeline.ci.inventory import take_inventory
    from metric_robustness.pipeline.files import write_atomically

    with err.status("reading the images"):
        found = take_inventory(config.load().preset(preset))
    write_atomically(out_file, found.model_dump_json(indent=1) + "\n")
    for name, held in [*found.datasets.items(), *found.train.items()]:
        out.print(f"{name}: {held.images} images, digest {held.digest}")
    for name, reason in found.absent.items():
        err.print(f"training set {name} is not used: {reason}", markup=False, soft_wrap=True)


def plan(
    preset: Preset = "nightly",
    metrics: Chosen = "",
    attacks: Chosen = "",
    store: StoreAddress = "build/store",
    device: Device = "cuda",
    data: Annotated[Path | None, typer.Option(help="What `inventory` wrote where the images are.")] = None,
    image: Annotated[str, typer.Option(help="The container image that the jobs run in.")] = "metric-robustness",
    hold: Annotated[bool, typer.Option("--hold", help="Run nothing: stale cells wait for the next nightly.")] = False,
    out_folder: Annotated[Path, typer.Option("--out", help="Where plan.json and the child pipelines go.")] = Path(
        "build/plan"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, write nothing.")] = False,
) -> None:
    """Decides which cells are run, why each is or not, and writes the child pipelines that run them."""
    from metric_robustness.pipeline.ci.inventory import read_inventory, take_inventory
    from metric_robustness.pipeline.ci.pipeline import make_pipeline
    from metric_robustness.pipeline.ci.plan import scope_of

    if device not in {"cpu", "cuda"}:
        raise BenchError(f"--device must be cpu or cuda; got {device!r}: choose one")
    chosen = config.load().preset(preset)
    scope = scope_of(preset, chosen, metrics, attacks, hold=hold)
    with err.status("planning"):
        found = read_inventory(data) if data else take_inventory(chosen)
        made = make_pipeline(scope, found, image=image, device=device, store=store)
    _show(made.plan, dry_run=dry_run)
    if chosen.untrained:
        out.print(f"not run, for want of a training set: {', '.join(chosen.untrained)}", markup=False, soft_wrap=True)
    out.print(made.summary)
    if made.seconds_from:
        out.print(made.seconds_from, markup=False, soft_wrap=True)
    if not dry_run:
        made.write(out_folder)


def _show(plan: Plan, *, dry_run: bool) -> None:
    """Prints each cell's decision, then how many cells share a decision and its reason."""
    from metric_robustness.pipeline.engine.pace import in_words

    lines = []
    for planned in plan.cells:
        line = f"{planned.cell.metric.name} {planned.cell.attack.name}: {planned.action}, {planned.reason}"
        lines.append(f"{line}; about {in_words(planned.seconds)}, {planned.basis}" if planned.basis else line)
    if lines:  # printed one by one, 20,000 lines take 2 s
        (err if dry_run else out).print("\n".join(lines), markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("cells", "decision", "reason"):
        table.add_column(column, justify="right" if column == "cells" else "left")
    for (action, reason), count in sorted(plan.counts.items()):
        table.add_row(str(count), action, plain(reason))
    out.print(table)
