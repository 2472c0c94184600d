"""Clips whose every pixel follows a formula: how each is encoded, and the pictures that it shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange

HEIGHT, WIDTH, COUNT = 48, 64, 10
BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)  # weights of red and blue
WEIGHTS = {1: BT709, 5: BT601, 6: BT601}  # by the number of the matrix in H.273
SITES = {  # of chroma of 4:2:0, how far right and down
    "unspecified": (0.5, 0.5),  # as swscale has it
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
}
RAW_ONLY = {"nv12": "yuv420p", "yuyv422": "yuv422p", "uyvy422": "yuv422p"}  # other orders of the same samples


class Clip(NamedTuple):
    """How a clip is encoded."""

    codec: str
    form: str  # the container by its name in FFmpeg
    pixels: str = "yuv420p"
    options: dict[str, str] = {}
    container: dict[str, str] = {}
    times: tuple[int, ...] = tuple(range(COUNT))  # of the frames, in 25ths of a second
    size: tuple[int, int] = (HEIGHT, WIDTH)
    matrix: int = 5
    full: bool = False
    streams: int = 1
    grown: bool = False  # whether the last picture is twice as large


def luma_of(clip: Clip, number: int) -> np.ndarray:
    """Returns the luma of a picture, (H, W)."""
    height, width = clip.size
    return np.broadcast_to(np.linspace(40, 140, width).round() + 8 * number, (height, width))


def planes(clip: Clip, number: int, site: str = "left", slope: float = 0.0) -> list[np.ndarray]:
    """Returns the planes of a picture in 8-bit numbers: luma rises to the right and with the picture's number.

    Args:
        clip: Its pixel format says how many chroma samples there are.
        number: Of the picture.
        site: Where the chroma samples lie.
        slope: By how much chroma rises with every pixel, blue to the right and red downwards; 0 is flat.
    """
    height, width = clip.size
    luma = luma_of(clip, number)
    if clip.pixels.startswith("gray"):
        return [luma]
    chroma = clip.pixels.removeprefix("yuvj").removeprefix("yuv")[:3]
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[chroma]
    right, below = SITES[site] if (across, down) == (2, 2) else (0.0, 0.0)
    xs = np.arange(-(-width // across)) * across + right
    ys = np.arange(-(-height // down)) * down + below
    blue = np.broadcast_to(110 - slope * 25 + slope * xs, (len(ys), len(xs)))
    red = np.broadcast_to((150 - slope * 25 + slope * ys)[:, None], (len(ys), len(xs)))
    return [luma, blue, red]


def picture(clip: Clip, number: int, slope: float = 0.0) -> np.ndarray:
    """Returns the RGB of a picture by the formulas of BT.601 and BT.709, (H, W, 3), 0 to 255."""
    height, width = clip.size
    luma = luma_of(clip, number)
    y, scale = (luma / 255, 255) if clip.full else ((luma - 16) / 219, 224)
    if clip.pixels.startswith("gray"):
        return np.stack([y] * 3, axis=-1).clip(0, 1) * 255
    blue = (110 - slope * 25 + slope * np.arange(width) - 128) / scale
    red = ((150 - slope * 25 + slope * np.arange(height))[:, None] - 128) / scale
    weight_red, weight_blue = WEIGHTS[clip.matrix]
    r, b = y + 2 * (1 - weight_red) * red, y + 2 * (1 - weight_blue) * blue
    g = (y - weight_red * r - weight_blue * b) / (1 - weight_red - weight_blue)
    return np.stack([r, g, b], axis=-1).clip(0, 1) * 255


def frame_of(clip: Clip, number: int, site: str = "left", slope: float = 0.0) -> av.VideoFrame:
    """Returns a picture in the clip's pixel format."""
    height, width = clip.size
    kind = av.VideoFormat(clip.pixels, width, height)
    if kind.is_rgb:  # what the formula says, without a detour
        values = picture(clip, number).round().astype(np.uint8)
        return av.VideoFrame.from_ndarray(values, "rgb24").reformat(format=clip.pixels)
    frame = av.VideoFrame(width, height, clip.pixels)
    frame.colorspace, frame.color_range = clip.matrix, ColorRange.JPEG if clip.full else ColorRange.MPEG
    if clip.pixels in RAW_ONLY:
        return frame_of(clip._replace(pixels=RAW_ONLY[clip.pixels]), number, site, slope).reformat(format=clip.pixels)
    bits = kind.components[0].bits
    alpha = [np.full(clip.size, 2**bits - 1)] if any(part.is_alpha for part in kind.components) else []
    scale = (2**bits - 1) / 255 if clip.full else 2 ** (bits - 8)
    luma, *chroma = planes(without_alpha(clip), number, site, slope)
    deep = [luma * scale, *((values - 128) * scale + 2 ** (bits - 1) for values in chroma), *alpha]
    for plane, values in zip(frame.planes, deep, strict=True):
        raw = np.ascontiguousarray(values.round().astype(np.uint16 if bits > 8 else np.uint8)).view(np.uint8)
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : raw.shape[1]] = raw
        plane.update(lines)
    return frame


def without_alpha(clip: Clip) -> Clip:
    """Returns the clip with the pixel format of its colours alone."""
    return clip._replace(pixels=clip.pixels.replace("yuva", "yuv"))


def write(path: Path, clip: Clip, site: str = "left", slope: float = 0.0) -> Path:
    """Encodes a clip."""
    with av.open(str(path), "w", format=clip.form, options=clip.container) as out:
        streams = [out.add_stream(clip.codec, rate=25, options=clip.options) for _ in range(clip.streams)]
        for stream in streams:
            _prepare(stream.codec_context, clip)
        for number, time in enumerate(clip.times):
            frame = frame_of(clip, number, site, slope)
            frame.pts, frame.time_base = time, Fraction(1, 25)
            for stream in streams:
                out.mux(stream.encode(frame))
        if clip.grown:
            large = clip._replace(size=(2 * clip.size[0], 2 * clip.size[1]))
            encoder = av.CodecContext.create(clip.codec, "w")
            _prepare(encoder, large)
            for packet in encoder.encode(frame_of(large, 0)):
                packet.pts = packet.dts = len(clip.times)
                packet.stream = streams[0]
                out.mux(packet)
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def _prepare(encoder: av.VideoCodecContext, clip: Clip) -> None:
    encoder.height, encoder.width = clip.size
    encoder.pix_fmt, encoder.time_base = clip.pixels, Fraction(1, 25)
    if not encoder.format.is_rgb:
        encoder.colorspace = clip.matrix
        encoder.color_range = ColorRange.JPEG if clip.full else ColorRange.MPEG
