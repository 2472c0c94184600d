"""What TIFF says by its tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image
from still_case import GREY, RGB, TRANSPARENT, WIDE, Case, three
from still_files import tiff
from still_light import AS_P3

COLOUR = {258: (3, (8, 8, 8)), 262: (3, (2,)), 277: (3, (3,))}  # the tags of an RGB file


def stored(samples: np.ndarray, tags: dict[int, Any]) -> Callable[[], bytes]:
    """Returns a function that writes a TIFF file."""
    return lambda: tiff(samples.tobytes(), 17, 12, tags)


def of_tiff(  # noqa: PLR0917  # in the order of the table
    mode: str, tags: str, name: str, data: Callable[[], bytes], right: Any, told: str = ""
) -> Case:
    """Returns a case of TIFF."""
    return Case("TIFF", mode, tags, f"{name}.tif", data, right, told)


def tiffs() -> Iterator[Case]:
    """Yields what TIFF says by its tags."""
    one = {258: (3, (8,)), 277: (3, (1,))}
    yield of_tiff(
        "8-bit grey", "white is 0", "white", stored(255 - GREY, one | {262: (3, (0,))}), three(GREY), "inverted"
    )
    wide = {258: (3, (16,)), 277: (3, (1,)), 262: (3, (0,))}
    why = "16 bits with white as 0 are not known here: save it as PNG"
    yield of_tiff("16-bit grey", "white is 0", "white16", stored(WIDE[..., 0], wide), why)
    signed = one | {262: (3, (1,)), 339: (3, (2,))}
    yield of_tiff(
        "8-bit grey",
        "signed samples",
        "signed",
        stored(GREY, signed),
        "its samples are signed: their range is not known",
    )
    signed = {258: (3, (16,)), 277: (3, (1,)), 262: (3, (1,)), 339: (3, (2,))}
    why = "integer pixels of more than 8 bits have no known range: save it with 8 or 16 bits"
    yield of_tiff("16-bit grey", "signed samples", "signed16", stored(WIDE[..., 0], signed), why)
    twelve = {258: (3, (12,)), 277: (3, (1,)), 262: (3, (1,))}
    why = "its samples have 12 bits: save it with 8 or 16 bits"
    yield of_tiff("12-bit grey", "", "twelve", lambda: tiff(bytes(26 * 12), 17, 12, twelve), why)
    four = {258: (3, (8,) * 4), 262: (3, (2,)), 277: (3, (4,))}
    full = np.dstack([RGB, np.full_like(GREY, 255)])
    some = np.dstack([RGB, GREY])
    for kind, tags in ((1, "associated alpha"), (2, "unassociated alpha")):
        word = four | {338: (3, (kind,))}
        yield of_tiff("8-bit RGBA", f"{tags}, opaque", f"alpha{kind}", stored(full, word), RGB, "its alpha is dropped")
        yield of_tiff("8-bit RGBA", f"{tags}, transparent in places", f"clear{kind}", stored(some, word), TRANSPARENT)
    yield of_tiff("four 8-bit channels", "no word on the fourth", "unsaid", stored(some, four), TRANSPARENT)
    why = "its extra samples, (0,) in TIFF, are not known here: save it as RGB"
    yield of_tiff(
        "8-bit RGB and a channel", "extra sample without a meaning", "extra", stored(full, four | {338: (3, (0,))}), why
    )
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    size = 17 * 12
    strips = {284: (3, (2,)), 273: (4, (8, 8 + size, 8 + 2 * size)), 279: (4, (size,) * 3)}
    yield of_tiff("8-bit RGB", "one plane per channel", "planar", stored(planes, COLOUR | strips), RGB, "read as it is")
    wide_planes = np.ascontiguousarray(WIDE[..., :3].transpose(2, 0, 1))
    strips = {284: (3, (2,)), 273: (4, (8, 8 + 2 * size, 8 + 4 * size)), 279: (4, (2 * size,) * 3)}
    planar = COLOUR | strips | {258: (3, (16,) * 3)}
    why = "16 bits in one plane per channel are not known here: save it as PNG"
    yield of_tiff("16-bit RGB", "one plane per channel", "planar16", stored(wide_planes, planar), why)
    yield of_tiff(
        "8-bit RGB",
        "a preview of another picture",
        "preview",
        stored(RGB, COLOUR | {254: (4, (1,))}),
        "its first picture is a preview of another: save it as PNG",
    )


def tiff_colours() -> Iterator[Case]:
    """Yields what TIFF says of its colours by its tags."""
    yield of_tiff(
        "8-bit RGB",
        "a transfer function",
        "transfer",
        stored(RGB, COLOUR | {301: (3, tuple(range(0, 65536, 256)))}),
        "it has a transfer function of its own: save it as sRGB",
    )
    p3 = {318: (5, (3127, 10000, 329, 1000)), 319: (5, (68, 100, 32, 100, 265, 1000, 69, 100, 15, 100, 6, 100))}
    yield Case(
        "TIFF",
        "8-bit RGB",
        "chromaticities of Display P3",
        "p3.tif",
        stored(RGB, COLOUR | p3),
        AS_P3,
        "converted to sRGB",
        1,
        "its chromaticities",
    )
    ycbcr = COLOUR | {262: (3, (6,))}
    luma = np.asarray(Image.fromarray(RGB).convert("YCbCr"))
    centred = luma.astype(float) - (0, 128, 128)
    matrix = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
    right = (centred @ matrix.T).round().clip(0, 255).astype(np.uint8)
    data = stored(luma, ycbcr | {530: (3, (1, 1))})
    yield Case("TIFF", "8-bit YCbCr", "not subsampled", "ycbcr.tif", data, right, "converted as in JPEG", 1)
    why = "its YCbCr is subsampled without compression, not known here: save it as RGB"
    yield of_tiff("8-bit YCbCr", "no word on subsampling, so 2:2", "ycbcr22", stored(luma, ycbcr), why)
    bt709 = {529: (5, (2126, 10000, 7152, 10000, 722, 10000)), 530: (3, (1, 1))}
    yield of_tiff(
        "8-bit YCbCr",
        "coefficients of BT.709",
        "ycbcr709",
        stored(luma, ycbcr | bt709),
        "its YCbCr is not that of JPEG: save it as RGB",
    )
    yield of_tiff(
        "8-bit L*a*b*",
        "",
        "lab",
        stored(RGB, COLOUR | {262: (3, (8,))}),
        "pixels of the kind LAB are not known here: save it as RGB",
    )
    inks = {258: (3, (16,) * 4), 262: (3, (5,)), 277: (3, (4,))}
    yield of_tiff(
        "16-bit CMYK", "", "cmyk16", stored(WIDE, inks), "CMYK inks of 16 bits are not known here: save it as RGB"
    )
    five = {258: (3, (8,) * 5), 262: (3, (1,)), 277: (3, (5,))}
    yield of_tiff(
        "five channels of grey", "", "five", stored(np.dstack([RGB, GREY, GREY]), five), "cannot identify image file it"
    )
