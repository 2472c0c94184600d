"""What happens to a still image, by container, mode and tags: one list, of which tests and docs/inputs.md are made.

Each case writes a file and says which pixels are right, worked out apart from the product, or why the file is refused.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from still_files import adobe_rgb, chunk, grey_profile, icc, ink_profile, png, qoi, text, tiff

DRAWN = np.random.default_rng(7)
RGB = DRAWN.integers(0, 256, (12, 17, 3), dtype=np.uint8)
GREY = RGB[..., 0]
WIDE = DRAWN.integers(0, 65536, (12, 17, 4)).astype(np.uint16)
SOFT = np.asarray(
    Image.fromarray(DRAWN.integers(110, 170, (3, 4, 3), dtype=np.uint8)).resize((34, 24), Image.Resampling.BICUBIC)
)
RAMP = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
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
TRANSPARENT = "it is transparent in places: flatten it first"


@dataclass(frozen=True)
class Case:
    """A file, and what is right.

    Attributes:
        container: Pillow's name of the format.
        mode: What its samples are.
        tags: What else it says.
        name: The file's name.
        data: Returns its bytes.
        right: Its pixels, (H, W, 3), or why it is refused.
        told: What happens to it, in words; empty where it is refused.
        within: How many levels the pixels may differ, where a codec or a colour space is between.
        converted: The colour space that it is converted from.
    """

    container: str
    mode: str
    tags: str
    name: str
    data: Callable[[], bytes]
    right: np.ndarray | str
    told: str = ""
    within: int = 0
    converted: str = ""

    @property
    def suffix(self) -> str:
        """Returns the file's suffix."""
        return PurePath(self.name).suffix

    @property
    def row(self) -> tuple[str, str, str]:
        """Returns mode, tags and what happens, which the table shows once for all containers."""
        return self.mode, self.tags, f"refused: {self.right}" if isinstance(self.right, str) else self.told


def saved(image: Image.Image, kind: str, **options: Any) -> Callable[[], bytes]:
    """Returns a function that has Pillow write a file."""

    def write() -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return write


def three(grey: np.ndarray) -> np.ndarray:
    """Returns grey levels as RGB."""
    return np.dstack([grey.astype(np.uint8)] * 3)


def eight(wide: np.ndarray) -> np.ndarray:
    """Returns 16-bit values rounded to 8 bits."""
    return np.round(wide / 257).astype(np.uint8)


def light(levels: np.ndarray) -> np.ndarray:
    """Returns 8-bit sRGB as light, 0 to 1, as IEC 61966-2-1 has it."""
    value = levels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def levels(shone: np.ndarray) -> np.ndarray:
    """Returns light as 8-bit sRGB."""
    shone = shone.clip(0, 1)
    value = np.where(shone <= 0.0031308, shone * 12.92, 1.055 * shone ** (1 / 2.4) - 0.055)
    return np.round(value * 255).astype(np.uint8)


# From a space's light to sRGB's: the published matrices of CSS Color 4.
FROM_P3 = np.array([[1.2249402, -0.2249402, 0], [-0.0420569, 1.0420569, 0], [-0.0196376, -0.0786361, 1.0982735]])
FROM_ADOBE = np.array([[1.3983557, -0.3983557, 0], [0, 1, 0], [0, -0.0429290, 1.0429290]])
AS_P3 = levels(light(RGB) @ FROM_P3.T)
AS_ADOBE = levels((RGB / 255) ** (563 / 256) @ FROM_ADOBE.T)
AS_LINEAR = levels(RGB / 255)


def srgb() -> bytes:
    """Returns a profile of sRGB that littleCMS makes."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cases() -> list[Case]:
    """Returns all cases."""
    makers = (plain, depths, transparency, orientations, profiles, numbers, tiffs, tiff_colours, others, moving)
    return [case for make in makers for case in make()]


def plain() -> Iterator[Case]:
    """Yields what every container holds: 8-bit RGB and grey, at first without loss."""
    photo, grey = Image.fromarray(RGB), Image.fromarray(GREY)
    palette = photo.quantize(32)
    read = "read as it is"
    exact = {
        ".png": "PNG",
        ".apng": "PNG",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".bmp": "BMP",
        ".dib": "DIB",
        ".ppm": "PPM",
    }
    exact |= {".pnm": "PPM", ".tga": "TGA", ".pcx": "PCX", ".sgi": "SGI", ".ico": "ICO", ".dds": "DDS"}
    for suffix, kind in exact.items():
        options = {"sizes": [photo.size]} if kind == "ICO" else {}
        yield Case(kind, "8-bit RGB", "", f"a{suffix}", saved(photo, kind, **options), RGB, read)
    yield Case("WEBP", "8-bit RGB", "", "a.webp", saved(photo, "WEBP", lossless=True), RGB, read)
    for suffix in (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"):
        data = saved(photo, "JPEG2000", no_jp2=suffix in {".j2k", ".j2c", ".jpc"})
        yield Case("JPEG2000", "8-bit RGB", "", f"a{suffix}", data, RGB, read)
    yield Case("QOI", "8-bit RGB", "", "a.qoi", lambda: qoi(RGB), RGB, read)
    yield Case("PNG named .jpg", "8-bit RGB", "", "a.jpg", saved(photo, "PNG"), RGB, read)
    soft = Image.fromarray(SOFT)
    for suffix in (".jpg", ".jpeg", ".jpe", ".jfif"):
        data = saved(soft, "JPEG", quality=100, subsampling=0)
        yield Case("JPEG", "8-bit colour, lossy", "", f"a{suffix}", data, SOFT, "read", 4)
    data = saved(soft, "AVIF", quality=100, subsampling="4:4:4")
    yield Case("AVIF", "8-bit colour, lossy", "", "a.avif", data, SOFT, "read", 4)
    for suffix, kind in {
        ".png": "PNG",
        ".tif": "TIFF",
        ".bmp": "BMP",
        ".pgm": "PPM",
        ".tga": "TGA",
        ".jp2": "JPEG2000",
    }.items():
        yield Case(kind, "8-bit grey", "", f"grey{suffix}", saved(grey, kind), three(GREY), "three equal channels")
    right = np.asarray(palette.convert("RGB"))
    for suffix, kind in {".png": "PNG", ".gif": "GIF", ".tif": "TIFF", ".bmp": "BMP", ".pcx": "PCX"}.items():
        yield Case(kind, "palette", "", f"palette{suffix}", saved(palette, kind), right, "its colours")


def depths() -> Iterator[Case]:
    """Yields samples of other than 8 bits."""
    scaled = "scaled to 0..255"
    for bits in (1, 2, 4):
        top = 2**bits - 1
        values = GREY >> (8 - bits)
        right = three(values * (255 // top))
        yield Case(
            "PNG", "1-, 2-, 4-bit grey", "", f"grey{bits}.png", lambda v=values, b=bits: png(v, b), right, scaled
        )
        yield Case(
            "PNG",
            "palette",
            "",
            f"palette{bits}.png",
            lambda v=values, b=bits: png(v, b, palette=RGB[0].tobytes()[: 3 * 2**b]),
            RGB[0][values],
            "its colours",
        )
    told = "round(v / 257)"
    for mode, channels in {"16-bit grey": 1, "16-bit RGB": 3}.items():
        values = WIDE[..., :channels]
        right = three(eight(values[..., 0])) if channels == 1 else eight(values)
        yield Case("PNG", mode, "", f"wide{channels}.png", lambda v=values: png(v, 16), right, told)
        for order in "<>":
            tags = {258: (3, (16,) * channels), 262: (3, (1 if channels == 1 else 2,)), 277: (3, (channels,))}
            data = lambda v=values, t=tags, o=order: tiff(v.astype(f"{o}u2").tobytes(), 17, 12, t, o)  # noqa: E731
            yield Case("TIFF", mode, "", f"wide{channels}{'le' if order == '<' else 'be'}.tif", data, right, told)
        for kind in ("P5",) if channels == 1 else ("P6",):
            data = lambda v=values, k=kind: f"{k} 17 12 65535\n".encode() + v.astype(">u2").tobytes()  # noqa: E731
            yield Case("PPM", mode, "", f"wide{channels}.ppm", data, right, told)
    compressed = WIDE[..., :1].repeat(3, 2)
    for packing in ("tiff_lzw", "tiff_adobe_deflate"):
        data = lambda p=packing: repacked(p)  # noqa: E731
        yield Case("TIFF", "16-bit grey", "", f"{packing}.tif", data, eight(compressed), told)
    odd = DRAWN.integers(0, 1001, (12, 17, 3))
    right = np.round(odd / 1000 * 255).astype(np.uint8)
    data = lambda: b"P6 17 12 1000\n" + odd.astype(">u2").tobytes()  # noqa: E731
    yield Case("PPM", "RGB of a largest value of its own", "", "odd.ppm", data, right, scaled)
    why = "it is damaged: it holds the colour 6 of a palette of 6"
    yield Case("PNG", "palette", "a colour that it lacks", "few.png", lambda: png(GREY % 7, 8, b"", bytes(18)), why)
    for kind, top, samples in (("P5", 100, b"\x64\x65"), ("P6", 1000, b"\x03\xe9")):
        size = 12 * 17 * {"P5": 1, "P6": 6}[kind]
        data = lambda k=kind, t=top, s=samples, n=size: f"{k} 17 12 {t}\n".encode() + s.rjust(n, b"\0")  # noqa: E731
        why = f"it is damaged: it holds the value {top + 1}, and its header says {top} at most"
        yield Case("PPM", f"a sample of {top + 1}", f"largest value {top}", f"over{top}.ppm", data, why)
    data = lambda: jpeg2000(WIDE[..., 0], "gray16le")  # noqa: E731
    yield Case("JPEG2000", "16-bit grey", "", "wide.jp2", data, three(eight(WIDE[..., 0])), told)
    why = "its samples have 16 bits in JPEG 2000: save it as PNG"
    yield Case("JPEG2000", "16-bit RGB", "", "wide3.jp2", lambda: jpeg2000(WIDE[..., :3], "rgb48le"), why)
    why = "16 bits of colour in SGI are not known here: save it as PNG"
    yield Case("SGI", "16-bit RGB", "", "wide.sgi", saved(Image.fromarray(RGB), "SGI", bpc=2), why)
    ranges = "integer pixels of more than 8 bits have no known range: save it with 8 or 16 bits"
    yield Case(
        "TIFF", "32-bit integers", "", "int32.tif", saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"), ranges
    )
    why = "floating-point pixels have no known range: save it with 8 or 16 bits"
    floating = Image.fromarray(GREY.astype(np.float32))
    yield Case("TIFF", "floating point", "", "float.tif", saved(floating, "TIFF"), why)
    yield Case("PPM (PFM)", "floating point", "", "float.pfm", saved(floating, "PPM"), why)


def repacked(packing: str) -> bytes:
    """Returns a 16-bit grey TIFF file that libtiff packs."""
    return saved(Image.fromarray(WIDE[..., 0]), "TIFF", compression=packing)()


def jpeg2000(values: np.ndarray, form: str) -> bytes:
    """Returns a lossless JPEG 2000 file that FFmpeg writes, since Pillow writes 8 bits only."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as out:
        stream = out.add_stream("jpeg2000", rate=1, options={"format": "jp2", "pred": "dwt53"})
        stream.height, stream.width, stream.pix_fmt = *values.shape[:2], form
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(values), form)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return buffer.getvalue()


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


HDR = "its colours are {}, of a wider range than screens of sRGB: convert it to sRGB"


def numbers() -> Iterator[Case]:
    """Yields colour spaces that a file gives by numbers."""
    as_is, to_srgb = "read as it is", "converted to sRGB"
    gamma = lambda value: chunk(b"gAMA", struct.pack(">I", value))  # noqa: E731
    corners = lambda *values: chunk(b"cHRM", struct.pack(">8I", *values))  # noqa: E731
    usual = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    code = lambda *values: chunk(b"cICP", bytes(values))  # noqa: E731
    profile = chunk(b"iCCP", text(b"x", adobe_rgb()))
    srgb_chunk = chunk(b"sRGB", b"\0")
    for tags, before, right, told, source in (
        ("gAMA 0.45455", gamma(45455), RGB, as_is, ""),
        ("gAMA 0.45455, cHRM of sRGB", gamma(45455) + corners(*usual), RGB, as_is, ""),
        ("sRGB, which counts before gAMA", srgb_chunk + gamma(100000), RGB, as_is, ""),
        ("cICP of sRGB, which counts before iCCP", code(1, 13, 0, 1) + profile, RGB, as_is, ""),
        ("gAMA 1, linear light", gamma(100000), AS_LINEAR, to_srgb, "its gAMA"),
        ("cHRM of Display P3", corners(*p3), AS_P3, to_srgb, "its cHRM"),
        ("cICP of Display P3", code(12, 13, 0, 1), AS_P3, to_srgb, "Display P3"),
        ("cICP of PQ", code(9, 16, 0, 1), HDR.format("PQ"), "", ""),
        ("cICP of HLG", code(9, 18, 0, 1), HDR.format("HLG"), "", ""),
        ("cICP of BT.2020", code(9, 14, 0, 1), HDR.format("BT.2020"), "", ""),
        (
            "cICP of another space",
            code(4, 4, 0, 1),
            "its colours, primaries 4 and curve 4 in H.273, are not known here",
            "",
            "",
        ),
        (
            "cICP of narrow range",
            code(1, 13, 0, 0),
            "its cICP chunk does not say RGB of full range: save it as sRGB",
            "",
            "",
        ),
        (
            "cHRM that is no space",
            corners(0, 0, 0, 0, 0, 0, 0, 0),
            "its chromaticities or its gamma belong to no colour space: convert it to sRGB",
            "",
            "",
        ),
    ):
        name = "".join(letter for letter in tags if letter.isalnum())
        yield Case(
            "PNG",
            "8-bit RGB",
            tags,
            f"{name}.png",
            lambda b=before: png(RGB, before=b),
            right,
            told,
            bool(source),
            source,
        )
    right = levels(eight(WIDE[..., :3]) / 255)
    data = lambda: png(WIDE[..., :3], 16, gamma(100000))  # noqa: E731
    yield Case(
        "PNG",
        "16-bit RGB",
        "gAMA 1, linear light",
        "linear16.png",
        data,
        right,
        "rounded to 8 bits, then converted",
        1,
        "its gAMA",
    )
    right = three(levels(GREY / 255))
    yield Case(
        "PNG",
        "8-bit grey",
        "gAMA 1, linear light",
        "linear.png",
        lambda: png(GREY, before=gamma(100000)),
        right,
        to_srgb,
        1,
        "its gAMA",
    )
    yield Case(
        "QOI",
        "8-bit RGB",
        "linear light",
        "linear.qoi",
        lambda: qoi(RGB, linear=True),
        AS_LINEAR,
        to_srgb,
        1,
        "linear light",
    )
    avif = saved(Image.fromarray(SOFT), "AVIF", quality=100, subsampling="4:4:4")
    as_p3 = levels(light(SOFT) @ FROM_P3.T)
    for tags, codes, right, source in (
        ("nclx of BT.709", (1, 1), SOFT, ""),
        ("nclx of Display P3", (12, 13), as_p3, "Display P3"),
        ("nclx of PQ", (9, 16), HDR.format("PQ"), ""),
        ("nclx of HLG", (9, 18), HDR.format("HLG"), ""),
    ):
        data = lambda c=codes: avif().replace(b"nclx\0\1\0\r", b"nclx" + struct.pack(">HH", *c))  # noqa: E731
        told = to_srgb if source else "read"
        yield Case(
            "AVIF",
            "8-bit colour, lossy",
            tags,
            f"nclx{codes[0]}{codes[1]}.avif",
            data,
            right,
            told,
            6 if source else 3,
            source,
        )
    jp2 = saved(Image.fromarray(RGB), "JPEG2000")
    plain_colour = b"colr\1\0\0\0\0\0\x10"
    data = lambda: jp2().replace(plain_colour, plain_colour[:-1] + b"\x12")  # noqa: E731
    why = "its colour space, 18 of JPEG 2000, is not known here: save it as sRGB"
    yield Case("JPEG2000", "8-bit RGB", "an enumerated space that is not sRGB", "sycc.jp2", data, why)
    camera = Image.Exif()
    camera[0x8769] = {0xA001: 65535, 0xA005: {1: "R03", 2: b"0100"}}
    right = levels((SOFT / 255) ** (563 / 256) @ FROM_ADOBE.T)
    data = saved(Image.fromarray(SOFT), "JPEG", quality=100, subsampling=0, exif=camera)
    yield Case(
        "JPEG",
        "8-bit colour, lossy",
        "Exif's R03, a camera's Adobe RGB",
        "r03.jpg",
        data,
        right,
        to_srgb,
        5,
        "Adobe RGB (Exif)",
    )
    data = lambda: bmp_with_space(b"DEBM")  # noqa: E731  # MBED
    yield Case(
        "BMP",
        "8-bit RGB",
        "a colour space of its own",
        "own.bmp",
        data,
        "it has a colour space of its own: save it as sRGB",
    )
    yield Case("BMP", "8-bit RGB", "sRGB in its header", "srgb.bmp", lambda: bmp_with_space(b"BGRs"), RGB, as_is)


def bmp_with_space(kind: bytes) -> bytes:
    """Returns a BMP file with a header of version 4."""
    pixels = b"".join(line[:, ::-1].tobytes().ljust(52, b"\0") for line in RGB[::-1])
    head = struct.pack("<IiiHHIIiiII", 108, 17, 12, 1, 24, 0, len(pixels), 0, 0, 0, 0) + bytes(16) + kind
    return b"BM" + struct.pack("<IHHI", 14 + 108 + len(pixels), 0, 0, 14 + 108) + head.ljust(108, b"\0") + pixels


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
    bomb = lambda: png(RGB, before=chunk(b"iCCP", text(b"x", bytes(2**26))))  # noqa: E731
    why = "Decompressed data too large for PngImagePlugin.MAX_TEXT_CHUNK"
    yield Case("PNG", "8-bit RGB", "a profile that grows to over 1 MiB", "bomb.png", bomb, why)
    drawing = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n"
    yield Case(
        "PostScript named .png", "a drawing", "", "drawing.png", lambda: drawing, "cannot identify image file it"
    )


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
