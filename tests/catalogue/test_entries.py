"""The catalogue: what it reads from the files of entries, without importing them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metric_robustness.pipeline import config, places
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import weights_path
from metric_robustness.pipeline.errors import BenchError, DataError, suggestion

METRIC = '''"""Contrast: a spread.

Authors. Paper.
"""

from metric_robustness.metrics.base import Images, NoReference, Scores
from metric_robustness.metrics.window_adapter import spread


class Contrast(NoReference):
    higher_is_better = True
    score_range = (0.0, 1.0)
    weights = ("weights/contrast.bin", "hub/pyiqa/large.pth")

    def score(self, images: Images) -> Scores:
        """Returns the spread."""
        return spread(images, 3)
'''
ATTACK = '''"""Push: a step.

Authors. Paper about
a step. 2020. https://example.org/push
More at https://example.org/more
"""

from dataclasses import dataclass

from metric_robustness.attacks.base import Attack


@dataclass(frozen=True)
class Push(Attack):
    access = "white"
    family = "sign"
    variants = {"strong": {"step": 2.0}}
    step: float = 1.0
'''
ADAPTER = "def spread(images, window):\n    return images.std(dim=(1, 2, 3)) * window\n"


@pytest.fixture
def root(tree, monkeypatch):
    """Returns the root of a scratch copy that the catalogue reads, with one metric of our own."""
    monkeypatch.setattr(places, "CODE", tree.root)
    monkeypatch.setenv(places.PROJECT, str(tree.root))
    tree.write("metrics/contrast.py", METRIC)
    tree.write("metrics/window_adapter.py", ADAPTER)
    tree.write("metrics/weights/contrast.bin", "weights")
    return tree.root


def rewrite(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def fingerprint() -> str:
    entry = lookup.find("metrics", "contrast")
    assert not entry.problem
    return entry.fingerprint


def test_reads_what_a_file_declares(root):
    entry = lookup.find("metrics", "contrast")
    assert (entry.title, entry.kind) == ("Contrast: a spread", "NR")
    assert entry.fields["higher_is_better"] is True
    assert entry.fields["score_range"] == (0.0, 1.0)


def test_reads_literals_of_the_base_classes_too(root):
    fields = lookup.find("metrics", "contrast").fields
    assert (fields["smallest"], fields["differentiable"], fields["cost"]) == (7, True, "light")
    rewrite(root / "metrics" / "base.py", "smallest: ClassVar[int] = 7", "smallest: ClassVar[int] = 9")
    assert lookup.find("metrics", "contrast").fields["smallest"] == 9


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Authors. Paper.", "Others. Another paper."),
        ("return spread(images, 3)", "return spread(images, 3)  # a comment"),
        ("return spread(images, 3)", "return spread(\n            images,\n            3,\n        )"),
        ('        """Returns the spread."""\n', ""),
        ('"weights/contrast.bin"', "'weights/contrast.bin'"),
        ("\n\n\nclass", "\n\n\n\n\n# a heading\nclass"),
        ("    score_range", '    licence = "MIT"\n    trained_on = "TID2013"\n    score_range'),
    ],
    ids=["docstring", "comment", "layout", "no docstring", "quotes", "blank lines", "what only describes it"],
)
def test_a_fingerprint_is_blind_to_what_the_computer_does_not_run(root, old, new):
    before = fingerprint()
    rewrite(root / "metrics" / "contrast.py", old, new)
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("contrast.py", "spread(images, 3)", "spread(images, 4)"),
        ("contrast.py", "(0.0, 1.0)", "(0.0, 2.0)"),
        ("contrast.py", "hub/pyiqa/large.pth", "hub/pyiqa/larger.pth"),
        ("base.py", "return scores.float()", "return -scores.float()"),
        ("window_adapter.py", "* window", "/ window"),
        ("weights/contrast.bin", "weights", "other weights"),
    ],
    ids=["code", "range", "name of weights", "base class", "module of ours", "own weights"],
)
def test_a_fingerprint_changes_with_what_the_scores_depend_on(root, file, old, new):
    before = fingerprint()
    rewrite(root / "metrics" / file, old, new)
    assert fingerprint() != before


def test_a_fingerprint_is_blind_to_an_attack_s_description_but_not_to_a_variable_of_that_name(root):
    file = root / "attacks" / "push.py"
    file.write_text(f"{ATTACK}\n    def perturb(self, images, objective, noise):\n        return images\n")
    before = lookup.find("attacks", "push").fingerprint
    rewrite(file, "    variants", '    formula = "y = x"\n    differs = "nothing"\n    source = "ours"\n    variants')
    assert lookup.find("attacks", "push").fingerprint == before
    rewrite(file, "        return", "        source = images + 1\n        return")
    assert lookup.find("attacks", "push").fingerprint != before


def test_a_source_is_what_stands_below_the_title_up_to_the_first_link_unless_the_class_names_it(root):
    file = root / "attacks" / "push.py"
    file.write_text(ATTACK)
    assert (
        lookup.find("attacks", "push").fields["source"] == "Authors. Paper about a step. 2020. https://example.org/push"
    )
    rewrite(file, "    variants", '    source = "ours"\n    variants')
    assert lookup.find("attacks", "push").fields["source"] == "ours"
    assert lookup.find("metrics", "contrast").fields["source"] == ""  # its docstring has no link


def test_a_fingerprint_covers_modules_that_are_imported_by_imported_ones(root):
    (root / "metrics" / "deep_adapter.py").write_text("FACTOR = 1\n")
    rewrite(
        root / "metrics" / "window_adapter.py",
        "def",
        "from metric_robustness.metrics.deep_adapter import FACTOR\n\n\ndef",
    )
    before = fingerprint()
    (root / "metrics" / "deep_adapter.py").write_text("FACTOR = 2\n")
    assert fingerprint() != before


@pytest.mark.parametrize(("package", "counts"), [("pyiqa", True), ("torch", False), ("pandas", False)])
def test_a_fingerprint_covers_the_locked_versions_of_the_packages_that_hold_metrics(root, package, counts):
    rewrite(root / "metrics" / "window_adapter.py", "def", "import pyiqa\nimport torch\n\n\ndef")
    (root / "requirements.lock").write_text("# locked\npandas==1.0\npyiqa==1.0\ntorch==1.0\n")
    before = fingerprint()
    rewrite(root / "requirements.lock", f"{package}==1.0", f"{package}==1.0.1")
    assert (fingerprint() != before) is counts


def test_a_fingerprint_does_not_depend_on_another_entry_or_where_the_checkout_lies(root, tmp_path, monkeypatch):
    before = fingerprint()
    (root / "metrics" / "other.py").write_text(METRIC.replace("3)", "5)"))
    assert fingerprint() == before
    root.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(places, "CODE", tmp_path / "elsewhere")
    monkeypatch.setenv(places.PROJECT, str(tmp_path))
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("def score(", "def score((", "line 15"),
        ("class Contrast(NoReference):", "class Contrast:", "must inherit"),
        ("class Contrast", "class Another:\n    pass\n\n\nclass Contrast", "exactly one class; it holds 2"),
        ("    higher_is_better = True\n", "", "higher_is_better must be True or False"),
        ("higher_is_better = True", "higher_is_better = bool(1)", "higher_is_better must be True or False"),
        ("(0.0, 1.0)", "(1.0, 0.0)", "score_range must be (low, high)"),
        ("(0.0, 1.0)", "(0.0, 1e999)", "score_range must be (low, high)"),
        ("(0.0, 1.0)", '"0 to 1"', "score_range must be (low, high)"),
        ('"weights/contrast.bin"', '"contrast.bin"', "must begin with weights/"),
        ('"weights/contrast.bin"', '"huggingface/a.bin"', "huggingface/OWNER/REPOSITORY/FILE"),
        ('("weights/contrast.bin", "hub/pyiqa/large.pth")', '"hub/a.pth"', "weights must be of type tuple"),
        ('"weights/contrast.bin"', '"hub/pyiqa/\\x1b[31m.pth"', "weights must be of type tuple, of names"),
        ("    weights", '    smallest = "32"\n    weights', "smallest must be of type int"),
        ("    weights", '    differentiable = "no"\n    weights', "differentiable must be of type bool"),
        ("    weights", '    cost = "dear"\n    weights', 'cost must be "light" or "heavy"'),
        ('"weights/contrast.bin"', "1", "weights must be of type tuple, of names"),
        ("(0.0, 1.0)", "{[]: 1}", "score_range must be (low, high)"),
        ('"""Contrast: a spread.\n\nAuthors. Paper.\n"""\n', "", "must begin with a docstring"),
    ],
)
def test_a_broken_metric_costs_only_itself(root, old, new, problem):
    (root / "metrics" / "sound.py").write_text(METRIC)
    rewrite(root / "metrics" / "contrast.py", old, new)
    found = lookup.entries("metrics")
    assert problem in found["contrast"].problem
    assert found["contrast"].problem.startswith("metrics/contrast.py")
    assert "\n" not in found["contrast"].problem
    assert not found["sound"].problem
    with pytest.raises(DataError, match=r"metrics/contrast\.py"):
        found["contrast"].load()


def test_a_file_without_a_class_or_in_another_encoding_costs_only_itself(root):
    (root / "metrics" / "empty.py").write_text('"""Nothing."""\n')
    (root / "metrics" / "latin.py").write_bytes(METRIC.replace("Authors", "Frédéric").encode("latin-1"))
    (root / "metrics" / "zeros.py").write_bytes(b"\0\0\0")
    (root / "metrics" / "Loud.py").write_text(METRIC)
    found = lookup.entries("metrics")
    assert "it holds 0" in found["empty"].problem
    assert "utf-8" in found["latin"].problem
    assert found["zeros"].problem
    assert "rename the file" in found["Loud"].problem
    assert not found["contrast"].problem


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('    access = "white"\n', "", 'access must be "white" or "black"'),
        ('"white"', '"grey"', 'access must be "white" or "black"'),
        ('"white"', '["white"]', 'access must be "white" or "black"'),
        ('    family = "sign"\n', "", "family must be one of"),
        ('"strong"', '"Strong one"', "a variant's name must match"),
        ('"strong"', "1", "a variant's name must match"),
        ("    variants", "    formula = 1\n    variants", "formula must be of type str"),
        ('{"strong": {"step": 2.0}}', '["strong"]', "variants must be of type dict"),
    ],
)
def test_a_broken_attack_costs_only_itself(root, old, new, problem):
    (root / "attacks" / "push.py").write_text(ATTACK)
    assert not lookup.find("attacks", "push").problem
    rewrite(root / "attacks" / "push.py", old, new)
    found = lookup.entries("attacks")
    assert problem in found["push"].problem
    assert not found["fgsm"].problem


def test_shared_modules_are_no_entries(root):
    assert set(lookup.entries("metrics")) == {"contrast"}
    assert {"fgsm", "noise"} <= set(lookup.entries("attacks"))
    assert "base" not in lookup.entries("attacks")


def test_an_unknown_name_is_answered_with_the_nearest(root):
    with pytest.raises(BenchError, match="no metric is named 'contrst': did you mean contrast"):
        lookup.find("metrics", "contrst")
    with pytest.raises(BenchError, match="did you mean fgsm"):
        lookup.find_anywhere("FGSM")
    with pytest.raises(BenchError, match="there are contrast"):
        lookup.find("metrics", "xyzzy")


def test_of_many_names_an_unlike_one_is_answered_in_a_short_line():
    assert suggestion("zzzzzz", {str(number): None for number in range(200)}) == (
        "none of 200 is like it: the command list shows them"
    )


def test_weights_are_looked_for_where_their_packages_keep_them(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert weights_path("weights/a.bin") == root / "metrics" / "weights" / "a.bin"
    assert weights_path("weights/a.bin", "defences") == root / "defences" / "weights" / "a.bin"
    assert weights_path("hub/pyiqa/a.pth") == tmp_path / "torch" / "hub" / "pyiqa" / "a.pth"
    assert weights_path("clip/RN50.pt") == tmp_path / "home" / ".cache" / "clip" / "RN50.pt"
    snapshots = tmp_path / "hf" / "hub" / "models--timm--net" / "snapshots"
    assert not weights_path("huggingface/timm/net/a.bin").exists()
    for age, commit in enumerate(["newer", "older"]):
        (snapshots / commit).mkdir(parents=True)
        (snapshots / commit / "a.bin").touch()
        os.utime(snapshots / commit / "a.bin", (1000 - age, 1000 - age))
    assert weights_path("huggingface/timm/net/a.bin") == snapshots / "newer" / "a.bin"


def test_missing_weights_are_named(root, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert lookup.find("metrics", "contrast").missing_weights() == ["hub/pyiqa/large.pth"]
    (root / "metrics" / "weights" / "contrast.bin").unlink()
    assert len(lookup.find("metrics", "contrast").missing_weights()) == 2


def test_a_preset_may_say_all_defences_and_means_every_purification():
    trainings, ensembles = {"adversarial_training", "gradient_norm"}, {"random_resizing"}
    smoothings = {"median_smoothing", "denoised_median_smoothing"}
    everything = tuple(sorted(set(lookup.entries("defences")) - trainings - smoothings - ensembles))
    assert {"color_quantization", "diffpure", "jpeg", "upscale_nearest"} < set(everything)
    assert config.load().preset("defended").defences == everything
    assert config.load().preset("adaptive").through == everything


@pytest.mark.parametrize(
    ("names", "message"), [("[jpg]", "did you mean jpeg"), ("[jpeg-q9000]", "jpeg has no preset 'q9000'")]
)
@pytest.mark.parametrize("field", ["defences", "through"])
def test_a_preset_with_an_unknown_defence_is_one_line(tmp_path, monkeypatch, field, names, message):
    text = config.FILE.read_text(encoding="utf-8")
    file = tmp_path / "benchmark.yml"
    file.write_text(text.replace("presets:\n", f"presets:\n  mine: {{{field}: {names}}}\n"), encoding="utf-8")
    monkeypatch.setattr(config, "FILE", file)
    changed = config.load.__wrapped__()
    with pytest.raises(BenchError, match=f"preset mine of benchmark.yml: .*{message}") as caught:
        changed.preset("mine")
    assert "\n" not in str(caught.value)
    assert changed.preset("smoke") == config.load().preset("smoke")  # the other presets stay usable
