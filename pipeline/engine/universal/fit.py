"""Fits a universal pattern: from a training set and a metric to a pattern with a stamp; a killed fit goes on."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import torch

from metric_robustness.attacks.base import Pattern, State, Universal
from metric_robustness.pipeline import places
from metric_robustness.pipeline.cells.fit import Fit, FitStamp
from metric_robustness.pipeline.cells.stamp import DatasetFacts
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import write_png
from metric_robustness.pipeline.engine.attack.settings import attack_settings, attack_variants
from metric_robustness.pipeline.engine.batching import one_line
from metric_robustness.pipeline.engine.device import Arriving, describe, sent
from metric_robustness.pipeline.engine.metric.compiling import Ahead, CompiledSearch
from metric_robustness.pipeline.engine.metric.draws import draws_of
from metric_robustness.pipeline.engine.metric.objective import ImageNoise
from metric_robustness.pipeline.engine.metric.runner import MetricRunner, Searched
from metric_robustness.pipeline.engine.metric.search import search_of, uncompilable
from metric_robustness.pipeline.engine.universal.crop_objective import CropObjective
from metric_robustness.pipeline.engine.universal.crops import CropBatch, Crops
from metric_robustness.pipeline.engine.universal.tensors import from_bytes, to_bytes
from metric_robustness.pipeline.errors import BenchError, DataError, TransientError
from metric_robustness.pipeline.files import digest, read_sealed, write_atomically, write_sealed
from metric_robustness.pipeline.store.store import Place


class FitStep(NamedTuple):
    """How far a fit has come."""

    done: int
    total: int
    images: int  # crops of this step; of all earlier ones when a fit goes on
    loss: float  # of the last step of which it is known


OnStep: TypeAlias = Callable[[FitStep], None]


class Losses(NamedTuple):
    """What a step that is queued on the device comes to."""

    step: int
    names: list[str]  # of its crops
    values: Arriving  # their objectives


@dataclass
class Progress:
    """The progress of a fit besides its state; a checkpoint holds both."""

    steps: int = 0
    loss: list[float] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)  # image -> reason
    enlarged: list[str] = field(default_factory=list)  # images
    seconds: float = 0.0
    compiled: str | None = None  # why steps run on no compiled passes, empty if they do; None: nobody tried


class FitRun:
    """One fit at work.

    Args:
        runner: The metric.
        fit: What is fitted.
        dataset: The training set.
        on_step: Is called with every step.
        every: Seconds of work that a kill may cost.
    """

    def __init__(self, runner: MetricRunner, fit: Fit, dataset: Dataset, on_step: OnStep, *, every: float) -> None:
        attack = attack_variants(fit.attack, fit.settings)[fit.variant]
        if not isinstance(attack, Universal):
            raise DataError(f"{fit.attack.name} must inherit from Universal to be fitted: correct the class")
        self.runner, self.fit, self.attack, self.on_step, self.every = runner, fit, attack, on_step, every
        self.crops = Crops(dataset, attack.crop, fit.distortion, runner.entry.full_reference)
        self.checkpoint = runner.scratch(f"fit-{fit.key[:16]}.checkpoint")
        self.place = Place("unfinished", fit.key, "checkpoint")
        self.compiled: CompiledSearch | None = None  # None: nobody asked yet
        self.queued: Losses | None = None  # of the last step, not waited for yet

    def run(self) -> Pattern:
        """Fits the pattern, writes it with preview and stamp to the output folder, and returns it.

        Raises:
            DataError: If the training set, the metric or the attack allow no pattern.
            TransientError: If the machine failed.
        """
        self._require_crops()
        try:
            with torch.no_grad():
                state, progress = self._resumed() or (self._begun(), Progress())
                state = self._climb(state, progress)
                pattern = self.attack.reached(state).float().cpu()
        except BenchError:
            raise
        except Exception as error:  # whatever a contributor's code raises costs only its own cells
            if "CUDA error" in str(error):
                raise TransientError(f"the GPU is lost: {one_line(error)}") from error
            raise DataError(f"the fit on {self.fit.train} failed: {one_line(error)}") from error
        shape = self.attack.pattern_shape
        if pattern.shape != shape or not pattern.isfinite().all() or not pattern.any():
            raise DataError(
                f"the pattern fitted on {self.fit.train} must be finite, not 0, and of shape {shape}; got shape "
                f"{tuple(pattern.shape)}, largest value {pattern.abs().max():.3g}: see if the metric has a gradient"
            )
        self._write(pattern, progress)
        return pattern

    def _require_crops(self) -> None:
        dataset, metric = self.crops.dataset, self.runner.entry
        if len(dataset.photos) < self.attack.batch:
            raise DataError(
                f"training set {dataset.name} must hold a batch of {self.attack.batch} images; it holds "
                f"{len(dataset.photos)} that can be used: add images, or --set batch={len(dataset.photos)}"
            )
        if metric.fields["smallest"] > self.attack.crop:
            raise DataError(
                f"{metric.name} must accept crops of {self.attack.crop} pixels; it needs {metric.fields['smallest']}: "
                f"--set crop={metric.fields['smallest']}"
            )

    def _begun(self) -> State:
        return self.attack.begin(ImageNoise(self.fit.attack.name, [self.fit.train]))

    def _climb(self, state: State, progress: Progress) -> State:
        """Takes the steps that are left; returns the last state.

        Each step is queued on the device before the loss of the one before it is read, so that a GPU is busy meanwhile.
        Only the first one is waited for, since how long a step takes decides whether passes are compiled.
        """
        steps = self.crops.steps(self.attack.batch, self.attack.passes(len(self.crops.dataset.photos)))
        state = {name: value.to(self.runner.device) for name, value in state.items()}
        most = self.runner.rule(self.attack.crop, self.attack.crop)
        done = sum(map(len, steps[: progress.steps]))
        self.on_step(FitStep(progress.steps, len(steps), done, progress.loss[-1] if progress.loss else math.nan))
        saved = last = time.monotonic()
        for photos, batch in zip(steps[progress.steps :], self.crops.batches(steps[progress.steps :]), strict=True):
            if batch.names:
                self._compile(batch, most, progress, len(steps))
                state, most, queued = self._step(state, batch, most, progress)
                self._settle(progress)
                self.queued = queued
            if progress.steps in {0, len(steps) - 1}:
                self._settle(progress)
            now = time.monotonic()
            progress.steps, progress.seconds, last = progress.steps + 1, progress.seconds + now - last, now
            if now - saved >= self.every:
                self._settle(progress)
                self._save(state, progress)
                saved = now
            self.on_step(
                FitStep(progress.steps, len(steps), len(photos), progress.loss[-1] if progress.loss else math.nan)
            )
        self._look_at_crops(progress)
        return state

    @property
    def _search(self) -> Searched:
        plain = search_of(self.runner, self.crops.dataset, self.fit.distortion)
        return self.compiled.searched if self.compiled else plain

    def _compile(self, batch: CropBatch, most: int, progress: Progress, steps: int) -> None:
        """Has the passes over crops compiled once, if the steps that are left take long, or in any case.

        In any case: where the user wants it, or a killed fit that goes on here tried it.
        """
        wanted = self.runner.compute.compiled
        needed = wanted or progress.compiled is not None
        if self.compiled or wanted is False or uncompilable(self.runner) or not (needed or progress.steps):
            return
        if len(batch.names) < self.attack.batch:  # the end of an epoch, or an image is broken: other steps have more
            return
        left = math.inf if needed else progress.seconds / progress.steps * (steps - progress.steps)
        refused = "" if wanted else progress.compiled or ""
        ahead = Ahead(True, self.fit.settings.dtype == "bfloat16", left, refused)
        part, device = slice(0, most), self.runner.device
        references = None if batch.references is None else batch.references[part].to(device)
        given = batch.images[part].to(device), references
        if defended := self.runner.defended(batch.names[part]):
            given = defended.shown(*given)
        self.compiled = CompiledSearch(self.runner, self._search)
        progress.compiled = self.compiled.compile(*given, ahead)

    def _step(self, state: State, batch: CropBatch, most: int, progress: Progress) -> tuple[State, int, Losses]:
        """Queues a step; returns the next state, how many crops the metric takes at once, and their losses."""
        device = self.runner.device
        references = None if batch.references is None else sent(batch.references, device)
        # The step is in the names, too: a random defence draws anew at each, and a resumed fit draws the same.
        search = self._search.metric
        defended = self.runner.defended([f"{name} in step {progress.steps}" for name in batch.names], search)
        dtype = getattr(torch, self.fit.settings.dtype)
        objective = CropObjective(search, references, dtype, most, defended)
        with draws_of(f"{self.fit.attack.name} in step {progress.steps}", device):
            (state,) = self.attack.fit([(sent(batch.images, device), objective)], state)
        return state, objective.most, Losses(progress.steps, batch.names, Arriving(objective.values))

    def _settle(self, progress: Progress) -> None:
        """Waits for the last step's loss, if nobody did yet."""
        queued, self.queued = self.queued, None
        if queued:
            progress.loss.append(self._loss(queued, progress))

    def _loss(self, queued: Losses, progress: Progress) -> float:
        """Returns 1 - objective, mean over the crops that have one, else NaN; crops without one are named.

        Raises:
            DataError: If two batches in a row have none.
        """
        names = queued.names
        scored = dict(zip(names, queued.values.tolist(), strict=True))
        finite = [value for value in scored.values() if math.isfinite(value)]
        if not finite and progress.loss and math.isnan(progress.loss[-1]):
            raise DataError(
                f"the loss of the fit on {self.fit.train} must be finite; it is {scored[names[0]]} since step "
                f"{queued.step}, on {', '.join(names[:3])} too: see what the metric says of these images"
            )
        progress.excluded |= {
            name: f"its score was {value} in the fit" for name, value in scored.items() if not math.isfinite(value)
        }
        return float(f"{1 - sum(finite) / len(finite):.6g}") if finite else math.nan

    def _look_at_crops(self, progress: Progress) -> None:
        """Copies which images were excluded or enlarged."""
        progress.excluded |= self.crops.excluded
        progress.enlarged = sorted({*progress.enlarged, *self.crops.enlarged})

    def _save(self, state: State, progress: Progress) -> None:
        self._look_at_crops(progress)
        content = to_bytes(state, {"progress": json.dumps(asdict(progress))})
        write_sealed(self.checkpoint, content, f"fit {self.fit.key}")
        self.runner.sync.copy(self.place, self.checkpoint)

    def _resumed(self) -> tuple[State, Progress] | None:
        """Returns what the last checkpoint of this very fit holds; nothing if there is none, or it is damaged."""
        self.runner.sync.bring(self.place, self.checkpoint)
        content = read_sealed(self.checkpoint, f"fit {self.fit.key}")
        if content is None:
            return None
        state, facts = from_bytes(content)
        return state, Progress(**json.loads(facts["progress"]))

    def _write(self, pattern: Pattern, progress: Progress) -> None:
        """Writes preview and pattern, then the stamp, which makes them count."""
        file, fit, dataset = self.fit.file(self.runner.out), self.fit, self.crops.dataset
        grey = torch.full((1, 3, self.attack.crop, self.attack.crop), 0.5)
        shown = self.attack.added(pattern, grey).expand_as(grey)[0]
        write_png((shown / (2 * self.attack.eps) + 0.5).clamp(0, 1), file.with_suffix(".png"))
        content = to_bytes({"pattern": pattern}, {"key": fit.key})
        write_atomically(file, content)
        settings = attack_settings(fit.attack, fit.settings)
        stamp = FitStamp(
            metric=fit.metric.name,
            metric_fingerprint=fit.metric.fingerprint,
            attack=fit.attack.name,
            attack_fingerprint=fit.attack.fingerprint,
            variant=fit.variant,
            settings=settings["settings"] | settings["variants"].get(fit.variant, {}),
            train=DatasetFacts(
                name=fit.train,
                digest=dataset.digest,
                images=dataset.asked,
                excluded=dataset.excluded | progress.excluded,
                remarks=dataset.remarks,
                unread=dataset.unread,
            ),
            enlarged=progress.enlarged,
            loss=progress.loss,
            searched=self._search.told,
            seconds=round(progress.seconds, 3),
            machine=describe(self.runner.device),
            commit=places.commit(),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            key=fit.key,
            sha256=digest(content),
        )
        write_atomically(file.with_suffix(".json"), stamp.to_json())
        self.checkpoint.unlink(missing_ok=True)
