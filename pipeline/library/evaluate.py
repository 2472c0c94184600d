"""Evaluates a metric that a user hands over: the command `run`, and its scores, as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from torch import Tensor, nn

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.settings import Settings, parse_budgets, settings_of
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.clear_scores import range_on
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.device import Compute, open_device
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.progress import Listener, Summary
from metric_robustness.pipeline.engine.run import run
from metric_robustness.pipeline.engine.selection import Selection
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.library.example import example_of
from metric_robustness.pipeline.library.given import Facts, GivenEntry, device_of, entry_of, with_range
from metric_robustness.pipeline.library.images import GivenImages, dataset_from
from metric_robustness.pipeline.library.progress import RunProgress, Unheard
from metric_robustness.pipeline.library.robustness_report import Comparison, KeptFolder, RobustnessReport, RunFacts
from metric_robustness.pipeline.library.rows import rows_of
from metric_robustness.pipeline.library.undisturbed import undisturbed
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.terminal import counted

SUITES = ("base", "strong", "wide")
FAR = 0.5  # of the range; metrics of the catalogue leave theirs by less than a tenth
BUDGETS = (1, 2, 4, 8, 10)  # in 255ths; the last is the attacks' own


@dataclass(frozen=True)
class Evaluation:
    """What is run, and where; a comparison runs the same on further metrics."""

    entry: Entry
    dataset: Dataset
    attacks: Sequence[str]
    settings: Settings
    machine: Machine
    progress: bool

    def run(self, metrics: Sequence[str] = (), defences: Sequence[str] = ()) -> Summary:
        """Runs the metric, or beside it further ones of the catalogue."""
        selection = Selection([self.entry, *metrics], self.attacks, [self.dataset])
        with undisturbed(), _shown(visible=self.progress) as listener:
            return run(selection, replace(self.settings, defences=tuple(defences)), self.machine, listener)

    def compare(self, names: Sequence[str]) -> Comparison:
        """Runs metrics of the catalogue on the same images and ranks all."""
        if not names or not all(isinstance(name, str) for name in names):
            got = ", ".join(type(name).__name__ for name in names) or "none"
            raise BenchError(
                f"compare must have names of metrics of the catalogue; got {got}: write them as in "
                'report.compare("niqe", "ssim"); mr.catalogue("metrics") lists them'
            )
        summary = self.run([lookup.find("metrics", name).name for name in names])
        return Comparison(write_tables([self.machine.out], self.machine.out), self.machine.out, tuple(notes(summary)))


def evaluate(
    metric: str | nn.Module | Callable[..., Tensor],
    images: GivenImages,
    *,
    higher_is_better: bool | None = None,
    score_range: tuple[float, float] | None = None,
    references: GivenImages | None = None,
    name: str = "",
    differentiable: bool | None = None,
    attacks: str | Sequence[str] = "strong",
    budgets: Sequence[int] = BUDGETS,
    defences: str | Sequence[str] = (),
    limit: int | None = None,
    out: str | Path | None = None,
    device: str = "",
    progress: bool = True,
) -> RobustnessReport:
    """Attacks a metric on images, and returns how far its scores can be moved, and whether that can be trusted.

    Rows, scores and flags are those of `metric-robustness run`. Of a module a frozen copy is run, in evaluation mode; a
    function is called as it is, in whatever mode the network is that it calls. Settings and random numbers of the
    process are afterwards what they were. There is no seed: the random numbers of an attack depend on the attack and
    the image's name alone.

    Args:
        metric: A module or a function of (N, 3, H, W) float32 images in [0, 1] that returns (N,) or (N, 1) scores. One
            that needs two arguments compares images with their originals. One of `pyiqa.create_metric`, which says its
            kind, direction and name itself, as a loss or not. An object of the benchmark's own classes, a
            clip's metric too, or the name of a metric of the catalogue, such as "niqe" or "niqe+jpeg".
        images: A folder, a file, a data set's name, or paths; tensors (N, 3, H, W) or (3, H, W) in [0, 1], which are
            rounded to 8 bits; 8-bit arrays (N, H, W, 3) or (H, W, 3); (H, W), grey; PIL images, which are read or
            refused as their files would be; a list, a generator, a torch Dataset or a DataLoader of such.
        higher_is_better: Whether a higher score is a better image; must be given unless the metric declares it.
        score_range: The scores of ordinary images, lowest and highest, of which gains are parts. None: what the metric
            declares, else its scores of the clear images.
        references: The undistorted originals, in the order or under the names of the images. Without them, a metric of
            two arguments rates each image as a JPEG of quality 50 against the image itself.
        name: The metric's name in rows and tables; empty: its class's or function's.
        differentiable: False where the metric has no gradient, so that only attacks without gradients are run. It may
            then return an array or a list.
        attacks: The suite "strong", "base" or "wide", or names of attacks.
        budgets: The largest changes of a channel, in 255ths, of the security curve; attacks take 10 unless they
            declare another.
        defences: Names of defences behind which the attacked images are scored, too.
        limit: So many of the images, always the same; None takes all.
        out: A folder for rows and tables, as `run` writes them; None: one that goes with the report. The rows of a
            user's object are always measured anew.
        device: cpu or cuda; empty: where the module's parameters lie.
        progress: Whether to show how the work goes on.

    Raises:
        ValueError: If a name, an image or an option cannot be used, or every attack failed; in one line.
    """
    facts = Facts(higher_is_better, score_range, name, differentiable)
    entry = entry_of(metric, facts, paired=references is not None)
    where = device or device_of(metric)
    open_device(where)
    chosen = config.Preset(variants=False, budgets=parse_budgets(_joined(map(str, budgets))) if budgets else ())
    names = _joined(attacks)
    if names in SUITES:
        suite = config.AttackSelection.model_validate({"suite": [names]})
        chosen, names = chosen.model_copy(update={"attacks": suite}), ""
    wanted = lookup.defence_names(_joined(defences))
    kept = KeptFolder() if out is None else None
    folder = kept.path if kept else Path(str(out)).expanduser()
    dataset = dataset_from(images, folder / ".given", references, limit)
    said: list[str] = []
    if "score_range" not in entry.fields and not entry.problem:
        entry, told = _measured(entry, dataset, folder, where)
        said.append(told)
    attack_names = [each.name for each in chosen.entries("attacks", names)]
    task = Evaluation(
        entry, dataset, attack_names, settings_of(chosen), Machine(folder, Compute(where), patience=None), progress
    )
    summary = task.run()
    if not summary.statuses["done"]:
        raise DataError(f"{entry.name}: {next(iter(summary.reasons.values()), 'nothing was run')}")
    said += notes(summary)
    if wanted:
        said += notes(task.run(defences=wanted))
    board, rows = write_tables([folder], folder), rows_of(folder, entry.name)
    said += _far_from_range(entry, rows)
    with undisturbed():
        example = attempt(lambda: example_of(entry, dataset, task.settings, task.machine, rows))
    if isinstance(example, str):  # nothing of what was measured depends on it
        said.append(f"no example: {example}")
        example = None
    facts_of_run = RunFacts(entry.name, dataset.name, folder, tuple(dict.fromkeys(said)), kept)
    return RobustnessReport(facts_of_run, board, rows, example, task.compare)


def notes(summary: Summary) -> Iterator[str]:
    """Yields what a run could not do, with the reason."""
    for (metric, attack), reason in summary.reasons.items():
        yield f"not done: {metric} under {attack}: {reason}"
    for image, reason in summary.excluded:
        yield f"excluded: {image}: {reason}"
    for remark, files in summary.remarks.items():
        yield f"{remark}: {counted(files, 'file')}"


def _far_from_range(entry: Entry, rows: pd.DataFrame) -> Iterator[str]:
    """Yields a sentence where clear images score far outside the range that a user gave: it may be in another unit."""
    if not isinstance(entry.bare or entry, GivenEntry):
        return
    (low, high), least, most = entry.fields["score_range"], rows["clear"].min(), rows["clear"].max()
    if max(low - least, most - high) > FAR * (high - low):
        yield (
            f"clear images score {least:.4g} to {most:.4g}, far outside score_range, {low:g} to {high:g}, of which "
            "gains are parts: give the scores of ordinary images"
        )


def _joined(names: str | Iterable[str]) -> str:
    """Returns names with commas between them, as the command line takes them."""
    return names if isinstance(names, str) else ",".join(names)


def _measured(entry: Entry, dataset: Dataset, folder: Path, device: str) -> tuple[Entry, str]:
    """Returns the metric with the range of its scores of the clear images, and a sentence about that.

    Raises:
        DataError: If that is no range, or the metric compares images with originals.
    """
    if entry.full_reference:
        raise DataError(
            f"score_range must be given for {entry.name}, which compares images with their originals: scores of a few "
            "distortions fill a small part of the range"
        )
    with undisturbed():
        found = range_on(open_runner(entry, folder, Compute(device)), dataset)
    if not found.low < found.high:
        raise DataError(
            f"score_range must be given: the metric's scores of {found.images} clear images are all {found.low:.6g}"
        )
    told = f"score_range was measured on {found.images} clear images: {found.low:.6g} to {found.high:.6g}"
    return with_range(entry, (found.low, found.high)), told


@contextmanager
def _shown(*, visible: bool) -> Iterator[Listener]:
    with RunProgress(1) if visible else Unheard() as listener:
        yield listener
