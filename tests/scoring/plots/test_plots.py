"""Plots: a file of the kind that was asked for, with embedded fonts and the same picture each time."""

import itertools

import pytest
from drawn import shown
from matplotlib.text import Text

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.found import KINDS
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.write import write_tables

PLOTS = [("curve", []), ("gain-curve", ["weak"]), ("heatmap", []), ("ranks", []), ("scatter", ["ifgsm", "madc"])]


@pytest.fixture
def tables(run_folder, make_row):
    for metric, by in {"weak": 0.4, "strong": 0.1}.items():
        rows = [make_row(name, 0.1, 0.1 + by + i / 10) for i, name in enumerate("abc")]
        run_folder.cell(metric, "ifgsm", rows=[*rows, make_row("a", 0.1, 0.9, variant="longer")])
        run_folder.curve(metric, {4: [by / 3] * 3, 10: [by / 2, by, by]}, attack="madc")
    run_folder.without_rows("gone", "madc", "failed", "no")
    write_tables([run_folder.path], run_folder.path)
    return run_folder.path


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot[0])
@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_a_plot_made_again_shows_the_same_in_a_file_of_its_kind(tables, tmp_path, figures, plot, suffix):
    kind, names = plot
    for file in ("one", "two"):
        write_plot(kind, names, tables, tmp_path / f"{file}.{suffix}")
        content = (tmp_path / f"{file}.{suffix}").read_bytes()
        assert content.startswith({"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}[suffix])
    one, two = map(shown, figures)
    assert one == two
    assert any(part["lines"] or part["images"] for part in one)


def test_each_kind_shows_the_numbers_of_the_leaderboard_under_its_names(tables, tmp_path, figures):
    for kind, names in PLOTS:
        write_plot(kind, names, tables, tmp_path / f"{kind}.svg")
    _, curve, heat, ranks, scatter = map(shown, figures)
    assert curve[0]["axes"][1] == "absolute gain"
    assert curve[0]["titles"] == ["weak"]
    assert [text.get_text() for text in figures[1].legends[0].get_texts()] == ["ifgsm", "madc"]
    assert figures[1].legends[0].get_title().get_text() == "attacks on sample"
    assert heat[0]["ticks"] == [["madc", "ifgsm"], ["strong", "weak", "gone"]]
    gains = [gain for line in heat[0]["images"][0] for gain in line]
    assert heat[0]["texts"] == [f"{gain:.2f}" for gain in gains if gain is not None]
    assert gains[-2:] == [None, None]
    assert heat[1]["axes"][0] == "absolute gain; grey:\N{NO-BREAK SPACE}n/a"
    assert ranks[0]["ticks"][1] == ["strong", "weak"]
    assert [line[3] for line in ranks[0]["lines"][1::2]] == [[[1.0, 0.0]], [[2.0, 1.0]]]  # a mark at each rank
    assert scatter[0]["axes"] == ["absolute gain under ifgsm", "absolute gain under madc"]
    assert scatter[0]["texts"] == ["strong", "weak"]


def curves(run_folder, many):
    """Writes the tables of so many metrics with curves, each easier to move than the one before it."""
    for i in range(many):
        by = 0.02 * (i + 1)
        run_folder.curve(f"m{i:02d}", {4: [by, by + 0.02], 10: [2 * by, 2 * by + 0.02]})
    run_folder.curve("apart", {4: [0.1, 0.1], 10: [0.2, 0.2]}, attack="square", differentiable=False)
    run_folder.without_rows("gone", "ifgsm", "failed", "no")
    write_tables([run_folder.path], run_folder.path)
    return run_folder.path


def test_a_curve_goes_through_each_budget_with_its_band_and_its_name(run_folder, tmp_path, figures):
    write_plot("curve", [], curves(run_folder, 2), tmp_path / "curve.svg")
    panel, apart = shown(figures[0])
    assert panel["titles"] == ["NR metrics on sample, 2 images"]
    assert apart["titles"] == ["NR metrics without gradients on sample, 2 images"]
    assert panel["axes"][1].startswith("absolute gain of the worst case")
    assert panel["ticks"][0] == ["0", "4", "10"]
    lines = [line for line in panel["lines"] if line[2] != ""]
    assert [line[3] for line in lines] == [
        [[0.0, 0.0], [4.0, 0.03], [10.0, 0.05]],
        [[0.0, 0.0], [4.0, 0.05], [10.0, 0.09]],
    ]
    assert panel["texts"] == ["m00", "m01"]
    first = [point for point in panel["bars"][0] if point[0] == 10.0]
    assert {round(height, 6) for _, height in first} == {0.04, 0.06}  # a resample may hold either image alone
    assert len({line[1] for line in lines}) == len({line[2] for line in lines}) == 2


def test_of_many_metrics_as_many_have_names_as_can_be_told_apart(run_folder, tmp_path, figures):
    folder = curves(run_folder, 20)
    write_plot("curve", [], folder, tmp_path / "all.svg")
    write_plot("curve", ["m03", "m04", "m05"], folder, tmp_path / "some.svg")
    everything, some = (shown(figure)[0] for figure in figures)
    note, names = everything["texts"][-1], everything["texts"][:-1]
    assert (len(names), names[0], names[-1], note) == (7, "m00", "m19", "grey: 13 other metrics")
    assert len([line for line in everything["lines"] if line[1] == "#bfbfbf"]) == 13
    assert some["texts"] == ["m03", "m04", "m05"]
    assert len(some["lines"]) == 4  # and that of a tenth of the range


def test_no_name_covers_another_and_none_is_above_the_panel(run_folder, tmp_path, figures):
    for i in range(7):
        run_folder.curve(f"m{i}", {4: [0.5, 0.5], 10: [0.9, 0.9 + i / 10_000]})
    write_tables([run_folder.path], run_folder.path)
    write_plot("curve", [], run_folder.path, tmp_path / "curve.png")
    figures[0].draw_without_rendering()
    (axes,) = figures[0].axes
    extents = (Text.get_window_extent(text) for text in axes.texts)  # without the lines that lead to them
    boxes = sorted(extents, key=lambda box: box.y0)
    assert len(boxes) == 7
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
    assert boxes[-1].y1 <= axes.get_window_extent().y1 + boxes[-1].height / 2


def test_a_pdf_is_vectors_with_true_type_fonts_inside(tables, tmp_path):
    write_plot("ranks", [], tables, tmp_path / "ranks.pdf")
    content = (tmp_path / "ranks.pdf").read_bytes()
    assert b"/FontFile2" in content  # an embedded TrueType font
    assert b"/Type3" not in content
    assert b"/Subtype /Image" not in content
    assert b"CreationDate" not in content


def test_other_numbers_are_another_picture(tables, tmp_path, figures):
    write_plot("heatmap", [], tables, tmp_path / "before.png")
    board = tables / "leaderboard.json"
    board.write_text(board.read_text(encoding="utf-8").replace('"value": 0.5', '"value": 0.25'), encoding="utf-8")
    write_plot("heatmap", [], tables, tmp_path / "after.png")
    before, after = map(shown, figures)
    assert "0.50" in before[0]["texts"]
    assert after[0]["texts"] == [text.replace("0.50", "0.25") for text in before[0]["texts"]]


@pytest.mark.parametrize(
    ("kind", "names", "says"),
    [
        ("heatmap", ["weka"], "did you mean weak"),
        ("scatter", ["ifgsm"], "must be given two attacks; got 1"),
        ("scatter", ["ifgsm", "mad"], "did you mean madc"),
        ("ranks", ["gone"], "must be a ranked metric"),
        ("curve", ["gone"], "must be a security curve"),
        ("gain-curve", ["gone"], "must be scored cells"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(tables, tmp_path, kind, names, says):
    with pytest.raises(BenchError, match=says) as error:
        write_plot(kind, names, tables, tmp_path / "x.pdf")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "x.pdf").exists()


def test_every_plot_is_found_and_says_what_it_shows():
    assert {"curve", "gain-curve", "heatmap", "ranks", "scatter", "defence-heatmap", "defence-value"} <= set(KINDS)
    assert all(title.endswith(".") for title in KINDS.values())


def test_an_unknown_kind_of_plot_is_named(tables, tmp_path):
    with pytest.raises(BenchError, match="no plot is named 'heatmp': did you mean heatmap"):
        write_plot("heatmp", [], tables, tmp_path / "x.pdf")


def test_a_file_of_another_kind_is_refused(tables, tmp_path):
    with pytest.raises(BenchError, match=r"must end in \.pdf, \.svg, \.png; got 'x\.gif'"):
        write_plot("heatmap", [], tables, tmp_path / "x.gif")
