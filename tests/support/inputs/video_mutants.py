"""Damaged videos, the same ones every time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from video_clips import write
from video_kinds import CONTAINERS

from metric_robustness.pipeline.data.videos.colours import VideoError, to_rgb, turn_of
from metric_robustness.pipeline.data.videos.video import Reel, examine

ROUNDS = 5  # mutants of each container
COMPARED = 30  # frames of a video whose pixels are compared; all are counted


def mutants(folder: Path) -> Iterator[Path]:
    """Writes and yields mutants of a clip of every container, one after another under the suffix of its container."""
    chance = random.Random(0)
    clips = {name: write(folder / file, clip).read_bytes() for name, (file, clip, _) in CONTAINERS.items()}
    for number in range(ROUNDS):
        for name, (file, _, _) in CONTAINERS.items():
            path = folder / f"{name} {number}{Path(file).suffix}"
            path.write_bytes(_mutated(bytearray(clips[name]), chance, clips))
            yield path


def _mutated(data: bytearray, chance: random.Random, clips: dict[str, bytes]) -> bytes:
    at = chance.randrange(len(data))
    kind = chance.choice(["bit", "bytes", "cut", "header", "zeros", "repeated"])
    if kind == "bit":
        data[at] ^= 1 << chance.randrange(8)
    elif kind == "bytes":
        for _ in range(20):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == "cut":
        del data[at:]
    elif kind == "header":
        size = chance.choice([16, 64, 512])
        data[:size] = chance.choice(list(clips.values()))[:size]
    elif kind == "zeros":
        data[at : at + 100] = bytes(len(data[at : at + 100]))
    else:
        data[at:at] = data[at : at + 200]
    return bytes(data)


def verdict(path: Path) -> str:
    """Returns what happens to a video: "read", or why it is left out.

    Raises:
        AssertionError: If the number of threads changes it, or if pixels are not those of a plain decoding.
    """
    found = [_examined(path, threads) for threads in (1, 4)]
    assert found[0] == found[1], f"{path.name}: {found[0]} with one thread, {found[1]} with four"
    if isinstance(found[0], str):
        return found[0]
    reels = [Reel(path, threads) for threads in (1, 4)]
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        count = -1
        for count, frame in enumerate(container.decode(stream)):
            if count < COMPARED:
                right = to_rgb(frame, turn_of(frame))
                assert all(np.array_equal(reel.read(count), right) for reel in reels), f"{path.name}: {count} differs"
    assert found[0] == count + 1, f"{path.name}: {found[0]} of {count + 1} frames"
    return "read"


def _examined(path: Path, threads: int) -> int | str:
    try:
        return examine(path, threads).frames
    except VideoError as error:
        return str(error)


def verdicts_of_mutants(folder: Path) -> dict[str, str]:
    """Returns what happens to every mutant, by its name."""
    return {path.name: verdict(path) for path in mutants(folder)}
