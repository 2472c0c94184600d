"""A defended metric without its bare metric: run, `show` and the front page say what to add, and none is empty."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
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
