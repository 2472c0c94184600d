"""Colour spaces that a file gives by an ICC profile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms
from still_case import GREY, HDR, RGB, SOFT, Case, saved, three
from still_files import adobe_rgb, chunk, grey_profile, icc, ink_profile, png
from still_light import AS_ADOBE, FROM_ADOBE, levels

RAMP = np.tile(np.arange(256, dtype=np.uint8), (8, 1))


def srgb() -> bytes:
    """Returns a profile of sRGB that littleCMS makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profiles() -> Iterator[Case]:
    """Yields ICC profiles."""
    photo, grey = Image.fromarray(RGB), Image.fromarray(GREY)
    to_srgb = "converted to sRGB"
    kinds = {"PNG": (".png", {}), "TIFF": (".tif", {}), "WEBP": (".webp", {"lossless": True})}
    for kind, (suffix, options) in kinds.items():
        data = saved(photo, kind, icc_profile=srgb(), **options)
        yield Case(kind, "8-bit RGB", "a profile of sRGB", f"srgb{suffix}", data, RGB, "read as it is")
        data = saved(photo, kind, icc_profile=adobe_rgb(), **options)
        yield Case(
            kind, "8-bit RGB", "a profile of another space", f"adobe{suffix}", data, AS_ADOBE, to_srgb, 1, "test"
        )
    soft = Image.fromarray(SOFT)
    as_adobe = levels((SOFT / 255) ** (563 / 256) @ FROM_ADOBE.T)
    for kind, suffix, options in (("JPEG", ".jpg", {"subsampling": 0}), ("AVIF", ".avif", {"subsampling": "4:4:4"})):
        data = saved(soft, kind, quality=100, icc_profile=srgb(), **options)
        yield Case(kind, "8-bit colour, lossy", "a profile of sRGB", f"srgb{suffix}", data, SOFT, "read", 4)
        data = saved(soft, kind, quality=100, icc_profile=adobe_rgb(), **options)
        told = "a profile of another space"
        yield Case(kind, "8-bit colour, lossy", told, f"adobe{suffix}", data, as_adobe, to_srgb, 5, "test")
    data = saved(grey, "PNG", icc_profile=srgb())
    yield Case("PNG", "8-bit grey", "a profile of sRGB", "grey_srgb.png", data, three(GREY), "read as it is")
    data = saved(grey, "PNG", icc_profile=grey_profile(1.8))
    right = levels((three(GREY) / 255) ** 1.8008)
    yield Case("PNG", "8-bit grey", "a profile of grey", "grey_icc.png", data, right, to_srgb, 1, "test")
    why = "its colour profile is for L and its pixels are RGB: save it as sRGB"
    yield Case(
        "PNG", "8-bit RGB", "a profile of grey", "wrong.png", saved(photo, "PNG", icc_profile=grey_profile(1.8)), why
    )
    why = "its colour profile is for CMYK and its pixels are RGB: save it as sRGB"
    yield Case("PNG", "8-bit RGB", "a profile of CMYK", "inks.png", saved(photo, "PNG", icc_profile=ink_profile()), why)
    why = "its colour profile is damaged: save it as sRGB"
    data = lambda: png(RGB, before=chunk(b"iCCP", b"name\0\0" + b"no zlib"))  # noqa: E731
    yield Case("PNG", "8-bit RGB", "a damaged profile", "damaged.png", data, why)
    why = "its colour profile cannot be read (cannot open profile from string): convert it to sRGB"
    yield Case(
        "TIFF", "8-bit RGB", "a damaged profile", "damaged.tif", saved(photo, "TIFF", icc_profile=b"none" * 40), why
    )
    why = "its colour profile is of Lab: convert it to sRGB"
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    yield Case("PNG", "8-bit RGB", "a profile of Lab", "lab.png", saved(photo, "PNG", icc_profile=lab), why)
    pq = b"cicp\0\0\0\0" + bytes([9, 16, 0, 1])
    data = saved(photo, "PNG", icc_profile=icc(b"RGB ", {b"cicp": pq}))
    yield Case("PNG", "8-bit RGB", "a profile of PQ", "pq_icc.png", data, HDR.format("PQ"))
    inks = Image.fromarray(np.dstack([np.zeros((8, 256, 3), np.uint8), RAMP]), "CMYK")
    star = 100 * (1 - RAMP / 255)
    right = three(levels(np.where(star > 8, ((star + 16) / 116) ** 3, star / 903.2963)))
    data = saved(inks, "TIFF", icc_profile=ink_profile())
    yield Case("TIFF", "CMYK", "a profile of CMYK", "cmyk.tif", data, right, to_srgb, 1, "test")
    data = saved(inks, "JPEG", quality=100, icc_profile=ink_profile())
    yield Case("JPEG", "CMYK", "a profile of CMYK", "cmyk.jpg", data, right, to_srgb, 3, "test")
    why = "it has CMYK inks and no colour profile: save it as RGB"
    for kind, suffix in (("TIFF", ".tif"), ("JPEG", ".jpg")):
        yield Case(kind, "CMYK", "", f"bare{suffix}", saved(inks, kind), why)
