"""Still images: every case of docs/inputs.md gives the right pixels, or is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from still_cases import Case, cases

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.data.still import StillError, decode, examine

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.container}-{case.name}")
def test_a_file_gives_the_right_pixels_or_is_refused_by_name(tmp_path, case: Case):
    path = tmp_path / case.name
    path.write_bytes(case.data())
    if isinstance(case.right, str):
        with pytest.raises(StillError) as refused:
            examine(path)
            decode(path)
        assert str(refused.value).removeprefix("cannot be read: ") == case.right
        return
    found, still = decode(path), examine(path)
    assert (still.height, still.width) == found.shape[:2] == case.right.shape[:2]
    worst = int(np.abs(found.astype(int) - case.right).max())
    assert worst <= case.within
    assert still.converted == case.converted
