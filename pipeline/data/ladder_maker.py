"""Makes a ladder: encodes photographs at several qualities with real encoders, and writes what a decoder shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import av

from metric_robustness.pipeline.data.dataset import Photo, open_dataset
from metric_robustness.pipeline.data.images import compress, pixels_of, to_jpeg, to_tensor, write_png
from metric_robustness.pipeline.data.videos.codecs import Codec, encode, parse
from metric_robustness.pipeline.data.videos.colours import VideoError
from metric_robustness.pipeline.data.videos.video import Pixels, Reel
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import file_name, write_atomically

CSV = "ladder.csv"
COLUMNS = ("image", "reference", "rung", "bytes")


class OrderError(BenchError):
    """The rungs do not go from worst to best."""


class Encoding(NamedTuple):
    """A photograph after an encoder."""

    pixels: Pixels
    size: int  # of the encoded file, in bytes


class Ladder(NamedTuple):
    """What was made."""

    csv: Path
    photographs: int
    sizes: dict[str, float]  # rung -> mean size of a photograph in bytes
    excluded: dict[str, str]  # photograph or clip -> reason


def rungs(text: str) -> list[str]:
    """Returns the encoders of `libx264:crf=45,38,31`, worst first, each as `--codec` of a run takes it.

    Raises:
        BenchError: If there are no two different qualities, or an encoder is unknown.
    """
    head, _, values = text.rpartition("=")
    found = [f"{head}={value}" for value in values.split(",")]
    if not head or len(set(found)) != len(found) or len(found) < 2:
        raise BenchError(
            f"--codec must end in two qualities or more, the worst first; got {text!r}: write jpeg:quality=10,30,50"
        )
    for each in found:
        parse(each)
    return found


def make_ladder(
    dataset: str, text: str, out: Path, limit: int | None, on_progress: Callable[[int, int], None]
) -> Ladder:
    """Writes photographs, their encodings and ladder.csv, which names them all.

    A photograph that an encoder refuses costs only itself.

    Args:
        dataset: The photographs, as `open_dataset` takes them; frames of clips are left out.
        text: The encoder with its qualities, as `rungs` takes it.
        out: The folder; must not exist, or be empty.
        limit: Take this many photographs.
        on_progress: Is called with how many photographs are done, and of how many.

    Raises:
        BenchError: If `out` holds something, or the rungs do not go from worst to best.
        DataError: If there is no photograph.
    """
    steps = rungs(text)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"--out must be a new or empty folder; {out} holds something: name another")
    data = open_dataset(dataset, limit)
    excluded = dict(data.excluded) | dict.fromkeys(data.clips, "is a clip, and a ladder is of photographs")
    photos = [photo for photo in data.photos if not photo.clip]
    lines: list[tuple[str, str, int, int]] = []
    for index, photo in enumerate(photos):
        try:
            lines += _written(photo, data.crop, steps, out)
        except OrderError:
            raise
        except (OSError, ValueError, av.FFmpegError) as error:
            excluded[photo.name] = f"cannot be encoded: {str(error).partition(chr(10))[0]}"
        on_progress(index + 1, len(photos))
    if not lines:
        name, reason = next(iter(excluded.items()))
        raise BenchError(f"{dataset} gives no photograph for a ladder; {name}: {reason}: give others")
    sizes = {step: _mean([size for *_, rung, size in lines if rung == place]) for place, step in enumerate(steps, 1)}
    write_atomically(out / CSV, _csv(lines))
    return Ladder(out / CSV, len(lines) // len(steps), sizes, excluded)


def encoded(pixels: Pixels, codec: Codec) -> Encoding:
    """Returns a photograph as a decoder shows it after JPEG, or after a video encoder, as a clip of one frame.

    Raises:
        VideoError, av.FFmpegError: If the encoder refuses it.
    """
    if codec.quality is not None:
        return Encoding(compress(pixels, codec.quality), len(to_jpeg(pixels, codec.quality)))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "photograph.mkv"
        height, width = pixels.shape[:2]
        encode(path, codec, height, width, [pixels])
        shown = Reel(path).read(0)
        if shown.shape != pixels.shape:
            raise VideoError(f"{codec.name} gives it back with another size")
        return Encoding(shown, path.stat().st_size)


def _written(photo: Photo, crop: int | None, steps: Sequence[str], out: Path) -> list[tuple[str, str, int, int]]:
    """Writes a photograph and all its encodings, once all are made; returns their lines of ladder.csv."""
    pixels = pixels_of(photo, crop)
    made = [encoded(pixels, codec) for step in steps if (codec := parse(step))]
    if made[0].size > made[-1].size:  # before a file is written, so that --out is still empty
        told = f"{made[0].size:,} bytes at {steps[0]} and {made[-1].size:,} at {steps[-1]}"
        raise OrderError(f"--codec must have the worst quality first; {photo.name} takes {told}: turn the list round")
    folder = "/".join(map(file_name, photo.name.split("/")))
    original = f"originals/{folder}.png"
    write_png(to_tensor([pixels])[0], out / original)
    lines = []
    for place, (step, each) in enumerate(zip(steps, made, strict=True), 1):
        image = f"encodings/{folder}/{place}-{file_name(step.replace(':', '-'))}.png"
        write_png(to_tensor([each.pixels])[0], out / image)
        lines.append((image, original, place, each.size))
    return lines


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes)


def _csv(lines: Sequence[tuple[str, str, int, int]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lines)
    return text.getvalue()
