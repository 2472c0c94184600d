"""What quotes others, such as file names and what contributed code raised, shows nothing that somebody would obey."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from metric_robustness.pipeline.engine.batching import one_line
from metric_robustness.pipeline.errors import BenchError, DataError
from metric_robustness.pipeline.scoring.tables.markdown_text import plain, table
from metric_robustness.pipeline.store.open import open_store
from metric_robustness.pipeline.terminal import Terminal
from metric_robustness.pipeline.terminal import plain as on_terminal

HOSTILE = "red \x1b[31m bell \x07 back \r turned \u202e end"


@pytest.mark.parametrize("shown", [lambda text: str(DataError(text)), lambda text: one_line(ValueError(text)), plain])
def test_control_characters_reach_no_message(shown):
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(shown(HOSTILE))


@pytest.mark.parametrize(
    ("console", "text"),
    [(Console, on_terminal(HOSTILE)), (Terminal, HOSTILE)],
    ids=["a cell of a table", "a line"],
)
def test_control_characters_reach_no_terminal(console, text):
    told = io.StringIO()
    console(file=told, force_terminal=True, color_system=None).print(text)
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(told.getvalue())


@pytest.mark.parametrize(
    "address", ["https://host.example/glpat-0123456789/api", "https://me:s3cret@host/api/v4/projects/1"]
)
def test_a_store_address_with_a_token_is_not_echoed(address, monkeypatch):
    monkeypatch.setenv("CI_JOB_TOKEN", "job-0123456789")
    with pytest.raises(BenchError, match=r"\*\*\*") as told:
        open_store(address)
    assert not {"glpat-0123456789", "s3cret"} & set(re.split(r"[/:@']", str(told.value)))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("https://me:glpat-1@host.example/x is none", "https://***@host.example/x is none"),
        (
            "got https://host.example/x?private_token=glpat-1&page=2",
            "got https://host.example/x?private_token=***&page=2",
        ),
        ("got https://host.example/glpat-0123456789/api", "got https://host.example/***/api"),
        ("glcbt-64_0123456789://x and hf_0123456789abcdef", "***://x and ***"),
        ("a plain file@name: b=c, global-adversarial-patch", "a plain file@name: b=c, global-adversarial-patch"),
    ],
)
def test_an_error_repeats_no_secret(message, told):
    assert str(BenchError(message)) == told


@pytest.mark.parametrize(
    "text",
    [
        "see #1",
        "see !1",
        "hi @all",
        "$1",
        "%1",
        '%"v 1"',
        "~bug",
        "https://evil.example",
        "www.evil.example",
        "<b>",
        "`x`",
    ],
)
def test_a_note_makes_no_link_of_contributed_text(text):
    for written in (plain(text), table(["x"], [[text]])):
        assert text not in written


def test_a_link_in_contributed_text_is_text():
    assert plain("[x](y)") == r"\[x](y)"


def test_emphasis_of_contributed_text_is_text():
    assert plain("a *b* _c_ __d__ small_cnn") == r"a \*b\* \_c\_ \_\_d\_\_ small_cnn"
    assert table(["x"], [["**small_cnn**"]]).endswith("| **small_cnn** |")
