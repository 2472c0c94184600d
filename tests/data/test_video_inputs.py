"""Every kind of video is read with the right pixels, or left out with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from video_inputs import CASES, Case, picture

from metric_robustness.pipeline.data.colours import VideoError
from metric_robustness.pipeline.data.video import Reel, examine

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
