"""Every entry keeps the contract, and `check` names exactly the promise that an entry breaks."""

from __future__ import annotations

import json

import pytest
import torch
from scratch import Tree

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry
from metric_robustness.pipeline.contract import check_entry
from metric_robustness.pipeline.contract.metric import MetricCheck

METRICS, ATTACKS = lookup.entries("metrics"), lookup.entries("attacks")
FINITE = "return one finite score per image"
COMPANIONS = "give the same score alone, in a batch and in another order"
DETERMINISTIC = "be deterministic"
GRADIENT = "pass a finite, non-zero gradient to the images"
CLIMBS = "rise along its gradient"
APART = "tell photographs from distorted ones"
RANGE = "score photographs within its score_range, or close to it"
QUIET = "leave the process as it found it"
ENDS = "be checked to the end"
FLAT = "stay finite on a flat image"
SIZES = "accept odd sizes from its smallest on"
STRANGERS = "give a frame the same features whatever its neighbours"
REFUSES = "refuse images outside [0, 1]"
DIRECTION = "move the declared way with blur, noise and JPEG"
RAISES = "raise the objective after rounding to 8 bits"
STAYS = "stay within eps and [0, 1]"
ATTACK_COMPANIONS = "give the same image alone, in a batch and in another order"
UNTOUCHED = "leave its input untouched"
NOTHING = "do nothing with eps = 0"
HONEST = 'ask for gradients only when access = "white"'
SPENDS = "spend the queries and gradients it declares"
FORMULA = "have a formula: in one line, what it does"
SOURCE = "name its source"
LOADS = "be one file with a title, one class and literal metadata, that loads"

# A metric like PSNR. Each broken one replaces a part of it, and breaks the promises that stand beside the part.
METRIC = """
    '''A metric with one thing wrong.'''

    import torch
    from metric_robustness.metrics.base import FullReference, Images, Scores


    class Broken(FullReference):
        higher_is_better = True
        score_range = (10.0, 50.0)

        def score(self, images: Images, references: Images) -> Scores:
            error = (images - references).square().mean(dim=(1, 2, 3))
            return -10 * (error + 1e-6).log10()
"""
BROKEN_METRICS = {
    "sound": ("", "", set()),
    "one_score_per_batch": ("log10()", "log10().mean()", {FINITE}),
    "mean_of_the_batch": ("log10()", "log10().mean().expand(len(error))", {COMPANIONS}),
    "less_the_batch_mean": ("(error + 1e-6)", "(error - 0.1 * error.mean() + 1e-3)", {COMPANIONS}),
    "by_place_in_the_batch": ("log10()", "log10() + torch.arange(len(error))", {COMPANIONS}),
    "random": ("log10()", "log10() + torch.rand(len(error))", {DETERMINISTIC}),
    "declared_random": (
        "(10.0, 50.0)",
        "(10.0, 50.0)\n        random = True\n\n        def _scores(self, images, references):"
        "\n            return super()._scores(images, references) + 1e-3 * torch.rand(len(images))",
        set(),
    ),
    "detached": ("(images -", "(images.detach() -", {GRADIENT}),
    "half_detached": ("log10()", "log10().detach() + 5 * error", {CLIMBS}),
    "rounded": ("error =", "images = (images * 255).round() / 255\n            error =", {GRADIENT}),
    "upside_down": ("-10", "10", {RANGE, DIRECTION}),
    "nan_on_flat": ("log10()", "log10() + 0 / images.var(dim=(1, 2, 3))", {FLAT}),
    "infinite_slope_on_flat": ("log10()", "log10() + 0.1 * images.var(dim=(1, 2, 3)).sqrt()", {FLAT}),
    "nan": ("log10()", "log10() * float('nan')", {FINITE}),
    "writes_into_its_input": ("error =", "images.mul_(0.9)\n            error =", {UNTOUCHED}),
    "same_for_all": ("log10()", "log10() * 0 + 20", {APART}),
    "seeds": ("error =", "torch.manual_seed(1)\n            error =", {DETERMINISTIC}),
    "another_unit": ("-10 *", "-1000 *", {RANGE}),
    "ten_percent_too_far": ("(10.0, 50.0)", "(17.0, 50.0)", set()),
    "a_thousandth_of_its_range": ("(10.0, 50.0)", "(0.0, 5000.0)", {RANGE}),
    "even_sides_only": ("(images -", "(images.unflatten(3, (-1, 2)).flatten(3) -", {SIZES}),
    "own_forward": (
        "        def score",
        """
        def forward(self, images, references=None):
            return self.score(images, references)

        def score""",
        {REFUSES},
    ),
}

CLIP_METRIC = """
    '''A video metric with one thing wrong.'''

    import torch
    from metric_robustness.metrics.base import VideoMetric


    class Broken(VideoMetric):
        higher_is_better = True
        score_range = (10.0, 50.0)
        full_reference = True
        reference_context = 1

        def features(self, frames, references=None):
            error = (frames - references[-len(frames):]).square().mean(dim=(1, 2, 3))
            steps = references.diff(dim=0).square().mean(dim=(1, 2, 3))
            steps = torch.cat([steps.new_zeros(1), steps])[-len(frames):]
            return torch.stack([-10 * (error + 1e-6).log10(), steps], dim=1)

        def pool(self, features):
            return features.sum(dim=2).mean(dim=1)
"""
BROKEN_CLIP_METRICS = {
    "sound": ("", "", set()),
    "looks_around": (
        "return torch.stack([-10",
        "error = error.cummax(dim=0)[0]\n            return torch.stack([-10",
        {STRANGERS},
    ),
    "context_not_declared": ("reference_context = 1", "reference_context = 0", {STRANGERS}),
    "mean_of_the_batch": ("mean(dim=1)\n", "mean(dim=1).mean().expand(len(features))\n", {COMPANIONS}),
    "one_frame_only": ("mean(dim=1)\n", "mean(dim=1).detach() + 0 * features[:, 0, 0]\n", {GRADIENT}),
}

ATTACK = """
    '''An attack with one thing wrong.

    Somebody. Sign steps. 2020. https://example.org
    '''

    from dataclasses import dataclass

    import torch
    from metric_robustness.attacks.base import Attack, Budget


    @dataclass(frozen=True)
    class Broken(Attack):
        access = "white"
        family = "sign"
        formula = "y ← clip(y + (eps / 4)·sign ∇J(y)), from y = x"
        variants = {}

        def perturb(self, images, objective, noise):
            clear = images.clone()
            for _ in range(4):
                images = self.project(images + self.eps / 4 * objective.gradient(images).sign(), clear)
            return images

        def budget(self) -> Budget:
            return Budget(queries=4, gradients=4)
"""
BROKEN_ATTACKS = {
    "sound": ("", "", set()),
    "downwards": ("images + self", "images - self", {RAISES}),
    "faint": ("self.eps / 4", "self.eps / 1000", {RAISES}),
    "norm_of_the_batch": (
        "return images",
        "return self.project(images + images.sub(clear) / images.sub(clear).norm().add(1), clear)",
        {ATTACK_COMPANIONS},
    ),
    "random": (
        "return images",
        "return images + torch.rand_like(images) * self.eps",
        {DETERMINISTIC},
    ),
    "in_place": (
        "clear = images.clone()",
        "clear = images.clone()\n            images += 1 / 255",
        {UNTOUCHED},
    ),
    "no_projection": (
        "def budget",
        "def project(self, adversarial, images):\n            return adversarial * 1.5\n\n        def budget",
        {STAYS, NOTHING},
    ),
    "divides_by_its_budget": ("self.eps / 4", "self.eps**2 / self.eps / 4", {NOTHING}),
    "black_with_gradients": ('"white"', '"black"', {HONEST}),
    "spends_more": ("range(4)", "range(5)", {SPENDS}),
    "changes_threads": ("clear = images", "torch.set_num_threads(3)\n            clear = images", {QUIET}),
    "no_formula": ("formula =", "wording =", {FORMULA}),
    "formula_of_two_lines": ("clip(y + (eps / 4)", "clip(y\\n + (eps / 4)", {FORMULA}),
    "no_source": ("https://example.org", "a shelf", {SOURCE}),
    "variant_of_nothing": ("variants = {}", 'variants = {"strong": {"steps": 9}}', {LOADS}),
    "no_budget": ("def budget", "def costs", {LOADS}),
    "does_not_import": ("import torch", "import torch\nimport no_such_package", {LOADS}),
}

# What an entry may not change, each with a line that changes it.
SHARED = {
    "default dtype": "torch.set_default_dtype(torch.float64)",
    "grad mode": "torch.set_grad_enabled(False)",
    "deterministic": "torch.backends.cudnn.benchmark = True",
    "threads": "torch.set_num_threads(3)",
    "working directory": "os.chdir('/')",
    "environment (OF_MINE)": "os.environ['OF_MINE'] = '1'",
    "warnings filters": "warnings.simplefilter('ignore')",
    "error handling": "np.seterr(all='raise')",
}
BROKEN_AT_IMPORT = SHARED | {
    "torch's random": "torch.manual_seed(3)",
    "NumPy's random": "np.random.seed(3)",
    "Python's random": "random.seed(3)",
}
SCORES = "            return -10"


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Returns what `check` says of every broken entry, by its name: the promises and their status."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("contract") / "tree")
    kinds = {
        "metrics/m": (METRIC, BROKEN_METRICS),
        "metrics/v": (CLIP_METRIC, BROKEN_CLIP_METRICS),
        "attacks/a": (ATTACK, BROKEN_ATTACKS),
    }
    names = []
    for place, (text, entries) in kinds.items():
        for name, (old, new, _) in entries.items():
            assert old in text
            file = tree.write(f"{place}_{name}.py", text.replace(old, new, 1) if old else text)
            names.append(file.stem)
    for number, line in enumerate(BROKEN_AT_IMPORT.values()):
        started = "import os, random, warnings\n    import numpy as np\n    import torch\n"
        text = METRIC.replace("import torch\n", started)
        names.append(
            tree.write(f"metrics/i_{number}.py", text.replace("\n\n    class", f"\n\n    {line}\n\n    class")).stem
        )
        names.append(tree.write(f"metrics/c_{number}.py", text.replace(SCORES, f"            {line}\n{SCORES}")).stem)
    told = tree.call("check", *names, "--json")
    assert told.returncode == 3, told.stderr
    return {found["name"]: found["checks"] for found in map(json.loads, told.stdout.splitlines())}


def red(checks) -> set[str]:
    return {check["promise"] for check in checks if check["status"] == "failed"}


def slow(entry: Entry) -> bool:
    return entry.fields.get("cost") == "heavy" and not entry.missing_weights()


def label(entry: Entry) -> str:
    return f"{entry.name}, weights missing" if entry.missing_weights() else entry.name


@pytest.mark.parametrize(
    "entry", [entry for entry in (*METRICS.values(), *ATTACKS.values()) if not slow(entry)], ids=label
)
def test_every_entry_keeps_the_contract(entry):
    checks = check_entry(entry)
    assert [check for check in checks if check.status == "failed"] == []
    assert any(check.status == "skipped" for check in checks) == bool(entry.missing_weights())


@pytest.mark.parametrize("entry", [entry for entry in METRICS.values() if slow(entry)], ids=label)
def test_a_metric_that_takes_minutes_to_check_is_looked_at_with_one_photograph(entry):
    look = MetricCheck(entry, torch.device("cpu"))
    look.images, look.distorted = look.images[:1], look.distorted[:1]
    assert float(look.finite())
    assert "must lie in [0, 1]" in look.refuses()


@pytest.mark.parametrize("name", BROKEN_METRICS)
def test_a_broken_metric_fails_what_it_breaks_and_nothing_else(verdicts, name):
    assert red(verdicts[f"m_{name}"]) == BROKEN_METRICS[name][2], verdicts[f"m_{name}"]


@pytest.mark.parametrize("name", BROKEN_CLIP_METRICS)
def test_a_broken_video_metric_fails_what_it_breaks_and_nothing_else(verdicts, name):
    assert red(verdicts[f"v_{name}"]) == BROKEN_CLIP_METRICS[name][2], verdicts[f"v_{name}"]


@pytest.mark.parametrize("name", BROKEN_ATTACKS)
def test_a_broken_attack_fails_what_it_breaks_and_nothing_else(verdicts, name):
    assert red(verdicts[f"a_{name}"]) == BROKEN_ATTACKS[name][2], verdicts[f"a_{name}"]


@pytest.mark.parametrize("state", BROKEN_AT_IMPORT)
@pytest.mark.parametrize("when", ["imported", "scores"])
def test_an_entry_that_changes_what_all_share_is_told_what(verdicts, state, when):
    checks = verdicts[f"{'i' if when == 'imported' else 'c'}_{list(BROKEN_AT_IMPORT).index(state)}"]
    assert red(checks) == {QUIET if state in SHARED or when == "imported" else DETERMINISTIC}, checks
    assert [state in check["seen"] for check in checks if check["status"] == "failed"] == [True]


def test_every_promise_is_broken_by_someone(verdicts):
    broken = set().union(*map(red, verdicts.values()))
    promised = {check["promise"] for name in ("m_sound", "v_sound", "a_sound") for check in verdicts[name]}
    assert promised <= broken


def test_a_failure_says_what_was_seen_and_what_to_change(verdicts):
    told = [check["seen"] for checks in verdicts.values() for check in checks if check["status"] == "failed"]
    assert all(": " in line and "\n" not in line for line in told), told
