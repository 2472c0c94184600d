"""Tries an attack without gradients on a few images, to learn whether the whole data set needs it.

Such an attack asks for a thousand scores per image. Where gradients lead further on a few images, it would find nothing
on the others; where it beats them, the gradients mislead, and it alone tells how far the metric can be moved.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from statistics import fmean

from metric_robustness.attacks.base import Attack
from metric_robustness.pipeline.cells.cell import Cell
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.data.images import Batch
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.batching import attempt
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective
from metric_robustness.pipeline.engine.metric.runner import MetricRunner
from metric_robustness.pipeline.engine.probe import few_images, probe


def not_needed(runner: MetricRunner, cell: Cell, dataset: Dataset) -> str:
    """Returns why a data set does not need an attack without gradients; nothing if it does, or if nobody can know.

    Raises:
        DataError: If the attack or the metric cannot be built.
        TransientError: If the GPU is lost.
    """
    changes = cell.attack.fields.get("scout")
    if not changes or not cell.metric.fields["differentiable"]:
        return ""
    distortion = cell.settings.distortions[0] if cell.metric.full_reference else NONE
    measured = probe(runner, dataset, distortion)
    if measured is None or not measured.gains:
        return ""
    attack = replace(attack_variants(cell.attack, cell.settings)[""], **changes)
    tried = [
        attempt(partial(_gain, runner, attack, cell.attack.name, image))
        for image in few_images(runner, dataset, distortion)
        if image.photos
    ]
    gains = [gain for gain in tried if not isinstance(gain, str)]
    by_gradients = max(measured.gains.values())
    if not gains or fmean(gains) > by_gradients:
        return ""
    spent = ", ".join(f"{value} {name}" for name, value in changes.items())
    images = f"{len(gains)} image{'' if len(gains) == 1 else 's'}"
    return (
        f"gradients lead further: on {images}, ten of their steps raised the score by {by_gradients:.3f} of its range, "
        f"and {cell.attack.name} with {spent} by {fmean(gains):.3f}"
    )


def _gain(runner: MetricRunner, attack: Attack, name: str, batch: Batch) -> float:
    """Returns how far the attack raises the score of one image, in parts of the range."""
    images, references = runner.on_device(batch)
    objective = MetricObjective(runner.metric, references, access="black")
    attacked = attack.rounded(attack(images, objective, ImageNoise(name, [batch.photos[0].name])), images)
    return (objective(attacked) - objective(images)).item()
