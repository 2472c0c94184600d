"""Calibration: ranges of clear scores, measured on a folder of photographs and stored."""

from __future__ import annotations

import pytest
import skimage.data
from PIL import Image

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.cli.calibrate import calibrate_all
from metric_robustness.pipeline.config import Preset
from metric_robustness.pipeline.data.dataset import open_dataset
from metric_robustness.pipeline.engine.clear_scores import calibrate
from metric_robustness.pipeline.scoring.scores.ranges import read_lines

OTHER = "nima,1,2,1000,nips2017,abc,2026-01-01,3.71,6.19,\n"


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    """Returns a folder of 64 crops of a photograph."""
    folder = tmp_path_factory.mktemp("crops")
    photo = Image.fromarray(skimage.data.astronaut())
    for number in range(64):
        left, top = 48 * (number % 8), 48 * (number // 8)
        photo.crop((left, top, left + 40, top + 40)).save(folder / f"{number:02}.png")
    return folder


def test_a_range_is_that_of_the_clear_scores_and_other_lines_stay(crops, tmp_path):
    ranges, out = tmp_path / "ranges.csv", tmp_path / "out"
    ranges.write_text("metric,low,high,n,dataset,digest,date,declared_low,declared_high,difference\n" + OTHER)
    preset = Preset(datasets=(str(crops),))
    entries = [lookup.find("metrics", name) for name in ("small_cnn", "maniqa", "psnr")]
    # The weights of maniqa are not here.
    assert not calibrate_all(entries, preset, out, device="cpu", ranges=ranges, isolated=False)
    found = read_lines(ranges)
    assert found.keys() == {"nima", "small_cnn"}  # a full-reference metric keeps what it declares
    assert found["nima"].digest == "abc"
    (clear,) = calibrate("small_cnn", preset, out, "cpu")
    line, dataset = found["small_cnn"], open_dataset(str(crops))
    assert (line.n, line.dataset, line.digest) == ("64", dataset.name, dataset.digest)
    assert (float(line.low), float(line.high)) == (
        pytest.approx(clear.low, rel=1e-5),
        pytest.approx(clear.high, rel=1e-5),
    )
    assert clear.low < clear.high


def test_few_images_measure_no_range(crops, tmp_path):
    ranges = tmp_path / "ranges.csv"
    preset = Preset(datasets=(str(crops),), limit=8)
    assert calibrate_all(
        [lookup.find("metrics", "small_cnn")], preset, tmp_path, device="cpu", ranges=ranges, isolated=False
    )
    assert not ranges.exists()
