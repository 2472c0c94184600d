"""Training crops: one of every image, the same in every epoch, in every run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from metric_robustness.pipeline.cells.distortion import NONE, Distortion
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import compress, decode, to_tensor
from metric_robustness.pipeline.engine.universal import crops as module
from metric_robustness.pipeline.engine.universal.crops import Crops


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder of seven noise images of three sizes."""
    levels = np.random.default_rng(0)
    for index, size in enumerate([(40, 30), (25, 50), (33, 33)] * 2 + [(20, 28)]):
        pixels = levels.integers(0, 256, (*size, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    return tmp_path


def collected(crops: Crops, size: int = 3, epochs: int = 2) -> list[tuple[str, torch.Tensor]]:
    found = []
    for batch in crops.batches(crops.steps(size, epochs)):
        found += zip(batch.names, batch.images, strict=True)
    return found


def test_every_image_comes_once_an_epoch_in_an_order_of_its_own(folder):
    crops = Crops(open_dataset(str(folder)), 16, NONE, paired=False)
    steps = [[photo.name for photo in photos] for photos in crops.steps(3, 2)]
    assert [len(names) for names in steps] == [3, 3, 1] * 2
    first, second = ([name for names in epoch for name in names] for epoch in (steps[:3], steps[3:]))
    assert sorted(first) == sorted(second) == [f"{index}.png" for index in range(7)]
    assert first != second
    assert steps == [[photo.name for photo in photos] for photos in crops.steps(3, 2)]


def test_a_crop_is_a_part_of_its_image_at_its_own_size(folder):
    for name, crop in collected(Crops(open_dataset(str(folder)), 16, NONE, paired=False), epochs=1):
        image = to_tensor([decode(folder / name)])[0]
        places = image.unfold(1, 16, 1).unfold(2, 16, 1)  # (3, rows, columns, 16, 16)
        assert (places == crop[:, None, None]).all(dim=4).all(dim=3).all(dim=0).any()


def test_crops_are_the_same_in_every_epoch_and_run_whatever_fits_into_memory(folder, monkeypatch):
    first = collected(Crops(open_dataset(str(folder)), 16, NONE, paired=False))
    assert Counter(name for name, _ in first) == {f"{index}.png": 2 for index in range(7)}
    known = dict(first)
    assert all(torch.equal(crop, known[name]) for name, crop in first)
    monkeypatch.setattr(module, "MEMORY", 2 * 3 * 16 * 16)
    few = Crops(open_dataset(str(folder)), 16, NONE, paired=False)
    assert all(torch.equal(crop, known[name]) for name, crop in collected(few))
    assert len(few.in_memory) == 2


def test_a_small_image_is_enlarged_and_named_and_a_large_one_never_resized(folder):
    crops = Crops(open_dataset(str(folder)), 26, NONE, paired=False)
    found = dict(collected(crops, epochs=1))
    assert crops.enlarged == {"1.png", "4.png", "6.png"}
    assert {crop.shape for crop in found.values()} == {(3, 26, 26)}
    wide = Image.fromarray(decode(folder / "6.png")).resize((37, 26), Image.Resampling.BICUBIC)
    places = to_tensor([np.asarray(wide)])[0].unfold(2, 26, 1)
    assert (places == found["6.png"][:, :, None]).all(dim=3).all(dim=1).all(dim=0).any()


def test_what_cannot_be_decoded_is_named_and_costs_no_other(folder):
    Image.new("RGBA", (40, 40), (9, 9, 9, 128)).save(folder / "2.png")  # transparent, which its header does not say
    crops = Crops(open_dataset(str(folder)), 16, NONE, paired=False)
    assert {name for name, _ in collected(crops)} == {f"{index}.png" for index in (0, 1, 3, 4, 5, 6)}
    assert list(crops.excluded) == ["2.png"]
    assert "it is transparent in places" in crops.excluded["2.png"]


@pytest.mark.parametrize("quality", [40, "none"])
def test_a_full_reference_metric_gets_the_distorted_crop_and_the_crop_itself(folder, quality):
    plain = dict(collected(Crops(open_dataset(str(folder)), 16, NONE, paired=False)))
    crops = Crops(open_dataset(str(folder)), 16, Distortion.of(quality), paired=True)
    for batch in crops.batches(crops.steps(4, 1)):
        for name, image, reference in zip(batch.names, batch.images, batch.references, strict=True):
            assert torch.equal(reference, plain[name])
            pixels = (reference * 255).round().byte().permute(1, 2, 0).numpy()
            expected = pixels if quality == "none" else compress(pixels, quality)
            assert torch.equal(image, to_tensor([expected])[0])
