"""Finding cells: every file of a run folder comes back, usable or with the reason why not."""

import pytest

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.read.cells import read_cells


def only(path):
    (cell,) = read_cells([path])
    return cell


def test_a_cell_has_its_rows_and_its_stamp(run_folder):
    run_folder.cell("blur", "ifgsm")
    cell = only(run_folder.path)
    assert (cell.metric, cell.attack, cell.status, cell.reason) == ("blur", "ifgsm", "done", "")
    assert cell.rows["image"].tolist() == ["a.png", "b.png"]
    assert cell.stamp.metric.kind == "NR"


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_cell_without_rows_tells_why_in_one_line(run_folder, status):
    run_folder.without_rows("blur", "ifgsm", status, "out of\n  memory")
    cell = only(run_folder.path)
    assert (cell.status, cell.reason, len(cell.rows)) == (status, "out of memory", 0)


def edit_a_number(csv):
    csv.write_text(csv.read_text().replace("0.5", "0.7"))


def cut_short(csv):
    csv.write_text(csv.read_text()[:-30])
    csv.with_suffix(".json").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (edit_a_number, "ifgsm.csv is not what was stamped"),
        (cut_short, "ifgsm.csv: row 3 must have 24 cells"),
        (lambda csv: csv.unlink(), "ifgsm.csv is not there"),
        (lambda csv: csv.with_suffix(".json").write_text("{"), "ifgsm.json is not a sealed stamp"),
    ],
)
def test_damage_is_named_and_spoils_no_other_cell(run_folder, damage, reason):
    damage(run_folder.cell("blur", "ifgsm"))
    run_folder.cell("blur", "madc")
    broken, sound = read_cells([run_folder.path])
    assert (broken.metric, broken.attack, broken.status) == ("blur", "ifgsm", "corrupt")
    assert broken.reason.startswith(reason)
    assert broken.reason.endswith("run the cell again")
    assert broken.rows.empty
    assert sound.status == "done"


def test_rows_of_a_run_folder_count_with_their_stamp_only(run_folder):
    csv = run_folder.cell("blur", "ifgsm")
    csv.with_suffix(".json").unlink()
    assert only(run_folder.path).status == "done"  # as others publish them
    (run_folder.path / ".work").mkdir()
    assert only(run_folder.path).reason == "ifgsm.json is not there: run the cell again"


def test_tables_and_work_files_are_no_cells(run_folder):
    run_folder.cell("blur", "ifgsm")
    for name in ("scores.csv", "leaderboard.csv", "leaderboard.json", "ranges.csv"):
        (run_folder.path / name).write_text("metric\n", encoding="utf-8")
    (run_folder.path / ".work").mkdir()
    (run_folder.path / ".work" / "ifgsm.csv").write_text("partial", encoding="utf-8")
    assert only(run_folder.path).attack == "ifgsm"


def test_the_folder_of_one_metric_is_enough(run_folder):
    run_folder.cell("blur", "ifgsm")
    run_folder.without_rows("blur", "madc", "failed", "no memory")
    run_folder.cell("sharp", "ifgsm")
    assert [cell.attack for cell in read_cells([run_folder.path / "blur"])] == ["ifgsm", "madc"]


def test_a_cell_that_stands_twice_counts_once_and_is_told(run_folder):
    run_folder.cell("blur", "ifgsm", label="copy")
    run_folder.cell("blur", "ifgsm")
    first, second = read_cells([run_folder.path])
    assert (first.status, second.status) == ("done", "corrupt")
    assert "holds the same cell as" in second.reason


def test_other_settings_of_an_attack_are_another_cell(run_folder, make_row):
    run_folder.cell("blur", "ifgsm")
    run_folder.cell("blur", "ifgsm", label="ifgsm+steps=20", rows=[make_row("a.png", 0.1, 0.2, variant="steps=20")])
    assert [cell.status for cell in read_cells([run_folder.path])] == ["done", "done"]


@pytest.mark.parametrize("name", ["nowhere", "empty", "note.txt"])
def test_what_holds_no_cell_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("", encoding="utf-8")
    with pytest.raises(BenchError, match=name):
        read_cells([tmp_path / name])
