"""Which image files are read: those of the formats that the installed Pillow decodes to pixels, by its own registry."""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageFile

# Their first bytes name them, so any suffix will do: many photographs named .png are JPEG. What has a weaker mark, or
# none, as TGA, counts only under a suffix of its own; else a damaged file could be taken for one.
MARKED = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "JPEG2000")
HAS_NO_PIXELS = {"EPS": "drawn by another program", "MPEG": "recognised, not decoded"}
OPENED_AS = {"MPO": "JPEG"}  # a JPEG file that holds further pictures


@cache
def suffixes() -> dict[str, str]:
    """Returns the suffixes of image files that are read, in lower case, each with Pillow's format."""
    Image.init()
    openers = {name: opener for name, (opener, _) in Image.OPEN.items() if name not in HAS_NO_PIXELS}
    readable = {
        name
        for name, opener in openers.items()
        if not (isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile))  # a stub only recognises
    }
    named = {suffix: OPENED_AS.get(name, name) for suffix, name in Image.registered_extensions().items()}
    return {suffix: name for suffix, name in sorted(named.items()) if name in readable}


@cache
def formats_of(suffix: str) -> tuple[str, ...]:
    """Returns the formats that a file with this suffix may have."""
    own = suffixes().get(suffix.lower())
    known = tuple(name for name in MARKED if name in Image.OPEN)
    return known if own is None or own in known else (*known, own)


def rawmode_of(image: ImageFile.ImageFile) -> str:
    """Returns how the samples of an opened image lie in its file, in Pillow's words, as RGB;16B; empty if unknown."""
    args = image.tile[0].args if image.tile else ()
    first = args[0] if isinstance(args, tuple) and args else args
    wide = ";16B" if image.tile and image.tile[0].codec_name == "SGI16" else ""
    return f"{first}{wide}" if isinstance(first, str) else ""
