"""The site's files: the same cells give the same bytes, in folders of our own, and others are named in none."""

import json
import re
import shutil
import zipfile

import pytest
from page_text import text
from run_folder import RunFolder

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.scoring.read.cells import read_cells
from metric_robustness.pipeline.scoring.scores.robustness import SCORES
from metric_robustness.pipeline.scoring.tables.write import write_tables
from metric_robustness.pipeline.site.addresses import address
from metric_robustness.pipeline.site.build import require_own_pages
from metric_robustness.pipeline.site.downloads import citation


def contents(folder):
    """Returns the files of a folder except the hidden ones, which are scoring's record cache and its lock."""
    files = [*folder.glob("[!.]*"), *folder.glob("[!.]*/**/*")]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()}


@pytest.fixture
def filled(run_folder):
    for metric, by in {"weak": 0.4, "strong": 0.1}.items():
        run_folder.cell(metric, "ifgsm", [by, by + 0.05], seconds={"": 12.0})
        run_folder.cell(metric, "noise", [0.01, -0.01])
    run_folder.without_rows("strong", "madc", "failed", "out of memory")
    return run_folder


def test_the_same_cells_give_the_same_bytes_and_old_pages_go(filled, build, tmp_path):
    first = contents(build(filled.path))
    filled.cell("gone", "ifgsm", [0.1, 0.2])
    assert "metrics/gone.html" in contents(build(filled.path))
    shutil.rmtree(filled.path / "gone")
    (tmp_path / "site" / "metrics" / "mine.html").write_text("somebody's", encoding="utf-8")
    after = contents(build(filled.path))
    assert after.pop("metrics/mine.html") == b"somebody's"
    assert after == first
    shutil.copytree(filled.path, tmp_path / "elsewhere")
    assert contents(build(tmp_path / "elsewhere", "other")) == first
    assert {"index.html", "metrics/weak.html", "attacks/ifgsm.html", "rows.zip", "assets/tokens.css"} <= first.keys()
    assert "defences.html" not in first


def test_a_folder_of_somebody_else_is_not_written_over(filled, tmp_path):
    for name in ("index.html", "about.html"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("somebody's", encoding="utf-8")
        with pytest.raises(BenchError, match=f"holds {name}, which no report wrote.*choose another --out"):
            require_own_pages(tmp_path / name)
    other = RunFolder(tmp_path / "other")
    other.cell("weak", "ifgsm", [0.1, 0.2])
    with pytest.raises(BenchError, match="holds the rows of another run, whose tables it keeps: choose another --out"):
        write_tables([filled.path], other.path)
    assert not (other.path / "scores.csv").exists()


def test_no_page_names_another_host(filled, build):
    for file in build(filled.path).rglob("*.html"):
        assert not re.search(r"(src|href|action)=\"?(https?:)?//", file.read_text(encoding="utf-8")), file


def test_a_page_and_what_it_loads_stay_below_two_megabytes(filled, build):
    site = build(filled.path)
    assert sum(file.stat().st_size for file in (site / "assets").iterdir()) < 800_000
    assert all(file.stat().st_size < 300_000 for file in site.rglob("*.html"))


def test_missing_cells_are_told_with_their_reason(filled, build):
    site = build(filled.path)
    assert "strong madc sample failed out of memory" in text(site / "index.html")
    assert "out of memory" in text(site / "metrics" / "strong.html")
    assert "strong : out of memory" in text(site / "attacks" / "madc.html")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ssim", "metrics/ssim.html"), ("ssim+jpeg", "metrics/ssim+jpeg.html"), ("../../x", None), ("SSIM", None)],
)
def test_addresses_stay_below_their_folder_and_apart(name, expected):
    found = address("metrics", name)
    assert re.fullmatch(r"metrics/[a-z0-9_+=-]+\.html", found)
    assert found == expected or expected is None
    assert found != address("metrics", name.lower() + "x")
    assert expected or found != address("metrics", re.sub(r"[^a-z0-9]+", "-", name))


def test_the_axis_spans_the_intervals_from_tick_to_tick(filled, build):
    site = build(filled.path)
    board = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    (section,) = board["sections"]
    highest = max(metric["worst_case"]["absolute_gain"]["high"] for metric in section["metrics"])
    (end,) = re.findall(r"Gain, from 0 to ([\d.]+)", (site / "index.html").read_text(encoding="utf-8"))
    assert highest <= float(end) < highest + 0.1


def test_the_archive_holds_every_file_with_the_same_bytes(filled, build):
    with zipfile.ZipFile(build(filled.path) / "rows.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents(filled.path)


def test_the_citation_holds_the_paper_of_every_score():
    assert all(score.source.rpartition("/")[2] in citation([]) for score in SCORES.values())


def test_the_citation_names_what_it_was_made_from(run_folder):
    run_folder.cell(commit="c0ffee{}\\", finished="2026-11-21T10:00:00+00:00")
    found = citation([cell.stamp for cell in read_cells([run_folder.path])])
    assert "year = {2026}" in found
    assert "note = {results of 2026-11-21; commits c0ffee}" in found
    assert found.count("{") == found.count("}")
