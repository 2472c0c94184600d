"""From a run to the loop of an attack, a call stays short enough for a reader to follow."""

from __future__ import annotations

import sys
from pathlib import Path

from quiet import run_quietly
from scratch import ROOT

from metric_robustness.attacks.ifgsm import IFGSM

FRAMES, FILES = 9, 6  # one less than from the command line


def test_the_way_from_a_run_to_the_loop_of_an_attack_is_short(tmp_path, photos, monkeypatch):
    way: list[tuple[str, str]] = []
    perturb = IFGSM.perturb

    def observed(attack, images, objective, noise):
        frame = sys._getframe(1)
        way.append(("ifgsm.py", "perturb"))
        while frame:
            file = Path(frame.f_code.co_filename)
            if file.is_relative_to(ROOT) and not file.is_relative_to(ROOT / "tests") and ".venv" not in file.parts:
                way.append((str(file.relative_to(ROOT)), frame.f_code.co_name))
            frame = frame.f_back
        return perturb(attack, images, objective, noise)

    monkeypatch.setattr(IFGSM, "perturb", observed)
    run_quietly(["psnr"], tmp_path / "out", attacks=["ifgsm"], datasets=[str(photos)], limit=1)
    assert way[-1] == ("metric_robustness/pipeline/engine/run.py", "run")
    assert len(way) <= FRAMES, way
    assert len({file for file, _ in way}) <= FILES, way
