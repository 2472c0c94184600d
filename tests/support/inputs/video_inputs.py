"""Videos of every container and of every kind that goes wrong: how each is made, and what happens to it.

The tests go through these cases, and `table` writes the same cases into the docs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorRange

HEIGHT, WIDTH, COUNT = 48, 64, 10
BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)  # weights of red and blue
WEIGHTS = {1: BT709, 5: BT601, 6: BT601}  # by the number of the matrix in H.273
SITES = {  # of chroma of 4:2:0, how far right and down
    "unspecified": (0.5, 0.5),  # as swscale has it
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "topleft": (0.0, 0.0),
}
X264 = {"qp": "1", "bf": "3"}
QUIET = {"x265-params": "log-level=none"}
MPEG = {"qmin": "1", "qmax": "1", "b": "20M", "maxrate": "20M", "bufsize": "4M"}
RAW_ONLY = {"nv12": "yuv420p", "yuyv422": "yuv422p", "uyvy422": "yuv422p"}  # other orders of the same samples


class Clip(NamedTuple):
    """How a clip is encoded."""

    codec: str
    form: str  # the container by its name in FFmpeg
    pixels: str = "yuv420p"
    options: dict[str, str] = {}
    container: dict[str, str] = {}
    times: tuple[int, ...] = tuple(range(COUNT))  # of the frames, in 25ths of a second
    size: tuple[int, int] = (HEIGHT, WIDTH)
    matrix: int = 5
    full: bool = False
    streams: int = 1
    grown: bool = False  # whether the last picture is twice as large


Change = Callable[[bytearray], object]


class Case(NamedTuple):
    """A file, and what happens to it: which pictures are read, or why it is left out."""

    container: str
    what: str
    file: str
    clip: Clip
    change: Change = bool  # what is done to the file's bytes
    shown: tuple[int, ...] = ()  # the numbers of the pictures that are read
    refusal: str = ""
    turn: Callable[[np.ndarray], np.ndarray] = np.asarray  # how the pictures are shown
    near: float = 1.0  # how far, in levels, pixels may lie from the formula
    note: str = ""

    def make(self, folder: Path) -> Path:
        """Writes the file."""
        path = write(folder / self.file, self.clip)
        data = bytearray(path.read_bytes())
        self.change(data)
        path.write_bytes(data)
        return path

    @property
    def happens(self) -> str:
        """Returns what happens in words."""
        words = f"left out: {self.refusal}" if self.refusal else f"{len(self.shown)} frames are read"
        return f"{words}; {self.note}" if self.note else words


def luma_of(clip: Clip, number: int) -> np.ndarray:
    """Returns the luma of a picture, (H, W)."""
    height, width = clip.size
    return np.broadcast_to(np.linspace(40, 140, width).round() + 8 * number, (height, width))


def planes(clip: Clip, number: int, site: str = "left", slope: float = 0.0) -> list[np.ndarray]:
    """Returns the planes of a picture in 8-bit numbers: luma rises to the right and with the picture's number.

    Args:
        clip: Its pixel format says how many chroma samples there are.
        number: Of the picture.
        site: Where the chroma samples lie.
        slope: By how much chroma rises with every pixel, blue to the right and red downwards; 0 is flat.
    """
    height, width = clip.size
    luma = luma_of(clip, number)
    if clip.pixels.startswith("gray"):
        return [luma]
    chroma = clip.pixels.removeprefix("yuvj").removeprefix("yuv")[:3]
    across, down = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}[chroma]
    right, below = SITES[site] if (across, down) == (2, 2) else (0.0, 0.0)
    xs = np.arange(-(-width // across)) * across + right
    ys = np.arange(-(-height // down)) * down + below
    blue = np.broadcast_to(110 - slope * 25 + slope * xs, (len(ys), len(xs)))
    red = np.broadcast_to((150 - slope * 25 + slope * ys)[:, None], (len(ys), len(xs)))
    return [luma, blue, red]


def picture(clip: Clip, number: int, slope: float = 0.0) -> np.ndarray:
    """Returns the RGB of a picture by the formulas of BT.601 and BT.709, (H, W, 3), 0 to 255."""
    height, width = clip.size
    luma = luma_of(clip, number)
    y, scale = (luma / 255, 255) if clip.full else ((luma - 16) / 219, 224)
    if clip.pixels.startswith("gray"):
        return np.stack([y] * 3, axis=-1).clip(0, 1) * 255
    blue = (110 - slope * 25 + slope * np.arange(width) - 128) / scale
    red = ((150 - slope * 25 + slope * np.arange(height))[:, None] - 128) / scale
    weight_red, weight_blue = WEIGHTS[clip.matrix]
    r, b = y + 2 * (1 - weight_red) * red, y + 2 * (1 - weight_blue) * blue
    g = (y - weight_red * r - weight_blue * b) / (1 - weight_red - weight_blue)
    return np.stack([r, g, b], axis=-1).clip(0, 1) * 255


def frame_of(clip: Clip, number: int, site: str = "left", slope: float = 0.0) -> av.VideoFrame:
    """Returns a picture in the clip's pixel format."""
    height, width = clip.size
    kind = av.VideoFormat(clip.pixels, width, height)
    if kind.is_rgb:  # what the formula says, without a detour
        values = picture(clip, number).round().astype(np.uint8)
        return av.VideoFrame.from_ndarray(values, "rgb24").reformat(format=clip.pixels)
    frame = av.VideoFrame(width, height, clip.pixels)
    frame.colorspace, frame.color_range = clip.matrix, ColorRange.JPEG if clip.full else ColorRange.MPEG
    if clip.pixels in RAW_ONLY:
        return frame_of(clip._replace(pixels=RAW_ONLY[clip.pixels]), number, site, slope).reformat(format=clip.pixels)
    bits = kind.components[0].bits
    alpha = [np.full(clip.size, 2**bits - 1)] if any(part.is_alpha for part in kind.components) else []
    scale = (2**bits - 1) / 255 if clip.full else 2 ** (bits - 8)
    luma, *chroma = planes(without_alpha(clip), number, site, slope)
    deep = [luma * scale, *((values - 128) * scale + 2 ** (bits - 1) for values in chroma), *alpha]
    for plane, values in zip(frame.planes, deep, strict=True):
        raw = np.ascontiguousarray(values.round().astype(np.uint16 if bits > 8 else np.uint8)).view(np.uint8)
        lines = np.zeros((plane.height, plane.line_size), np.uint8)
        lines[:, : raw.shape[1]] = raw
        plane.update(lines)
    return frame


def without_alpha(clip: Clip) -> Clip:
    """Returns the clip with the pixel format of its colours alone."""
    return clip._replace(pixels=clip.pixels.replace("yuva", "yuv"))


def write(path: Path, clip: Clip, site: str = "left", slope: float = 0.0) -> Path:
    """Encodes a clip."""
    with av.open(str(path), "w", format=clip.form, options=clip.container) as out:
        streams = [out.add_stream(clip.codec, rate=25, options=clip.options) for _ in range(clip.streams)]
        for stream in streams:
            _prepare(stream.codec_context, clip)
        for number, time in enumerate(clip.times):
            frame = frame_of(clip, number, site, slope)
            frame.pts, frame.time_base = time, Fraction(1, 25)
            for stream in streams:
                out.mux(stream.encode(frame))
        if clip.grown:
            large = clip._replace(size=(2 * clip.size[0], 2 * clip.size[1]))
            encoder = av.CodecContext.create(clip.codec, "w")
            _prepare(encoder, large)
            for packet in encoder.encode(frame_of(large, 0)):
                packet.pts = packet.dts = len(clip.times)
                packet.stream = streams[0]
                out.mux(packet)
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def _prepare(encoder: av.VideoCodecContext, clip: Clip) -> None:
    encoder.height, encoder.width = clip.size
    encoder.pix_fmt, encoder.time_base = clip.pixels, Fraction(1, 25)
    if not encoder.format.is_rgb:
        encoder.colorspace = clip.matrix
        encoder.color_range = ColorRange.JPEG if clip.full else ColorRange.MPEG


def cut(share: float) -> Change:
    """Returns what leaves a share of a file, an odd number of bytes: no container has packets of odd length."""

    def change(data: bytearray) -> None:
        del data[round(len(data) * share) | 1 :]

    return change


def cut_within_frame(data: bytearray) -> None:
    """Leaves some packets of a transport stream, the last of which is a full one of the video."""
    at = len(data) // 188 * 3 // 5 * 188
    while data[at + 1 : at + 3] != b"\1\0" or data[at + 3] >> 4 != 1:
        at += 188
    at += 188
    del data[at:]


def display(*matrix: float) -> Change:
    """Returns what sets the four numbers of a track's display matrix that turn and flip."""

    def change(data: bytearray) -> None:
        at = data.find(b"tkhd") + 44
        a, b, c, d = (round(value * 65536) for value in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)

    return change


def edited(first: int, count: int) -> Change:
    """Returns what sets an edit list to so many frames from this one on."""

    def change(data: bytearray) -> None:
        at = data.find(b"elst") + 12
        _, start = struct.unpack(">Ii", data[at : at + 8])
        data[at : at + 8] = struct.pack(">Ii", 40 * count, start + 512 * first)

    return change


CONTAINERS = {  # name: file, how it is encoded, how near lossy codecs come
    "MP4": ("clip.mp4", Clip("libx264", "mp4", options=X264), 3),
    "MP4, index first": ("clip.mp4", Clip("libx264", "mp4", options=X264, container={"movflags": "faststart"}), 3),
    "MP4, fragmented": (
        "clip.mp4",
        Clip("libx264", "mp4", options={**X264, "g": "3"}, container={"movflags": "frag_keyframe+empty_moov"}),
        3,
    ),
    "MP4, HEVC": ("clip.mp4", Clip("libx265", "mp4", options={**QUIET, "crf": "1"}), 4),
    "M4V": ("clip.m4v", Clip("libx264", "ipod", options=X264), 3),
    "3GP": ("clip.3gp", Clip("libx264", "3gp", options=X264), 3),
    "MOV": ("clip.mov", Clip("prores_ks", "mov", "yuv422p10le"), 3),
    "MKV": ("clip.mkv", Clip("libx264", "matroska", options=X264), 3),
    "MKV, live": ("clip.mkv", Clip("ffv1", "matroska", container={"live": "1"}), 1),
    "WebM, VP9": ("clip.webm", Clip("libvpx-vp9", "webm", options={"lossless": "1"}), 1),
    "WebM, VP8": ("clip.webm", Clip("libvpx", "webm", options={"crf": "4", "b": "9M", "auto-alt-ref": "1"}), 4),
    "AVI": ("clip.avi", Clip("mpeg4", "avi", options=MPEG), 4),
    "AVI, Motion JPEG": ("clip.avi", Clip("mjpeg", "avi", "yuvj420p", options=MPEG, full=True), 4),
    "Y4M": ("clip.y4m", Clip("rawvideo", "yuv4mpegpipe"), 1),
    "TS": ("clip.ts", Clip("libx264", "mpegts", options=X264), 3),
    "M2TS": ("clip.m2ts", Clip("libx264", "mpegts", options=X264, container={"mpegts_m2ts_mode": "1"}), 3),
    "MPEG program stream": ("clip.mpg", Clip("mpeg2video", "mpeg", options=MPEG), 4),
    "VOB": ("clip.vob", Clip("mpeg2video", "vob", options=MPEG), 4),
    "Ogg": ("clip.ogv", Clip("libvpx", "ogv", options={"crf": "4", "b": "9M"}), 4),
    "FLV": ("clip.flv", Clip("libx264", "flv", options=X264), 3),
    "WMV": ("clip.wmv", Clip("wmv2", "asf", options=MPEG), 4),
    "MXF": ("clip.mxf", Clip("mpeg2video", "mxf", options=MPEG), 4),
}
ALL = tuple(range(COUNT))
GAPS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14)  # in an AVI, empty packets stand in the gaps
MP4 = CONTAINERS["MP4"][1]
Y4M = CONTAINERS["Y4M"][1]
FFV1 = Clip("ffv1", "matroska")
GROWN = Clip("mjpeg", "matroska", "yuvj420p", full=True, grown=True)
TURNS: dict[str, tuple[tuple[float, ...], Callable[[np.ndarray], np.ndarray]]] = {
    "turned by 90°": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "turned by 180°": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "turned by 270°": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "flipped left to right": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "flipped upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "flipped along the diagonal": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
}
RGB = {  # container, codec, pixel format: lossless RGB
    "FFV1 (bgr0)": ("clip.mkv", Clip("ffv1", "matroska", "bgr0")),
    "FFV1 (gbrp10)": ("clip.mkv", Clip("ffv1", "matroska", "gbrp10le")),
    "FFV1 (gbrp16)": ("clip.mkv", Clip("ffv1", "matroska", "gbrp16le")),
    "H.264 RGB": ("clip.mkv", Clip("libx264rgb", "matroska", "rgb24", options={"qp": "0"})),
    "HEVC RGB": (
        "clip.mp4",
        Clip("libx265", "mp4", "gbrp", options={"x265-params": "lossless=1:log-level=none"}),
    ),
    "VP9 RGB": ("clip.webm", Clip("libvpx-vp9", "webm", "gbrp", options={"lossless": "1"})),
    "Ut Video": ("clip.avi", Clip("utvideo", "avi", "gbrp")),
    "HuffYUV": ("clip.avi", Clip("huffyuv", "avi", "rgb24")),
    "FFVHuff": ("clip.avi", Clip("ffvhuff", "avi", "gbrp")),
    "MagicYUV": ("clip.avi", Clip("magicyuv", "avi", "gbrp")),
    "PNG": ("clip.mov", Clip("png", "mov", "rgb24")),
    "PNG of 16 bits": ("clip.mov", Clip("png", "mov", "rgb48be")),
    "QuickTime Animation": ("clip.mov", Clip("qtrle", "mov", "rgb24")),
    "uncompressed (rgb24)": ("clip.mov", Clip("rawvideo", "mov", "rgb24")),
    "uncompressed (bgr24)": ("clip.avi", Clip("rawvideo", "avi", "bgr24")),
}
CLEAR = {  # with transparency
    "VP9": ("clip.webm", Clip("libvpx-vp9", "webm", "yuva420p", options={"crf": "20", "b": "0"}), "alpha_mode=1"),
    "VP8": ("clip.webm", Clip("libvpx", "webm", "yuva420p", options={"auto-alt-ref": "0"}), "alpha_mode=1"),
    "FFV1": ("clip.mkv", Clip("ffv1", "matroska", "yuva420p"), "yuva420p"),
    "ProRes 4444": ("clip.mov", Clip("prores_ks", "mov", "yuva444p10le"), "yuva444p12le"),
    "QuickTime Animation": ("clip.mov", Clip("qtrle", "mov", "argb"), "argb"),
    "PNG": ("clip.mov", Clip("png", "mov", "rgba"), "rgba"),
}
TAGS = {  # what a file may name besides its matrix, as options of an encoder
    "PQ": ({"color_trc": "smpte2084"}, "its transfer is PQ"),
    "HLG": ({"color_trc": "arib-std-b67"}, "its transfer is HLG"),
    "linear light": ({"color_trc": "linear"}, "its transfer is linear"),
    "BT.2020": ({"color_primaries": "bt2020"}, "its primaries are BT.2020's"),
    "Display P3": ({"color_primaries": "smpte432"}, "its primaries are Display P3's"),
}


BIG = Clip("mpeg2video", "mpegts", options={**MPEG, "g": "1"}, size=(240, 320))  # many packets a frame


def _cases() -> list[Case]:
    cases = []
    for name, (file, clip, near) in CONTAINERS.items():
        cases.append(Case(name, "whole", file, clip, shown=ALL, near=near))
        cases += [
            Case(name, f"cut at {share} % of its bytes", file, clip, cut(share / 100), refusal="is truncated")
            for share in (20, 55, 90)
        ]
    six, unsaid = ALL[:6], "nothing in it says that more followed"
    cases += [
        Case("Y4M", "cut at a frame's end", "clip.y4m", Y4M._replace(times=six), shown=six, note=unsaid),
        Case("TS", "cut at a packet's end within a frame", "clip.ts", BIG, cut_within_frame, refusal="is truncated"),
        Case("TS", "cut at a frame's end", "clip.ts", BIG._replace(times=six), shown=six, near=4, note=unsaid),
        Case("MP4", "edit list of frames 2 to 6", "clip.mp4", MP4, edited(2, 5), ALL[2:7], near=3),
        Case("MP4", "frames at odd times", "clip.mp4", MP4._replace(times=GAPS), shown=ALL, near=3),
        Case("MKV", "frames at odd times", "clip.mkv", FFV1._replace(times=GAPS), shown=ALL),
    ]
    for codec, options, near in (("mpeg4", MPEG, 4), ("libx264", X264, 3), ("ffvhuff", {}, 1), ("rawvideo", {}, 1)):
        clip = Clip(codec, "avi", options=options, times=GAPS)
        cases.append(Case("AVI", f"empty packets, {codec}", "clip.avi", clip, shown=ALL, near=near))
    for what, (matrix, turn) in TURNS.items():
        cases.append(Case("MP4", what, "clip.mp4", MP4, display(*matrix), ALL, turn=turn, near=3, note="upright"))
    half = 0.5**0.5
    askew = display(half, half, -half, half)
    cases.append(Case("MP4", "turned by 45°", "clip.mp4", MP4, askew, refusal="its display matrix does more"))
    cases += [Case(name, "lossless RGB", file, clip, shown=ALL, near=0.5) for name, (file, clip) in RGB.items()]
    for name, (file, clip, words) in CLEAR.items():
        cases.append(Case(name, "transparent", file, clip, refusal=f"holds transparency ({words})"))
    for name, (tags, words) in TAGS.items():
        for codec, file, clip in (("FFV1", "clip.mkv", FFV1), ("H.264", "clip.mp4", MP4)):
            tagged = clip._replace(options={**clip.options, **tags})
            cases.append(Case(codec, f"colours of {name}", file, tagged, refusal=words))
    for matrix, name, words in ((9, "BT.2020", "its primaries are BT.2020's"), (8, "YCgCo", "its colour matrix")):
        cases.append(Case("FFV1", f"matrix of {name}", "clip.mkv", FFV1._replace(matrix=matrix), refusal=words))
    for bits in (10, 12, 16):
        deep = FFV1._replace(pixels=f"yuv420p{bits}le")
        cases.append(Case("FFV1", f"{bits} bits", "clip.mkv", deep, shown=ALL, note="rounded to 8 bits"))
    fields = Clip("mpeg2video", "mpeg", options={**MPEG, "flags": "+ildct+ilme"})
    return [
        *cases,
        Case("MPEG-2", "interlaced", "clip.mpg", fields, refusal="is interlaced"),
        Case("H.264", "interlaced", "clip.mp4", MP4._replace(options={"flags": "+ildct"}), refusal="is interlaced"),
        Case("MKV", "its size changes", "clip.mkv", GROWN, refusal="changes its size: 64x48 and 128x96"),
        Case("MKV", "two videos", "clip.mkv", FFV1._replace(streams=2), refusal="holds 2 videos"),
    ]


CASES = _cases()


class Shade(NamedTuple):
    """How a file stores colours."""

    pixels: str
    matrix: int
    full: bool
    site: str = "unspecified"

    @property
    def clip(self) -> Clip:
        """Returns a clip of two pictures that stores colours so, and names how."""
        codec = Clip("rawvideo", "avi") if self.pixels in RAW_ONLY else FFV1
        options = {"chroma_sample_location": self.site}
        return codec._replace(pixels=self.pixels, matrix=self.matrix, full=self.full, options=options, times=(0, 1))


LAYOUTS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p16le")
SHADES = [
    *(Shade("yuv420p", matrix, full, site) for matrix in WEIGHTS for full in (False, True) for site in SITES),
    *(Shade(pixels, matrix, full) for pixels in LAYOUTS[1:] for matrix in (1, 5) for full in (False, True)),
    *(Shade(pixels, 5, full) for pixels in ("gray", "gray10le", "gray16le") for full in (False, True)),
    *(Shade(pixels, 5, full=False) for pixels in sorted(RAW_ONLY)),
]


def table() -> str:
    """Returns the cases, and how near their pixels come to the formula, as Markdown."""
    files: dict[tuple[str, str], list[str]] = {}
    for case in CASES:
        files.setdefault((case.what, case.happens), []).append(case.container)
    rows = [f"| {what} | {'; '.join(names)} | {happens} |" for (what, happens), names in files.items()]
    stored: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for shade in SHADES:
        site = shade.site if shade.pixels.startswith(("yuv420p", "nv12")) else ""
        ways = stored.setdefault((shade.pixels, site), {})
        ways[NAMES[shade.matrix], "full" if shade.full else "limited"] = None
    shades = [
        f"| {pixels} | {site} | {'; '.join(f'{matrix}, {reach}' for matrix, reach in ways)} | 1 |"
        for (pixels, site), ways in stored.items()
    ]
    heads = ["| case | files | what happens |", "|---|---|---|"]
    return "\n".join(
        [
            *heads,
            *rows,
            "",
            "| stored as | place of chroma | matrix and range | levels off |",
            "|---|---|---|---|",
            *shades,
            "",
        ]
    )


def write_page() -> None:
    """Writes the tables into the docs."""
    text, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(text + mark + table(), encoding="utf-8")


PAGE = Path(__file__).parents[3] / "docs" / "inputs_videos.md"
MARK = "<!-- tables: python tests/support/inputs/video_inputs.py writes them -->\n"
NAMES = {1: "BT.709", 5: "BT.601 (625 lines)", 6: "BT.601 (525 lines)"}

if __name__ == "__main__":
    write_page()
