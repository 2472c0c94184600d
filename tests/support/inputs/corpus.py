"""Still images as they come: those that installed packages carry, and damaged ones made of the cases of `still_cases`.

As a program, `corpus.py` says of both how many are scored and how many are named with a reason.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from PIL import Image
from still_cases import cases
from still_turned import UPRIGHT

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.data.stills.formats import suffixes
from metric_robustness.pipeline.data.stills.still import examine
from metric_robustness.pipeline.errors import DataError

PACKAGES = ("skimage", "matplotlib", "PIL", "pandas", "scipy", "networkx", "sympy")
LOSSLESS = {
    ".png",
    ".apng",
    ".bmp",
    ".dib",
    ".gif",
    ".ppm",
    ".pgm",
    ".pnm",
    ".tga",
    ".pcx",
    ".sgi",
    ".qoi",
    ".tif",
    ".tiff",
}
SEED, DAMAGED = 11, 300


@dataclass
class Findings:
    """What became of the files of a folder.

    Attributes:
        files: How many there are.
        named: Why a file is not scored.
        scored: Files that gave pixels.
        compared: How many of these FFmpeg decoded, too, without a loss between.
        differing: Those of which FFmpeg has other pixels, with the largest difference.
        silent: Files that are neither scored nor named.
    """

    files: int = 0
    named: dict[str, str] = field(default_factory=dict)
    scored: list[str] = field(default_factory=list)
    compared: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.files} files: {len(self.scored)} scored, {len(self.named)} named with a reason"
        return f"{told}; {self.compared} compared with FFmpeg, {len(self.differing)} differ"


def installed(folder: Path) -> None:
    """Links the images of the installed packages into a folder."""
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            continue
        root = Path(next(iter(found.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in suffixes():
                name = "-".join(path.relative_to(root.parent).parts)
                (folder / name).symlink_to(path)


def damaged(folder: Path) -> None:
    """Writes files of all containers of which bytes are changed, the end is cut off, or the head is another's."""
    drawn = np.random.default_rng(SEED)
    sources = [(case.suffix, case.data()) for case in cases()]
    for number in range(DAMAGED):
        suffix, whole = sources[int(drawn.integers(len(sources)))]
        data = bytearray(whole)
        kind = number % 3
        if kind == 0:
            span = len(data) if number % 2 else min(len(data), 200)  # anywhere, or in the header
            for _ in range(int(drawn.integers(1, 9))):
                data[int(drawn.integers(span))] = int(drawn.integers(256))
        elif kind == 1:
            del data[int(drawn.integers(1, len(data))) :]
        else:
            other = sources[int(drawn.integers(len(sources)))][1]
            size = int(drawn.integers(4, 64))
            data[:size] = other[:size]
        (folder / f"{number:03}-{('bytes', 'cut', 'head')[kind]}{suffix}").write_bytes(data)


def judge(folder: Path) -> Findings:
    """Reads a folder as a run does."""
    found = Findings(files=sum(1 for _ in folder.iterdir()))
    try:
        dataset = open_dataset(str(folder))
    except DataError as error:
        return Findings(found.files, silent=[str(error)])
    found.named |= dataset.excluded
    for photos in dataset.batches(lambda height, width: 8):
        batch = load_batch(photos, None)
        found.named |= batch.excluded
        for photo, pixels in zip(batch.photos, batch.images, strict=True):
            found.scored.append(photo.name)
            ours = (pixels.numpy().transpose(1, 2, 0) * 255).round().astype(int)
            if photo.path.suffix.lower() not in LOSSLESS or examine(photo.path).converted:
                continue
            for theirs in seen_by_ffmpeg(photo.path):
                found.compared += 1
                worst = 255 if theirs.shape != ours.shape else int(np.abs(ours - theirs).max())
                if worst:
                    found.differing[photo.name] = worst
    known = {*found.named, *found.scored}
    found.silent = sorted(path.name for path in folder.iterdir() if path.name not in known)
    return found


def seen_by_ffmpeg(path: Path) -> Iterator[np.ndarray]:
    """Yields the picture as FFmpeg decodes it, as 8-bit RGB; nothing where it cannot, or lays it out in another way."""
    try:
        with av.open(str(path)) as container:
            frame = next(container.decode(container.streams.video[0]))
    except (av.FFmpegError, StopIteration, IndexError):
        return
    with Image.open(path) as image:
        if image.format == "PPM" and image.tile[0].codec_name == "ppm":
            return  # a largest value of its own, which FFmpeg scales to 16 bits first
        turn = UPRIGHT.get(image.getexif().get(274, 1), UPRIGHT[1])
    yield from map(turn, _laid_out(frame))


def _laid_out(frame: av.VideoFrame) -> Iterator[np.ndarray]:
    name = frame.format.name
    if name in {"rgb24", "rgba", "gray", "gray8"}:
        array = frame.to_ndarray()
        yield (np.dstack([array] * 3) if array.ndim == 2 else array[..., :3]).astype(int)
    elif name in {"bgr24", "bgra"}:
        yield frame.to_ndarray()[..., 2::-1].astype(int)
    elif name[:-2] in {"rgb48", "rgba64", "gray16"}:
        array = np.round(frame.to_ndarray() / 257).astype(int)
        yield np.dstack([array] * 3) if array.ndim == 2 else array[..., :3]


if __name__ == "__main__":
    for make in (installed, damaged):
        with tempfile.TemporaryDirectory() as place:
            make(Path(place))
            result = judge(Path(place))
            print(f"{make.__name__}: {result}")
            for name, worst in result.differing.items():
                print(f"  {name}: FFmpeg differs by {worst} levels")
            for name in result.silent:
                print(f"  {name}: neither scored nor named")
            if "-v" in sys.argv:
                for name, reason in result.named.items():
                    print(f"  {name}: {reason}")
