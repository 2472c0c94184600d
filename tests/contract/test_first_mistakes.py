"""A newcomer who does what `check` says comes to a metric that passes: for each first mistake, the way there."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
import torch
from scratch import Tree

SOUND = """
    '''A metric like PSNR.'''

    from pathlib import Path

    import numpy as np
    import torch
    from metric_robustness.metrics.base import FullReference, NoReference


    class Mine(FullReference):
        higher_is_better = True
        score_range = (10.0, 50.0)

        def __init__(self):
            super().__init__()

        def score(self, images, references):
            error = (images - references).square().mean(dim=(1, 2, 3))
            return -10 * (error + 1e-6).log10()
"""
Edit = dict[str, str]  # what a line holds, and what it is to hold
RANGE, ERROR, MADE, RETURN = "score_range = (10.0, 50.0)", "error = ", "super().__init__()", "return -10"


class Step(NamedTuple):
    """What the message says, and the edit that follows it."""

    message: str
    edit: Edit


def before(line: str, statement: str) -> Edit:
    """Returns the edit that puts a statement before another line of `score` or `__init__`."""
    return {line: f"{statement}\n            {line}"}


def after(line: str, statement: str) -> Edit:
    """Returns the edit that puts a statement behind another line of `score` or `__init__`."""
    return {line: f"{line}\n            {statement}"}


def declare(line: str) -> Edit:
    """Returns the edit that declares something in the class."""
    return {RANGE: f"{RANGE}\n        {line}"}


def needs(side: int) -> Edit:
    """Returns the edit of a metric that fails on smaller images."""
    return before(ERROR, f"assert min(images.shape[2:]) >= {side}")


DROPOUT = after(ERROR.strip() + " (images - references).square().mean(dim=(1, 2, 3))", "error = self.layers[0](error)")
IN_NUMPY = {
    "references).square()": "references).numpy().__pow__(2)",
    "dim=": "axis=",
    "(error + 1e-6).log10()": "np.log10(error + 1e-6)",
}
NO_GRADIENT = Step("write differentiable = False", declare("differentiable = False"))
IN_TENSOR = {"return -10 * np.log10(error + 1e-6)": "return torch.as_tensor(-10 * np.log10(error + 1e-6))"}
EXIT, EXIT_AT_ONCE = "__import__('sys').exit(0)", "__import__('os')._exit(0)"
EVEN = "images, references = (each.unflatten(3, (-1, 2)).flatten(3) for each in (images, references))"
CROPPED = "images, references = (each[..., : each.shape[3] // 2 * 2] for each in (images, references))"
MISTAKES: dict[str, tuple[Edit, *tuple[Step, ...]]] = {
    "numpy": (IN_NUMPY, Step("return torch.as_tensor(scores)", IN_TENSOR), NO_GRADIENT),
    "numpy_that_detaches": (
        IN_NUMPY | {"references).square()": "references).detach().numpy().__pow__(2)"} | IN_TENSOR,
        NO_GRADIENT,
    ),
    "one_number_per_batch": (
        {"mean(dim=(1, 2, 3))": "mean()"},
        Step("as in .mean(dim=(1, 2, 3))", {"mean()": "mean(dim=(1, 2, 3))"}),
    ),
    "a_column": ({".log10()": ".log10()[:, None]"}, Step("return scores.flatten()", {"[:, None]": ".flatten()"})),
    "a_number_per_channel": (
        {"dim=(1, 2, 3)": "dim=(2, 3)"},
        Step("return scores.flatten(1).mean(dim=1)", {".log10()": ".log10().flatten(1).mean(dim=1)"}),
    ),
    "bytes_expected": (
        {"(images - references)": "(images.div(255).round() - references.div(255).round())"},
        Step("multiply them by 255", {"images.div": "(images * 255).div", "references.div": "(references * 255).div"}),
        NO_GRADIENT,
    ),
    "divides_by_255": (
        {
            "(images - references).square()": "(images / 255 - references / 255).abs()",
            "-10 * (error + 1e-6).log10()": "50 - 120 * error",
        },
        Step(
            "multiply the images by 255",
            {"images / 255": "images * 255 / 255", "references / 255": "references * 255 / 255"},
        ),
    ),
    "writes_into_its_input": (
        before(ERROR, "images *= 0.9"),
        Step("begin with images = images.clone()", before("images *= 0.9", "images = images.clone()")),
    ),
    "cuda_in_init": (
        after(MADE, 'self.weight = torch.ones(3, 1, 1, device="cuda")')
        | {"references).square": "references).mul(self.weight).square"},
        Step(
            "self.register_buffer",
            {'self.weight = torch.ones(3, 1, 1, device="cuda")': 'self.register_buffer("weight", torch.ones(3, 1, 1))'},
        ),
    ),
    "cuda_in_score": (before(ERROR, "images = images.cuda()"), Step("remove .cuda()", {".cuda()": ""})),
    "wrong_direction": (
        {"higher_is_better = True": "higher_is_better = False"},
        Step("write higher_is_better = True", {"higher_is_better = False": "higher_is_better = True"}),
    ),
    "no_range": (
        {f"        {RANGE}\n": ""},
        Step("write score_range = (0.0, 1.0)", {"better = True": "better = True\n        score_range = (0.0, 1.0)"}),
        Step("write score_range = (15.0, 34.0)", {"(0.0, 1.0)": "(15.0, 34.0)"}),
    ),
    "range_of_nan": (
        {"(10.0, 50.0)": '(0.0, float("nan"))'},
        Step("write score_range = (0.0, 1.0)", {'(0.0, float("nan"))': "(0.0, 1.0)"}),
        Step("write score_range = (15.0, 34.0)", {"(0.0, 1.0)": "(15.0, 34.0)"}),
    ),
    "random": (
        {".log10()": ".log10() + 0.1 * torch.rand(len(error))"},
        Step("write random = True", declare("random = True")),
    ),
    "dropout_function": (
        before(RETURN, "error = torch.nn.functional.dropout(error, 0.1)"),
        Step("need training=False", {"dropout(error, 0.1)": "dropout(error, 0.1, training=False)"}),
    ),
    "dropout_in_a_list": (
        after(MADE, "self.layers = [torch.nn.Dropout(0.1)]") | before(RETURN, "error = self.layers[0](error)"),
        Step("in ModuleList", {"[torch.nn.Dropout(0.1)]": "torch.nn.ModuleList([torch.nn.Dropout(0.1)])"}),
    ),
    "train_mode": (
        after(MADE, "self.layer = torch.nn.Dropout(0.1)") | before(RETURN, "error = self.train().layer(error)"),
        Step("never call train()", {"self.train().layer": "self.layer"}),
    ),
    "statistics_of_the_batch": (
        before(RETURN, "error = error - 0.1 * error.mean() + 1e-3"),
        Step("write batch_dependent = True", declare("batch_dependent = True")),
    ),
    "needs_a_reference": (
        {"Mine(FullReference)": "Mine(NoReference)"},
        Step("inherit from FullReference", {"Mine(NoReference)": "Mine(FullReference)"}),
    ),
    "needs_64_pixels": (needs(64), Step("needs 64 pixels: write smallest = 64", declare("smallest = 64"))),
    "needs_224_pixels": (needs(224), Step("needs 224 pixels: write smallest = 224", declare("smallest = 224"))),
    "even_sides_only": (before(ERROR, EVEN), Step("crop or pad images", before(EVEN, CROPPED))),
    "weights_that_are_not_there": (
        after(MADE, 'torch.load("mine.pt")'),
        Step(
            'weights = ("weights/FILE",)',
            declare('weights = ("weights/mine.pt",)') | {'"mine.pt"': 'Path(__file__).parent / "weights/mine.pt"'},
        ),
        Step("put the file into metrics/weights", {"weights/mine.pt": "weights/there.pt"}),
    ),
    "no_such_package": (
        {"import torch\n": "import no_such_package\n    import torch\n"},
        Step("or remove the import", {"    import no_such_package\n": ""}),
    ),
    "syntax": ({"def score(": "def score(("}, Step("correct the line", {"def score((": "def score("})),
    "exit": (before(ERROR, EXIT), Step("raise ValueError", {EXIT: "pass"})),
    "exit_at_once": (before(ERROR, EXIT_AT_ONCE), Step("take sys.exit or os._exit out", {EXIT_AT_ONCE: "pass"})),
    "exit_at_import": ({"class Mine": f"{EXIT}\n\n\n    class Mine"}, Step("raise ValueError", {EXIT: "pass"})),
    "forward_only": ({"def score(": "def forward("}, Step("name the function score", {"def forward(": "def score("})),
}


def versions(name: str) -> list[str]:
    """Returns the file of a mistake as it is first, and after each edit."""
    found = [SOUND]
    for edit in (MISTAKES[name][0], *(step.edit for step in MISTAKES[name][1:])):
        text = found[-1]
        for old, new in edit.items():
            assert old in text, (name, old)
            text = text.replace(old, new)
        found.append(text)
    return found[1:]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Returns what `check` says of each version of each mistake, by its name: the failures."""
    tree = Tree.copy_to(tmp_path_factory.mktemp("mistakes") / "tree")
    (tree.root / "metrics" / "weights").mkdir()
    torch.save({}, tree.root / "metrics" / "weights" / "there.pt")
    names = [
        tree.write(f"metrics/{name}_{number}.py", text).stem
        for name in MISTAKES
        for number, text in enumerate(versions(name))
    ]
    answer = tree.call("check", *names, "--json")
    assert answer.returncode == 3, answer.stderr
    checks = {found["name"]: found["checks"] for found in map(json.loads, answer.stdout.splitlines())}
    return {name: [each["seen"] for each in checks[name] if each["status"] == "failed"] for name in names}


@pytest.mark.parametrize("name", MISTAKES)
def test_who_follows_the_messages_comes_to_a_metric_that_passes(told, name):
    steps = MISTAKES[name][1:]
    for number, step in enumerate(steps):
        (seen,) = told[f"{name}_{number}"]
        assert step.message in seen
    assert told[f"{name}_{len(steps)}"] == []


def test_two_lines_at_the_end_say_what_to_change_in_order(tree):
    text = SOUND.replace("(10.0, 50.0)", "(0.0, 1.0)").replace("better = True", "better = False")
    tree.write("metrics/mine.py", text)
    told = tree.call("check", "mine", COLUMNS="80")
    assert told.returncode == 3
    assert [line.rstrip() for line in told.stdout.splitlines()][-2:] == [
        "1. in metrics/mine.py: write score_range = (15.0, 34.0)",
        "2. then write higher_is_better = True; and again: python -m pipeline check mine",
    ]
