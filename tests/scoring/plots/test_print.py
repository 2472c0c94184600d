"""Plots as they are printed: as wide as a column or a page, all text of 8 points and none on another."""

from __future__ import annotations

import re
from itertools import product

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import run_folder as stamps
from matplotlib.figure import Figure
from matplotlib.text import Text
from run_folder import RunFolder, row

from metric_robustness.pipeline.places import CODE
from metric_robustness.pipeline.scoring.plots.found import KINDS
from metric_robustness.pipeline.scoring.plots.layout.crowding import crowded
from metric_robustness.pipeline.scoring.plots.layout.labels import write_names
from metric_robustness.pipeline.scoring.plots.layout.signed import number, signed_ticks
from metric_robustness.pipeline.scoring.plots.style import POINTS, STYLE, look
from metric_robustness.pipeline.scoring.plots.widths import PAGE_HEIGHT, WIDTHS
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.write import write_tables

ATTACKS = [f"{'generative_' if i % 4 == 0 else ''}attack{i:02d}" for i in range(13)]
LONG = "clipiqa_plus_vitl14_512"  # the longest name of the catalogue
BEHIND = ["resize", "flip", "gaussian_blur", "color_quantization", "diffjpeg", "median_blur", "unsharp", "fcn"]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Returns the tables of 16 metrics of two kinds under 15 attacks, two of them behind 8 defences."""
    random = np.random.default_rng(0)
    run = RunFolder(tmp_path_factory.mktemp("board") / "run")
    with pytest.MonkeyPatch.context() as patch:
        for attack in ATTACKS:
            patch.setitem(stamps.FAMILIES, attack, "sign")
        for place, attack in product(range(16), ("ifgsm", "madc", *ATTACKS)):
            name, kind = (LONG if place == 7 else f"metric{place:02d}"), "NR" if place < 12 else "FR"
            gain = -5.05 if (place, attack) == (3, "ifgsm") else 0.02 * (place + 1) * random.random()
            rows = [
                row(image, 0.4, 0.4 + gain * (1 + i), psnr=25 + 20 * random.random()) for i, image in enumerate("ab")
            ]
            if attack == "madc":
                run.curve(name, {4: [gain / 2, gain], 10: [gain, 2 * gain]}, attack="madc", kind=kind)
            else:
                run.cell(name, attack, rows=rows, kind=kind)
        for metric, attack in product(("metric00", LONG), ("ifgsm", "madc")):
            rows = [
                row(
                    image,
                    0.4,
                    0.8,
                    defence=defence,
                    clear_defended=0.4,
                    mos=0.1 * i,
                    ssim=0.9 - 0.1 * i,
                    attacked_defended=0.5 + 0.2 * random.random(),
                    psnr_defended=30 + 5 * random.random(),
                    ssim_defended=0.8,
                )
                for i, image in enumerate("abc")
                for defence in BEHIND
            ]
            run.cell(metric, attack, label=f"{attack}+defended", rows=rows)
            run.cell(f"{metric}+flip", attack, rows=[row(image, 0.4, 0.7) for image in "ab"])
        write_tables([run.path], run.path)
    pairs = pd.DataFrame(
        product([LONG, *(f"metric{i:02d}" for i in range(15))], repeat=2), columns=["source", "target"]
    )
    told = pairs.assign(dataset="sample", attack="ifgsm", variant="", gain=random.normal(0.2, 0.4, len(pairs)))
    told.to_csv(run.path / "transfer.csv", index=False)
    pairs = product([LONG, *(f"metric{i:02d}" for i in range(15))], ["any", "1", "2", "3", "4+"], [1, 4, 10])
    told = pd.DataFrame(pairs, columns=["metric", "apart", "budget"]).assign(dataset="sample", kind="NR", truth="rung")
    lost = random.random(len(told)) * told["budget"] / 10
    shares = {"overtaken": lost, "overtaken_low": lost / 2, "overtaken_high": (lost + 1) / 2, "note": ""}
    told.assign(**shares).to_csv(run.path / "overtaken.csv", index=False)
    return run.path


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "defence-srocc"])
def test_a_plot_of_many_metrics_is_as_wide_as_it_is_printed_and_can_be_read(board, tmp_path, figures, kind, width):
    names = ["ifgsm", "madc"] if kind == "scatter" else []
    drawn = write_plot(kind, names, board, tmp_path / "plot.pdf", width)
    (figure,) = figures
    assert (drawn.width, figure.get_figwidth()) == (WIDTHS[width], WIDTHS[width])
    assert crowded(figure) == []
    assert {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()} == {POINTS}
    assert drawn.notes == [] or (drawn.height > PAGE_HEIGHT and "higher than a page" in drawn.notes[0])


def test_what_cannot_be_read_is_told(board, tmp_path):
    (note,) = write_plot("heatmap", ["metric00", LONG], board, tmp_path / "plot.pdf", "column").notes or [""]
    assert note == ""
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "one name")
    figure.text(0.2, 0.5, "another")
    figure.text(0.9, 0.1, "beyond the edge")
    figure.text(0.1, 0.1, "alone")
    assert crowded(figure) == ["another", "beyond the edge", "one name"]


def test_a_figure_as_wide_as_a_page_is_not_to_be_made_so(run_folder, tmp_path):
    for i in range(70):
        run_folder.cell(f"metric{i:02}", "ifgsm", [0.1, 0.2])
    write_tables([run_folder.path], run_folder.path)
    for width, advised in (("page", False), ("column", True)):
        (note,) = write_plot("ranks", [], run_folder.path, tmp_path / "plot.pdf", width).notes[-1:]
        assert "higher than a page" in note
        assert ("--width page" in note) == advised
        assert "name fewer metrics" in note


@pytest.mark.parametrize("metrics", ["a", "ab"])
def test_a_label_of_several_lines_below_a_small_heat_map_has_room(tmp_path, metrics):
    pairs = pd.DataFrame(product(metrics, repeat=2), columns=["source", "target"])
    told = pairs.assign(dataset="sample", attack="ifgsm", variant="", gain=0.3)
    told.to_csv(tmp_path / "transfer.csv", index=False)
    assert write_plot("transfer", [], tmp_path, tmp_path / "plot.pdf", "column").notes == []


def test_names_are_beside_their_points_and_those_without_room_are_returned():
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3, 3))
        axes = figure.subplots()
        axes.set(xlim=(0, 1), ylim=(0, 1))
        heap = {f"crowded metric {i}": (0.5 + 0.001 * i, 0.5) for i in range(60)}
        left = write_names(axes, {"alone": (0.1, 0.9), **heap})
        written = {text.get_text() for text in axes.texts}
        assert "alone" in written
        assert written | set(left) == {"alone", *heap}
        assert written.isdisjoint(left)
        assert left
        assert crowded(figure) == []


def test_the_documentation_names_every_plot():
    page = (CODE / "docs" / "plots.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if kind not in re.split(r"[ ,|\n]+", page)] == []


def test_forty_nine_lines_look_different():
    assert len({tuple(look(number).values()) for number in range(49)}) == 49


@pytest.mark.parametrize(
    ("value", "told"), [(-0.001, "0.00"), (-5.05, "\N{MINUS SIGN}5.05"), (0.004, "0.00"), (0.25, "0.25")]
)
def test_what_rounds_to_zero_has_no_sign(value, told):
    assert number(value) == told


@pytest.mark.parametrize(
    ("low", "high", "length", "ticks"),
    [(-0.05, 2, 3, [0, 0.1, 1]), (-5, 2, 0.7, [-1, 0, 1]), (-20, 0.5, 5, [-10, -1, -0.1, 0, 0.1])],
)
def test_ticks_of_gains_are_powers_of_ten_with_room_between_them(low, high, length, ticks):
    assert signed_ticks(low, high, length) == ticks
