"""Reading rows: what is accepted, what is excluded and why, and which files are rejected."""

import math

import pandas as pd
import pytest

from metric_robustness.pipeline.cells.row import Row, to_csv
from metric_robustness.pipeline.scoring.read.rows import RowsError, read_rows

HEADER = "dataset,image,clip,clear,attacked,psnr,ssim,mse,linf,variant,train_dataset,amplitude,defence"


def write(path, *lines, header=HEADER):
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def row(image="a.png", clear="0.5", attacked="0.7", variant="", amplitude=""):
    return f"sample,{image},{image},{clear},{attacked},inf,1,0,0.04,{variant},,{amplitude},"


def test_rows_come_sorted_with_every_column(tmp_path):
    rows = read_rows(write(tmp_path / "a.csv", row("b.png"), row("a.png", variant="x"), row("a.png")))
    assert rows.table[["image", "variant"]].to_numpy().tolist() == [["a.png", ""], ["b.png", ""], ["a.png", "x"]]
    assert rows.table["psnr"].tolist() == [float("inf")] * 3
    assert rows.table["queries"].isna().all()
    assert (rows.excluded, rows.notes) == ((), ())


def test_an_image_without_a_clip_is_its_own(tmp_path):
    path = write(tmp_path / "a.csv", row("a.png"), row("b.png").replace("b.png,b.png", "b.png,"))
    assert read_rows(path).table["clip"].tolist() == ["a.png", "b.png"]


def test_defended_rows_do_not_count_an_image_twice(tmp_path):
    rows = read_rows(write(tmp_path / "a.csv", row(), row() + "jpeg", row() + "blur"))
    assert len(rows.table) == 1
    assert rows.notes == ("2 rows of defended metrics excluded",)


def test_an_image_may_be_called_nan(tmp_path):
    assert read_rows(write(tmp_path / "a.csv", row("NA"))).table["image"].tolist() == ["NA"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", ""])
@pytest.mark.parametrize("column", ["clear", "attacked"])
def test_scores_that_are_not_finite_are_refused_by_name(tmp_path, column, value):
    rows = read_rows(write(tmp_path / "a.csv", row("a.png"), row("bad.png", **{column: value})))
    assert rows.table["image"].tolist() == ["a.png"]
    assert rows.excluded == (("sample", "", "bad.png", f"{column} is {value or 'nan'}"),)


def test_a_row_that_stands_twice_counts_once(tmp_path):
    path = write(tmp_path / "a.csv", row(), row(), row(variant="x"), row(amplitude="0.2"))
    rows = read_rows(path)
    assert rows.notes == ("1 duplicate rows excluded",)
    assert (rows.table["attacked"].tolist(), rows.excluded) == ([0.7, 0.7, 0.7], ())
    assert len(read_rows(path, parity=True).table) == 4


def test_rows_that_contradict_each_other_are_all_refused_by_name(tmp_path):
    path = write(tmp_path / "a.csv", row(), row(), row(attacked="0.9"), row("b.png"))
    rows = read_rows(path)
    assert rows.table["image"].tolist() == ["b.png"]
    assert rows.excluded == (("sample", "", "a.png", "its rows contradict each other"),)
    assert rows.notes == ("3 duplicate rows excluded",)
    assert len(read_rows(path, parity=True).table) == 4


def test_our_own_files_and_any_other_are_read_alike(tmp_path):
    names = ["a.png", 'quo"te, and comma', "NA", "é.png"]
    rows = [Row("set", name, "", 0.1 + i, math.inf, math.inf, 0.5, 0, 1, amplitude=0.2) for i, name in enumerate(names)]
    text = to_csv([{**each.cells(), "attacked": str(i / 7)} for i, each in enumerate(rows)])
    (tmp_path / "ours.csv").write_text(text, encoding="utf-8")
    (tmp_path / "other.csv").write_text(text.replace("queries,gradients", "gradients,queries"), encoding="utf-8")
    ours, other = read_rows(tmp_path / "ours.csv"), read_rows(tmp_path / "other.csv")
    assert sorted(ours.table["image"]) == sorted(names)
    pd.testing.assert_frame_equal(ours.table, other.table)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([row(), row(clear="half")], "clear must be a number; got 'half' in row 3"),
        ([row(), "sample,b.png,b.png,0.5,0.7"], "row 3 must have 13 cells; got 5"),
        ([row() + ",1,2,3"], "row 2 must have 13 cells; got 16"),
    ],
)
def test_a_damaged_file_is_refused_as_a_whole(tmp_path, lines, says):
    with pytest.raises(RowsError, match=says):
        read_rows(write(tmp_path / "a.csv", *lines))


def test_a_file_without_scores_is_refused(tmp_path):
    with pytest.raises(RowsError, match="must include clear, attacked; got dataset, image"):
        read_rows(write(tmp_path / "a.csv", "sample,a.png", header="dataset,image"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81", b"a\x00b"])
def test_what_is_no_csv_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(RowsError):
        read_rows(tmp_path / "a.csv")


def test_the_authors_data_set_labels_become_one(tmp_path):
    path = write(
        tmp_path / "x.csv",
        "a.png,NIPS2017,0.5,0.7",
        "b.png,NIPS,0.5,0.7",
        "clip.y4m-12,DERF,0.5,0.7",
        "00001_0402_im3.png,VIMEO,0.5,0.7",
        header="image_name,test_dataset,clear,attacked",
    )
    rows = read_rows(path)
    assert rows.table[["dataset", "clip"]].to_numpy().tolist() == [
        ["DERF", "clip.y4m"],
        ["NIPS", "a.png"],
        ["NIPS", "b.png"],
        ["VIMEO", "00001_0402"],
    ]
    assert rows.notes == ("data set NIPS2017 is read as NIPS",)
