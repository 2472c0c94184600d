"""YAML that people write: a bomb is refused before it goes off."""

from __future__ import annotations

import pytest

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import parse_yaml

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i + 1}: &a{i + 1} [*a{i}, *a{i}, *a{i}, *a{i}]\n" for i in range(30))


def test_aliases_may_repeat_what_is_small(tmp_path):
    file = tmp_path / "a.yml"
    file.write_text("one: &one {a: [1, 2]}\ntwo: *one\n")
    assert parse_yaml(file) == {"one": {"a": [1, 2]}, "two": {"a": [1, 2]}}


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]", "a: &a {b: *a}"])
def test_aliases_that_repeat_without_end_are_refused(tmp_path, text):
    file = tmp_path / "a.yml"
    file.write_text(text)
    with pytest.raises(BenchError, match=r"a.yml must hold at most 100000 values; its aliases make more"):
        parse_yaml(file)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"[" * 10000, b"a: *b"])
def test_what_is_no_yaml_is_told_in_one_line(tmp_path, content):
    file = tmp_path / "a.yml"
    file.write_bytes(content)
    with pytest.raises(BenchError, match=r"^a.yml must be YAML; got .*: correct it$"):
        parse_yaml(file)
