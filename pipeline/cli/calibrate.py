"""The command that measures metrics before their cells are run, scores of clear images and speeds: calibrate."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metric_robustness.pipeline import config, places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.speed import PassSpeed, by_place, kind_of, read_speeds, speeds_to_csv
from metric_robustness.pipeline.cli.options import OWN, Device, Preset, StoreAddress, register
from metric_robustness.pipeline.errors import DataError, Exit
from metric_robustness.pipeline.files import write_atomically
from metric_robustness.pipeline.isolation.importing import uncollected
from metric_robustness.pipeline.terminal import err, out

if TYPE_CHECKING:
    from metric_robustness.pipeline.engine.clear_scores import ClearRange
    from metric_robustness.pipeline.engine.machine import Machine


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register(
        app, OWN, calibrate, "calibrate --metrics all --dataset nips2017 --out build/nips --ranges results/ranges.csv"
    )


def calibrate(
    metrics: Annotated[str, typer.Option(help="Names with commas, or all.")],
    out_folder: Annotated[Path, typer.Option("--out", help="An output folder of run.")],
    preset: Preset = "nightly",
    dataset: Annotated[
        str, typer.Option(help="Data sets or folders with commas, whole, instead of the preset's.")
    ] = "",
    device: Device = "cpu",
    store: StoreAddress = "",
    ranges: Annotated[
        Path | None, typer.Option(help="Write the measured ranges here too: results/ranges.csv is what ranks.")
    ] = None,
    speeds: Annotated[
        Path | None,
        typer.Option(
            help="Also measure what a pass of these metrics, and the attacks' own arithmetic, costs on this device; "
            "write it here. `plan` reads results/speeds.csv."
        ),
    ] = None,
) -> None:
    """Scores the clear images of a preset or a data set once, for all cells of a metric."""
    chosen = config.load().preset(preset)
    if dataset:
        chosen = chosen.model_copy(update={"datasets": tuple(dataset.split(",")), "limit": None})
    entries = chosen.entries("metrics", metrics)
    done = calibrate_all(entries, chosen, out_folder, device=device, store=store, ranges=ranges)
    if speeds or store:
        from metric_robustness.pipeline.engine.device import Compute
        from metric_robustness.pipeline.engine.machine import Machine

        machine = Machine(out_folder, Compute(device), store=store)
        measured = measure_speeds(entries, chosen, machine, speeds)
        done &= measured or not speeds  # a job's task is the clear scores
    if not done:
        raise typer.Exit(Exit.FAILED)


def calibrate_all(
    entries: Iterable[Entry],
    preset: config.Preset,
    folder: Path,
    *,
    device: str,
    store: str = "",
    ranges: Path | None = None,
    isolated: bool = True,
) -> bool:
    """Scores the clear images for each metric; names one that cannot be calibrated, and goes on with the others.

    Args:
        entries: The metrics.
        preset: The preset whose data sets are scored.
        folder: An output folder of `run`.
        device: cpu or cuda.
        store: The result store that the scores are written to as well, or nothing.
        ranges: The ranges.csv whose lines of these metrics are replaced, or None.
        isolated: Whether each metric has a process of its own.

    Returns:
        Whether all were calibrated.
    """
    with uncollected():
        from metric_robustness.pipeline.engine.clear_scores import calibrate as score_clear
        from metric_robustness.pipeline.engine.workers import slow_imports
        from metric_robustness.pipeline.isolation.starter import starter
        from metric_robustness.pipeline.isolation.watch import call

    entries, failed = list(entries), False
    if isolated:
        starter().prepare(slow_imports(entries))
    for entry in entries:
        try:
            with err.status(f"{entry.name}: scoring the clear images"):
                arguments = (entry.name, preset, folder, device, store)
                found = call(entry.name, score_clear, *arguments) if isolated else score_clear(*arguments)
        except DataError as error:
            err.print(f"error: {error}", markup=False, soft_wrap=True)
            failed = True
            continue
        for clear in found:
            images = clear.dataset + (f", jpeg={clear.distortion.setting}" if entry.full_reference else "")
            out.print(f"{entry.name} on {images}: {clear.low:.6g} to {clear.high:.6g}, {clear.images} images")
            for photo, reason in clear.excluded.items():
                err.print(f"excluded: {photo}: {reason}", markup=False, soft_wrap=True)
        if ranges:
            _replace_range(entry, found, ranges)
    return not failed


def measure_speeds(metrics: Iterable[Entry], preset: config.Preset, machine: Machine, speeds: Path | None) -> bool:
    """Measures the speed of each metric and each attack; names one that cannot be measured, and goes on.

    Args:
        metrics: The metrics.
        preset: The preset whose images are used.
        machine: Where to compute, and the result store that gets the speeds.
        speeds: The speeds.csv whose lines of these entries on this device are replaced. None: only the store gets
            them, and attacks that were measured on this device before are not measured again.

    Returns:
        Whether all were measured.
    """
    with uncollected():
        from metric_robustness.pipeline.engine.speed import measure_attack, measure_metric, name_of_device
        from metric_robustness.pipeline.engine.workers import slow_imports
        from metric_robustness.pipeline.isolation.starter import starter
        from metric_robustness.pipeline.isolation.watch import call
        from metric_robustness.pipeline.store import cells as stored
        from metric_robustness.pipeline.store.open import open_store

    metrics = list(metrics)
    starter().prepare(slow_imports(metrics))
    attacks = [entry for entry in lookup.entries("attacks").values() if not entry.problem]
    store = open_store(machine.store) if machine.store else None
    if store and not speeds:
        kind = kind_of(call("the device", name_of_device, machine.compute.device))
        known = [*read_speeds(places.results() / "speeds.csv").values(), *stored.read_speeds(store, attacks, [kind])]
        there = {speed.name for speed in known if speed.folder == "attacks" and kind_of(speed.device) == kind}
        attacks = [entry for entry in attacks if entry.name not in there]
    work = [*((entry, measure_metric) for entry in metrics), *((entry, measure_attack) for entry in attacks)]
    failed = False
    for entry, measure in work:
        try:
            with err.status(f"{entry.name}: measuring its speed"):
                speed = call(entry.name, measure, entry.name, preset, machine.out, machine.compute.device)
        except DataError as error:
            err.print(f"{'error: ' if speeds else ''}{error}", markup=False, soft_wrap=True)
            failed = True
            continue
        if store:
            stored.write_speed(store, entry, speed)
        if speeds:  # one by one, so that a run that is ended keeps what it measured
            write_atomically(speeds, speeds_to_csv(by_place([*read_speeds(speeds).values(), speed]).values()))
        out.print(_in_words(speed), markup=False, soft_wrap=True)
    return not failed


def _in_words(speed: PassSpeed) -> str:
    """Returns a speed in milliseconds an image."""
    if speed.folder == "attacks":
        return f"{speed.name}: {1000 * speed.trial:.3g} ms of its own an image"
    passes = f"{1000 * speed.forward:.3g} ms a query"
    if speed.gradient:
        passes += f", {1000 * speed.gradient:.3g} ms with its gradient"
    return f"{speed.name}: {passes}, {1000 * speed.trial:.3g} ms more an attacked image; {speed.start:.2g} s to start"


def _replace_range(entry: Entry, found: list[ClearRange], ranges: Path) -> None:
    """Replaces the metric's line of ranges.csv, and prints how the measured range differs from the declared one."""
    from metric_robustness.pipeline.scoring.board.leaderboard import FEW
    from metric_robustness.pipeline.scoring.scores.ranges import MeasuredOn, as_csv, line_of, read_lines

    if entry.full_reference:
        err.print(
            f"{entry.name} keeps its declared range: its clear image is its reference, compressed",
            markup=False,
            soft_wrap=True,
        )
        return
    clear = next((each for each in found if each.images >= FEW and each.low < each.high), None)
    if clear is None:
        err.print(
            f"{entry.name} keeps the range it has: a range is measured on {FEW} images or more of one data set",
            markup=False,
            soft_wrap=True,
        )
        return
    today = datetime.now(UTC).date().isoformat()
    source = MeasuredOn(clear.images, clear.dataset, clear.digest, today)
    line = line_of(entry.name, (clear.low, clear.high), entry.fields["score_range"], source)
    write_atomically(ranges, as_csv({**read_lines(ranges), entry.name: line}.values()))
    difference = f"; it {line.difference}" if line.difference else ""
    out.print(f"  declared: {line.declared_low} to {line.declared_high}{difference}", markup=False, soft_wrap=True)
