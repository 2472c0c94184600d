"""Videos of every container and of every kind that goes wrong: how each is made, and what happens to it.

The tests go through these cases, and `table` writes the same cases into the docs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from video_changes import TURNS, Change, aperture, cropped, cut, cut_within_frame, display, edited
from video_clips import Clip, write
from video_kinds import ALL, BIG, CLEAR, CONTAINERS, FFV1, GROWN, MP4, MPEG, RGB, TAGS, X264, Y4M
from video_shades import SHADES

IN_PART = "its container shows a part of each frame only"


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


GAPS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14)  # in an AVI, empty packets stand in the gaps


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
        Case("MP4", "a clean aperture of all pixels", "clip.mp4", MP4, aperture(64, 48), ALL, near=3),
        Case("MP4", "a clean aperture of some pixels", "clip.mp4", MP4, aperture(32, 48), refusal=IN_PART),
        Case("MKV", "a pixel crop of none", "clip.mkv", FFV1, cropped(0), ALL),
        Case("MKV", "a pixel crop of some lines", "clip.mkv", FFV1, cropped(8), refusal=IN_PART),
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
