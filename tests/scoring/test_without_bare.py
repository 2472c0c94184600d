"""A defended metric without its bare metric: run, `show` and the front page say what to add, and none is empty."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from run_folder import restamp
from typer.testing import CliRunner

from metric_robustness.pipeline.__main__ import app
from metric_robustness.pipeline.scoring.tables.write import print_defences, what_defences_did, write_tables
from metric_robustness.pipeline.site.build import write_site

ADD = "the bare metric was not run, so what the defence is worth is unknown: add run --metrics blur --attacks ifgsm"


@pytest.fixture
def alone(run_folder):
    run_folder.cell("blur+jpeg", "ifgsm")
    return run_folder


def test_the_terminal_says_what_to_add(alone):
    console = Console(file=io.StringIO(), width=400)
    print_defences(*what_defences_did([alone.path]), console)
    assert ADD in console.file.getvalue()


def test_the_bare_metric_ends_the_complaint_and_fills_the_table(alone):
    alone.cell("blur", "ifgsm")
    console = Console(file=io.StringIO(), width=80)
    print_defences(*what_defences_did([alone.path]), console)
    told = console.file.getvalue()
    assert "was not run" not in told
    assert [line.split()[0] for line in told.splitlines()[-2:]] == ["none", "jpeg"]


def test_show_and_the_front_page_say_it_too(alone):
    write_site(write_tables([alone.path], alone.path), alone.path, alone.path)
    assert ADD in (alone.path / "index.html").read_text()
    assert ADD in (alone.path / "defences.md").read_text()
    assert ADD in CliRunner().invoke(app, ["show", "--from", str(alone.path)]).stdout


def test_what_defences_were_not_tried_on_is_told_with_the_reason(run_folder, make_row):
    def behind(told):
        told["settings"]["defences"] = ["jpeg"]

    scores = {"clear_defended": 0.4, "attacked_defended": 0.5, "psnr_defended": 40.0, "ssim_defended": 0.9}
    rows = [make_row(name, 0.4, 0.7, defence="jpeg", **scores) for name in ("a.png", "b.png")]
    restamp(run_folder.cell("blur", "ifgsm", rows=rows, label="ifgsm+defended", asked=2), behind)
    damaged = run_folder.cell("blur", "fgsm", rows=rows, label="fgsm+defended", asked=2)
    restamp(damaged, behind)
    damaged.write_text("damaged", encoding="utf-8")
    restamp(run_folder.cell("blur", "noise", rows=[], label="noise+defended", asked=2), behind)
    for attack in ("uap", "madc"):
        run_folder.without_rows("blur", attack, "failed", "out of memory")
        bare = run_folder.path / "blur" / f"{attack}.json"
        restamp(bare.rename(bare.with_name(f"{attack}+defended.json")).with_suffix(".csv"), behind)
    lost = (
        "corrupt: blur behind its defences, under fgsm: fgsm+defended.csv is not what was stamped",
        "failed: blur behind its defences, under madc, uap: out of memory",
        "failed: blur behind its defences, under noise: no rows on sample",
    )
    write_site(write_tables([run_folder.path], run_folder.path), run_folder.path, run_folder.path)
    shown = CliRunner().invoke(app, ["show", "--from", str(run_folder.path)]).stdout
    for line in lost:
        for told in (*((run_folder.path / name).read_text() for name in ("index.html", "defences.md")), shown):
            assert line in told
    run_folder.without_rows("blur", "uap", "failed", "out of memory")  # the leaderboard names it
    _, missing = what_defences_did([run_folder.path])
    assert "failed: blur behind its defences, under madc: out of memory" in missing
