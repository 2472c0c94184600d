"""Seals: what was changed, cut or exchanged is not believed."""

from __future__ import annotations

import json

import pytest

from metric_robustness.pipeline.files import (
    SealError,
    read_sealed,
    seal_json,
    sealed,
    unseal,
    unseal_json,
    write_sealed,
)


def test_what_was_sealed_is_read_and_nothing_else(tmp_path, capsys):
    path = tmp_path / "deep" / "file"
    assert read_sealed(path, "one") is None
    write_sealed(path, b"content\n", "one")
    assert read_sealed(path, "one") == b"content\n"
    assert read_sealed(path, "two") is None
    assert capsys.readouterr().err == ""
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        for damaged in (whole[:place], whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]):
            path.write_bytes(damaged)
            assert read_sealed(path, "one") is None
            assert "is damaged: what it held is done again" in " ".join(capsys.readouterr().err.split())


def test_an_odd_name_is_sealed_too():
    name = "clip\nä\udcff.mp4"
    assert unseal(sealed(b"", name), name) == b""


@pytest.mark.parametrize("facts", [{"a": 1}, {"a": {"b": [1, 2]}, "seal": "own"}])
def test_sealed_json_is_json_that_people_can_read(facts):
    text = seal_json(json.dumps(facts, indent=1) + "\n")
    assert list(json.loads(text)) == [*facts, "seal"] if "seal" not in facts else True
    assert json.loads(unseal_json(text.encode())) == facts
    for place in range(len(text)):
        with pytest.raises(SealError):
            unseal_json((text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]).encode())
        with pytest.raises(SealError):
            unseal_json(text[:place].encode())
