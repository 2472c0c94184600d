"""Transparency: alpha channels, and colours that stand for transparent."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image
from still_case import RGB, TRANSPARENT, WIDE, Case, eight, saved, three
from still_files import chunk, png, tiff


def transparency() -> Iterator[Case]:
    """Yields alpha channels, and colours that stand for transparent."""
    full, dropped = np.full((12, 17), 255, np.uint8), "its alpha is dropped"
    some = full.copy()
    some[3, 4] = 254
    lossless = {
        ".png": ("PNG", {}),
        ".tif": ("TIFF", {}),
        ".webp": ("WEBP", {"lossless": True, "exact": True}),
        ".tga": ("TGA", {}),
    }
    for suffix, (kind, options) in lossless.items():
        for alpha, tags, right in ((full, "opaque", RGB), (some, "transparent in places", TRANSPARENT)):
            data = saved(Image.fromarray(np.dstack([RGB, alpha])), kind, **options)
            yield Case(kind, "8-bit RGBA", tags, f"{tags[:6]}{suffix}", data, right, dropped)
    wide_full = np.full((12, 17, 1), 65535, np.uint16)
    wide_some = wide_full.copy()
    wide_some[3, 4] = 65534
    for alpha, tags in ((wide_full, "opaque"), (wide_some, "transparent in places")):
        for mode, values in (("16-bit RGBA", WIDE[..., :3]), ("16-bit grey and alpha", WIDE[..., :1])):
            colours = np.dstack([values, alpha])
            right = eight(values) if values.shape[2] == 3 else three(eight(values[..., 0]))
            told = f"{dropped}, round(v / 257)"
            name = f"wide{colours.shape[2]}{tags[:6]}"
            yield Case(
                "PNG",
                mode,
                tags,
                f"{name}.png",
                lambda c=colours: png(c, 16),
                right if alpha is wide_full else TRANSPARENT,
                told,
            )
            if mode == "16-bit RGBA":
                tiff_tags = {258: (3, (16,) * 4), 262: (3, (2,)), 277: (3, (4,)), 338: (3, (2,))}
                data = lambda c=colours, t=tiff_tags: tiff(c.astype("<u2").tobytes(), 17, 12, t)  # noqa: E731
                yield Case("TIFF", mode, tags, f"{name}.tif", data, right if alpha is wide_full else TRANSPARENT, told)
    for bits in (1, 2, 4, 8, 16):
        values = WIDE[..., 0] >> (16 - bits)
        for there in (True, False):
            value = int(values[0, 0])
            shown = values if there else np.where(values == value, (value + 1) % 2**bits, values)
            right = TRANSPARENT if there else three(np.round(shown.astype(float) * 255 / (2**bits - 1)))
            tags = f"tRNS names a value that {'occurs' if there else 'does not occur'}"
            data = lambda s=shown, b=bits, v=value: png(s, b, chunk(b"tRNS", struct.pack(">H", v)))  # noqa: E731
            yield Case("PNG", "grey of any depth", tags, f"trns{bits}{there}.png", data, right, "read")
    for bits, values in ((8, RGB), (16, WIDE[..., :3])):
        for there in (True, False):
            value = values[0, 0] if there else np.array([1, 2, 3])
            right = TRANSPARENT if there else RGB if bits == 8 else eight(values)
            tags = f"tRNS names a value that {'occurs' if there else 'does not occur'}"
            data = lambda s=values, b=bits, v=value: png(s, b, chunk(b"tRNS", struct.pack(">3H", *v)))  # noqa: E731
            yield Case("PNG", "8- and 16-bit RGB", tags, f"trns{bits}c{there}.png", data, right, "read")
    palette = Image.fromarray(RGB).quantize(8)
    for suffix, kind in {".png": "PNG", ".gif": "GIF"}.items():
        data = saved(palette, kind, transparency=palette.getpixel((0, 0)))
        yield Case(kind, "palette", "a colour that occurs is transparent", f"clear{suffix}", data, TRANSPARENT)
