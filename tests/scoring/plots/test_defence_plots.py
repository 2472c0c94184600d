"""Plots of defences: they show what tables and rows say, in both settings, and look the same each time."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from drawn import shown
from run_folder import RunFolder
from run_folder import row as make_row

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots import (
    defence_heatmap,
    defence_metrics,
    defence_quality,
    defence_srocc,
    defence_ssim,
    defence_value,
)
from metric_robustness.pipeline.scoring.plots.defence_panels import best_first
from metric_robustness.pipeline.scoring.plots.found import KINDS, module_of
from metric_robustness.pipeline.scoring.plots.widths import WIDTHS
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.write import write_tables

PAGE = WIDTHS["page"]
NAMES = ("a", "b", "c", "d", "e", "f")
LEFT = {"jpeg": 0.2, "flip": 0.05}  # what a defence leaves of the gain of 0.4; an attack that knows it gains 0.1 more


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Returns a run of two metrics with two defences: two attacks that do not know the defence, and one that does."""
    run_folder = RunFolder(tmp_path_factory.mktemp("judged") / "run")

    def row(i, gain, **fields):
        clear = 0.1 + 0.08 * i
        found = make_row(NAMES[i], clear, clear + gain, mos=float(i), **fields)
        return replace(found, ssim=0.9 - 0.1 * i)

    for metric, more in (("cnn", 0.0), ("vit", 0.02)):
        for attack in ("ifgsm", "madc"):
            rows = [
                row(
                    i,
                    0.4,
                    defence=defence,
                    clear_defended=0.1 + 0.08 * i,
                    attacked_defended=0.1 + 0.08 * i + left + more + 0.01 * i,
                    psnr_defended=32.0,
                    ssim_defended=0.8,
                )
                for defence, left in LEFT.items()
                for i in range(len(NAMES))
            ]
            run_folder.cell(metric, attack, label=f"{attack}+defended", rows=rows)
        for defence, left in LEFT.items():
            rows = [row(i, left + 0.1 + more, psnr_defended=30.0, ssim_defended=0.7) for i in range(len(NAMES))]
            run_folder.cell(f"{metric}+{defence}", "ifgsm", rows=rows)
    write_tables([run_folder.path], run_folder.path)
    return run_folder.path


def shifts(folder, setting, metric="cnn"):
    with (folder / "defences.csv").open(newline="") as file:
        return {
            (line["defence"], line["attack"]): float(line["shift"])
            for line in csv.DictReader(file)
            if line["metric"] == metric and line["setting"] in {setting, "undefended"}
        }


def test_the_gain_is_signed_and_the_shift_is_not(run_folder):
    behind = {"defence": "flip", "psnr_defended": 30.0, "ssim_defended": 0.7}
    scores = {"a": (0.5, 0.9), "b": (0.6, 0.3)}  # D(x), D(x'); f(x) is 0.4
    rows = [
        make_row(name, 0.4, 0.8, **behind, clear_defended=before, attacked_defended=after)
        for name, (before, after) in scores.items()
    ]
    run_folder.cell("cnn", "ifgsm", label="ifgsm+defended", rows=rows)
    write_tables([run_folder.path], run_folder.path)
    with (run_folder.path / "defences.csv").open(newline="") as file:
        (line,) = [line for line in csv.DictReader(file) if line["defence"] == "flip"]
    assert float(line["gain"]) == pytest.approx((0.5 - 0.1) / 2)
    assert float(line["shift"]) == pytest.approx((0.5 + 0.1) / 2)
    assert float(line["clean_shift"]) == pytest.approx((0.1 + 0.2) / 2)


def table_of(axes):
    """Returns what a heat map shows: the names of its rows and columns, and its numbers."""
    labels = [[label.get_text() for label in axis.get_ticklabels()] for axis in (axes.yaxis, axes.xaxis)]
    return (*labels, np.array(axes.images[0].get_array()).astype(float))


def test_the_heat_map_shows_both_settings_side_by_side_best_first(judged):
    unaware, aware = defence_heatmap.draw(["cnn"], judged, PAGE).axes[:2]
    for axes, setting, run in ((unaware, "non-adaptive", ["ifgsm", "madc"]), (aware, "adaptive", ["ifgsm"])):
        defences, attacks, values = table_of(axes)
        assert defences == ["none", "flip", "jpeg"]
        assert attacks == [*run, "clear"]  # nobody attacked through a defence with madc: it is left out
        known = shifts(judged, setting)
        for (i, j), value in np.ndenumerate(values[:, :-1]):
            assert value == pytest.approx(known[defences[i], attacks[j]])
    assert unaware.images[0].get_clim() == aware.images[0].get_clim()


def test_each_panel_has_the_order_of_its_own_means_and_only_what_was_run():
    """Over all attacks `b` would be best, since the strongest was not run on it; `c` was not run at all."""
    table = pd.DataFrame(
        {"weak": [0.3, 0.1, 0.2, np.nan], "strong": [0.9, 0.8, np.nan, np.nan], "bare": [0.5, np.nan, np.nan, np.nan]},
        index=["none", "a", "b", "c"],
    )
    found = best_first(table)
    assert list(found.index) == ["none", "a", "b"]
    assert list(found.columns) == ["weak", "strong"]
    assert list(best_first(table, largest=True).index) == ["none", "b", "a"]


def test_metrics_by_defences_are_means_over_attacks(judged):
    names, defences, values = table_of(defence_metrics.draw([], judged, PAGE).axes[0])
    assert (names, defences) == (["cnn", "vit"], ["none", "flip", "jpeg"])
    for (i, j), value in np.ndenumerate(values):
        known = shifts(judged, "non-adaptive", names[i])
        assert value == pytest.approx(np.mean([known[defences[j], attack] for attack in ("ifgsm", "madc")]))


def test_the_map_of_opinions_has_clear_and_attacked_images(judged):
    _, attacks, values = table_of(defence_srocc.draw(["cnn"], judged, PAGE).axes[0])
    assert attacks[-1] == "clear"
    assert values == pytest.approx(np.ones((3, 3)))  # every score grows with the opinion here


def test_quality_stands_against_shift(judged):
    axes = defence_quality.draw(["cnn"], judged, PAGE).axes[0]
    points = {line.get_label(): np.column_stack(line.get_data()) for line in axes.lines if line.get_label()[0] != "_"}
    assert points["attacks that know it"] == pytest.approx(
        np.array([[(0.7 + 30 / 80) / 2, 0.15], [(0.7 + 30 / 80) / 2, 0.3]])
    )
    assert {text.get_text() for text in axes.texts} == {"none", "flip", "jpeg"}


def test_shift_by_similarity_is_the_mean_over_images_at_least_so_similar(judged):
    unaware, aware = defence_ssim.draw(["cnn"], judged, PAGE).axes[:2]
    (line,) = [line for line in unaware.lines if line.get_label() == "flip"]
    across, up = line.get_data()
    each = LEFT["flip"] + 0.01 * np.arange(6)
    assert across == pytest.approx(0.4 + 0.1 * np.arange(6))
    assert up == pytest.approx([each[: 6 - i].mean() for i in range(6)])
    assert {line.get_label() for line in aware.lines} == {"none", "flip", "jpeg"}


def test_shift_by_clear_score_is_the_mean_of_fifths(judged):
    (line,) = [line for line in defence_value.draw(["cnn"], judged, PAGE).axes[0].lines if line.get_label() == "jpeg"]
    across, up = line.get_data()
    assert len(across) == 5
    assert list(across) == sorted(across)
    assert up[-1] == pytest.approx(LEFT["jpeg"] + 0.05)


@pytest.mark.parametrize("plot", [defence_ssim, defence_value])
def test_what_a_single_image_says_is_a_point_since_a_line_would_show_nothing(run_folder, plot):
    run_folder.cell("blur", "ifgsm", [0.3])
    scores = {"clear_defended": 0.4, "attacked_defended": 0.5, "psnr_defended": 40.0, "ssim_defended": 0.9}
    rows = [make_row("a.png", 0.4, 0.7, defence="jpeg", **scores)]
    run_folder.cell("blur", "ifgsm", rows=rows, label="ifgsm+defended")
    lines = plot.draw([], run_folder.path, PAGE).axes[0].lines
    assert [line.get_marker() for line in lines] == ["o", "o"]


def test_lines_through_several_points_have_no_marks(judged):
    assert {line.get_marker() for line in defence_ssim.draw(["cnn"], judged, PAGE).axes[0].lines} == {""}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("defence-")])
def test_a_plot_of_defences_made_again_shows_the_same(judged, kind):
    one, two = (shown(import_module(module_of(kind)).draw([], judged, PAGE)) for _ in range(2))
    assert one == two
    assert any(part["lines"] or part["images"] for part in one)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("defence-")])
def test_a_plot_of_defences_is_a_file_of_the_kind_that_is_asked_for(judged, tmp_path, kind):
    write_plot(kind, [], judged, tmp_path / "one.svg")
    assert (tmp_path / "one.svg").read_bytes().startswith(b"<?xml")


def test_what_cannot_be_drawn_of_defences_is_told_in_one_line(judged, tmp_path):
    judged = shutil.copytree(judged, tmp_path / "run")
    with pytest.raises(BenchError, match="no metric with defences is named 'cn': did you mean cnn"):
        write_plot("defence-heatmap", ["cn"], judged, tmp_path / "x.pdf")
    old = (judged / "defences.csv").read_text().replace("shift", "gain_of_range")
    (judged / "defences.csv").write_text(old)
    with pytest.raises(
        BenchError, match=r"must be of this version; it lacks clean_shift, shift: write it again with run"
    ):
        write_plot("defence-quality", [], judged, tmp_path / "x.pdf")
    (judged / "defences.csv").unlink()
    with pytest.raises(BenchError, match=r"must hold defences\.csv; got none: run with --defences first"):
        write_plot("defence-quality", [], judged, tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


def test_opinions_are_drawn_only_where_there_are_some(run_folder, tmp_path):
    rows = [make_row(n, 0.1, 0.2, defence="flip", clear_defended=0.1, attacked_defended=0.1) for n in "ab"]
    run_folder.cell("cnn", "ifgsm", label="ifgsm+defended", rows=rows)
    run_folder.cell("cnn", "madc")
    write_tables([run_folder.path], run_folder.path)
    with pytest.raises(BenchError, match="images that people rated to draw; got none"):
        write_plot("defence-srocc", [], run_folder.path, tmp_path / "x.pdf")
