"""Writes names beside points so that none covers another name, a point or a line that leads to a name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from metric_robustness.pipeline.scoring.plots.layout.panels import INCH, LINE, inches

AWAY = (
    4.0,
    11.0,
    20.0,
    32.0,
    46.0,
    62.0,
    80.0,
    100.0,
    125.0,
)  # points from a point to its name, in this order
DIRECTIONS = 16
MARK = 2.5  # points from the middle of a mark to its edge
CLOSER = 4.0  # points by which a name is nearer to its own point than to others
LEADER = 6.0  # points from which on a line leads to the name
LINE_TO = {"arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 0, "shrinkB": 1}


class _Drawn(NamedTuple):
    """What names must keep clear of, in points from the corner of the figure."""

    marks: np.ndarray  # (marks, 2), their middles
    names: list[Bbox]
    leaders: list[Path]  # lines from a point to its name


def write_names(
    axes: Axes, points: Mapping[str, tuple[float, float]], others: Sequence[tuple[float, float]] = ()
) -> list[str]:
    """Writes as many names as have room beside their points, the loneliest first, and returns the others.

    The layout must be final: names are placed by where points are seen.

    Args:
        axes: The panel.
        points: By name, in the panel's units.
        others: Points without names, which names keep clear of too.
    """
    if not points:
        return []
    figure = axes.figure
    unit = figure.dpi / INCH
    seen = axes.transData.transform([*points.values(), *others]) / unit
    places = dict(zip(points, seen, strict=False))
    panel = Bbox(axes.get_window_extent().get_points() / unit)
    drawn = _Drawn(seen, [], [])
    left = []
    for name in sorted(places, key=lambda each: (-_loneliness(places, each), each)):
        place = places[name]
        box = next((box for box in _candidates(place, name) if _free(box, place, panel, drawn)), None)
        if box is None:
            left.append(name)
            continue
        end = _nearest(box, place)
        drawn.names.append(box)
        if far := math.dist(end, place) > LEADER:
            drawn.leaders.append(Path([place, end]))
        text = axes.annotate(
            name,
            points[name],
            ((box.x0 + box.x1) / 2 - place[0], (box.y0 + box.y1) / 2 - place[1]),
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops=LINE_TO if far else None,
        )
        text.set_in_layout(False)
    return left


def _loneliness(places: Mapping[str, np.ndarray], name: str) -> float:
    """Returns the distance to the nearest other point, which those in a crowd have little of."""
    return min((math.dist(places[name], place) for other, place in places.items() if other != name), default=math.inf)


def _candidates(place: np.ndarray, name: str) -> Iterator[Bbox]:
    """Yields boxes for a name, the nearest first: beside, above or below the point in all directions."""
    half = np.array([inches(name) * INCH / 2 + 1.5, LINE * INCH / 2 - 0.5])
    for away, number in product(AWAY, range(DIRECTIONS)):
        angle = 2 * math.pi * number / DIRECTIONS
        towards = np.array([math.cos(angle), math.sin(angle)])
        middle = place + away * towards + half * np.clip(towards * 2, -1, 1)
        yield Bbox([middle - half, middle + half])


def _free(box: Bbox, place: np.ndarray, panel: Bbox, drawn: _Drawn) -> bool:
    """Returns whether a name's box and the line that leads to it cover nothing, and nobody takes it for another's.

    Args:
        box: The name's, in points.
        place: The point that it belongs to.
        panel: The box of the panel.
        drawn: What is there already.
    """
    if box.x0 < panel.x0 or box.y0 < panel.y0 or box.x1 > panel.x1 or box.y1 > panel.y1:
        return False
    end = _nearest(box, place)
    away = min(math.dist(end, place), LEADER) + CLOSER
    others = [mark for mark in drawn.marks if math.dist(mark, place) > MARK]
    if any(box.overlaps(name) for name in drawn.names) or box.overlaps(_around(place)):
        return False
    if any(math.dist(_nearest(box, mark), mark) < max(away, MARK) for mark in others):
        return False
    leader = Path([place, end])
    if any(leader.intersects_path(line) or line.intersects_bbox(box) for line in drawn.leaders):
        return False
    passed = [*drawn.names, *(_around(mark) for mark in others if math.dist(mark, place) > 2 * MARK)]
    return not any(leader.intersects_bbox(other) for other in passed)


def _nearest(box: Bbox, place: np.ndarray) -> np.ndarray:
    """Returns the point of a box that is nearest to a place."""
    return np.asarray(np.clip(place, box.min, box.max))


def _around(place: np.ndarray) -> Bbox:
    return Bbox([place - MARK, place + MARK])
