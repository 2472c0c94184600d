"""Transfer: each metric is attacked once, all score the images, and a matrix says whose images move whom."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import shown
from PIL import Image
from quiet import run_quietly
from typer.testing import CliRunner

from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.transfer import transfer_tables
from metric_robustness.pipeline.scoring.tables.write import what_transferred, write_tables

METRICS = ("psnr", "ssim", "small_cnn")


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(7)
    for name in "abc":
        smooth = Image.fromarray(generator.integers(60, 196, (6, 7, 3), dtype=np.uint8)).resize((48, 40))
        smooth.save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def crossed(photos, tmp_path_factory) -> Path:
    """Returns a run folder of three metrics under one attack, each on the images of all."""
    out = tmp_path_factory.mktemp("crossed")
    run_quietly(METRICS, out, Settings(variants=False), attacks=["fgsm"], datasets=[str(photos)], save_images=True)
    run_quietly(METRICS, out, Settings(variants=False), from_images=out / "images")
    write_tables([out], out)
    return out


def lines(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (folder / "transfer.csv").open(newline="") as file:
        return {(line["source"], line["target"]): line for line in csv.DictReader(file)}


def test_every_pair_of_metrics_has_a_line_and_the_diagonal_is_what_the_attack_reached_itself(crossed):
    found = lines(crossed)
    assert found.keys() == {(source, target) for source in METRICS for target in METRICS}
    with (crossed / "scores.csv").open(newline="") as file:
        own = {line["metric"]: line for line in csv.DictReader(file) if line["attack"] == "fgsm"}
    for metric in METRICS:
        line = found[metric, metric]
        assert float(line["gain"]) == pytest.approx(float(own[metric]["absolute_gain"]), abs=1e-4)
        assert line["of_own"] == ("1" if float(line["gain"]) > 0 else "")
        assert line["n"] == "3"


def test_a_gain_is_the_target_s_on_the_images_of_the_source(crossed):
    with (crossed / "scores.csv").open(newline="") as file:
        scored = {(line["metric"], line["attack"]): line for line in csv.DictReader(file)}
    for (source, target), line in lines(crossed).items():
        assert float(line["gain"]) == pytest.approx(float(scored[target, f"fgsm@{source}"]["absolute_gain"]), rel=1e-5)
    own, other = float(lines(crossed)["small_cnn", "small_cnn"]["gain"]), lines(crossed)["psnr", "small_cnn"]
    assert other["of_own"] == "" or float(other["of_own"]) == pytest.approx(float(other["gain"]) / own, rel=1e-4)


def test_the_matrix_is_shown_and_drawn(crossed, figures, tmp_path):
    title, table = transfer_tables(what_transferred([crossed]))
    assert "fgsm" in str(title)
    assert [str(column.header) for column in table.columns] == ["made on", *sorted(METRICS)]
    assert len(table.rows) == 3
    write_plot("transfer", [], crossed, tmp_path / "all.svg")
    write_plot("transfer", ["psnr", "small_cnn"], crossed, tmp_path / "two.svg")
    everything, two = (shown(figure)[0] for figure in figures)
    assert everything["ticks"] == [sorted(METRICS)] * 2
    assert two["ticks"] == [["psnr", "small_cnn"]] * 2
    gains = {pair: float(line["gain"]) for pair, line in lines(crossed).items()}
    expected = [[gains[source, target] for target in sorted(METRICS)] for source in sorted(METRICS)]
    assert np.allclose(np.array(everything["images"][0], dtype=float), expected, atol=1e-5)


def test_a_run_of_own_attacks_alone_has_no_matrix(photos, tmp_path):
    run_quietly(["psnr"], tmp_path, Settings(variants=False), attacks=["fgsm"], datasets=[str(photos)])
    write_tables([tmp_path], tmp_path)
    assert not (tmp_path / "transfer.csv").exists()
    with pytest.raises(BenchError, match="must hold transfer\\.csv; got none"):
        write_plot("transfer", [], tmp_path, tmp_path / "none.svg")


def test_one_metric_alone_is_refused(tmp_path):
    told = CliRunner().invoke(app, ["transfer", "--metrics", "psnr", "--out", str(tmp_path / "out")])
    assert "--metrics must be two or more; got psnr" in str(told.exception)
    assert not (tmp_path / "out").exists()


def test_a_metric_that_cannot_be_attacked_scores_and_the_reason_is_told(photos, tmp_path):
    out = tmp_path / "out"
    asked = ["transfer", "--metrics", "psnr,entropy", "--attacks", "fgsm", "--dataset", str(photos), "--out", str(out)]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    found = lines(out)
    assert found.keys() == {("psnr", "psnr"), ("psnr", "entropy")}
    assert math.isfinite(float(found["psnr", "entropy"]["gain"]))
    assert found["psnr", "entropy"]["of_own"] == ""
    assert "missing: entropy under fgsm" in told.output


def test_an_image_that_a_metric_cannot_take_is_named_with_the_metric(photos, tmp_path):
    Image.fromarray(np.full((20, 24, 3), 99, dtype=np.uint8)).save(tmp_path / "small.png")
    mixed = shutil.copytree(photos, tmp_path / "mixed")
    shutil.move(tmp_path / "small.png", mixed)
    asked = ["transfer", "--metrics", "psnr,small_cnn", "--attacks", "fgsm", "--dataset", str(mixed)]
    told = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    reason = "24x20 is smaller than the 32 pixels that small_cnn needs"
    assert told.output.count(f"excluded: small.png: {reason} (by small_cnn)") == 1


def test_attacks_without_a_table_are_named(photos, tmp_path):
    asked = ["transfer", "--metrics", "psnr,small_cnn", "--dataset", str(photos), "--out", str(tmp_path / "out")]
    told = CliRunner().invoke(app, [*asked, "--attacks", "fgsm,optimized_uap"])
    assert "--attacks must be made of each image; got optimized_uap" in str(told.exception)
    assert not (tmp_path / "out").exists()
    told = CliRunner().invoke(app, [*asked, "--attacks", "noise,square"])
    assert "no table of noise: it knows no metric" in told.output
    assert "no table of square: no metric has images of it" in told.output  # spared
