"""README and docs: short, linked, and of commands that exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from scratch import ROOT
from shown_commands import FENCED, PAGES, shown_commands

from metric_robustness.pipeline.__main__ import app

BIN = Path(sys.executable).parent
COMMANDS = typer.main.get_command(app)


def test_readme_is_two_screens_long():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize(("page", "line"), sorted(set(shown_commands())))
def test_a_command_that_a_page_shows_exists_with_its_options(page, line):
    command, words, context = COMMANDS, shlex.split(line), None
    while words and hasattr(command, "resolve_command"):
        context = command.make_context("pipeline", words, parent=context)
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
    if words:  # a bare name stands for the command
        command.make_context("command", words, parent=context)


@pytest.mark.whole
def test_the_reference_of_commands_is_that_of_the_command_line(tmp_path):
    made = tmp_path / "commands.md"
    arguments = ["metric_robustness.pipeline.__main__", "utils", "docs", "--name", "python -m pipeline"]
    subprocess.run([BIN / "typer", *arguments, "--title", "Commands", "--output", made], check=True, cwd=ROOT)
    assert made.read_text() == (ROOT / "docs" / "commands.md").read_text(), "make docs/commands.md writes it"


@pytest.mark.whole
def test_the_site_is_built_and_every_link_leads_somewhere(tmp_path):
    command = [BIN / "mkdocs", "build", "--strict", "--site-dir", tmp_path]  # --quiet would let warnings pass
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "methodology.html").is_file()


def test_what_pages_outside_the_site_link_to_is_there():
    for page in PAGES[:3]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", FENCED.sub("", page.read_text(encoding="utf-8"))):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
