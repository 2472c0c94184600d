"""A photograph's file: what it holds by container, mode and tags, and its pixels as upright sRGB with 8 bits.

What is not understood is refused by name: `docs/inputs.md` has the table. Pillow decodes; it drops what a file says of
its colours (see `colour`) and the lower half of 16-bit colour (see `wide`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from metric_robustness.pipeline.data.stills import jpeg, wide
from metric_robustness.pipeline.data.stills.boxes import codestream_size, png_may_be_turned
from metric_robustness.pipeline.data.stills.colour import conversion_of
from metric_robustness.pipeline.data.stills.formats import formats_of, rawmode_of
from metric_robustness.pipeline.data.stills.spaces import ColourError, Conversion

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)

MOST_PIXELS = 2**25  # just enough for 8K UHD, 33,177,600
EIGHT_BITS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
WIDE_GREY = {("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("JPEG2000", "I;16"), ("PPM", "I")}
UNBOUNDED = {"F": "floating-point pixels", "I": "integer pixels of more than 8 bits"}  # by the letter of Pillow's mode
WHITE_IS_ZERO, CMYK, YCBCR = 0, 5, 6  # photometric interpretations of TIFF
COEFFICIENTS, SUBSAMPLING, REFERENCE = 529, 530, 532  # tags of TIFF
ENTRIES = {"RGB": 3, "BGR": 3, "BGRX": 4, "RGBX": 4}  # bytes of a palette's entry, by Pillow's word for its layout
TAGS = ExifTags.Base
JPEGS = {"JPEG", "MPO"}  # Pillow's names
TRANSPARENT = "it is transparent in places: flatten it first"


# What Pillow warns of, we refuse or read; Python's lines would stand between ours. Set once, since threads decode.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class StillError(ValueError):
    """Why a photograph cannot be used."""


class Still(NamedTuple):
    """What a file holds, seen upright."""

    height: int
    width: int
    converted: str = ""  # the colour space that it is converted from; empty for sRGB


def examine(path: Path) -> Still:
    """Reads a file's header.

    Raises:
        StillError: If it cannot be used.
        FileNotFoundError: If it is not there.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "(?i).*corrupt EXIF.*")  # the photograph may lie on its side
        with _opened(path, "cannot be read: ") as image:
            _require(image.width * image.height <= MOST_PIXELS, too_large(*image.size))  # before anything is decoded
            conversion = _understood(image, path)
            width, height = _size(image)
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a photo with a preview
            if frames > 1:
                raise StillError(f"holds {frames} frames: extract them as PNG")
            return Still(height, width, conversion.name if conversion else "")


def decode(path: Path) -> Pixels:
    """Reads an image file as 8-bit sRGB, upright.

    Grey and palette images become RGB, 16 bits are rounded to 8, an opaque alpha channel is dropped.

    Raises:
        StillError: If it is transparent somewhere, since its background is unknown, damaged, truncated, or of a kind
            that is not understood.
        FileNotFoundError: If it is not there.
    """
    with _opened(path) as image:
        conversion = _understood(image, path)
        _require_in_palette(image)
        _require(image.format not in JPEGS or not jpeg.damaged(path), "it is damaged: a part of its picture is lost")
        clear = _clear_value(image)
        picture: Image.Image = image
        if _is_wide(image) and not image.mode.startswith("I"):
            picture = _in_full(image, path, clear)
        else:
            ImageOps.exif_transpose(image, in_place=True)
            if picture.mode.startswith("I"):
                samples = np.asarray(picture).astype(np.uint16)[..., None]
                _require(wide.opaque(samples, clear), TRANSPARENT)
                picture = wide.rounded(samples)
            elif picture.has_transparency_data:
                picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
                _require(picture.getchannel("A").getextrema() == (255, 255), TRANSPARENT)
        if conversion is None:
            return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
        return np.asarray(conversion.of(picture.convert(conversion.mode)))


def too_large(width: int, height: int) -> str:
    """Returns what to say of a picture of too many pixels."""
    return f"{width}x{height} is over the limit of {MOST_PIXELS:,} pixels: cut or scale it"


def _in_full(image: ImageFile.ImageFile, path: Path, clear: int | tuple[int, ...] | None) -> Image.Image:
    """Returns 16-bit colour rounded to 8, upright."""
    orientation = image.getexif().get(TAGS.Orientation, 1)
    ImageOps.exif_transpose(image, in_place=True)  # first, since it finds what is damaged
    samples = wide.read_wide(path, str(image.format))
    _require(wide.opaque(samples, clear), TRANSPARENT)
    fine = wide.rounded(samples)
    fine.getexif()[TAGS.Orientation] = orientation
    ImageOps.exif_transpose(fine, in_place=True)
    wide.require_same(fine, image)
    return fine


def _understood(image: ImageFile.ImageFile, path: Path) -> Conversion | None:
    """Returns how the colours of an opened image are converted; refuses what is not understood by its header."""
    if image.mode not in EIGHT_BITS and (image.format, image.mode) not in WIDE_GREY:
        kind = UNBOUNDED.get(image.mode[:1])
        _require(kind is None, f"{kind} have no known range: save it with 8 or 16 bits")
        raise StillError(f"pixels of the kind {image.mode} are not known here: save it as RGB")
    _require(
        not _is_wide(image) or image.mode.startswith("I") or image.format in wide.READERS,
        f"16 bits of colour in {image.format} are not known here: save it as PNG",
    )
    if image.format in _FURTHER:
        _FURTHER[image.format](image, path)
    return conversion_of(image, path)


def _require_known_tiff(image: Any, _: Path) -> None:
    tags = image.tag_v2
    kind, bits = tags.get(TAGS.PhotometricInterpretation, 0), tags.get(TAGS.BitsPerSample, (1,))
    raw = image.info.get("compression") == "raw"
    formats, extra = set(tags.get(TAGS.SampleFormat, (1,))), tuple(tags.get(TAGS.ExtraSamples, ()))
    _require(formats == {1}, "its samples are signed: their range is not known")
    _require(set(bits) <= {1, 2, 4, 8, 16}, f"its samples have {max(bits)} bits: save it with 8 or 16 bits")
    _require(extra in {(), (1,), (2,)}, f"its extra samples, {extra} in TIFF, are not known here: save it as RGB")
    _require(16 not in bits or kind != WHITE_IS_ZERO, "16 bits with white as 0 are not known here: save it as PNG")
    _require(16 not in bits or kind != CMYK, "CMYK inks of 16 bits are not known here: save it as RGB")
    planes = tags.get(TAGS.PlanarConfiguration, 1) == 2 and len(bits) > 1
    _require(16 not in bits or not planes, "16 bits in one plane per channel are not known here: save it as PNG")
    _require(not tags.get(TAGS.NewSubfileType, 0) & 1, "its first picture is a preview of another: save it as PNG")
    if kind == YCBCR:
        usual = all(
            np.allclose(np.array(tags.get(tag, value), float), value, atol=1e-3)
            for tag, value in ((COEFFICIENTS, (0.299, 0.587, 0.114)), (REFERENCE, (0, 255, 128, 255, 128, 255)))
        )
        _require(usual, "its YCbCr is not that of JPEG: save it as RGB")
        whole = not raw or tuple(tags.get(SUBSAMPLING, (2, 2))) == (1, 1)
        _require(whole, "its YCbCr is subsampled without compression, not known here: save it as RGB")


def _require_known_jpeg2000(image: ImageFile.ImageFile, path: Path) -> None:
    components = codestream_size(path)[38:]
    bits = {(size & 127) + 1 if size < 128 else 0 for size in components[::3]}
    known = {16} if image.mode == "I;16" else {8}
    _require(bits == known, f"its samples have {max(bits, default=0)} bits in JPEG 2000: save it as PNG")
    _require(set(components[1::3] + components[2::3]) == {1}, "its channels differ in size: save it as PNG")


def _require_known_dds(image: ImageFile.ImageFile, _: Path) -> None:
    _require("BC6" not in str(image.tile[0].args), "its pixels of half floats have no known range: save it as PNG")


def _require_known_gif(image: ImageFile.ImageFile, _: Path) -> None:
    whole = image.tile[0].extents == (0, 0, *image.size)
    _require(whole, "its picture covers a part of the canvas only: flatten it first")


def _require_known_ppm(image: ImageFile.ImageFile, path: Path) -> None:
    _, extents, offset, args = image.tile[0]
    if image.tile[0].codec_name != "ppm" or extents is None or not isinstance(args, tuple):
        return  # its largest value is that of the type, or Pillow looks at each number
    largest, count = int(args[-1]), image.width * image.height * len(image.getbands())
    samples = np.fromfile(path, np.uint8 if largest < 256 else ">u2", count, offset=offset)
    top = int(samples.max(initial=0))
    _require(top <= largest, f"it is damaged: it holds the value {top}, and its header says {largest} at most")


def _require_in_palette(image: ImageFile.ImageFile) -> None:
    """Refuses pixels of a colour that the palette lacks: Pillow makes them black."""
    palette = image.palette
    if image.mode != "P" or palette is None or (width := ENTRIES.get(palette.rawmode or palette.mode)) is None:
        return
    size = len(palette.palette) // width  # before it is decoded: then, Pillow fills it up
    image.load()
    top = np.asarray(image).max()
    _require(top < size, f"it is damaged: it holds the colour {top} of a palette of {size}")


_FURTHER = {
    "PPM": _require_known_ppm,
    "TIFF": _require_known_tiff,
    "JPEG2000": _require_known_jpeg2000,
    "DDS": _require_known_dds,
    "GIF": _require_known_gif,
}


def _size(image: Any) -> tuple[int, int]:
    """Returns width and height as seen upright; Pillow turns only the size of a TIFF, by one of its tags alone."""
    size: tuple[int, int] = image.size
    if image.format == "PNG" and image.fp and not png_may_be_turned(image.fp):
        return size
    if image.format == "TIFF":
        size = image.tag_v2[TAGS.ImageWidth], image.tag_v2[TAGS.ImageLength]
    turned = image.getexif().get(TAGS.Orientation, 1) in {5, 6, 7, 8}
    return size[::-1] if turned else size


def _clear_value(image: ImageFile.ImageFile) -> int | tuple[int, ...] | None:
    """Returns the colour that stands for transparent, if a PNG names one; puts it on the scale that Pillow has."""
    value = image.info.get("transparency")
    if image.format != "PNG" or image.mode == "P" or value is None:
        return None
    found: int | tuple[int, ...] = value
    if not _is_wide(image):
        scale = {"L;2": 85, "L;4": 17}.get(rawmode_of(image), 1)
        found = tuple(each & 255 for each in value) if isinstance(value, tuple) else value * scale & 255
        image.info["transparency"] = found
    return found


def _is_wide(image: ImageFile.ImageFile) -> bool:
    """Tells whether an opened image has samples of 16 bits."""
    return rawmode_of(image).endswith((";16B", ";16L", ";16N")) or image.mode.startswith("I")


def _require(fulfilled: bool, otherwise: str) -> None:
    if not fulfilled:
        raise StillError(otherwise)


@contextmanager
def _opened(path: Path, said: str = "") -> Iterator[ImageFile.ImageFile]:
    """Opens a file; turns whatever goes wrong in reading it into one line, which begins with `said`."""
    try:
        with Image.open(path, formats=formats_of(path.suffix)) as image:
            yield image
    except (FileNotFoundError, StillError):
        raise
    except (ColourError, wide.WideError) as error:
        raise StillError(str(error)) from None
    except UnidentifiedImageError:
        raise StillError(f"{said}cannot identify image file it") from None
    except Exception as error:  # noqa: BLE001  # a damaged file makes decoders raise anything, from KeyError to zlib.error
        raise StillError(f"{said}{_short(error, path)}") from None


def _short(error: Exception, path: Path) -> str:
    """Returns an error's first line without the path, which differs between machines."""
    told = str(error).partition("\n")[0].replace(repr(str(path)), "it").replace(str(path), "it")
    return told or type(error).__name__
