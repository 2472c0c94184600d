"""Samples of 16 bits, of which Pillow keeps 8 where there is more than one channel: FFmpeg reads them whole."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

Wide = npt.NDArray[np.uint16]  # (H, W, channels)

CHANNELS = {"gray16": 1, "ya16": 2, "rgb48": 3, "rgba64": 4}  # FFmpeg's packed formats
READERS = {"PNG": "png_pipe", "TIFF": "tiff_pipe"}  # by Pillow's name
FULL = 65535


class WideError(ValueError):
    """Why the samples cannot be read."""


def read_wide(path: Path, kind: str) -> Wide:
    """Returns the samples of an image, as they are in the file.

    Args:
        path: The file.
        kind: Pillow's name of its format, one of `READERS`.

    Raises:
        WideError: If FFmpeg cannot read it, or knows another layout of it.
    """
    try:
        with av.open(str(path), format=READERS[kind]) as container:
            frame = next(container.decode(container.streams.video[0]))
    except (av.FFmpegError, StopIteration, IndexError) as error:
        raise WideError(f"its 16-bit samples cannot be read: {getattr(error, 'strerror', error)}") from None
    name, order = frame.format.name[:-2], frame.format.name[-2:]
    if name not in CHANNELS:
        raise WideError(f"its 16-bit samples are {frame.format.name}, not known here: save it with 8 bits")
    plane = frame.planes[0]
    lines = np.frombuffer(bytes(plane), ">u2" if order == "be" else "<u2").reshape(frame.height, plane.line_size // 2)
    samples: Wide = lines[:, : frame.width * CHANNELS[name]].reshape(frame.height, frame.width, -1).astype(np.uint16)
    return samples


def opaque(wide: Wide, clear: int | tuple[int, ...] | None) -> bool:
    """Tells whether no pixel is transparent; `clear` is the colour that stands for transparent, if there is one."""
    channels = wide.shape[2]
    if clear is not None:
        return not (wide[..., : channels - 1 + channels % 2] == np.array(clear)).all(axis=2).any()
    return channels % 2 == 1 or bool((wide[..., -1] == FULL).all())


def rounded(wide: Wide) -> Image.Image:
    """Returns the colours rounded to 8 bits, v / 257, as grey or RGB."""
    levels = (wide.astype(np.float32) / 257).round().astype(np.uint8)
    return Image.fromarray(levels[..., 0] if levels.shape[2] < 3 else np.ascontiguousarray(levels[..., :3]))


def require_same(fine: Image.Image, coarse: Image.Image) -> None:
    """Compares a picture with what Pillow makes of its upper 8 bits, since the two decoders know different layouts.

    Raises:
        WideError: If they differ by more than rounding.
    """
    first, second = (np.asarray(image.convert("RGB")).astype(np.int16) for image in (fine, coarse))
    if first.shape != second.shape or np.abs(first - second).max() > 1:
        raise WideError("Pillow and FFmpeg read its 16-bit samples differently: save it with 8 bits")
