"""Whether a video is whole.

FFmpeg plays what is left of a file without a word. Three things are compared, so that it is noticed:

- the bytes that there are with those that the container's own boxes, chunks, pages or packets announce;
- the times that the packets reach with the duration that the container's header tells;
- the packets that hold a picture with the frames that came out.

None of them depends on the number of decoder threads. A header's count of frames is not asked: it counts empty packets
and those that an edit list leaves out, and live and fragmented files have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from mmap import ACCESS_READ, mmap
from pathlib import Path

import av

from metric_robustness.pipeline.data.videos.checksums import damaged_ffv1

END_OF_STREAM = 4  # among the flags of an Ogg page
TRANSPORT_PACKET = 188
TRANSPORT = ((0, b"\x47", TRANSPORT_PACKET), (4, b"\x47", TRANSPORT_PACKET + 4))  # the second with times of arrival
TELL_DURATION = ("mov", "matroska", "flv", "mxf")  # in their headers; AVI counts empty chunks, FFmpeg guesses the rest


def cut_short(path: Path) -> str:
    """Returns what a file lacks by the sizes that its container announces; empty if nothing is known to lack.

    Raises:
        OSError: If it cannot be read.
    """
    if not (size := path.stat().st_size):
        return ""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        following = next((each for at, magic, each in CONTAINERS if data[at : at + len(magic)] == magic), None)
        if following is None:
            return ""
        last, at = 0, 0
        while at < size and (next_at := following(data, at)) is not None:
            last, at = at, next_at
        if at > size:
            return f"it has {size:,} of at least {at:,} bytes"
        if following is _ogg_page and not data[last + 5] & END_OF_STREAM:
            return "its last page is not the end of a stream"
    return ""


def _number(data: mmap, at: int, count: int) -> int:
    return int.from_bytes(data[at : at + count], "big")


def _iso_box(data: mmap, at: int) -> int | None:
    if at + 8 > len(data):
        return at + 8 if any(data[at:]) else None  # QuickTime may end with zeros
    size = _number(data, at, 4)
    size = _number(data, at + 8, 8) if size == 1 else size  # 0: to the end of the file
    return at + size if size >= 8 and data[at + 4 : at + 8].isalnum() else None


def _riff_chunk(data: mmap, at: int) -> int | None:
    size = int.from_bytes(data[at + 4 : at + 8], "little")  # 0 where a recorder was stopped
    return at + 8 + size if data[at : at + 4] == b"RIFF" and size else None


def _ebml_element(data: mmap, at: int) -> int | None:
    """Skips an element; goes into one of unknown size, as a live segment or cluster is."""
    name = 9 - data[at].bit_length()
    if name > 4 or at + name >= len(data):
        return None
    width = 9 - data[at + name].bit_length()
    if width > 8:
        return None
    size = _number(data, at + name, width) & ((1 << 7 * width) - 1)
    return at + name + width + (0 if size == (1 << 7 * width) - 1 else size)


def _flv_tag(data: mmap, at: int) -> int | None:
    if at == 0:
        return _number(data, 5, 4) + 4
    return at + 11 + _number(data, at + 1, 3) + 4 if data[at] & 0x1F in {8, 9, 18} else None


def _asf_object(data: mmap, at: int) -> int | None:
    size = int.from_bytes(data[at + 16 : at + 24], "little")
    return at + size if size >= 24 else None


def _ogg_page(data: mmap, at: int) -> int | None:
    if data[at : at + 4] != b"OggS" or at + 27 > len(data):
        return None
    count = data[at + 26]
    return at + 27 + count + sum(data[at + 27 : at + 27 + count])


def _program_packet(data: mmap, at: int) -> int | None:
    """Skips a pack header or a packet of an MPEG program stream."""
    code = data[at : at + 4]
    if code[:3] != b"\0\0\1" or at + 14 > len(data):
        return None
    if code[3] == 0xBA:
        return at + 14 + (data[at + 13] & 7) if data[at + 4] >> 6 == 1 else at + 12
    return at + 6 + _number(data, at + 4, 2) if code[3] > 0xBA else None


def _mxf_triplet(data: mmap, at: int) -> int | None:
    if data[at : at + 4] != b"\x06\x0e\x2b\x34" or at + 17 > len(data):
        return None
    first = data[at + 16]
    width = first & 0x7F if first & 0x80 else 0
    return at + 17 + width + (_number(data, at + 17, width) if width else first)


def _fills_last_packet(path: Path, pid: int) -> bool:
    """Tells whether a transport stream of this PID fills its last packet, as where a recording stops within a frame.

    A frame's last packet is padded, but for the one frame of 184 that fits by chance.
    """
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        size = next((size for at, magic, size in TRANSPORT if data[at : at + 1] == magic), 0)
        for at in range(len(data) - TRANSPORT_PACKET, 0, -size) if size else ():
            if _number(data, at + 1, 2) & 0x1FFF == pid:
                return data[at + 3] >> 4 & 3 == 1  # 3: padded, or with a clock
    return False


def _packets_of(size: int) -> Callable[[mmap, int], int]:
    return lambda data, _: math.ceil(len(data) / size) * size


CONTAINERS: list[tuple[int, bytes, Callable[[mmap, int], int | None]]] = [  # where what stands, and how to go on
    *((4, kind, _iso_box) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"pnot")),
    (0, b"RIFF", _riff_chunk),
    (0, b"\x1a\x45\xdf\xa3", _ebml_element),
    (0, b"FLV", _flv_tag),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _asf_object),
    (0, b"OggS", _ogg_page),
    (0, b"\0\0\1\xba", _program_packet),
    (0, b"\x06\x0e\x2b\x34", _mxf_triplet),
    *((at, magic, _packets_of(size)) for at, magic, size in TRANSPORT),
]


class Packets:
    """What was read of a file so far: how many pictures of a video, and up to which time."""

    def __init__(self, path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self.path, self.container, self.stream, self.index = path, container, stream, stream.index
        self.pictures = 0
        self.incomplete = self.damaged = False
        self.has_checksums = stream.codec_context.name == "ffv1" and bool(stream.codec_context.extradata)
        self.end = 0  # in bytes, of the last packet
        self.until: dict[int, int] = {}  # by stream, in units of its time base
        self.shown: set[int] = set()  # when the video's pictures are shown
        self.due: list[int] = []  # and when they are decoded
        self.hides = stream.codec_context.name in {"vp8", "libvpx"}  # whether some packets show no picture

    def add(self, packet: av.Packet[av.stream.Stream]) -> None:
        """Counts a packet of any stream; empty and discarded ones show no picture, but take time."""
        index, time = packet.stream_index, packet.pts if packet.pts is not None else packet.dts
        if time is not None:
            self.until[index] = max(time + (packet.duration or 0), self.until.get(index, time))
        if index == self.index:
            self.end = self.end if packet.pos is None else packet.pos + packet.size
            self.incomplete |= packet.is_corrupt
            self.damaged |= self.has_checksums and bool(packet.size) and damaged_ffv1(bytes(packet))
            if packet.size and not packet.is_discard and self._shows_picture(packet):
                self.pictures += 1
                self.shown |= set() if packet.pts is None else {packet.pts}
                self.due += [] if packet.dts is None else [packet.dts]

    def problem(self, frames: int, *, damaged: bool) -> str:
        """Returns why a video is not whole; empty if it is.

        Args:
            frames: How many came out.
            damaged: Whether the decoder found an error.
        """
        size = self.container.size
        if self.incomplete:
            return "is truncated: a packet is incomplete"
        if self.container.format.name == "yuv4mpegpipe" and (rest := size - self.end):
            return f"is truncated: {rest} bytes of another frame follow {frames} whole ones"
        if self.container.format.name == "mpegts" and _fills_last_packet(self.path, self.stream.id):
            return "is truncated: its last packet is full, so its last frame goes on"
        told, got = self._told(), self._got()
        if told is not None and got is not None and told - got > self._slack():
            return f"is truncated: it ends after {float(got):.2f} s, and its header tells {float(told):.2f} s"
        if told is None and self._lacks_picture():
            return "is truncated: pictures lack between its last ones, which were to follow in the file"
        return "is damaged: not every packet gives a frame" if damaged or self.damaged or self.pictures > frames else ""

    def _lacks_picture(self) -> bool:
        """Tells whether a stream ends before pictures that are shown before its last one.

        Where the times of decoding have equal steps, those of showing have, too: one that none has is of a picture that
        was cut off. Without equal steps, nobody can know.
        """
        steps = [later - sooner for sooner, later in pairwise(self.due)]
        if not steps or not self.shown or min(steps) <= 0 or max(steps) - min(steps) > 1:  # times are rounded
            return False
        step = (self.due[-1] - self.due[0]) / len(steps)
        return round((max(self.shown) - min(self.shown)) / step) >= len(self.shown)

    def _told(self) -> Fraction | None:
        """Returns when the video, or in Matroska and FLV the whole file, ends by its header, in seconds."""
        if not self.container.format.name.startswith(TELL_DURATION):
            return None
        if self.stream.duration is not None and self.stream.time_base:
            return ((self.stream.start_time or 0) + self.stream.duration) * self.stream.time_base
        if self.container.duration is None:
            return None
        return Fraction(self.container.duration, av.time_base)

    def _got(self) -> Fraction | None:
        """Returns when the last packet ends, of the same streams, in seconds."""
        bases = {stream.index: stream.time_base for stream in self.container.streams}
        ends = {index: time * base for index, time in self.until.items() if (base := bases.get(index))}
        return ends.get(self.index) if self.stream.duration is not None else max(ends.values(), default=None)

    def _slack(self) -> Fraction:
        """Returns how much may lack: the last frame's duration is not always told, and headers round."""
        rate = self.stream.average_rate
        return (1 / rate if rate else Fraction(1, 25)) + Fraction(1, 100)

    def _shows_picture(self, packet: av.Packet[av.stream.Stream]) -> bool:
        """Tells whether a packet gives a frame: VP8 has some that only change what later frames refer to."""
        return not self.hides or bool(bytes(packet)[0] >> 4 & 1)
