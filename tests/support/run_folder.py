"""Run folders as the engine writes them: rows, and a stamp beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metric_robustness.pipeline import files
from metric_robustness.pipeline.cells.row import Row, to_csv
from metric_robustness.pipeline.cells.stamp import AttackFacts, DatasetFacts, MetricFacts, Stamp

FAMILIES = {
    "noise": "control",
    "fgsm": "sign",
    "ifgsm": "sign",
    "madc": "optimised",
    "uap": "universal",
    "square": "query",
    "rank_swap": "rank",
}


def restamp(csv: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes fields of the stamp beside a CSV, and seals it anew."""
    file = csv.with_suffix(".json")
    told = json.loads(file.read_text(encoding="utf-8"))
    del told["seal"]
    change(told)
    file.write_text(files.seal_json(json.dumps(told, indent=1)), encoding="utf-8")


@dataclass
class RunFolder:
    """Writes cells."""

    path: Path

    def cell(self, metric="blur", attack="ifgsm", gains=(0.1, 0.3), *, clear=(0.4, 0.6), rows=None, **changes):
        """Writes a cell with one image per gain, or with the given rows, and returns the path of its CSV."""
        if rows is None:
            names = [f"{chr(97 + i)}.png" for i in range(len(gains))]
            values = [(clear[i % len(clear)], gain) for i, gain in enumerate(gains)]
            rows = [row(name, before, before + gain) for name, (before, gain) in zip(names, values, strict=True)]
        csv = to_csv([each.cells() for each in rows])
        path = self.path / metric / f"{changes.pop('label', attack)}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv, encoding="utf-8")
        asked = changes.pop("asked", len({each.image for each in rows}))
        stamp = self.stamp(metric, attack, asked=asked, sha256=files.digest(csv.encode()), rows=len(rows), **changes)
        path.with_suffix(".json").write_text(stamp.to_json(), encoding="utf-8")
        return path

    def curve(self, metric, by_budget, attack="ifgsm", **changes):
        """Writes a cell whose search went on within smaller budgets: by budget in 255ths, a gain per image."""
        rows = [
            row(
                f"{chr(97 + i)}.png",
                0.4,
                0.4 + gain,
                variant="" if budget == 10 else f"eps={budget}/255",
                linf=budget / 255,
            )
            for budget, gains in by_budget.items()
            for i, gain in enumerate(gains)
        ]
        return self.cell(metric, attack, rows=rows, **changes)

    def spared(self, metric, attack, reason="gradients lead further", images=2, **changes):
        """Writes the cell of an attack that was not needed."""
        return self.cell(metric, attack, rows=[], asked=images, spared={"sample": reason}, **changes)

    def without_rows(self, metric, attack, status, reason):
        """Writes the stamp of a cell that has no rows."""
        path = self.path / metric / f"{attack}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        stamp = self.stamp(metric, attack, asked=2, status=status, reason=reason)
        path.write_text(stamp.to_json(), encoding="utf-8")

    def stamp(
        self,
        metric,
        attack,
        *,
        asked,
        kind="NR",
        higher_is_better=True,
        differentiable=True,
        settings=None,
        variants=None,
        excluded=None,
        overrides=None,
        dtype="float32",
        datasets=("sample",),
        digest="d",
        access="white",
        **fields,
    ):
        fields = {"status": "done", "preset": "demo", "key": f"key-{metric}-{attack}", "commit": "c0ffee"} | fields
        return Stamp(
            metric=MetricFacts(
                name=metric,
                title=f"The {metric} metric",
                kind=kind,
                higher_is_better=higher_is_better,
                differentiable=differentiable,
                score_range=(0, 1),
                fingerprint="m",
            ),
            attack=AttackFacts(
                name=attack,
                title=f"The {attack} attack",
                family=FAMILIES[attack],
                access=access,
                fingerprint="a",
                settings={"eps": 10 / 255, "goal": "better"} | (settings or {}),
                variants=variants or {},
            ),
            datasets=[
                DatasetFacts(name=name, digest=digest, images=asked, excluded=excluded or {}) for name in datasets
            ],
            settings={"overrides": overrides or {}, "dtype": dtype, "jpeg": [50]},
            **fields,
        )


def row(image, clear, attacked, dataset="sample", **fields):
    """Returns a row; only the scores matter to most tests."""
    usual = {"psnr": 30.0, "ssim": 0.9, "mse": 0.001, "linf": 10 / 255, "queries": 10, "gradients": 10}
    return Row(dataset=dataset, image=image, clear=clear, attacked=attacked, **({"clip": image} | usual | fields))
