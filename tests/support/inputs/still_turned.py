"""The eight orientations, in every container that has them."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image
from still_case import RGB, SOFT, WIDE, Case, eight, saved
from still_files import chunk, png, tiff

# What a viewer does with the stored picture, as Exif's table of rows and columns says.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p[::-1].swapaxes(0, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p[:, ::-1].swapaxes(0, 1),
}


def orientations() -> Iterator[Case]:
    """Yields the eight orientations in every container that has them."""
    kinds = {"PNG": (".png", {}, 0), "TIFF": (".tif", {}, 0), "WEBP": (".webp", {"lossless": True}, 0)}
    kinds |= {"JPEG": (".jpg", {"quality": 100, "subsampling": 0}, 4)}
    kinds |= {"AVIF": (".avif", {"quality": 100, "subsampling": "4:4:4"}, 3)}
    for number, turn in UPRIGHT.items():
        for kind, (suffix, options, within) in kinds.items():
            exif = Image.Exif()
            exif[274] = number
            right = turn(SOFT if within else RGB)
            data = saved(Image.fromarray(SOFT if within else RGB), kind, exif=exif, **options)
            yield Case(
                kind, "8-bit colour", "orientation 1 to 8", f"turned{number}{suffix}", data, right, "upright", within
            )
        right = turn(eight(WIDE[..., :3]))
        tags = {258: (3, (16,) * 3), 262: (3, (2,)), 277: (3, (3,)), 274: (3, (number,))}
        data = lambda t=tags: tiff(WIDE[..., :3].astype("<u2").tobytes(), 17, 12, t)  # noqa: E731
        yield Case("TIFF", "16-bit RGB", "orientation 1 to 8", f"turned16{number}.tif", data, right, "upright")
        exif = Image.Exif()
        exif[274] = number
        data = lambda e=exif: png(WIDE[..., :3], 16, chunk(b"eXIf", e.tobytes()[6:]))  # noqa: E731
        yield Case("PNG", "16-bit RGB", "orientation 1 to 8", f"turned16{number}.png", data, right, "upright")
