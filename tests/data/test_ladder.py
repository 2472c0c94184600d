"""Ladders: photographs after real encoders, and the data set that they make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.data.images import load_batch
from metric_robustness.pipeline.data.ladder import Rung
from metric_robustness.pipeline.data.ladder_maker import make_ladder
from metric_robustness.pipeline.errors import BenchError


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> Path:
    """Returns a folder with two photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    with Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png") as image:
        for number in range(2):
            image.convert("RGB").crop((64 * number, 0, 64 * number + 128, 96)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize("codec", ["jpeg:quality=10,90", "libx264:crf=45,20", "libsvtav1:crf=60,20"])
def test_a_better_rung_is_nearer_to_the_photograph_that_it_is_compared_with(photographs, tmp_path, codec):
    made = make_ladder(str(photographs), codec, tmp_path / "ladder", None, lambda *_: None)
    data = open_dataset(f"ladder:{made.csv}")
    assert (made.photographs, len(data.photos), data.opinions, data.distorted) == (2, 4, {}, True)
    assert [photo.rung for photo in data.photos] == [
        Rung(f"originals/{number}.png.png", place) for number in range(2) for place in (1, 2)
    ]
    batch = load_batch(data.photos, None, paired=True)
    assert batch.references is not None
    with Image.open(photographs / "0.png") as original:
        assert np.array_equal((batch.references[0] * 255).byte().permute(1, 2, 0).numpy(), np.asarray(original))
    worse, better = (batch.images - batch.references).square().mean(dim=(1, 2, 3)).reshape(2, 2).T
    assert (better < worse / 2).all()


@pytest.mark.parametrize("codec", ["libx264:crf=45,20", "libx265:crf=45,20", "libsvtav1:crf=60,20"])
def test_encoders_print_nothing(photographs, tmp_path, capfd, codec):
    make_ladder(str(photographs), codec, tmp_path / "ladder", 1, lambda *_: None)
    assert capfd.readouterr() == ("", "")


def test_a_limit_takes_all_encodings_of_a_photograph(photographs, tmp_path):
    made = make_ladder(str(photographs), "jpeg:quality=10,50,90", tmp_path / "ladder", None, lambda *_: None)
    data = open_dataset(f"ladder:{made.csv}", 1)
    assert [photo.rung.place for photo in data.photos if photo.rung] == [1, 2, 3]
    assert data.digest != open_dataset(f"ladder:{made.csv}").digest


@pytest.mark.parametrize(
    ("codec", "says"),
    [
        ("jpeg:quality=90,10", "the worst quality first; 0.png takes"),
        ("jpeg:quality=90", "two qualities or more"),
        ("jpeg:quality=90,101", "a quality from 1 to 100"),
        ("libx264:crf=a,b", "0.png: cannot be encoded"),
    ],
)
def test_a_wrong_ladder_is_told_in_one_line_and_leaves_no_file(photographs, tmp_path, codec, says):
    with pytest.raises(BenchError, match=says) as error:
        make_ladder(str(photographs), codec, tmp_path / "ladder", None, lambda *_: None)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ladder").exists()
