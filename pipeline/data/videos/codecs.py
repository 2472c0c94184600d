"""Re-encodes attacked images as JPEG or video, since people usually store files so."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, cast

import av
import numpy as np
from av.video.reformatter import ColorRange

from metric_robustness.metrics.base import Images
from metric_robustness.pipeline.data.images import compress, to_tensor
from metric_robustness.pipeline.data.videos.colours import EXACT, HIGH_DEFINITION, MATRICES, left_sited
from metric_robustness.pipeline.data.videos.video import Pixels
from metric_robustness.pipeline.errors import BenchError

JPEG = "jpeg"

# Encoders that print past FFmpeg's own log: libx265 20 lines for every clip, SVT-AV1 a page of settings.
QUIET = {"libx265": {"x265-params": "log-level=error"}}
os.environ.setdefault("SVT_LOG", "1")  # errors alone
QUALITIES = {str(quality) for quality in range(1, 101)}


class Codec(NamedTuple):
    """A codec by its name in FFmpeg with options, or JPEG with a quality."""

    name: str
    options: dict[str, str]

    @property
    def quality(self) -> int | None:
        """Returns the quality of JPEG, which stores each image by itself; None for a video codec."""
        return int(self.options["quality"]) if self.name == JPEG else None


def parse(text: str) -> Codec | None:
    """Returns the codec of `libx264:crf=23` or `jpeg:quality=80`; None for an empty text.

    Raises:
        BenchError: If it is not of that form, or FFmpeg has no such encoder.
    """
    if not text:
        return None
    name, *options = text.split(":")
    if any(option.count("=") != 1 for option in options):
        raise BenchError(f"--codec must be like libx264:crf=23; got {text!r}: write it like that")
    if name != JPEG:
        try:
            if av.Codec(name, "w").type != "video":
                raise BenchError(f"--codec must be a video encoder; got {name!r}: name libx264, libx265 or another")
        except av.codec.codec.UnknownCodecError as error:
            raise BenchError(f"--codec must be an encoder of FFmpeg; got {name!r}: name libx264 or another") from error
    codec = Codec(name, dict(option.split("=") for option in options))
    if name == JPEG and (set(codec.options) != {"quality"} or codec.options["quality"] not in QUALITIES):
        raise BenchError(f"JPEG must have a quality from 1 to 100; got {text!r}: write jpeg:quality=80")
    return codec


def recompressed(images: Images, quality: int) -> Images:
    """Returns images on the 256 levels as JPEG gives them back, (N, 3, H, W) on the CPU."""
    return to_tensor([compress(pixels, quality) for pixels in as_pixels(images)])


def as_pixels(images: Images) -> list[Pixels]:
    """Returns (N, 3, H, W) images on the 256 levels as 8-bit RGB, (H, W, 3) each."""
    levels = (images * 255).round().byte().permute(0, 2, 3, 1).numpy(force=True)
    return [np.ascontiguousarray(pixels) for pixels in levels]


def encode(path: Path, codec: Codec, height: int, width: int, frames: Iterable[Pixels]) -> None:
    """Writes frames as a video: 4:2:0, or 4:4:4 where a side is odd, 8 bits, limited range, matrix by the size.

    Chroma lies on the left, and the video says so: otherwise it would be written in one place and read in another.

    Raises:
        av.FFmpegError: If the encoder refuses its options.
    """
    matrix = 1 if height >= HIGH_DEFINITION else 5
    options = {"chroma_sample_location": "left", **QUIET.get(codec.name, {}), **codec.options}
    with av.open(str(path), "w", format="matroska") as container:
        stream = cast(av.VideoStream, container.add_stream(codec.name, rate=25, options=options))
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = ColorRange.MPEG
        for pixels in frames:
            frame = left_sited(av.VideoFrame.from_ndarray(pixels, "rgb24")).reformat(
                format=stream.pix_fmt,
                dst_colorspace=MATRICES[matrix],
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
                interpolation=EXACT,
                threads=1,
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
