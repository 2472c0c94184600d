"""Every attack's gain and strength on fixed images, so that no behaviour changes by accident.

Record an intended change by `PYTHONPATH=. python tests/attacks/test_golden_attacks.py > tests/golden/attacks.csv`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from analytic_metrics import Wavy, rounded

from metric_robustness.pipeline.catalogue.lookup import entries, find
from metric_robustness.pipeline.contract.attack import Sameness
from metric_robustness.pipeline.engine.metric.objective import ImageNoise, MetricObjective

GOLDEN = Path(__file__).parent.parent / "golden" / "attacks.csv"
HEADER = """\
# What each attack gains on two fixed 8-bit images, 45x61, by the metric Wavy of tests/attacks/analytic_metrics.py.
# gain: mean rise of score/range after rounding to 8 bits; mse: mean squared error then, of values in [0, 1].
# Source: this implementation, whose steps the other tests of tests/attacks compare with the definitions. It guards
# against changes that are not meant. Tolerance: .2 %, and 1e-5 for the gain of noise.
# Regenerate: PYTHONPATH=. python tests/attacks/test_golden_attacks.py > tests/golden/attacks.csv
"""


def images() -> torch.Tensor:
    """Returns two photograph-like images, by formula: shading, an edge, texture."""
    y, x, channel = torch.arange(45.0).view(-1, 1), torch.arange(61.0), torch.arange(3.0).view(-1, 1, 1)
    shading = 0.35 + 0.3 * x / 60 + 0.1 * y / 44 - 0.05 * channel
    texture = 0.08 * (1.3 * x + 0.7 * y * channel).sin() * (0.9 * y - 0.2 * x).cos()
    first = shading + texture + 0.2 * (x + y > 55)
    second = 0.9 - 0.8 * shading + 0.15 * (0.35 * x).sin() * (0.5 * y + channel).cos()
    return rounded(torch.stack([first, second]).clamp(0, 1))


def cell(name: str, variant: str) -> tuple[float, float]:
    """Returns the mean gain and the mean squared error."""
    entry, clear = find("attacks", name), images()
    attack = entry.load()(**entry.fields.get("variants", {}).get(variant, {}))
    niqe = {need: torch.tensor([4.0, 7.0]) for need in attack.needs}
    noise = ImageNoise(name, ["first.png", "second.png"])
    close = {need: MetricObjective(Sameness(), clear) for need in attack.needs}
    objective = MetricObjective(Wavy(), access=attack.access, surrogate_scores=niqe, surrogates=close)
    attacked = rounded(attack(clear, objective, noise))
    gain = Wavy()(attacked).double() - Wavy()(clear).double()
    return gain.mean().item(), (attacked.double() - clear.double()).square().mean().item()


def rows() -> list[dict[str, str]]:
    lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("row", rows(), ids=lambda row: "-".join(filter(None, (row["attack"], row["variant"]))))
def test_matches_its_golden_cell(row):
    gain, mse = cell(row["attack"], row["variant"])
    assert gain == pytest.approx(float(row["gain"]), rel=2e-3, abs=1e-5)
    assert mse == pytest.approx(float(row["mse"]), rel=2e-3)


def test_every_cell_of_the_base_suite_is_golden():
    known = {(row["attack"], row["variant"]) for row in rows()}
    named = {attack for attack, _ in known}
    assert {"fgsm", "ifgsm", "mifgsm", "amifgsm", "korhonen", "madc", "noise"} <= named
    for name in named:
        assert {(name, variant) for variant in ["", *find("attacks", name).fields.get("variants", {})]} <= known


if __name__ == "__main__":
    print(HEADER + "attack,variant,gain,mse")
    for found in entries("attacks").values():
        if found.fields.get("family") != "universal":
            for chosen in ["", *found.fields.get("variants", {})]:
                print(f"{found.name},{chosen},{','.join(f'{value:.6g}' for value in cell(found.name, chosen))}")
