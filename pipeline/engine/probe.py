"""A few cheap measurements of a metric on a few images, from which scoring judges whether its gains can be trusted.

What to look for: Carlini et al. On evaluating adversarial robustness. 2019. https://arxiv.org/abs/1902.06705
"""

from __future__ import annotations

from functools import partial
from statistics import fmean, median
from typing import Any, NamedTuple

import torch

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.cells.cell import probe_key
from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.cells.stamp import Probe
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.metric.few_images import few_images
from metric_robustness.pipeline.engine.metric.objective import MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.files import exclusive, read_sealed, write_sealed
from metric_robustness.pipeline.store.store import Place

NEAR = (0.25 / 255, 1 / 16 / 255, 1 / 255)  # steps along the gradient; it must be right on one of them
NOISE = 1 / 255  # of the pixels without gradient
DIRECTIONS = 4
LEAST = 1e-5  # a smaller difference of two objectives is rounding of single precision
LADDER = (2, 5, 10)  # limits in 255ths, each step being one 255th
FREE = tuple(128 / 255 * 512 ** (-i / 11) for i in range(12))  # steps without limit, from 128 to 1/4 of a 255th


class Slopes(NamedTuple):
    """The measurements of one image's gradients; see `Probe`."""

    slope: float | None
    unseen_share: float | None
    gains: list[float]
    free_end: float
    free_best: float


def probe(runner: MetricRunner, dataset: Dataset, distortion: Distortion) -> Probe | None:
    """Returns the measurements of a metric on a data set, from the output folder or the result store if it has them.

    None for a video metric, for a defended one, and where no image can be scored.

    Raises:
        DataError: If the metric cannot be built.
        TransientError: If the GPU is lost.
    """
    if runner.entry.kind == "video" or runner.entry.purified:
        return None
    key = probe_key(runner.entry, dataset.digest, distortion)
    path, place = runner.scratch(f"clear-{key}.probe"), Place("clear", key, "probe")
    with exclusive(path.with_suffix(".lock")):
        runner.sync.bring(place, path)
        if known := read_sealed(path, key):
            return Probe.model_validate_json(known)
        found = measure(runner, list(few_images(dataset, distortion, paired=runner.entry.full_reference)))
        if found:
            write_sealed(path, found.model_dump_json().encode(), key)
            runner.sync.put(place, path)
    return found


def measure(runner: MetricRunner, images: list[Batch]) -> Probe | None:
    """Returns the measurements on images, each a batch of one; None where none can be scored."""
    repeat_shifts: list[float] = []
    batch_shifts: list[float] = []
    slopes: list[Slopes] = []
    problems: list[str] = []
    entry = runner.entry
    for image in images:
        if not image.photos:
            continue
        shifts = attempt(partial(_shifts, runner, image))
        if isinstance(shifts, str):
            continue
        repeat_shifts.append(shifts[0])
        batch_shifts.append(shifts[1])
        if entry.fields["differentiable"]:
            found = attempt(partial(_slopes, runner, image))
            if isinstance(found, str):
                problems.append(found)
            else:
                slopes.append(found)
    if not repeat_shifts:
        return None
    steady = Probe(
        images=len(repeat_shifts),
        repeat_shift=max(repeat_shifts),
        # The engine scores the images of a metric that depends on the batch one by one.
        batch_shift=0 if entry.fields["batch_dependent"] else max(batch_shifts),
        problem="" if slopes or not problems else problems[0],
    )
    return steady.model_copy(update=_lead(slopes)) if slopes else steady


def _lead(slopes: list[Slopes]) -> dict[str, Any]:
    """Returns each measurement's mean or median over the images."""
    gains = map(fmean, zip(*(each.gains for each in slopes), strict=True))
    return {
        "slope": _median([each.slope for each in slopes]),
        "unseen_share": _median([each.unseen_share for each in slopes]),
        "gains": dict(zip(LADDER, gains, strict=True)),
        "free_end": fmean(each.free_end for each in slopes),
        "free_best": median(each.free_best for each in slopes),
    }


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _shifts(runner: MetricRunner, batch: Batch) -> tuple[float, float]:
    """Returns how far the score of an image moves when it is scored again, and when other images share its batch."""
    images, references = runner.on_device(batch)
    others = torch.cat([images, images.flip(3), 1 - images])
    score = MetricObjective(runner.metric, references)
    together = MetricObjective(runner.metric, None if references is None else torch.cat([references] * 3))
    first, second = score(images), score(images)
    among = attempt(partial(together, others))
    # The engine scores images one by one where the metric fails on several at once.
    batch_shift = 0.0 if isinstance(among, str) else (among[:1] - first).abs().item()
    return (first - second).abs().item(), batch_shift


def _slopes(runner: MetricRunner, batch: Batch) -> Slopes:
    """Returns the measurements of an image's gradients."""
    images, references = runner.on_device(batch)
    objective = MetricObjective(runner.metric, references)
    low, high = runner.metric.score_range
    worst = (low if runner.metric.higher_is_better else high) * objective.scale  # the objective at the end of the range
    gradient = objective.gradient(images).nan_to_num(0, 0, 0)
    start = objective(images)
    slope, unseen = _agreement(objective, images, gradient), _unseen_share(objective, images, gradient, references)
    gains: list[float] = []
    adversarial = images
    for step in range(1, LADDER[-1] + 1):
        adversarial = _climbed(objective, adversarial, 1 / 255)
        if step in LADDER:
            gains.append((objective(adversarial) - start).item())
    end = best = objective(adversarial)
    for size in FREE:
        adversarial = _climbed(objective, adversarial, size)
        best = torch.maximum(best, objective(adversarial))
    return Slopes(slope, unseen, gains, (end - worst).item(), (best - worst).item())


def _climbed(objective: MetricObjective, images: Images, step: float) -> Images:
    return (images + step * objective.gradient(images).nan_to_num(0, 0, 0).sign()).clamp(0, 1)


def _agreement(objective: MetricObjective, images: Images, gradient: Images) -> float | None:
    """Returns the measured slope along the gradient's signs over the one it promises, where they agree best.

    None where the score changes too little to measure either.
    """
    inside = (images > max(NEAR)) & (images < 1 - max(NEAR))
    along = gradient.sign() * inside
    promised = (gradient * along).sum().item()
    ratios = []
    for step in NEAR:
        rise = (objective(images + step * along) - objective(images - step * along)).item()
        if max(abs(rise), 2 * step * promised) > LEAST and promised > 0:
            ratios.append(rise / (2 * step * promised))
    return min(ratios, key=lambda ratio: abs(ratio - 1), default=None)


def _unseen_share(
    objective: MetricObjective, images: Images, gradient: Images, references: Images | None
) -> float | None:
    """Returns how far noise on the pixels without gradient moves the score, over noise on all pixels.

    Pixels that equal the reference do not count: there an error is at its minimum, and no gradient is the right one.
    None where all pixels have a gradient, or the score does not change.
    """
    inside = (images > NOISE) & (images < 1 - NOISE)
    if references is not None:
        inside &= images != references
    without = (gradient == 0) & inside
    if without.float().mean() < 0.01:
        return None
    generator = torch.Generator().manual_seed(0)
    start = objective(images)
    moved = torch.zeros(2)
    for _ in range(DIRECTIONS):
        noise = NOISE * torch.randn(images.shape, generator=generator).sign().to(images) * inside
        moved += torch.stack([(objective(images + noise * part) - start).square().cpu()[0] for part in (without, 1)])
    hidden, whole = moved.sqrt().tolist()
    return hidden / whole if whole > LEAST else None
