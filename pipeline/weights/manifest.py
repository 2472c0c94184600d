"""The manifest: where each declared weight file comes from, and which hash and size it must have."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from metric_robustness.pipeline.catalogue.weight_paths import hub_file
from metric_robustness.pipeline.errors import BenchError, invalid
from metric_robustness.pipeline.files import parse_yaml
from metric_robustness.pipeline.weights.network import HUB, hub

FILE = Path(__file__).with_name("manifest.yml")
HASHED = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+$")  # how torch hub writes the beginning of the sha256 into a name

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Weight:
    """A weight file: its address, and what is known of its content."""

    name: str  # as entries declare it
    url: str = ""  # empty: it can only be imported
    sha256: str = ""  # empty: not known; the first download pins it
    prefix: str = ""  # the beginning of the sha256, where the file's name holds it
    size: int | None = None  # bytes
    licence: str = ""
    equivalents: dict[str, str] = field(default_factory=dict)  # sha256 of a file that serves as well -> what it is
    whole_repository: bool = False  # whether it stands for all files of its repository on the hub

    @property
    def own(self) -> bool:
        """Tells whether the file is part of the checkout."""
        return "/weights/" in self.name and not self.url

    @property
    def on_hub(self) -> bool:
        """Tells whether the file comes from the Hugging Face hub, which announces the sha256 of large files."""
        return self.url.startswith(f"{hub()}/")


class _ManifestPart(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Facts(_ManifestPart):
    url: str | None = None
    sha256: Sha256 = ""
    size: int | None = Field(default=None, gt=0)
    licence: str = ""
    equivalents: dict[Sha256, str] = {}
    whole_repository: bool = False


class _Rule(_ManifestPart):
    names: str
    url: str = ""
    licence: str
    hashed_names: bool = False


class _Manifest(_ManifestPart):
    rules: list[_Rule]
    files: dict[str, _Facts]


def weight(name: str) -> Weight:
    """Returns what the manifest knows of a file; a file that it does not know has no address.

    Raises:
        BenchError: If the manifest cannot be read.
    """
    manifest = _load(FILE, FILE.stat().st_mtime_ns)
    rule = next((rule for rule in manifest.rules if fnmatch.fnmatchcase(name, rule.names)), _Rule(names="", licence=""))
    facts = manifest.files.get(name, _Facts())
    hashed = HASHED.search(name) if rule.hashed_names and facts.url is None else None
    address = rule.url if facts.url is None else facts.url
    if rule.hashed_names and facts.url is None and not hashed:
        address = ""  # that server's files all have a hash in their names
    return Weight(
        name=name,
        url=_address(address, name),
        sha256=facts.sha256,
        prefix=hashed.group(1) if hashed else "",
        size=facts.size,
        licence=facts.licence or (rule.licence if address or not rule.url else "see its authors' page"),
        equivalents=dict(facts.equivalents),
        whole_repository=facts.whole_repository,
    )


def _address(template: str, name: str) -> str:
    """Returns a file's address from its rule's, with the hub that this machine uses."""
    fields = {"file": quote(name.rpartition("/")[2])}
    if name.startswith("huggingface/"):
        fields = {key: quote(part) for key, part in hub_file(name)._asdict().items()}
    address = template.format(**fields)
    return hub() + address.removeprefix(HUB) if address.startswith(f"{HUB}/") else address


@cache
def _load(path: Path, _changed: int) -> _Manifest:
    try:
        return _Manifest.model_validate(parse_yaml(path))
    except ValidationError as error:
        raise BenchError(f"{path.name} must follow its form; got {invalid(error)}: correct it") from error
