"""The stamp: a cell counts as done only when stamp and rows are the ones that were written together."""

from __future__ import annotations

import json

import pytest

from metric_robustness.pipeline.cells.proof import proof_of
from metric_robustness.pipeline.cells.row import COLUMNS, Row, to_csv
from metric_robustness.pipeline.cells.stamp import (
    AttackFacts,
    DatasetFacts,
    MetricFacts,
    Stamp,
)
from metric_robustness.pipeline.files import digest, seal_json

ROWS = "dataset,image\nphotos,a.png\n"


def stamp(**changes) -> Stamp:
    return Stamp(
        **{
            "status": "done",
            "metric": MetricFacts(
                name="m", title="M", kind="NR", higher_is_better=True, score_range=(0, 1), fingerprint="f"
            ),
            "attack": AttackFacts(name="a", title="A", family="sign", access="white", fingerprint="f", settings={}),
            "datasets": [DatasetFacts(name="photos", digest="d", images=2, excluded={"b.png": "broken"})],
            "settings": {"jpeg": [50]},
            "preset": "",
            "key": "k",
            "rows": 1,
            "sha256": digest(ROWS.encode()),
            **changes,
        }
    )


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "m" / "a.csv"
    path.parent.mkdir()
    path.write_text(ROWS)
    path.with_suffix(".json").write_text(stamp().to_json())
    return path


def test_a_stamp_is_read_as_it_was_written(csv):
    assert Stamp.read(csv.with_suffix(".json")) == stamp()
    infinite = stamp(metric=stamp().metric.model_copy(update={"score_range": (0, float("inf"))}))
    assert Stamp.parse(infinite.to_json().encode()) == infinite


def test_a_finished_cell_counts_with_its_key(csv):
    assert proof_of(csv) == (stamp(), "")
    assert proof_of(csv).stamp.key == "k"


@pytest.mark.parametrize("damage", [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"status": "done"}', b"\0" * 400])
def test_a_damaged_stamp_is_no_stamp(csv, damage):
    csv.with_suffix(".json").write_bytes(damage)
    assert Stamp.read(csv.with_suffix(".json")) is None
    assert not proof_of(csv).holds


def test_a_stamp_with_an_unknown_field_or_value_is_no_stamp(csv):
    about = json.loads(stamp().to_json())
    del about["seal"]
    csv.with_suffix(".json").write_text(seal_json(json.dumps(about, indent=1)))
    assert Stamp.read(csv.with_suffix(".json")) == stamp()
    for changed in ({**about, "surprise": 1}, {**about, "status": "perhaps"}, {**about, "rows": "many"}):
        csv.with_suffix(".json").write_text(seal_json(json.dumps(changed, indent=1)))
        assert Stamp.read(csv.with_suffix(".json")) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"protocol": 3', '"protocol": 4'),
        ('"digest": "d"', '"digest": "e"'),
        ('"family": "sign"', '"family": "query"'),
        ('"kind": "NR"', '"kind": "FR"'),
        ('"higher_is_better": true', '"higher_is_better": false'),
        ('"name": "m"', '"name": "n"'),
        ("  1.0\n", "  9.0\n"),
        ("\n", "\n "),
    ],
)
def test_a_stamp_is_believed_as_a_whole_or_not_at_all(csv, old, new):
    file = csv.with_suffix(".json")
    text = stamp(protocol=3).to_json()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    assert proof_of(csv) == (None, "a.json is not a sealed stamp")


def test_a_folder_where_a_stamp_should_be_is_no_stamp(csv):
    csv.with_suffix(".json").unlink()
    csv.with_suffix(".json").mkdir()
    assert proof_of(csv).reason == "a.json is not a sealed stamp"


@pytest.mark.parametrize("damage", [ROWS[:-3], ROWS + ROWS, ROWS.replace("a", "b"), ""])
def test_damaged_rows_are_not_current(csv, damage):
    csv.write_text(damage)
    assert not proof_of(csv).holds


def test_rows_or_stamp_that_are_gone_are_not_current(csv):
    csv.with_suffix(".json").rename(csv.with_name("kept"))
    assert not proof_of(csv).holds
    csv.with_name("kept").rename(csv.with_suffix(".json"))
    csv.unlink()
    assert not proof_of(csv).holds


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_cell_that_failed_or_was_skipped_is_never_current(csv, status):
    csv.with_suffix(".json").write_text(stamp(status=status).to_json())
    assert not proof_of(csv).holds


def test_a_row_is_text_with_six_digits_and_nothing_for_none():
    row = Row("d", 'a "b", ä.png', "c", 1 / 3, 123456789.0, float("inf"), 1e-9, 0.0, 10 / 255, gradients=10)
    told = row.cells()
    assert tuple(told) == COLUMNS
    assert (told["clear"], told["attacked"], told["psnr"], told["ssim"]) == ("0.333333", "1.23457e+08", "inf", "1e-09")
    assert (told["amplitude"], told["queries"], told["gradients"]) == ("", "0", "10")
    text = to_csv([told])
    assert "\r" not in text
    assert text.splitlines()[1].startswith('d,"a ""b"", ä.png",c,0.333333,')
