"""What every attack declares about itself, and the page that lists it."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.budget import budget
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.cells.settings import Settings
from metric_robustness.pipeline.cli.pages import docs_pages
from metric_robustness.pipeline.cli.pages.attack_table import attack_row
from metric_robustness.pipeline.engine.attack.settings import attack_variants

ATTACKS = lookup.entries("attacks")


def columns(entry: Entry) -> dict[str, str]:
    return dict(zip(docs_pages.page_of("attacks").columns, attack_row(entry), strict=True))


@pytest.mark.parametrize("entry", ATTACKS.values(), ids=ATTACKS)
def test_metadata_is_complete(entry):
    assert entry.problem == ""
    for field in ("formula", "source", "differs"):
        assert entry.fields[field].strip(), field
        assert "\n" not in entry.fields[field]
    assert "https://" in entry.fields["source"] or entry.fields["family"] == "control"
    assert entry.fields["source"].count("http") <= 1
    assert len(entry.title) > len(entry.name)


@pytest.mark.parametrize("entry", ATTACKS.values(), ids=ATTACKS)
def test_settings_in_the_syntax_tree_are_the_dataclass_fields(entry):
    assert list(entry.settings) == [field.name for field in fields(entry.load())]


@pytest.mark.parametrize("entry", ATTACKS.values(), ids=ATTACKS)
def test_the_budget_in_the_syntax_tree_is_that_of_the_class(entry):
    changes = entry.fields["variants"]
    for variant, attack in attack_variants(entry, Settings()).items():
        read = budget(entry, changes.get(variant))
        assert list(read) == ["queries", "gradients"]
        for name, count in attack.budget()._asdict().items():
            assert read[name] == str(count) or not read[name].isdigit()  # a longer expression is shown as it is


def test_a_budget_that_is_no_arithmetic_is_shown_as_it_is_written(tmp_path):
    (tmp_path / "attacks").mkdir()
    (tmp_path / "attacks" / "push.py").write_text(
        "class Push:\n"
        "    def budget(self):\n"
        "        return Budget(queries=2 * len(self.rates) + self.steps // 2, gradients=sum(self.rates))\n"
    )
    entry = Entry("push", "attacks", settings={"rates": "(0.5, 1 / 255)", "steps": "7"}, root=tmp_path)
    assert budget(entry) == {"queries": "7", "gradients": "sum(rates)"}
    assert budget(entry, {"steps": 20}) == {"queries": "14", "gradients": "sum(rates)"}


def test_values_are_written_as_people_write_them():
    ifgsm, ami = columns(ATTACKS["ifgsm"]), columns(ATTACKS["amifgsm"])
    assert ifgsm["settings"] == "eps 10/255, step 1/255, steps 10"
    assert ami["variants"] == "matched: k 0.125; published: k 1e+09, eps 10/255"
    assert ami["spends"] == "10 queries, 10 gradients; surrogate niqe"
    assert columns(ATTACKS["fgsm"])["spends"] == "1 query, 1 gradient"
    assert columns(ATTACKS["noise"])["spends"] == "nothing"
    assert "amplitudes (0.2, 0.4, 0.8)" in columns(ATTACKS["cumulative_uap"])["settings"]


def test_a_variant_that_spends_more_says_so():
    ifgsm = ATTACKS["ifgsm"]
    thorough = replace(ifgsm, fields=ifgsm.fields | {"variants": {"thorough": {"steps": 150, "step": 0.25 / 255}}})
    assert columns(thorough)["variants"] == "thorough: steps 150, step 0.25/255 (150 queries, 150 gradients)"


def test_the_page_is_what_the_files_say():
    page = docs_pages.page_of("attacks")
    written = page.path.read_text(encoding="utf-8")
    assert written == page.text, "run python -m pipeline catalogue"
    assert all(written.count(f"\n| {name} |") == 2 for name in ATTACKS)
    assert "not said" not in written


def test_presets_name_variants_that_exist():
    known = {name for entry in ATTACKS.values() for name in entry.fields["variants"]}
    named = {preset.variants for preset in config.load().presets.values() if not isinstance(preset.variants, bool)}
    assert named
    assert {name for names in named for name in names} <= known
