"""Images as a notebook has them: every form gives the pixels that the engine reads from files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from still_files import adobe_rgb
from torch.utils.data import DataLoader, TensorDataset

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


def loaded_or_named(dataset):
    batch = load_batch(dataset.photos, dataset.crop)
    if batch.excluded:
        raise ValueError(next(iter(batch.excluded.values())))
    return batch.images


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
        lambda files, pixels: pixels / 255,
        lambda files, pixels: (each for each in pixels),
        lambda files, pixels: pd.Series([str(file) for file in files], index=[7, 8, 9]),
        lambda files, pixels: np.array([str(file) for file in files]),
        lambda files, pixels: DataLoader(TensorDataset(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255), 2),
    ],
    ids=[
        "tensor",
        "not on 8 bits",
        "array",
        "PIL",
        "paths",
        "mixed",
        "torch Dataset",
        "array of floats",
        "generator",
        "Series of paths",
        "array of paths",
        "DataLoader",
    ],
)
def test_every_form_gives_the_pixels_of_the_files(files, pixels, tmp_path, form):
    wanted = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(loaded(dataset_from(form(files, pixels), tmp_path)), wanted)
    assert torch.equal(tensors_from(form(files, pixels)), wanted)


def turned(image, path):
    exif = image.getexif()
    exif[0x0112] = 6  # as a phone that is held upright writes it
    image.save(path, quality=100, exif=exif)


@pytest.mark.parametrize(
    ("save", "suffix"),
    [
        (turned, ".jpg"),
        (lambda image, path: Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 200 + 77).save(path), ".png"),
        (lambda image, path: image.quantize(32).save(path), ".png"),
        (lambda image, path: image.save(path, icc_profile=adobe_rgb()), ".png"),
    ],
    ids=["turned", "16 bits", "palette", "profile"],
)
def test_an_opened_image_has_the_pixels_of_its_file(files, tmp_path, save, suffix):
    path = tmp_path / f"image{suffix}"
    save(Image.open(files[0]), path)
    wanted = loaded(dataset_from([path], tmp_path / "a"))
    with Image.open(path) as image:
        assert torch.equal(loaded(dataset_from([image], tmp_path / "b")), wanted)
        assert torch.equal(tensors_from(image), wanted)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (Image.new("RGBA", (8, 8), (255, 0, 0, 3)), "it is transparent in places"),
        (Image.new("CMYK", (8, 8)), "it has CMYK inks and no colour profile"),
        (Image.new("F", (8, 8)), "floating-point pixels have no known range"),
    ],
    ids=["transparent", "inks", "floats"],
)
def test_an_opened_image_is_refused_for_what_its_file_is(image, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        tensors_from(image)
    with pytest.raises(ValueError, match=told):
        loaded_or_named(dataset_from([image], tmp_path))


def test_an_array_of_two_dimensions_is_grey(pixels, tmp_path):
    grey = pixels[0, ..., 1]
    wanted = torch.from_numpy(grey).expand(1, 3, *grey.shape) / 255
    assert torch.equal(tensors_from(grey), wanted)
    assert torch.equal(loaded(dataset_from([grey], tmp_path)), wanted)


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
        (torch.linspace(0, 255, 192).reshape(3, 8, 8), "must lie in [0, 1]; got 0 to 255: divide by 255"),
        (torch.rand(2, 1, 8, 8), "3 channels"),
        (torch.rand(8), "got Tensor of float32 and shape (8,)"),
        (np.zeros((8, 8, 4), np.uint8), "got ndarray of uint8 and shape (8, 8, 4): drop or flatten its alpha"),
        (np.zeros((8, 8, 3), np.uint16), "got ndarray of uint16 and shape (8, 8, 3): make it uint8"),
        (np.zeros((8, 8, 3), complex), "got ndarray of complex128"),
        ({"a": np.zeros((8, 8, 3), np.uint8)}, "got dict: give a list"),
        ({"a.png"}, "got set: give a list"),
        (torch.rand(3, 8, 8) - 0.5, "got -0."),
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
