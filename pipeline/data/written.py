"""Recognises what the project wrote itself: a run takes none of it for photographs."""

from __future__ import annotations

from pathlib import Path

MANIFEST = "manifest.csv"  # of saved attacked images
NEEDED = ("file", "sha256", "clear", "clear_sha256", "attack")  # the columns that it must have
LOCKS = (".lock", "lock")  # of a run folder; the second in those of older runs
INSIDE = {"images", "fits", "gallery"}  # the folders with images of a run folder, or of its pages


def written_by_us(folder: Path, names: set[str], *, in_ours: bool = False) -> str:
    """Returns what a folder holds if a run or a report wrote it; nothing if it is somebody's own.

    Args:
        folder: The folder.
        names: What lies in it.
        in_ours: Whether the folder that it lies in is a run's or a report's.
    """
    if in_ours and folder.name in INSIDE:
        return "holds images that a run or a report wrote"
    if ".work" in names and any((folder / ".work" / name).is_file() for name in LOCKS):
        return "holds what a run wrote"
    if {"leaderboard.json", "scores.csv"} <= names:
        return "holds the tables of a run"
    if "_clear" in names or (MANIFEST in names and _lists_attacked_images(folder / MANIFEST)):
        return "holds images that run --save-images wrote"
    if any(name.endswith(".safetensors") and f"{name.removesuffix('.safetensors')}.json" in names for name in names):
        return "holds the patterns of a run"
    return ""


def _lists_attacked_images(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return set(NEEDED) <= set(file.readline().strip().split(","))
    except (OSError, UnicodeDecodeError):
        return False
