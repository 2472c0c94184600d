"""Every kind of video is read with the right pixels, or left out with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from video_clips import picture, write
from video_inputs import CASES, MARK, PAGE, Case, table
from video_shades import SHADES, Shade

from metric_robustness.pipeline.data.videos.codecs import encode, parse
from metric_robustness.pipeline.data.videos.colours import VideoError
from metric_robustness.pipeline.data.videos.video import Reel, examine

THREADS = (1, 2, 8)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.container}, {case.what}")
def test_a_video_is_read_right_or_named_on_any_number_of_threads(tmp_path, case: Case):
    path = case.make(tmp_path)
    if case.refusal:
        reasons = []
        for threads in THREADS:
            with pytest.raises(VideoError) as raised:
                examine(path, threads)
            reasons.append(str(raised.value))
        assert case.refusal in reasons[0]
        assert reasons == reasons[:1] * len(THREADS)
        return
    expected = [case.turn(picture(case.clip, number)) for number in case.shown]
    for threads in THREADS:
        assert examine(path, threads) == (len(expected), *expected[0].shape[:2])
        reel = Reel(path, threads)
        for number, right in enumerate(expected):
            assert np.abs(reel.read(number) - right).max() <= case.near


@pytest.mark.parametrize("shade", SHADES, ids=lambda shade: "-".join(map(str, shade)))
def test_pixels_are_those_of_the_formula(tmp_path, shade: Shade):
    path = write(tmp_path / "clip", shade.clip, shade.site, slope=2.0)
    for number in range(2):
        difference = Reel(path).read(number) - picture(shade.clip, number, slope=2.0)
        assert np.abs(difference[8:-8, 8:-8]).max() <= 1  # beyond the outermost samples, chroma is anyone's guess


@pytest.mark.parametrize("codec", ["ffv1", "libx264:qp=0", "libvpx-vp9:lossless=1"])
def test_a_codec_gives_chroma_back_where_it_was(tmp_path, codec):
    right, down = np.arange(64)[None], np.arange(48)[:, None]
    pixels = np.stack(np.broadcast_arrays(60 + 2 * right, 100 + down, 180 - right), axis=-1).astype(np.uint8)
    encode(tmp_path / "clip.mkv", parse(codec), 48, 64, [pixels] * 2)
    difference = Reel(tmp_path / "clip.mkv").read(1).astype(float) - pixels
    assert np.abs(difference[8:-8, 8:-8]).max() <= 1
    assert np.abs(difference[8:-8, 8:-8].mean((0, 1))).max() < 0.1


def test_the_docs_tell_what_the_cases_show():
    assert PAGE.read_text(encoding="utf-8").partition(MARK)[2] == table(), "python tests/support/inputs/video_inputs.py"
