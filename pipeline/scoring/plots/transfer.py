"""Heat map of absolute gains of images that were made on one metric and scored by another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metric_robustness.pipeline.errors import BenchError, suggestion
from metric_robustness.pipeline.scoring.plots.board_panels import panels_below


def draw(names: Sequence[str], folder: Path) -> Figure:
    """Draws a panel per data set, attack and variant; what an attack reaches on its own metric is bold."""
    lines = _lines(names, folder)
    groups = [(key, own) for key, own in lines.groupby(["dataset", "attack", "variant"])]
    widest = max(own["target"].nunique() for _, own in groups)
    figure, panels = panels_below(
        len(groups), 2.4 + 0.55 * widest, [1.2 + 0.32 * max(3, own["source"].nunique()) for _, own in groups]
    )
    for axes, ((dataset, attack, variant), own) in zip(panels, groups, strict=True):
        gains = own.pivot(index="source", columns="target", values="gain")
        limit = max(1e-6, float(np.nanmax(gains.to_numpy())))
        shown = axes.imshow(gains, cmap="cividis", vmin=0, vmax=limit, aspect="auto")
        axes.set_xticks(range(gains.shape[1]), list(gains.columns), rotation=45, ha="right")
        axes.set_yticks(range(gains.shape[0]), list(gains.index))
        axes.set_xlabel("scored by")
        axes.set_ylabel("made on")
        axes.set_title(f"{dataset}, {attack}{f':{variant}' if variant else ''}", loc="left")
        for (i, j), gain in np.ndenumerate(gains.to_numpy()):
            known, same = not np.isnan(gain), gains.index[i] == gains.columns[j]
            colour = "white" if known and gain < limit / 2 else "black"
            weight = "bold" if same else "normal"
            axes.text(j, i, f"{gain:.2f}" if known else "n/a", ha="center", va="center", color=colour, weight=weight)
        figure.colorbar(shown, ax=axes, label="absolute gain", extend="min")
    return figure


def _lines(names: Sequence[str], folder: Path) -> pd.DataFrame:
    """Returns the lines of transfer.csv between the named metrics, all if none is named."""
    path = folder / "transfer.csv"
    if not path.is_file():
        raise BenchError(f"{folder} must hold transfer.csv; got none: run with --transfer first, or name a --from")
    lines = pd.read_csv(path, keep_default_na=False, na_values={"gain": [""]})
    known = dict.fromkeys(sorted({*lines["source"], *lines["target"]}))
    for name in names:
        if name not in known:
            raise BenchError(f"no metric of transfer.csv is named {name!r}: {suggestion(name, known)}")
    found = lines[lines["source"].isin(names or known) & lines["target"].isin(names or known)]
    if found.empty:
        raise BenchError(f"the metrics must have scored each other's images; {', '.join(names)} have not: name others")
    return found
