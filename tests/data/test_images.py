"""Pixels: what decoding, JPEG, rounding and writing do to them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Photo
from metric_robustness.pipeline.data.images import ahead, compress, decode, load_batch, to_tensor, write_png

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def write(path, array):
    Image.fromarray(array).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_truncated_image_is_left_out_and_the_others_are_not(tmp_path, name, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    write(tmp_path / "good.png", noise)
    path = write(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    photos = [Photo(file.name, file, 64, 48) for file in (path, tmp_path / "good.png")]
    batch = load_batch(photos, None)
    assert [photo.name for photo in batch.photos] == ["good.png"]
    assert set(batch.excluded) == {name}
    assert batch.excluded[name].startswith("cannot be decoded: ")


def test_a_batch_of_nothing_but_broken_images_is_empty(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    batch = load_batch([Photo("a.png", tmp_path / "a.png", 64, 48)], None, Distortion(50), paired=True)
    assert (batch.photos, len(batch.images), set(batch.excluded)) == ([], 0, {"a.png"})


def test_an_image_that_is_not_what_its_header_said_is_left_out(tmp_path):
    write(tmp_path / "a.png", PIXELS)
    batch = load_batch([Photo("a.png", tmp_path / "a.png", 13, 17)], None)
    assert "17x12 pixels; its header says otherwise" in batch.excluded["a.png"]


def test_a_crop_is_the_central_square(tmp_path):
    path = write(tmp_path / "a.png", PIXELS)
    assert np.array_equal(decode(path, 8), PIXELS[2:10, 4:12])
    assert np.array_equal(decode(path, 14), PIXELS[:, 1:15])


def test_a_full_reference_batch_is_the_jpeg_against_the_original(tmp_path):
    path = write(tmp_path / "a.png", PIXELS)
    batch = load_batch([Photo("a.png", path, 12, 17)], None, Distortion(30), paired=True)
    assert torch.equal(batch.references, to_tensor([PIXELS]))
    assert torch.equal(batch.images, to_tensor([compress(PIXELS, 30)]))
    assert load_batch([Photo("a.png", path, 12, 17)], None).references is None


def test_jpeg_is_what_pillow_writes_with_halved_colour():
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", quality=50, subsampling=2)
    assert np.array_equal(compress(PIXELS, 50), np.asarray(Image.open(buffer)))
    far = [np.abs(compress(PIXELS, quality).astype(int) - PIXELS).mean() for quality in (95, 50, 5)]
    assert far == sorted(far)


def test_saved_images_are_the_ones_that_were_scored(tmp_path):
    attacked = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(3)).mul(255).round().div(255)
    write_png(attacked, tmp_path / "sub" / "ä b.png")
    assert torch.equal(to_tensor([decode(tmp_path / "sub" / "ä b.png")])[0], attacked)


def test_working_ahead_keeps_the_order_and_raises_where_it_happened():
    assert list(ahead(range(7), lambda item: item * 2)) == [(item, item * 2) for item in range(7)]
    results = ahead([2, 1, 0, 3], lambda item: 1 / item)
    assert [next(results), next(results)] == [(2, 0.5), (1, 1.0)]
    with pytest.raises(ZeroDivisionError):
        next(results)
