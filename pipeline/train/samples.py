"""Crops and scenes of photographs; distorted ones and their labels are kept in a folder, the same for every network."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pipeline.catalogue.lookup import find
from pipeline.data.images import to_tensor
from pipeline.data.video import Pixels
from pipeline.errors import DataError
from pipeline.files import digest, write_atomically
from pipeline.train.distortions import distort_to, draw_kind
from pipeline.train.labels import JUDGES, Labeller
from pipeline.train.photographs import Photographs
from pipeline.train.recipes import Recipe
from pipeline.train.scenes import scene

CHUNK = 40  # samples in a file: what is lost when the making is killed
TOGETHER = 5  # judged in one batch; larger ones fall out of the processor's cache
ALIKE = 10  # samples that follow each other show the same content, each distorted in its own way
SCENES = 0.75  # share of the contents to train on that are scenes; the others, and all held out, are crops
WORST, BEST = 18, 39  # peak signal-to-noise ratios of the samples, in dB
CLEAR = 25  # every 25th sample is not distorted at all


class Samples(NamedTuple):
    """Images with labels, as the task makes them."""

    images: Tensor  # (N, 3, crop, crop), uint8
    labels: Tensor  # (N,) float32, 0 to 100; or (N, 3, crop, crop) uint8, the images that are wanted


class SamplePlan(NamedTuple):
    """The samples of one share of the photographs, before they are made."""

    photographs: dict[str, Pixels]
    size: int
    crop: int
    seed: str  # of this share
    scenes: float = 0.0  # share of the contents that are scenes


def sample_plans(photographs: Photographs, recipe: Recipe) -> tuple[SamplePlan, SamplePlan]:
    """Returns what is to be made for training and for validation."""
    return (
        SamplePlan(photographs.training, recipe.samples, recipe.crop, f"{recipe.seed} training", SCENES),
        SamplePlan(photographs.validation, recipe.validation, recipe.crop, f"{recipe.seed} validation"),
    )


def prepare(plan: SamplePlan, folder: Path, on_progress: Callable[[int], None]) -> Samples:
    """Returns the samples of a plan; those that the folder has are not made again.

    Args:
        plan: What to make.
        folder: Where samples are kept, below a name that hashes all they depend on.
        on_progress: Is called with how many more samples are done.
    """
    kept, labeller = folder / f"samples-{_key(plan)}", None
    parts = []
    for start in range(0, plan.size, CHUNK):
        numbers = range(start, min(start + CHUNK, plan.size))
        path = kept / f"{start:06d}-{numbers.stop:06d}.safetensors"
        part = _read(path)
        if part is None:
            labeller = labeller or Labeller()
            part = make(plan, numbers, labeller)
            write_atomically(path, save({"images": part.images, "labels": part.labels}))
        parts.append(part)
        on_progress(len(part.labels))
    return Samples(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def make(plan: SamplePlan, numbers: range, labeller: Labeller) -> Samples:
    """Returns the samples of these numbers; each depends on the plan and its own number alone."""
    blocks = [numbers[start : start + ALIKE] for start in range(0, len(numbers), ALIKE)]
    # Of images this small, two threads in one operation take four times the processor time of one.
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
    """Returns clear contents, each with a distorted copy: of a kind drawn at random, to a ratio drawn at random.

    Ratios, since one setting of a blur or a coder is weak in one photograph and strong in another; those of one content
    are spread evenly.
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
    """Returns what the samples of one block show: a scene, or a crop of a photograph."""
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
    """Returns the generator of one thing to draw; nothing that was drawn before changes it."""
    return np.random.default_rng(list(digest(f"{plan.seed} {what}".encode()).encode()))


def clear_crops(plan: SamplePlan, on_progress: Callable[[int], None]) -> Samples:
    """Returns crops as they are, with labels that say nothing."""
    names, crops = _crops(plan)
    on_progress(plan.size)
    return Samples(crops, torch.zeros(len(names)))


def rated_crops(plan: SamplePlan, opinions: Mapping[str, float], on_progress: Callable[[int], None]) -> Samples:
    """Returns crops of images that people rated; each has the label of its whole image.

    Args:
        plan: What to cut out of the images.
        opinions: By image, in any unit, higher is better; the labels are 0 for the lowest of them, 100 for the highest.
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
    """Returns what a plan cuts out of photographs, and of which."""
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
    """Returns a hash of all that the samples depend on; how many there are is none of it: a smaller plan finds them."""
    code = [_code(Path(__file__).with_name(f"{name}.py")) for name in ("distortions", "labels", "samples", "scenes")]
    judges = [find("metrics", name).fingerprint for name in JUDGES]
    photographs = [f"{name} {digest(pixels.tobytes())}" for name, pixels in sorted(plan.photographs.items())]
    settings = [str(plan.crop), plan.seed, str(plan.scenes)]
    return digest("\n".join([*code, *judges, *photographs, *settings]).encode())[:16]


def _code(path: Path) -> str:
    """Returns a module's code, which a changed comment, docstring or line break leaves as it is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def _read(path: Path) -> Samples | None:
    """Returns the samples of a file, or None where it is missing or damaged."""
    try:
        return Samples(**load(path.read_bytes()))
    except (FileNotFoundError, SafetensorError, TypeError):
        return None
