"""The rows that `list` shows of entries and data sets."""

from __future__ import annotations

from typing import Any

from metric_robustness.pipeline import config
from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.catalogue.entry import Entry


def listing(folder: str, containing: str = "") -> list[dict[str, Any]]:
    """Returns a row for each entry or data set whose text contains a filter.

    Args:
        folder: metrics, attacks, defences or datasets.
        containing: The filter, in upper or lower case.
    """
    if folder == "datasets":
        rows = [_dataset(name, about) for name, about in config.load().datasets.items()]
    else:
        rows = [_entry(entry) for entry in lookup.entries(folder).values()]
    return [row for row in rows if containing.lower() in " ".join(map(str, row.values())).lower()]


def _entry(entry: Entry) -> dict[str, Any]:
    fields = entry.fields
    row: dict[str, Any] = {"name": entry.name}
    if entry.folder == "metrics":
        low, high = fields.get("score_range", ("", ""))
        row |= {
            "kind": entry.kind,
            "better": {True: "higher", False: "lower"}.get(fields.get("higher_is_better", ""), ""),
            "range": f"{low} to {high}",
            "gradient": "yes" if fields.get("differentiable") else "no",
            "cost": fields.get("cost", ""),
            "smallest": fields.get("smallest", ""),  # side in pixels
            "verified": "yes" if fields.get("verified") else "unverified",
        }
    elif entry.folder == "attacks":
        variants = ", ".join(fields.get("variants", {}))
        row |= {name: fields.get(name, "") for name in ("suite", "access", "family")} | {"variants": variants}
    elif entry.folder == "defences":
        row |= {
            "kind": "training" if entry.kind == "training" else "purification",
            "gradient": "yes" if fields.get("differentiable") else "straight through",
            "random": "yes" if fields.get("random") else "no",
            "presets": ", ".join(fields.get("presets", {})),
            "size": "small" if fields.get("small") else "",
        }
    needs = [*fields.get("needs", ()), *fields.get("weights", ())]
    return row | {"state": _state(entry), "needs": needs, "title": entry.title}


def _state(entry: Entry) -> str:
    if entry.problem:
        return f"cannot be used: {entry.problem}"
    absent = len(entry.missing_weights())
    return f"{absent} file{'s' * (absent > 1)} missing" if absent else "ready"


def _dataset(name: str, about: config.DatasetConfig) -> dict[str, Any]:
    folder = about.folder()
    state = "ready" if folder.is_dir() else f"missing: put it in {folder}"
    return {"name": name, "images": about.takes, "state": state, "title": about.title}
