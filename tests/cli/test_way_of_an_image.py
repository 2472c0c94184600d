"""From the command line to the loop of an attack, a call stays short enough for a reader to follow."""

from __future__ import annotations

from pathlib import Path

from scratch import BRIGHTNESS, PACKAGE

FUNCTIONS, FILES = 10, 7
# An attack that writes down who called it.
TRAIL = f'''
"""Trail: leaves the image alone.

Nobody. 2026. https://example.org/trail
"""

import os
import traceback
from dataclasses import dataclass
from pathlib import Path

from {PACKAGE}.attacks.base import Attack, Budget, Images, Noise, Objective


@dataclass(frozen=True)
class Trail(Attack):
    access = "black"
    family = "control"
    formula = "x"

    def perturb(self, images: Images, objective: Objective, noise: Noise) -> Images:
        lines = [f"{{frame.filename}} {{frame.name}}" for frame in traceback.extract_stack()]
        Path(os.environ["TRAIL"]).write_text("\\n".join(lines))
        return images

    def budget(self) -> Budget:
        return Budget(queries=0, gradients=0)
'''


def test_the_way_from_the_command_line_to_the_loop_of_an_attack_is_short(tree, photos):
    tree.write("metrics/brightness.py", BRIGHTNESS)
    tree.write("attacks/trail.py", TRAIL)
    written = tree.root / "trail.txt"
    arguments = ("--metrics", "brightness", "--attacks", "trail", "--dataset", photos, "--limit", 1, "--out", "build")
    told = tree.call("run", *arguments, TRAIL=str(written))
    assert told.returncode == 0, told.stderr
    frames = [line.rsplit(" ", 1) for line in written.read_text().splitlines()]
    frames = [(file, name) for file, name in frames if Path(file).is_relative_to(tree.root) and name != "<module>"]
    assert [name for _, name in frames[:2] + frames[-1:]] == ["main", "run", "perturb"], frames
    # `isolation` carries the call into the metric's own process; what the call says stays the same on the way.
    way = [(file, name) for file, name in frames if Path(file).parent.name != "isolation"]
    assert len(frames) > len(way), "the metric has no process of its own"
    assert len(way) <= FUNCTIONS, way
    assert len({file for file, _ in way}) <= FILES, way
