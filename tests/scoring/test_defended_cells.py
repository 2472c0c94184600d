"""What defences did is cached, too: unchanged cells are not read again, and a changed one costs its metric only."""

import os
import shutil

import pytest
from run_folder import RunFolder
from run_folder import row as make_row

from metric_robustness.pipeline.scoring.tables.write import what_defences_did, write_tables

FILES = ("defences.csv", "defences.md", "excluded.csv", "scores.csv", "leaderboard.json")
NAMES = ("a.png", "b.png", "c.png", "d.png")


@pytest.fixture
def defended(run_folder):
    for metric, left in (("blur", 0.1), ("sharp", 0.2)):
        run_folder.cell(metric, "ifgsm", [0.3, 0.4, 0.2, 0.5], excluded={"z.png": "too small"})
        assess(run_folder, metric, left)
        run_folder.cell(f"{metric}+jpeg", "ifgsm", [left, 0.2, 0.3, float("nan")])
    run_folder.cell("alone+flip", "ifgsm")
    run_folder.without_rows("blur+flip", "ifgsm", "failed", "out of memory")
    return run_folder


def assess(run_folder, metric, left):
    rows = [
        make_row(
            name,
            0.4,
            0.7,
            defence=defence,
            clear_defended=0.41 + place / 9,
            attacked_defended=0.4 + left + place / 7,
            psnr_defended=30.0,
            ssim_defended=0.8,
            mos=float(place),
        )
        for defence in ("jpeg", "flip")
        for place, name in enumerate(NAMES)
    ]
    broken = make_row("e.png", 0.4, float("inf"), defence="jpeg")
    run_folder.cell(metric, "ifgsm", label="ifgsm+defended", rows=[*rows, broken])


def tables(*folders, out=None):
    paths = [folder.path for folder in folders]
    out = out or paths[0]
    write_tables(paths, out)
    return {name: (out / name).read_bytes() for name in FILES}


def spoil(*files):
    """Fills files with other bytes, and leaves their size and time: whoever reads them again sees it."""
    for file in files:
        before = file.stat()
        file.write_bytes(b"x" * before.st_size)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def rows_of(folder, metric=""):
    return sorted(folder.path.glob(f"{metric}*/*.csv"))


def test_the_tables_are_the_same_bytes_and_no_row_is_read_for_them(defended):
    first = tables(defended)
    assert b"e.png" in first["excluded.csv"]
    assert b"add run --metrics alone" in first["defences.md"]
    spoil(*rows_of(defended))
    assert tables(defended) == first
    lines, missing = what_defences_did([defended.path])
    assert len(lines) == first["defences.csv"].count(b"\n") - 1
    assert len(missing) == 1


def test_the_tables_are_those_of_a_folder_without_a_cache(defended):
    tables(defended)
    again = tables(defended)
    shutil.rmtree(defended.path / ".work")
    assert tables(defended) == again


def test_a_changed_cell_costs_the_rows_of_its_metric_only(defended, tmp_path):
    tables(defended)
    fresh = RunFolder(tmp_path / "fresh")
    shutil.copytree(defended.path, fresh.path)
    shutil.rmtree(fresh.path / ".work")
    for folder in (defended, fresh):
        assess(folder, "sharp", 0.3)
    spoil(*rows_of(defended, "blur"), *rows_of(defended, "alone"))
    assert tables(defended) == tables(fresh)


@pytest.mark.parametrize("change", ["gone", "range"])
def test_what_is_no_row_counts_too(defended, change, tmp_path):
    first = tables(defended)
    if change == "gone":
        for file in (defended.path / "sharp+jpeg").iterdir():
            file.unlink()
        assert b"sharp,jpeg,ifgsm,sample,,adaptive" not in tables(defended)["defences.csv"]
    else:
        ranges = tmp_path / "ranges.csv"
        ranges.write_text("metric,low,high\nsharp,0,2\n")
        write_tables([defended.path], defended.path, ranges)
        before, after = (text.splitlines() for text in (first["defences.csv"], read(defended, "defences.csv")))
        assert {line.split(b",")[0] for line in set(before) ^ set(after)} == {b"sharp"}


def read(folder, name):
    return (folder.path / name).read_bytes()


def test_a_defended_metric_in_another_folder_finds_its_bare_metric(defended, tmp_path):
    other = RunFolder(tmp_path / "other")
    other.path.mkdir()
    shutil.move(defended.path / "sharp+jpeg", other.path / "sharp+jpeg")
    first = tables(defended, other, out=tmp_path / "tables")
    spoil(*rows_of(defended), *rows_of(other))
    assert tables(other, defended, out=tmp_path / "tables") == first
    assert b"sharp,jpeg,ifgsm,sample,,adaptive" in first["defences.csv"]


def test_rows_without_a_stamp_are_read_each_time(defended):
    (defended.path / "blur" / "madc.csv").write_text("image_name,test_dataset,clear,attacked\ni.png,NIPS,0.1,inf\n")
    first = tables(defended)
    assert tables(defended) == first


def test_a_damaged_file_is_told_and_made_anew(defended, capsys):
    first = tables(defended)
    file = defended.path / ".work" / "blur" / "defences.derived"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert tables(defended) == first
    assert f"{file} is damaged: what it held is done again" in capsys.readouterr().err
    assert file.read_bytes() == whole
