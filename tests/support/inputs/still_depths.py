"""What every container holds, 8-bit RGB and grey, and samples of other depths."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image
from still_case import DRAWN, GREY, RGB, SOFT, WIDE, Case, eight, saved, three
from still_files import png, qoi, tiff


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
