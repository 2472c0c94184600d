"""Crops and scenes of photographs. Distorted ones are kept with their labels in a folder that all networks share."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from metric_robustness.pipeline.catalogue.lookup import find
from metric_robustness.pipeline.data.images import to_tensor
from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.files import digest, read_sealed, write_sealed
from metric_robustness.pipeline.train.distortions import distort_to, draw_kind
from metric_robustness.pipeline.train.labels import LABEL_METRICS, Labeller
from metric_robustness.pipeline.train.photographs import Photographs
from metric_robustness.pipeline.train.recipes import Recipe
from metric_robustness.pipeline.train.scenes import scene

CHUNK = 40  # samples in a file; a process that is killed loses at most so many
TOGETHER = 5  # samples labelled in one batch; larger batches do not fit the processor's cache
ALIKE = 10  # samples that follow each other show the same content, each distorted in its own way
SCENES = 0.75  # share of scenes among the training contents; the others, and all validation contents, are crops
WORST, BEST = 18, 39  # peak signal-to-noise ratios of the samples, in dB
CLEAR = 25  # every 25th sample is not distorted at all


class Samples(NamedTuple):
    """Images with labels, as the task makes them."""

    images: Tensor  # (N, 3, crop, crop), uint8
    labels: Tensor  # (N,) float32, 0 to 100; or (N, 3, crop, crop) uint8, the wanted images


class SamplePlan(NamedTuple):
    """Which samples to make of one share of the photographs."""

    photographs: dict[str, Pixels]
    size: int  # how many samples
    crop: int  # side in pixels
    seed: str  # of this share
    scenes: float = 0.0  # share of the contents that are scenes


def sample_plans(photographs: Photographs, recipe: Recipe) -> tuple[SamplePlan, SamplePlan]:
    """Returns which samples to make for training and for validation."""
    return (
        SamplePlan(photographs.training, recipe.samples, recipe.crop, f"{recipe.seed} training", SCENES),
        SamplePlan(photographs.validation, recipe.validation, recipe.crop, f"{recipe.seed} validation"),
    )


def prepare(plan: SamplePlan, folder: Path, on_progress: Callable[[int], None]) -> Samples:
    """Returns the samples of a plan; makes only those that the folder lacks.

    Args:
        plan: Which samples to make.
        folder: Where samples are kept, in a folder named by a hash of all that they depend on.
        on_progress: Is called with how many more samples are done.
    """
    cache, labeller = folder / f"samples-{_key(plan)}", None
    parts = []
    for start in range(0, plan.size, CHUNK):
        numbers = range(start, min(start + CHUNK, plan.size))
        path = cache / f"{start:06d}-{numbers.stop:06d}.samples"
        about = f"{cache.name} {path.stem}"
        content = read_sealed(path, about)
        if content is None:
            labeller = labeller or Labeller()
            part = make(plan, numbers, labeller)
            write_sealed(path, save({"images": part.images, "labels": part.labels}), about)
        else:
            part = Samples(**load(content))
        parts.append(part)
        on_progress(len(part.labels))
    return Samples(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def make(plan: SamplePlan, numbers: range, labeller: Labeller) -> Samples:
    """Returns the samples of these numbers; each depends on the plan and its own number alone."""
    blocks = [numbers[start : start + ALIKE] for start in range(0, len(numbers), ALIKE)]
    # On images this small, two threads in one operation take four times the processor time of one thread.
    with ThreadPoolExecutor(torch.get_num_threads(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        parts = list(pool.map(lambda block: _block(plan, block, labeller), blocks))
    return Samples(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def _block(plan: SamplePlan, numbers: range, labeller: Labeller) -> Samples:
    """Returns the samples of one content."""
    pairs, labels = distorted_pairs(plan, numbers), []
    for start in range(0, len(pairs), TOGETHER):
        originals, images = (to_tensor(list(side)) for side in zip(*pairs[start : start + TOGETHER], strict=True))
        labels.append(labeller(images, originals))
    return Samples(stack([distorted for _, distorted in pairs]), torch.cat(labels))


def distorted_pairs(plan: SamplePlan, numbers: range) -> list[tuple[Pixels, Pixels]]:
    """Returns clear contents, each with a copy distorted by a random kind to a random peak signal-to-noise ratio.

    The ratio is drawn, not the strength, since one setting of a blur or a coder is weak in one photograph and strong in
    another. The ratios of one content are spread evenly.
    """
    pairs = []
    for number in numbers:
        block, place = divmod(number, ALIKE)
        if number == numbers[0] or place == 0:
            clear = content(plan, block)
        random = _random(plan, f"{number}")
        step = int(_random(plan, f"order {block}").permutation(ALIKE)[place])
        wanted = WORST + (BEST - WORST) * (step + random.random()) / ALIKE
        pairs.append((clear, clear if number % CLEAR == 0 else distort_to(clear, draw_kind(random), wanted, random)))
    return pairs


def content(plan: SamplePlan, block: int) -> Pixels:
    """Returns the content that the samples of one block share: a scene, or a crop of a photograph."""
    random = _random(plan, f"content {block}")
    if random.random() < plan.scenes:
        return scene(plan.photographs, plan.crop, random)
    _, name, place = draw(plan, block)
    return plan.photographs[name][place]


def draw(plan: SamplePlan, number: int) -> tuple[np.random.Generator, str, tuple[slice, slice]]:
    """Returns the photograph of a sample and the rows and columns to cut out, with the generator that drew them."""
    random = _random(plan, f"{number}")
    name = str(random.choice(sorted(plan.photographs)))
    top, left = (int(random.integers(side - plan.crop + 1)) for side in plan.photographs[name].shape[:2])
    return random, name, (slice(top, top + plan.crop), slice(left, left + plan.crop))


def _random(plan: SamplePlan, what: str) -> np.random.Generator:
    """Returns the generator for one named draw; it does not depend on earlier draws."""
    return np.random.default_rng(list(digest(f"{plan.seed} {what}".encode()).encode()))


def clear_crops(plan: SamplePlan, on_progress: Callable[[int], None]) -> Samples:
    """Returns unchanged crops, with labels of 0 that no task reads."""
    names, crops = _crops(plan)
    on_progress(plan.size)
    return Samples(crops, torch.zeros(len(names)))


def rated_crops(plan: SamplePlan, opinions: Mapping[str, float], on_progress: Callable[[int], None]) -> Samples:
    """Returns crops of images that people rated; each has the label of its whole image.

    Args:
        plan: Which crops to cut out of the images.
        opinions: By image, in any unit, higher is better; they are mapped to labels of 0 (lowest) to 100 (highest).
        on_progress: Is called with how many more samples are done.

    Raises:
        DataError: If all opinions are equal.
    """
    low, high = min(opinions.values()), max(opinions.values())
    if low == high:
        raise DataError(f"opinions must differ, so that there is something to learn; all are {low:g}: correct the CSV")
    names, crops = _crops(plan)
    on_progress(plan.size)
    return Samples(crops, torch.tensor([100 * (opinions[name] - low) / (high - low) for name in names]))


def _crops(plan: SamplePlan) -> tuple[list[str], Tensor]:
    """Returns the crops of a plan, and the names of their photographs."""
    names, crops = [], []
    for number in range(plan.size):
        _, name, place = draw(plan, number)
        names.append(name)
        crops.append(plan.photographs[name][place])
    return names, stack(crops)


def stack(crops: list[Pixels]) -> Tensor:
    """Returns crops of one size as (N, 3, height, width) uint8."""
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()


def _key(plan: SamplePlan) -> str:
    """Returns a hash of all that each sample depends on; without their number, so that a smaller plan reuses them."""
    code = [_code(Path(__file__).with_name(f"{name}.py")) for name in ("distortions", "labels", "samples", "scenes")]
    metrics = [find("metrics", name).fingerprint for name in LABEL_METRICS]
    photographs = [f"{name} {digest(pixels.tobytes())}" for name, pixels in sorted(plan.photographs.items())]
    settings = [str(plan.crop), plan.seed, str(plan.scenes)]
    return digest("\n".join([*code, *metrics, *photographs, *settings]).encode())[:16]


def _code(path: Path) -> str:
    """Returns a module's syntax tree, which does not depend on comments, docstrings and layout."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)
