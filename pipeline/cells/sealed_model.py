"""A record that is written as JSON and believed later: it carries its own hash."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from metric_robustness.pipeline.files import SealError, plain_errors, seal_json, unseal_json


class SealedModel(BaseModel):
    """What all stamps share: how they are written, and when they are believed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def to_json(self) -> str:
        """Returns the record as indented JSON, with its seal as the last field."""
        return seal_json(self.model_dump_json(indent=1))

    @classmethod
    def parse(cls, content: bytes) -> Self | None:
        """Returns the record that some bytes hold; None if they hold none, or its seal does not hold."""
        try:
            return cls.model_validate_json(unseal_json(content))
        except (SealError, ValidationError):
            return None

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Returns the record of a file; None if there is none, or its seal does not hold.

        Raises:
            BenchError: If the file may not be read.
        """
        with plain_errors(path):
            try:
                return cls.parse(path.read_bytes())
            except (FileNotFoundError, IsADirectoryError):
                return None
