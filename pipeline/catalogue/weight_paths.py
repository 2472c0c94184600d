"""Where weight files lie: in the caches of torch hub, pyiqa, CLIP and Hugging Face. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from metric_robustness.pipeline.errors import BenchError


class HubFile(NamedTuple):
    """A file of a Hugging Face repository."""

    owner: str
    repository: str
    file: str

    @property
    def folder(self) -> Path:
        """Returns the repository's folder in the Hugging Face cache."""
        return hub_cache() / f"models--{self.owner}--{self.repository}"


def cache_home() -> Path:
    """Returns the folder that holds the libraries' caches, unless a variable of their own names another."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()


def torch_home() -> Path:
    """Returns the folder of torch hub, which also holds pyiqa's."""
    return Path(os.environ.get("TORCH_HOME", cache_home() / "torch")).expanduser()


def hub_cache() -> Path:
    """Returns the folder of the Hugging Face cache."""
    home = Path(os.environ.get("HF_HOME", cache_home() / "huggingface")).expanduser()
    return Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()


def weights_path(weight: str, entries: Path) -> Path:
    """Returns where a declared weight file lies on this machine, or would lie once it is there.

    Args:
        weight: `weights/FILE` for a file of ours in the entries' folder, `hub/pyiqa/FILE` or `hub/checkpoints/FILE`
            below `TORCH_HOME`, `huggingface/OWNER/REPOSITORY/FILE` in the Hugging Face cache, `clip/FILE` in CLIP's.
        entries: The folder of the entry that declares it.

    Raises:
        BenchError: If the name has none of these forms.
    """
    start, _, rest = weight.partition("/")
    if ".." in PurePosixPath(weight).parts:
        raise BenchError(f"weights must lie below their folder; got {weight!r}: change the entry")
    match start:
        case "weights":
            return entries / weight
        case "hub":
            return torch_home() / "hub" / rest
        case "clip":
            return Path("~/.cache/clip").expanduser() / rest
        case "huggingface":
            return _cached(hub_file(weight))
    raise BenchError(f"weights must begin with weights/, hub/, huggingface/ or clip/; got {weight!r}: change the entry")


def hub_file(weight: str) -> HubFile:
    """Returns what `huggingface/OWNER/REPOSITORY/FILE` names.

    Raises:
        BenchError: If the name has another form.
    """
    rest = weight.removeprefix("huggingface/")
    if rest.count("/") < 2:
        raise BenchError(f"weights on the hub must be huggingface/OWNER/REPOSITORY/FILE; got {rest!r}: correct it")
    return HubFile(*rest.split("/", 2))


def main_revision(repository: Path) -> str:
    """Returns the commit that `main` of a cached repository points to, or an empty text."""
    reference = repository / "refs" / "main"
    return reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""


def _cached(wanted: HubFile) -> Path:
    """Returns the file that the library would load, else the newest of that name, else where it would lie."""
    snapshots = wanted.folder / "snapshots"
    revision = main_revision(wanted.folder)
    if revision and (snapshots / revision / wanted.file).exists():
        return snapshots / revision / wanted.file
    found = [path for path in snapshots.glob(f"*/{wanted.file}") if path.exists()]
    return max(found, key=lambda path: path.stat().st_mtime) if found else snapshots / wanted.file
