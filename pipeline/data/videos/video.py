"""Videos: what a file holds, and its frames, one after another.

A frame is what the decoder shows, each once and in the order of display: timestamps, and with them a variable frame
rate, change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame

from metric_robustness.pipeline.data.videos.colours import (
    Turn,
    VideoError,
    colours_of,
    kind_of,
    require_known,
    require_like_srgb,
    to_rgb,
    turn_of,
)
from metric_robustness.pipeline.data.videos.cropped import is_cropped
from metric_robustness.pipeline.data.videos.whole import Packets, cut_short

Pixels = npt.NDArray[np.uint8]  # (H, W, 3)

# By content, too, FFmpeg opens nothing else: a playlist or a script that is named like a video reads other files.
DEMUXERS = ("mov", "matroska", "avi", "yuv4mpegpipe", "mpegts", "mpeg", "mpegvideo", "ogg", "flv", "asf", "mxf")
STRICT = {
    "err_detect": "crccheck+explode"
}  # without it, decoders conceal damage, and differ in how by their number of threads


class Video(NamedTuple):
    """What a file holds."""

    frames: int
    height: int
    width: int


def examine(path: Path, threads: int = 0) -> Video:
    """Decodes a whole video once and returns what it holds.

    Args:
        path: The file.
        threads: How many decode; 0 stands for as many as the machine has. Nothing depends on it.

    Raises:
        VideoError: If it holds no frame, is truncated or damaged, changes its size or turn, or has frames of an unknown
            kind.
        FileNotFoundError: If it is not there.
    """
    if path.exists() and not path.is_file():
        raise VideoError("is no regular file")  # a pipe would be waited for
    if lacks := cut_short(path):
        raise VideoError(f"is truncated: {lacks}")
    if is_cropped(path):
        raise VideoError("its container shows a part of each frame only: encode it cropped")
    kinds, turns, count, damaged = set(), set(), 0, False
    with _opened(path, threads) as (container, stream):
        require_like_srgb(colours_of(stream.codec_context))
        packets = Packets(path, container, stream)
        try:
            for frame in _frames(container, stream, packets):
                if (kind := kind_of(frame)) not in kinds:
                    require_known(frame)
                    kinds.add(kind)
                if not count or frame.key_frame:  # it changes nowhere else, and takes long to read
                    turns.add(turn_of(frame))
                damaged |= frame.is_corrupt
                count += 1
        except av.FFmpegError:
            damaged = True
            _count_rest(container, packets)
        problem = packets.problem(count, damaged=damaged)
    if problem:
        raise VideoError(problem)
    if not count:
        raise VideoError("holds no frame")
    if len(turns) > 1:
        raise VideoError("changes how it is turned: cut it there")
    sizes = {kind.size for kind in kinds}
    if len(sizes) > 1:
        raise VideoError("changes its size: " + " and ".join(f"{width}x{height}" for height, width in sorted(sizes)))
    height, width = sizes.pop()
    return Video(count, width, height) if turns.pop().swapped else Video(count, height, width)


class Reel:
    """A video that `examine` found good, at one of its frames: reading goes on from there, or begins anew."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        self.path, self.threads = path, threads
        self.lock = Lock()
        self.frames: Iterator[VideoFrame] = iter(())
        self.passed = 0  # frames
        self.turn: Turn | None = None  # of all frames

    def read(self, number: int) -> Pixels:
        """Returns a frame as 8-bit RGB; frames in order cost one pass over the file and the memory of one frame.

        Raises:
            VideoError: If it cannot be decoded.
        """
        with self.lock:
            if not 0 < self.passed <= number:
                self.frames, self.passed = _decoded(self.path, self.threads), 0
            for frame in self.frames:
                self.passed += 1
                self.turn = self.turn or turn_of(frame)
                if self.passed > number:
                    return to_rgb(frame, self.turn)
        raise VideoError(f"ends before frame {number}")


def _decoded(path: Path, threads: int) -> Iterator[VideoFrame]:
    with _opened(path, threads) as (container, stream):
        yield from _frames(container, stream)


def _frames(
    container: av.container.InputContainer, stream: av.VideoStream, packets: Packets | None = None
) -> Iterator[VideoFrame]:
    """Yields the frames of a stream; counts the packets of all streams."""
    for packet in _packets(container):
        if packets is not None:
            packets.add(packet)
        if packet.stream.index == stream.index and packet.size:  # an empty one would end the decoding
            yield from stream.decode(packet)
    yield from stream.decode(None)


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet[Stream]]:
    with suppress(IndexError):  # PyAV's, after the last packet, of streams that began amid the file
        yield from container.demux()


def _count_rest(container: av.container.InputContainer, packets: Packets) -> None:
    """Counts what follows damage: with many threads, that is noticed only some packets later."""
    with suppress(av.FFmpegError):
        for packet in _packets(container):
            packets.add(packet)


@contextmanager
def _opened(path: Path, threads: int) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Opens a file at its only video; turns FFmpeg's errors into one line."""
    try:
        with av.open(
            f"file:{path}", options={"format_whitelist": ",".join(DEMUXERS)}, metadata_errors="replace"
        ) as file:
            stream = _only_video(file)
            stream.codec_context.options = STRICT
            stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", threads
            yield file, stream
    except av.FFmpegError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise VideoError(f"cannot be decoded: {error.strerror}") from error


def _only_video(container: av.container.InputContainer) -> av.VideoStream:
    videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not videos:
        raise VideoError("holds no video")
    if len(videos) > 1:
        raise VideoError(f"holds {len(videos)} videos: keep one of them")
    if videos[0].codec_context is None:
        raise VideoError("its codec is not known to FFmpeg: convert it to H.264")
    if videos[0].metadata.get("alpha_mode") == "1":
        raise VideoError("holds transparency (alpha_mode=1), and its background is unknown: flatten it first")
    return videos[0]
