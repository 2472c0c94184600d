"""The rooms of the code and which room imports which, read from the syntax trees.

The test of ARCHITECTURE.md and its picture use it. A room is a folder of pipeline/, or a single file directly in it;
`engine` and `scoring` have inner rooms. A package with rooms is a house, and a room stands on those that it imports.
As a program, `rooms.py FILE.svg` draws the picture, and `rooms.py` prints the tables.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = "pipeline"
NEIGHBOURS = ("metrics", "attacks", "defences", "benchmarks")
HOUSES = (HOUSE, "pipeline.engine", "pipeline.scoring")  # each has a table of its own
Graph = dict[str, set[str]]  # room -> the rooms that it imports


def files() -> list[Path]:
    """Returns every file of our code, tests excluded."""
    return sorted(path for folder in (HOUSE, *NEIGHBOURS) for path in (ROOT / folder).rglob("*.py"))


def module_of(file: Path) -> str:
    """Returns the dotted name of a file."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(file: Path) -> ast.Module:
    """Returns the syntax tree of a file."""
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imported(file: Path) -> frozenset[str]:
    """Returns the modules that a file imports anywhere; a name taken from a package counts as its module too.

    Our modules have the names of their files here, without the package that holds the links to their folders.
    """
    found = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports of our own modules must be absolute"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name.removeprefix("metric_robustness.") for name in found)


def reaches(module: str, package: str) -> bool:
    """Tells whether a module is a package or lies in it."""
    return module == package or module.startswith(f"{package}.")


def room_of(module: str, house: str) -> str | None:
    """Returns the room of a house in which a module lies; None for what lies outside, and for the house itself."""
    if house == HOUSE and module.partition(".")[0] in NEIGHBOURS:
        return module.partition(".")[0]
    return module.removeprefix(f"{house}.").partition(".")[0] if module.startswith(f"{house}.") else None


def graph(house: str = HOUSE) -> Graph:
    """Returns which rooms of a house import which others."""
    found: Graph = {}
    for file in files():
        room = room_of(module_of(file), house)
        if room is not None:
            # In `from pipeline import places` only the imported name tells the room.
            found.setdefault(room, set()).update({room_of(name, house) for name in imported(file)} - {None, room})
    return {room: {name for name in below if name in found} for room, below in found.items()}


def floors(rooms: Graph) -> list[list[str]]:
    """Returns the rooms from the lowest floor up; a room lies one floor above the highest that it stands on.

    Raises:
        CycleError: If rooms stand on each other in a circle.
    """
    sorter = TopologicalSorter(rooms)
    sorter.prepare()
    found = []
    while sorter.is_active():
        floor = sorted(sorter.get_ready())
        found.append(floor)
        sorter.done(*floor)
    return found


def circle(rooms: Graph) -> list[str]:
    """Returns one circle of rooms, or nothing."""
    try:
        floors(rooms)
    except CycleError as error:
        return list(error.args[1])
    return []


def table(rooms: Graph, holds: dict[str, str]) -> str:
    """Returns the table of ARCHITECTURE.md, the highest room first; `holds` says what is in a room."""
    order = [room for floor in reversed(floors(rooms)) for room in floor]
    lines = [
        f"| {room} | {holds.get(room, '...')} | {', '.join(name for name in order if name in rooms[room])} |"
        for room in order
    ]
    return "\n".join(["| room | holds | stands on |", "|---|---|---|", *lines])


def marked(name: str, text: str) -> list[list[str]]:
    """Returns the cells of the table that follows `<!-- NAME -->` in a text, line by line, without its heading."""
    rows = []
    for line in text.partition(f"<!-- {name} -->")[2].strip().splitlines():
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows[2:]


def declared(house: str, text: str) -> tuple[Graph, dict[str, str]]:
    """Returns what ARCHITECTURE.md says of a house: which room stands on which, in its order; what a room holds."""
    rows = marked(f"rooms of {house}", text)
    below = {room: {name.strip() for name in names.split(",") if name.strip()} for room, _, names in rows}
    return below, {room: holds for room, holds, _ in rows}


# ---------------------------------------------------------------- the picture

WIDTH, FLOOR, HEIGHT, GAP, MARGIN, TOP = 1000, 66, 32, 44, 30, 30
INK, PALE, PAPER = "#1f2937", "#8b9bb0", "#ffffff"
COLOURS = {"door": "#fbcfe8", "work": "#bfdbfe", "tables": "#bbf7d0", "entries": "#fde68a", "ground": "#e2e8f0"}
KINDS = {
    "entries": {"metrics", "attacks", "defences", "weights", "contract", "catalogue"},
    "work": {"engine", "train", "data", "cells", "store", "benchmarks"},
    "tables": {"scoring", "site"},
    "door": {"__main__", "cli", "ci", "gitlab", "library"},
}
LEGEND = {
    "door": "command line, notebook and GitLab",
    "work": "images to rows",
    "tables": "rows to tables and pages",
    "entries": "entries, and what is known of them",
    "ground": "what all may use",
}
COLUMNS = {
    "entries": 0.2,
    "work": 0.45,
    "tables": 0.6,
    "door": 0.75,
    "ground": 0.85,
}  # the first guess of a room's place
SWEEPS = 24  # up and down through the floors, until every room stands near its neighbours
Spot = tuple[str, int]  # a room and its floor; or a bend, on the way to the room, on a floor above it


def needed(rooms: Graph) -> Graph:
    """Returns the arrows that no way through other rooms replaces: more would make the picture unreadable."""

    def below(room: str) -> set[str]:
        return {far for near in rooms[room] for far in {near} | below(near)}

    return {
        room: {name for name in near if not any(name in below(other) for other in near)} for room, near in rooms.items()
    }


def kind(room: str) -> str:
    """Returns the kind of a room, which gives it its colour."""
    return next((name for name, rooms in KINDS.items() if room in rooms), "ground")


def steps(arrows: Graph, floor_of: dict[str, int]) -> set[tuple[Spot, Spot]]:
    """Returns the arrows cut into steps of one floor; arrows to one room share their bends."""
    found = set()
    for room, below in arrows.items():
        for name in below:
            way = [
                (room, floor_of[room]),
                *((name, floor) for floor in range(floor_of[room] - 1, floor_of[name] - 1, -1)),
            ]
            found |= set(pairwise(way))
    return found


def places(links: set[tuple[Spot, Spot]], floor_of: dict[str, int]) -> dict[Spot, float]:
    """Returns the horizontal middle of every room and bend: near its neighbours, no two overlapping."""
    spots = {*((room, floor) for room, floor in floor_of.items()), *(spot for link in links for spot in link)}
    x = {spot: COLUMNS[kind(spot[0])] * WIDTH for spot in sorted(spots)}
    count = max(floor_of.values()) + 1
    for sweep in range(SWEEPS):
        for floor in range(count) if sweep % 2 == 0 else reversed(range(count)):
            level = [spot for spot in spots if spot[1] == floor]
            wish = {}
            for spot in level:
                near = [x[b] for a, b in links if a == spot] + [x[a] for a, b in links if b == spot]
                wish[spot] = sum(near) / len(near) if near else x[spot]
            x |= beside(sorted(level, key=by(wish)), wish, floor_of)
    leftmost = min(middle - width(spot[0]) / 2 for spot, middle in x.items())
    return {spot: middle - leftmost + MARGIN for spot, middle in x.items()}


def by(wish: dict[Spot, float]) -> Callable[[Spot], tuple[float, Spot]]:
    """Returns the order of a floor's spots."""
    return lambda spot: (wish[spot], spot)


def beside(order: list[Spot], wish: dict[Spot, float], floor_of: dict[str, int]) -> dict[Spot, float]:
    """Returns the middles of one floor's spots, as near to their wishes as their widths allow."""
    halves = [width(spot[0]) / 2 if floor_of[spot[0]] == spot[1] else 0.0 for spot in order]
    pairs = list(zip(order, halves, strict=True))
    right, left, edge = [], [], -math.inf
    for spot, half in pairs:  # pushed to the right only
        right.append(max(edge + half, wish[spot]))
        edge = right[-1] + half + GAP
    edge = math.inf
    for spot, half in reversed(pairs):  # to the left only
        left.append(min(edge - half, wish[spot]))
        edge = left[-1] - half - GAP
    return {spot: (a + b) / 2 for spot, a, b in zip(order, right, reversed(left), strict=True)}


def width(room: str) -> float:
    """Returns how wide the box of a room is."""
    return 24 + 8.2 * len(room)


def picture(rooms: Graph) -> str:
    """Returns the picture as SVG: floors from the ground up, and the arrows that no other way replaces."""
    levels = floors(rooms)
    floor_of = {room: number for number, level in enumerate(levels) for room in level}
    links = steps(needed(rooms), floor_of)
    x = places(links, floor_of)
    height = TOP + len(levels) * FLOOR
    across = round(max(middle + width(spot[0]) / 2 for spot, middle in x.items())) + MARGIN

    def top(floor: int) -> float:
        return TOP + (len(levels) - 1 - floor) * FLOOR

    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {height}" width="{across}" '
            f'height="{height}" '
            'font-family="Helvetica, Arial, sans-serif">',
            '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{PALE}"/></marker>',
            f'<rect width="{across}" height="{height}" fill="{PAPER}"/>',
            *legend(),
            *(arrow(x, (a, b), top, ends=floor_of[b[0]] == b[1]) for a, b in sorted(links)),
            *(box(room, x[room, floor], top(floor)) for room, floor in sorted(floor_of.items())),
            "</svg>",
            "",
        ]
    )


def legend() -> Iterator[str]:
    """Draws what the colours mean."""
    for line, (name, meaning) in enumerate(LEGEND.items()):
        y = MARGIN + 24 * line
        yield f'<rect x="{MARGIN}" y="{y}" width="14" height="14" rx="3" fill="{COLOURS[name]}" stroke="{INK}"/>'
        yield f'<text x="{MARGIN + 22}" y="{y + 12}" font-size="13" fill="{INK}">{escape(meaning)}</text>'


def box(room: str, middle: float, top: float) -> str:
    """Draws a room."""
    return (
        f'<rect x="{middle - width(room) / 2:.1f}" y="{top}" width="{width(room):.1f}" height="{HEIGHT}" rx="7" '
        f'fill="{COLOURS[kind(room)]}" stroke="{INK}"/>'
        f'<text x="{middle:.1f}" y="{top + 21}" font-size="15" text-anchor="middle" fill="{INK}">{room}</text>'
    )


def arrow(x: dict[Spot, float], link: tuple[Spot, Spot], top: Callable[[int], float], *, ends: bool) -> str:
    """Draws a step from one floor to the next; where it bends it goes straight through."""
    (a, b), tip = link, ' marker-end="url(#tip)"' if ends else ""
    (x1, top1), (x2, top2) = ((x[spot], top(spot[1])) for spot in (a, b))
    straight = "" if ends else f" V{top2 + HEIGHT}"
    y1 = top1 + HEIGHT
    bend = (top2 - y1) * 0.6
    path = f"M{x1:.1f} {y1} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {top2 - bend:.1f} {x2:.1f} {top2}{straight}"
    return f'<path d="{path}" fill="none" stroke="{PALE}" stroke-width="1.5"{tip}/>'


def main() -> None:
    """Draws the picture, or prints the tables."""
    if len(sys.argv) == 2:
        Path(sys.argv[1]).write_text(picture(graph()), encoding="utf-8")
    else:
        text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
        for house in HOUSES:
            _, holds = declared(house, text)
            print(f"<!-- rooms of {house} -->", table(graph(house), holds), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
