"""The short form of `make chaos`: what is damaged, killed or cut by a full disk ends in the same bytes."""

from __future__ import annotations

import os

import pytest
from scratch import ROOT, zygote

SCENARIOS = ("images,saved", "clips", "universal", "store")


@pytest.mark.slow
@pytest.mark.parametrize("scenarios", SCENARIOS)
def test_no_disturbance_changes_a_result(scenarios):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support", "OMP_NUM_THREADS": "1"}
    where = ROOT / "tests" / "support" / "chaos"
    told = zygote().call(["--trials", "3", "--only", scenarios], where, environment, module="chaos")
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.splitlines()[-1].split() == ["all", "3", *["0"] * 7]
