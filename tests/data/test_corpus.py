"""Still images as they come: none ends a run, none is passed over in silence, none has other pixels than FFmpeg's."""

from __future__ import annotations

import corpus
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("make", [corpus.installed, corpus.damaged], ids=lambda make: make.__name__)
def test_every_file_is_scored_with_the_right_pixels_or_named(tmp_path, make):
    make(tmp_path)
    found = corpus.judge(tmp_path)
    assert found.silent == []
    assert found.differing == {}
    assert found.scored
    assert found.named
    assert len(found.scored) + len(found.named) == found.files
