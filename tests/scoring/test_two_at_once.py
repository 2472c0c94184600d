"""Tables of one run folder made by several processes at once: they wait for each other, and none has to run again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from metric_robustness.pipeline.scoring.board.consistency import together
from metric_robustness.pipeline.scoring.board.leaderboard import build
from metric_robustness.pipeline.scoring.board.record_cache import cache_lock, read_records
from metric_robustness.pipeline.scoring.tables.write import write_tables

HALFWAY = """
import sys
from pathlib import Path
from metric_robustness.pipeline.scoring.board.consistency import together
from metric_robustness.pipeline.scoring.board.leaderboard import build
from metric_robustness.pipeline.scoring.board.record_cache import cache_lock, read_records
folder = Path(sys.argv[1])
with cache_lock([folder]):
    records = together(read_records([folder], {}))
    print("records are read", flush=True)
    sys.stdin.read()
    print(len(build(records).sections[0].standings))
"""


@pytest.fixture
def two(run_folder):
    run_folder.cell("blur", "ifgsm", [0.1, 0.3, 0.2])
    run_folder.cell("sharp", "ifgsm", [0.2, 0.3, 0.2])
    return run_folder


def start(*arguments, stdin=subprocess.PIPE):
    return subprocess.Popen(
        [*map(str, arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


@pytest.mark.slow
def test_reports_wait_for_the_process_that_is_at_work(two, tmp_path):
    first = start(sys.executable, "-c", HALFWAY, two.path)
    assert first.stdout.readline() == "records are read\n", first.communicate()
    two.cell("blur", "ifgsm", [0.5, 0.5, 0.6])
    others = [
        start(sys.executable, "-m", "pipeline", "report", two.path, "--out", tmp_path / f"pages{i}") for i in (1, 2)
    ]
    for other in others:
        assert other.stderr.readline() == f"waiting for another process, which makes tables of {two.path}\n"
    assert first.communicate() == ("2\n", "")
    for other in others:
        _, told = other.communicate()
        assert other.returncode == 0, told
    one, another = ((tmp_path / f"pages{i}" / "scores.csv").read_bytes() for i in (1, 2))
    assert one == another
    assert b",0.533333," in one


@pytest.mark.slow
def test_who_may_only_read_a_folder_waits_for_who_makes_its_tables(two):
    reader = [shutil.which("setpriv"), "--bounding-set=-dac_override"] if os.geteuid() == 0 else []  # root may else
    with cache_lock([two.path]):
        (two.path / ".tables.lock").chmod(0o444)
        two.path.chmod(0o555)
        other = start(*reader, sys.executable, "-c", HALFWAY, two.path, stdin=subprocess.DEVNULL)
        assert other.stderr.readline() == f"waiting for another process, which makes tables of {two.path}\n"
    assert other.communicate() == ("records are read\n2\n", "")
    two.path.chmod(0o755)


@pytest.mark.slow
def test_a_killed_process_leaves_the_folder_to_the_next(two):
    first = start(sys.executable, "-c", HALFWAY, two.path)
    assert first.stdout.readline() == "records are read\n", first.communicate()
    first.kill()
    first.communicate()
    with cache_lock([two.path]):
        assert len(build(together(read_records([two.path], {}))).sections[0].standings) == 2


def test_a_folder_that_is_named_twice_does_not_wait_for_itself(two, tmp_path):
    (tmp_path / "link").symlink_to(two.path)
    with cache_lock([two.path, tmp_path / "link"]):
        assert (two.path / ".tables.lock").is_file()


def test_a_folder_without_stamps_gets_no_lock(tmp_path):
    (tmp_path / "blur").mkdir()
    (tmp_path / "blur" / "ifgsm.csv").write_text("image_name,test_dataset,clear,attacked\ni.png,NIPS,0.1,0.2\n")
    write_tables([tmp_path], tmp_path / "tables")
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_holds_cells_itself_has_a_lock_and_a_cache_of_its_own(two):
    """Such as a metric's folder, beside a folder of the same name within it."""
    flat = two.path / "blur"
    shutil.copytree(two.path / "sharp", flat / "blur")
    first, again = (len(write_tables([flat], flat).sections[0].standings) for _ in range(2))
    assert first == again == 2
    shutil.rmtree(flat / "blur")
    (flat / ".tables.lock").unlink()
    with cache_lock([flat]):
        assert (flat / ".tables.lock").is_file()
