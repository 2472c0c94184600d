"""Images as a notebook has them: every form gives the pixels that the engine reads from files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.library.images import dataset_from, tensors_from


@pytest.fixture(scope="module")
def files(photos):
    """Returns three photographs of one size."""
    return [photos / f"{name}.png" for name in ("astronaut", "coffee", "ihc")]


@pytest.fixture(scope="module")
def pixels(files):
    return np.stack([np.asarray(Image.open(file)) for file in files])


def loaded(dataset, *, paired=False):
    batch = load_batch(dataset.photos, dataset.crop, paired=paired)
    return batch.references if paired else batch.images


@pytest.mark.parametrize(
    "form",
    [
        lambda files, pixels: torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255,
        lambda files, pixels: torch.from_numpy(pixels).permute(0, 3, 1, 2).double() * 0.9999 / 255,
        lambda files, pixels: pixels,
        lambda files, pixels: [Image.fromarray(each) for each in pixels],
        lambda files, pixels: list(files),
        lambda files, pixels: [str(files[0]), pixels[1], torch.from_numpy(pixels[2])],
        lambda files, pixels: TensorDataset(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, torch.arange(3)),
    ],
    ids=["tensor", "not on 8 bits", "array", "PIL", "paths", "mixed", "torch Dataset"],
)
def test_every_form_gives_the_pixels_of_the_files(files, pixels, tmp_path, form):
    images = form(files, pixels)
    wanted = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(loaded(dataset_from(images, tmp_path)), wanted)
    assert torch.equal(tensors_from(images), wanted)


def test_a_folder_is_the_data_set_of_the_command_line(photos, tmp_path):
    assert dataset_from(photos, tmp_path, limit=3) == open_dataset(str(photos), 3)
    files = sorted(photos.iterdir())
    assert dataset_from(files, tmp_path).digest == open_dataset(str(photos)).digest
    assert not list(tmp_path.iterdir())


def test_originals_go_with_their_images(files, photos, pixels, tmp_path):
    worse = 255 - pixels
    in_order = dataset_from(worse, tmp_path / "a", references=list(files))
    assert torch.equal(loaded(in_order, paired=True), tensors_from(pixels))
    (tmp_path / "worse").mkdir()
    for file, image in zip(files, worse, strict=True):
        Image.fromarray(image).save(tmp_path / "worse" / file.name)
    by_name = dataset_from(tmp_path / "worse", tmp_path / "b", references=photos)  # which holds more than these
    assert torch.equal(loaded(by_name, paired=True), tensors_from(pixels))
    assert torch.equal(loaded(by_name), tensors_from(worse))


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.rand(3, 8, 8) * 255, "must lie in [0, 1]; got up to"),
        (torch.rand(2, 1, 8, 8), "3 channels"),
        (torch.rand(8, 8), "got shape (8, 8)"),
        (np.zeros((8, 8, 4), np.uint8), "got Tensor of shape (8, 8, 4)"),
        (torch.full((3, 8, 8), torch.nan), "must lie in [0, 1]"),
        (["nowhere.png"], "holds no image that can be used (nowhere.png: the file is missing)"),
        (7, "got int"),
        ([], "holds no image"),
    ],
)
def test_what_is_no_image_is_named(images, told, tmp_path):
    with pytest.raises(ValueError, match="image") as error:
        dataset_from(images, tmp_path)
    assert told in str(error.value)


def test_too_few_originals_are_refused(tmp_path):
    with pytest.raises(BenchError, match="references must be as many as images, 2; got 1"):
        dataset_from(torch.rand(2, 3, 8, 8), tmp_path, references=torch.rand(1, 3, 8, 8))
