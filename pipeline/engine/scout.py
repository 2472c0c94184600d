"""Tries an attack without gradients on a few images, to learn whether the whole data set needs it.

Such an attack asks for a thousand scores per image. Where gradients lead far further on a few images, it would find
nothing on the others; elsewhere the gradients mislead, and it alone may tell how far the metric can be moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from statistics import fmean
from typing import Any, TypeAlias

from metric_robustness.attacks.base import Attack
from metric_robustness.metrics.base import Metric
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.few_images import scouted
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.metric.few_images import few_images
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.metric.search import search_of

Gain: TypeAlias = Callable[[Attack, str, Batch], float]  # of an attack of this name on an image
NEAR = 0.25  # 60 squares find a quarter of what 1,000 do, measured on NIQE: .042 and .16 of its range


def not_needed(runner: MetricRunner, cell: Cell, dataset: Dataset) -> str:
    """Returns why a data set does not need an attack; nothing if it does, or if nobody can know.

    Raises:
        DataError: If an attack or the metric cannot be built.
        TransientError: If the GPU is lost.
    """
    scouts = cell.attack.fields.get("scout")
    images_alone = cell.metric.kind != "video" and not cell.metric.purified
    if not scouts or not images_alone or not cell.metric.fields["differentiable"]:
        return ""
    most = scouted(len(dataset.photos))
    images = [
        image
        for image in few_images(dataset, cell.distortion, paired=cell.metric.full_reference, most=most)
        if image.photos
    ]
    attacks = attack_variants(cell.attack, cell.settings)
    goals = sorted({attack.goal for attack in attacks.values()})
    search = search_of(runner, dataset, cell.distortion).metric
    gain = partial(_gain, runner, search)
    tried = [_tried(cell.attack, {"goal": goal, "eps": attacks[""].eps}, gain, images) for goal in goals]
    if not all(tried):
        return ""
    count = f"{len(images)} image{'' if len(images) == 1 else 's'}"
    return f"gradients lead further: tried on {count}, {'; '.join(tried)}"


def _tried(entry: Entry, asked: Mapping[str, Any], gain: Gain, images: list[Batch]) -> str:
    """Returns what each scout gained, if the attack stays far behind; nothing if it does not, or if none gained.

    Where gradients gain nothing, they may be masked, and few queries prove nothing.

    Args:
        entry: The attack.
        asked: The goal and eps that it and the others are tried with.
        gain: Tries one of them on an image.
        images: On which they are tried.
    """
    scouts = entry.fields["scout"]
    gains = {name: _mean_gain(name, {**changes, **asked}, gain, images) for name, changes in scouts.items()}
    own = gains.pop(entry.name)
    known = {name: gain for name, gain in gains.items() if gain is not None}
    if own is None or not known or own > NEAR * max(known.values()) or max(known.values()) <= 0:
        return ""
    told = ", ".join(f"{name} {gain:.3f}" for name, gain in known.items())
    return f"{'downwards ' if asked['goal'] == 'worse' else ''}{told}, {entry.name} {own:.3f}"


def _mean_gain(name: str, changes: Mapping[str, Any], gain: Gain, images: list[Batch]) -> float | None:
    """Returns the mean gain of an attack towards its goal, in parts of the range; None if no image has one.

    An image whose clear score is not finite has none; it is excluded from the rows, too.
    """
    attack: Attack = lookup.find("attacks", name).load()(**changes)
    tried = [attempt(partial(gain, attack, name, image)) for image in images]
    gains = [gain for gain in tried if not isinstance(gain, str) and isfinite(gain)]
    return fmean(gains) if gains else None


def _gain(runner: MetricRunner, search: Metric, attack: Attack, name: str, batch: Batch) -> float:
    """Returns how far the attack moves the score of one image towards its goal, in parts of the range.

    As in a cell, it searches on what searches run on, and is scored on the metric.
    """
    images, references = runner.on_device(batch)
    objective = MetricObjective(search, references, access=attack.access)
    attacked = attack.rounded(attack(images, objective, ImageNoise(name, [batch.photos[0].name])), images)
    towards = attack.aim(MetricObjective(runner.metric, references))
    return (towards(attacked) - towards(images)).item()
