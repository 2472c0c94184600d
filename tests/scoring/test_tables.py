"""The files that are written: whole, the same from the same cells, and readable by people and programs."""

import json
import shutil

import pandas as pd
import pytest
from rich.console import Console

from metric_robustness.pipeline.scoring.scores.robustness import SCORES
from metric_robustness.pipeline.scoring.tables.write import print_leaderboard, write_tables

FILES = (
    *("scores.csv", "scores.parquet", "leaderboard.md", "leaderboard.csv", "leaderboard.parquet", "leaderboard.json"),
)


@pytest.fixture
def filled(run_folder):
    for metric, by in {"weak": 0.4, "strong": 0.1}.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05], seconds={"": 12.0})
        run_folder.cell(metric, "noise", [0.01, -0.01])
    run_folder.without_rows("strong", "madc", "failed", "out | of memory")
    run_folder.cell("weak", "madc").write_text("damaged", encoding="utf-8")
    return run_folder


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_written_again_they_are_the_same_bytes(filled):
    write_tables([filled.path], filled.path)
    first = contents(filled.path)
    write_tables([filled.path], filled.path)
    assert contents(filled.path) == first


@pytest.mark.parametrize("table", ["scores", "leaderboard"])
def test_parquet_holds_what_the_csv_holds_with_types(filled, table):
    write_tables([filled.path], filled.path)
    typed = pd.read_parquet(filled.path / f"{table}.parquet")
    plain = pd.read_csv(filled.path / f"{table}.csv", dtype=str, keep_default_na=False)
    assert list(typed.columns) == list(plain.columns)
    for name in typed.columns:
        if pd.api.types.is_numeric_dtype(typed[name]):
            pd.testing.assert_series_equal(typed[name], pd.to_numeric(plain[name]), check_dtype=False)
        else:
            assert list(typed[name]) == list(plain[name])
    assert {name for name in ("metric", "flags", "n", "scale_low") if pd.api.types.is_numeric_dtype(typed[name])} == {
        "n",
        "scale_low",
    }


def test_the_order_and_the_number_of_folders_do_not_matter(filled, tmp_path):
    write_tables([filled.path], tmp_path / "whole")
    for metric in ("weak", "strong"):
        shutil.copytree(filled.path / metric, tmp_path / "parts" / metric / metric)
    parts = [tmp_path / "parts" / metric for metric in ("weak", "strong")]
    write_tables(parts, tmp_path / "forward")
    write_tables(parts[::-1], tmp_path / "backward")
    assert contents(tmp_path / "forward") == contents(tmp_path / "backward") == contents(tmp_path / "whole")


def test_scores_csv_has_every_cell_with_its_numbers_or_its_reason(filled):
    write_tables([filled.path], filled.path)
    table = pd.read_csv(filled.path / "scores.csv").set_index(["metric", "attack"])
    assert table["status"].to_dict() == {
        ("strong", "ifgsm"): "done",
        ("strong", "madc"): "failed",
        ("strong", "noise"): "done",
        ("weak", "ifgsm"): "done",
        ("weak", "madc"): "corrupt",
        ("weak", "noise"): "done",
    }
    assert table["reason"]["strong", "madc"] == "out | of memory"
    assert "not what was stamped" in table["reason"]["weak", "madc"]
    done = table.loc["weak", "ifgsm"]
    assert (done["n"], done["missing"], done["seconds"], done["scale_source"]) == (2, 0, 12, "declared")
    assert (done["psnr"], done["queries"], done["key"], done["commit"]) == (30, 10, "key-weak-ifgsm", "c0ffee")
    assert done["absolute_gain"] == pytest.approx(0.425)
    assert done["absolute_gain_subset"] == pytest.approx(0.425 / 0.2)
    for name in SCORES:
        assert done[f"{name}_low"] <= done[name] + 1e-5, name
        assert done[name] - 1e-5 <= done[f"{name}_high"], name


def test_leaderboard_csv_and_json_say_the_same(filled):
    write_tables([filled.path], filled.path)
    table = pd.read_csv(filled.path / "leaderboard.csv")
    content = json.loads((filled.path / "leaderboard.json").read_text(encoding="utf-8"))
    (section,) = content["sections"]
    assert table["metric"].tolist() == [each["metric"] for each in section["metrics"]] == ["strong", "weak"]
    assert table["rank"].tolist() == [each["rank"] for each in section["metrics"]] == [1, 2]
    for line, each in zip(table.to_dict("records"), section["metrics"], strict=True):
        assert line["worst_case_r_score"] == each["worst_case"]["r_score"]["value"]
        assert line["family_sign_absolute_gain"] == each["families"]["sign"]["absolute_gain"]["value"]
        assert line["ifgsm_absolute_gain_low"] == each["attacks"]["ifgsm"]["absolute_gain"]["low"]
        assert set(each["attacks"]["noise"]) == {"n", *SCORES}
    assert [(gap["metric"], gap["attack"], gap["status"]) for gap in content["missing"]] == [
        ("strong", "madc", "failed"),
        ("weak", "madc", "corrupt"),
    ]


def test_curves_and_falls_are_the_same_in_csv_json_and_markdown(run_folder, make_row):
    run_folder.curve("weak", {4: [0.1, 0.3], 10: [0.4, 0.4]})
    run_folder.curve("strong", {4: [0.02, 0.02], 10: [0.05, 0.05]})
    run_folder.cell("bare", "ifgsm", [0.1, 0.2])
    run_folder.cell("weak", "fgsm", [-0.3, -0.1], settings={"goal": "worse"})
    write_tables([run_folder.path], run_folder.path)
    table = pd.read_csv(run_folder.path / "leaderboard.csv").set_index("metric")
    content = json.loads((run_folder.path / "leaderboard.json").read_text(encoding="utf-8"))
    (section,) = content["sections"]
    assert section["budgets"] == [4, 10]
    facts = {each["metric"]: each for each in section["metrics"]}
    for name in ("weak", "strong"):
        curve, line = facts[name]["curve"], table.loc[name]
        for budget in ("4", "10"):
            assert line[f"within_{budget}_rank"] == curve["ranks"][budget]
            assert line[f"within_{budget}_absolute_gain"] == curve["worst_cases"][budget]["absolute_gain"]["value"]
        assert line["curve_area_low"] == curve["area"]["low"]
        assert line["smallest_budget"] == float(curve["smallest_budget"]["value"])
    assert facts["strong"]["curve"]["smallest_budget"]["value"] == "inf"
    assert facts["bare"]["curve"] is None
    assert table.loc["bare", ["within_4_rank", "within_4_absolute_gain", "curve_area", "smallest_budget"]].isna().all()
    assert (facts["weak"]["fall_rank"], facts["weak"]["fall"]["absolute_gain"]["value"]) == (1, -0.2)
    assert (table["fall_rank"]["weak"], table["swing"]["weak"]) == (1, facts["weak"]["swing"]["value"]) == (1, 0.6)
    assert facts["strong"]["fall"] is facts["strong"]["swing"] is None
    text = (run_folder.path / "leaderboard.md").read_text(encoding="utf-8")
    assert "| strong | 0.020 ±0.000 (1) | 0.050 ±0.000 (1) | 0.025 ±0.000 | &gt; 10 |" in text.splitlines()
    assert "| 1 | weak | **-0.200 ±0.100** | 0.400 ±0.000 | 0.600 ±0.100 |" in text.splitlines()


def test_every_table_says_what_it_was_made_from(filled):
    write_tables([filled.path], filled.path)
    first = "Preset demo, data set sample, 2 images: an illustration, not a ranking to cite"
    assert (filled.path / "leaderboard.md").read_text(encoding="utf-8").splitlines()[2] == f"{first}."
    assert json.loads((filled.path / "leaderboard.json").read_text(encoding="utf-8"))["title"] == first
    assert set(pd.read_csv(filled.path / "leaderboard.csv")["note"]) == {first}


def test_people_read_ranks_margins_and_gaps(filled):
    write_tables([filled.path], filled.path)
    lines = (filled.path / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    assert "| rank | metric | worst case | family sign | madc | ifgsm | noise (control) |" in lines
    assert (
        "| 1 | strong: The strong metric | **0.125 ±0.025** | 0.125 ±0.025 | n/a | 0.125 ±0.025 | 0.000 ±0.010 |"
        in lines
    )
    assert "| strong | madc | sample | failed | out \\| of memory |" in lines


def test_an_infinite_score_is_written_in_words(run_folder, make_row):
    run_folder.cell(rows=[make_row("a.png", 0.0, 1.2), make_row("b.png", 0.5, 0.6)])
    write_tables([run_folder.path], run_folder.path)
    (section,) = json.loads((run_folder.path / "leaderboard.json").read_text(encoding="utf-8"))["sections"]
    score = section["metrics"][0]["worst_case"]["r_score_printed"]
    assert score == {"value": "-inf", "low": None, "high": None}


def test_a_stamp_that_is_gone_is_a_gap(run_folder):
    run_folder.cell("blur", "ifgsm")
    run_folder.cell("blur", "madc").with_suffix(".json").unlink()
    board = write_tables([run_folder.path], run_folder.path)
    assert [(gap.metric, gap.attack, gap.status) for gap in board.gaps] == [("blur", "madc", "corrupt")]
    assert board.gaps[0].reason.startswith("no stamp stands beside madc.csv")


def test_a_narrow_terminal_shows_families_instead_of_attacks(filled):
    board = write_tables([filled.path], filled.path)
    shown = {}
    for width in (100, 40):
        console = Console(width=width, record=True)
        print_leaderboard(board, console)
        shown[width] = console.export_text()
    assert "ifgsm" in shown[100].split("failed:")[0]
    assert "sign" in shown[40]
    assert "ifgsm" not in shown[40].split("failed:")[0]


def test_the_terminal_shows_ranks_and_gaps_in_100_columns(filled):
    console = Console(width=100, record=True)
    print_leaderboard(write_tables([filled.path], filled.path), console)
    text = console.export_text()
    assert "NR metrics on sample, absolute gain. Preset demo, data set sample, 2 images" in text
    assert all(word in text for word in ("strong", "0.125", "±0.025", "failed: strong under madc: out | of memory"))
    assert max(map(len, text.splitlines())) <= 100


def test_a_folder_named_like_markup_is_text_in_markdown(run_folder, make_row):
    name = "<b>new</b> *photos*"
    behind = {"clear_defended": 0.4, "attacked_defended": 0.5, "psnr_defended": 40.0, "ssim_defended": 0.9}
    rows = [make_row(f"{i}.png", 0.4, 0.7, dataset=name) for i in range(2)]
    run_folder.cell("blur", "ifgsm", rows=rows, datasets=(name,))
    rows = [make_row(f"{i}.png", 0.4, 0.7, dataset=name, defence="jpeg", **behind) for i in range(2)]
    run_folder.cell("blur", "ifgsm", rows=rows, datasets=(name,), label="ifgsm+defended")
    run_folder.cell("sharp+jpeg", "ifgsm", rows=[make_row("0.png", 0.4, 0.7, dataset=name)], datasets=(name,))
    write_tables([run_folder.path], run_folder.path)
    for file, times in (("leaderboard.md", 2), ("defences.md", 2)):
        told = (run_folder.path / file).read_text(encoding="utf-8")
        assert "<b>" not in told
        assert told.count(r"&lt;b&gt;new&lt;/b&gt; \*photos\*") >= times
