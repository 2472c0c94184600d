"""What is odd in other containers, and files of several pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import partial

from PIL import Image
from still_case import GREY, RGB, SOFT, Case, saved
from still_files import chunk, png, text


def others() -> Iterator[Case]:
    """Yields what is odd in other containers."""
    gif = saved(Image.fromarray(GREY).quantize(8), "GIF")
    right = "its picture covers a part of the canvas only: flatten it first"
    # The canvas, at byte 6, grows; the picture in it stays.
    yield Case(
        "GIF",
        "palette",
        "smaller than its canvas",
        "part.gif",
        lambda: gif()[:6] + struct.pack("<HH", 40, 30) + gif()[10:],
        right,
    )
    yield from _torn()
    bomb = lambda: png(RGB, before=chunk(b"iCCP", text(b"x", bytes(2**26))))  # noqa: E731
    why = "Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"
    yield Case("PNG", "8-bit RGB", "a profile that grows to over 1 MiB", "bomb.png", bomb, why)
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n"
    yield Case(
        "PostScript named .png", "a drawing", "", "drawing.png", lambda: drawing, "cannot identify image file it"
    )


def _torn() -> Iterator[Case]:
    """Yields JPEG files of which a part is lost, before an end as it must be."""
    why, seen, end = "it is damaged: a part of its picture is lost", "8-bit colour, lossy", b"\xff\xd9"
    for suffix, options in {".jpg": {}, ".jpeg": {"progressive": True}}.items():
        whole = saved(Image.fromarray(RGB), "JPEG", quality=95, **options)()
        torn = whole[: -len(whole) // 8] + end
        yield Case("JPEG", seen, "an end before its picture's", f"torn{suffix}", partial(bytes, torn), why)
    garbled = saved(Image.fromarray(RGB), "JPEG", quality=95)()[:-160] + b"\xff\0" * 79 + end
    yield Case("JPEG", seen, "other bytes within its picture", "garbled.jpg", partial(bytes, garbled), why)


def moving() -> Iterator[Case]:
    """Yields files of several pictures."""
    frames = [Image.new("RGB", (17, 12), colour) for colour in ("red", "green", "blue")]
    for suffix, kind in {".gif": "GIF", ".png": "PNG (APNG)", ".webp": "WEBP", ".avif": "AVIF", ".tif": "TIFF"}.items():
        data = saved(frames[0], kind.partition(" ")[0], save_all=True, append_images=frames[1:])
        yield Case(kind, "several pictures", "", f"moving{suffix}", data, "holds 3 frames: extract them as PNG")
    phone = Image.fromarray(SOFT)
    data = saved(phone, "MPO", save_all=True, append_images=[phone.resize((17, 12))], quality=100, subsampling=0)
    for suffix in (".jpg", ".mpo"):
        yield Case("JPEG (MPO)", "a photograph with a preview", "", f"phone{suffix}", data, SOFT, "the photograph", 4)
