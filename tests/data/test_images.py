"""Pixels: what decoding, JPEG, rounding and writing do to them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import Photo, open_dataset
from metric_robustness.pipeline.data.images import ahead, compress, decode, load_batch, to_tensor, write_png

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY = PIXELS[..., 0]


def write(path, array, mode=None, **options):
    Image.fromarray(array, mode).save(path, **options)
    return path


def test_png_and_webp_without_loss_and_bmp_are_read_as_they_are(tmp_path):
    for name, options in {"a.png": {}, "a.bmp": {}, "a.tif": {}, "a.webp": {"lossless": True}, "a.ppm": {}}.items():
        assert np.array_equal(decode(write(tmp_path / name, PIXELS, **options)), PIXELS)


def test_grey_becomes_three_equal_channels(tmp_path):
    for name in ("grey.png", "grey.tif"):
        assert np.array_equal(decode(write(tmp_path / name, GREY)), np.dstack([GREY] * 3))


def test_sixteen_bit_grey_is_rounded_to_eight(tmp_path):
    wide = GREY.astype(np.uint16) * 257
    exact = decode(write(tmp_path / "wide.png", wide))
    assert np.array_equal(exact, np.dstack([GREY] * 3))
    assert np.array_equal(decode(write(tmp_path / "wide.tif", wide)), exact)
    between = decode(write(tmp_path / "between.png", np.full((8, 8), 257 * 7 + 200, np.uint16)))
    assert np.unique(between).tolist() == [8]


def sixteen_bit_rgb_png(array) -> bytes:
    """Writes what Pillow cannot: a PNG with three channels of 16 bits."""
    import struct
    import zlib

    height, width, _ = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    chunks = [*parts, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def test_sixteen_bit_colour_is_read_with_eight(tmp_path):
    (tmp_path / "wide.png").write_bytes(sixteen_bit_rgb_png(PIXELS.astype(np.uint16) * 257))
    assert np.array_equal(decode(tmp_path / "wide.png"), PIXELS)


def test_an_opaque_alpha_channel_is_dropped(tmp_path):
    opaque = np.dstack([PIXELS, np.full(GREY.shape, 255, np.uint8)])
    assert np.array_equal(decode(write(tmp_path / "opaque.png", opaque)), PIXELS)


def test_a_transparent_image_is_refused(tmp_path):
    clear = np.dstack([PIXELS, np.full(GREY.shape, 255, np.uint8)])
    clear[3, 4, 3] = 254
    with pytest.raises(ValueError, match="transparent in places: flatten it first"):
        decode(write(tmp_path / "transparent.png", clear))
    palette = Image.fromarray(PIXELS).quantize(8)
    palette.save(tmp_path / "palette.png", transparency=palette.getpixel((0, 0)))
    with pytest.raises(ValueError, match="transparent"):
        decode(tmp_path / "palette.png")


def test_a_palette_is_resolved(tmp_path):
    palette = Image.fromarray(PIXELS).quantize(32)
    for name in ("palette.png", "palette.gif"):
        palette.save(tmp_path / name)
        assert np.array_equal(decode(tmp_path / name), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "LA", "CMYK", "YCbCr", "HSV"])
def test_other_modes_become_rgb(tmp_path, mode):
    suffix = {"1": "png", "LA": "png", "CMYK": "jpg", "YCbCr": "tif", "HSV": "tif"}[mode]
    image = (
        Image.fromarray(PIXELS).convert("L").convert(mode) if mode == "LA" else Image.fromarray(PIXELS).convert(mode)
    )
    try:
        image.save(tmp_path / f"a.{suffix}")
    except OSError:
        image.convert("RGB").save(tmp_path / f"a.{suffix}")
    assert decode(tmp_path / f"a.{suffix}").shape == PIXELS.shape


def test_floating_point_pixels_are_refused(tmp_path):
    with pytest.raises(ValueError, match="floating-point"):
        decode(write(tmp_path / "a.tif", GREY.astype(np.float32)))


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_photograph_turned_by_its_camera_stands_upright(tmp_path, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = write(tmp_path / "turned.png", PIXELS, exif=exif)
    assert np.array_equal(decode(path), np.rot90(PIXELS, turned))
    photo = open_dataset(str(path)).photos[0]
    assert (photo.height, photo.width) == decode(path).shape[:2]


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
