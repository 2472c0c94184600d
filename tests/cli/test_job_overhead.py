"""What a job loads before it computes: a small cell's job must not wait for packages that it does not use."""

from __future__ import annotations

import subprocess
import sys

from metric_robustness.pipeline.places import CODE

UNUSED = {"matplotlib", "pyiqa", "skimage", "torchvision", "triton"}  # a second each, or more; Triton prints at the end
PROGRAM = f"""
import atexit, sys
sys.argv = ["metric-robustness", *sys.argv[1:]]
atexit.register(lambda: print("loaded:", *sorted({UNUSED} & sys.modules.keys()), file=sys.stderr))
from metric_robustness.pipeline.__main__ import main
main()
"""


def test_a_cell_of_a_formula_metric_loads_no_package_that_it_does_not_use(tmp_path):
    arguments = ["run", "--metrics", "ssim", "--attacks", "fgsm", "--preset", "smoke", "--limit", "2", "--out"]
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments, str(tmp_path / "out")],
        cwd=CODE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert "loaded:\n" in told.stderr
