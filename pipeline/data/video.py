"""Videos: what a file holds, and its frames as 8-bit RGB, one after another.

A frame is what the decoder shows, each once and in the order of display: timestamps, and with them a variable frame
rate, change nothing. swscale converts colours with exact rounding and bicubic chroma to 8 bits, to which 16-bit
photographs are rounded, too. Where a file does not name its range, that is the limited one; where it does not name its
matrix, that is BT.709 from 720 lines on and BT.601 below, as players assume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)

FORMATS = re.compile(
    r"(yuvj?4(20|22|44)p|gray|gbrp)(9|10|12|14|16)?(le|be)?|nv12|rgb24"  # without alpha, since its ground is unknown
)
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.BITEXACT
MATRICES = {  # by their numbers in H.273
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
UNSAID = 2  # in H.273: the file does not name its matrix
HIGH_DEFINITION = 720  # lines


class VideoError(ValueError):
    """Why a video cannot be used."""


class Video(NamedTuple):
    """What a file holds."""

    frames: int
    height: int
    width: int


def examine(path: Path) -> Video:
    """Decodes a whole video once and returns what it holds.

    Raises:
        VideoError: If it holds no frame, is truncated or damaged, changes its size, or has colours of an unknown kind.
        FileNotFoundError: If it is not there.
    """
    sizes, count, end = set(), 0, 0
    with _opened(path) as (container, stream):
        for packet in container.demux(stream):
            end = end if packet.pos is None else packet.pos + packet.size
            for frame in packet.decode():
                if not count:
                    _require_known(frame)
                if frame.is_corrupt:
                    raise VideoError(f"frame {count} is damaged")
                sizes.add((frame.height, frame.width))
                count += 1
        announced = stream.frames
    if not count:
        raise VideoError("holds no frame that can be decoded")
    if announced > count:
        raise VideoError(f"is truncated: {count} of {announced} frames can be decoded")
    # FFmpeg skips an incomplete frame silently, and a Y4M file does not say how many it holds.
    if path.suffix.lower() == ".y4m" and (rest := path.stat().st_size - end):
        raise VideoError(f"is truncated: {rest} bytes of another frame follow {count} whole ones")
    if len(sizes) > 1:
        raise VideoError("changes its size: " + " and ".join(f"{width}x{height}" for height, width in sorted(sizes)))
    return Video(count, *sizes.pop())


class Reel:
    """A video that `examine` found good, at one of its frames: reading goes on from there, or begins anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = Lock()
        self.frames: Iterator[VideoFrame] = iter(())
        self.passed = 0  # frames

    def read(self, number: int) -> Pixels:
        """Returns a frame as 8-bit RGB; frames in order cost one pass over the file and the memory of one frame.

        Raises:
            VideoError: If it cannot be decoded.
        """
        with self.lock:
            if not 0 < self.passed <= number:
                self.frames, self.passed = _decoded(self.path), 0
            for frame in self.frames:
                self.passed += 1
                if self.passed > number:
                    return to_rgb(frame)
        raise VideoError(f"ends before frame {number}")


def _decoded(path: Path) -> Iterator[VideoFrame]:
    with _opened(path) as (container, stream):
        yield from container.decode(stream)


def to_rgb(frame: VideoFrame) -> Pixels:
    """Returns a frame as 8-bit RGB, (H, W, 3)."""
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=_matrix(frame),
        src_color_range=_range(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
        threads=1,
    )
    return np.ascontiguousarray(rgb.to_ndarray())


def _matrix(frame: VideoFrame) -> Colorspace:
    """Returns the colour matrix that a frame names; if it names none, the usual one for its size."""
    if frame.colorspace == UNSAID:
        return Colorspace.ITU709 if frame.height >= HIGH_DEFINITION else Colorspace.ITU601
    return MATRICES.get(frame.colorspace, Colorspace.ITU601)  # the others belong to RGB, which needs none


def _range(frame: VideoFrame) -> ColorRange:
    full = _is_rgb(frame) or frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    return ColorRange.JPEG if full else ColorRange.MPEG


def _is_rgb(frame: VideoFrame) -> bool:
    return frame.format.name.startswith(("rgb", "gbr"))


def _require_known(frame: VideoFrame) -> None:
    if not FORMATS.fullmatch(frame.format.name):
        raise VideoError(f"its pixel format {frame.format.name} is not known here: convert it to yuv420p or yuv444p")
    if not _is_rgb(frame) and frame.colorspace not in {*MATRICES, UNSAID}:
        raise VideoError(f"its colour matrix, {frame.colorspace} in H.273, is not known here: convert it to BT.709")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens a file; turns FFmpeg's errors into one line."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError("holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            yield container, stream
    except av.FFmpegError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise VideoError(f"cannot be decoded: {error.strerror}") from error
