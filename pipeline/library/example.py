"""An example of what an attack did: the image that was moved by the median, attacked once more."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.cell import Cell, is_targeted, is_universal
from metric_robustness.pipeline.cells.distortion import NONE
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.data.dataset import Dataset
from metric_robustness.pipeline.engine.attack.batch import attack_batch, objective_of
from metric_robustness.pipeline.engine.attack.passes import Trial, distortions_of
from metric_robustness.pipeline.engine.attack.settings import attack_variants
from metric_robustness.pipeline.engine.clips.runner import open_runner
from metric_robustness.pipeline.engine.machine import Machine
from metric_robustness.pipeline.engine.metric.search import search_of
from metric_robustness.pipeline.engine.metric.surrogates import surrogates_of


@dataclass(frozen=True)
class Example:
    """One image before and after the attack that moved it most.

    Attributes:
        image: Its name.
        attack: The attack's name.
        scores: The clear and the attacked score, in the metric's unit.
        clear: (3, H, W), what was attacked, in [0, 1].
        attacked: (3, H, W), on the 256 levels.
    """

    image: str
    attack: str
    scores: tuple[float, float]
    clear: Tensor
    attacked: Tensor


def example_of(
    entry: Entry, dataset: Dataset, settings: Settings, machine: Machine, rows: pd.DataFrame
) -> Example | None:
    """Returns the example; None of a clip, or where no attack of a single image was run.

    Rows hold no pixels, and saving all attacked images would take more room than one more attack takes time.

    Args:
        entry: The metric.
        dataset: The images.
        settings: Those of the run.
        machine: Where the run computed.
        rows: Of `rows_of`.
    """
    known = {name: lookup.find("attacks", name) for name in rows["attack"].unique()}
    alone = [name for name, entry in known.items() if not (is_universal(entry) or is_targeted(entry))]
    usual = rows[(rows["variant"] == "") & (rows["defence"] == "") & rows["attack"].isin(alone)]
    if entry.kind == "video" or usual.empty:
        return None
    gain = (usual["attacked"] - usual["clear"]) * (1 if entry.fields["higher_is_better"] else -1)
    worst = usual.assign(gain=gain).sort_values(["gain", "attack"]).drop_duplicates("image", keep="last")
    row = worst.iloc[(len(worst) - 1) // 2]
    (photo,) = [each for each in dataset.photos if each.name == row["image"]]
    attack = lookup.find("attacks", row["attack"])
    runner = open_runner(entry, machine.out, machine.compute)
    distortion = distortions_of(entry, dataset, settings)[0] if entry.full_reference else NONE
    images, references = runner.on_device(runner.load([photo], dataset, distortion))
    trial = Trial(attack.name, attack_variants(attack, settings)[""])
    needed = Cell(entry, attack, {}, settings).needed()
    surrogates = surrogates_of(runner, needed, dataset, distortion).of([photo])
    search = search_of(runner, dataset, distortion).metric
    scorer = runner.defended([photo.name], search) or search
    objective = objective_of(scorer, images, references, trial, surrogates, dtype=torch.float32)
    attacked = attack_batch(images, [photo.name], objective, trial).images
    scores = (float(row["clear"]), float(row["attacked"]))
    return Example(photo.name, attack.name, scores, images[0].cpu(), attacked[0].cpu())
