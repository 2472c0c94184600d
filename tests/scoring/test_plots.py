"""Plots: a file of the kind that was asked for, with embedded fonts and the same picture each time."""

import pytest
from drawn import shown

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.plots.found import KINDS
from metric_robustness.pipeline.scoring.plots.write import write_plot
from metric_robustness.pipeline.scoring.tables.write import write_tables

PLOTS = [("gain-curve", ["weak"]), ("heatmap", []), ("ranks", []), ("scatter", ["ifgsm", "madc"])]


@pytest.fixture
def tables(run_folder, make_row):
    for metric, by in {"weak": 0.4, "strong": 0.1}.items():
        rows = [make_row(name, 0.1, 0.1 + by + i / 10) for i, name in enumerate("abc")]
        run_folder.cell(metric, "ifgsm", rows=[*rows, make_row("a", 0.1, 0.9, variant="longer")])
        run_folder.cell(metric, "madc", [by / 2, by, by])
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
    curve, heat, ranks, scatter = map(shown, figures)
    assert curve[0]["axes"][1] == "absolute gain"
    assert curve[0]["titles"][0].startswith("weak, ")
    assert set(curve[0]["legend"]) == {"ifgsm", "madc"}
    assert heat[0]["ticks"] == [["madc", "ifgsm"], ["strong", "weak", "gone"]]
    gains = [gain for line in heat[0]["images"][0] for gain in line]
    assert heat[0]["texts"] == ["n/a" if gain is None else f"{gain:.2f}" for gain in gains]
    assert gains[-2:] == [None, None]
    assert ranks[0]["ticks"][1] == ["strong", "weak"]
    assert [line[3] for line in ranks[0]["lines"][1::2]] == [[[1.0, 0.0]], [[2.0, 1.0]]]  # a mark at each rank
    assert scatter[0]["axes"] == ["absolute gain under ifgsm", "absolute gain under madc"]
    assert scatter[0]["texts"] == ["strong", "weak"]


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
        ("gain-curve", ["gone"], "must be scored cells"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(tables, tmp_path, kind, names, says):
    with pytest.raises(BenchError, match=says) as error:
        write_plot(kind, names, tables, tmp_path / "x.pdf")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "x.pdf").exists()


def test_every_plot_is_found_and_says_what_it_shows():
    assert {"gain-curve", "heatmap", "ranks", "scatter", "defence-heatmap", "defence-value"} <= set(KINDS)
    assert all(title.endswith(".") for title in KINDS.values())


def test_an_unknown_kind_of_plot_is_named(tables, tmp_path):
    with pytest.raises(BenchError, match="no plot is named 'heatmp': did you mean heatmap"):
        write_plot("heatmp", [], tables, tmp_path / "x.pdf")


def test_a_file_of_another_kind_is_refused(tables, tmp_path):
    with pytest.raises(BenchError, match=r"must end in \.pdf, \.svg, \.png; got 'x\.gif'"):
        write_plot("heatmap", [], tables, tmp_path / "x.gif")
