"""The test suite itself: the lists behind `make test-fast` and the order of files name things that exist."""

from scratch import ROOT
from suite import LONGEST, WHOLE, WHOLE_PLACES


def test_every_file_that_begins_first_is_there():
    assert [name for name in LONGEST if not (ROOT / name).is_file()] == []


def test_every_fixture_that_makes_a_test_whole_is_there():
    text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py"))
    assert [name for name in sorted(WHOLE) if f"\ndef {name}(" not in text] == []


def test_every_place_of_whole_tests_is_there():
    assert [name for name in sorted(WHOLE_PLACES) if not (ROOT / "tests" / name).exists()] == []
