"""Atomic writes, digests, locks and seals: a file is whole or not there, and one that was damaged is not believed."""

from metric_robustness.pipeline.files.atomic import (
    OTHER_OUT,
    WRITING,
    append_line,
    digest,
    file_digest,
    file_name,
    move_into_place,
    plain_errors,
    replace_link,
    write_atomically,
)
from metric_robustness.pipeline.files.leftovers import remove_leftovers
from metric_robustness.pipeline.files.locks import exclusive, folder_lock
from metric_robustness.pipeline.files.seal import (
    SealError,
    read_sealed,
    seal_json,
    sealed,
    tell_damaged,
    unseal,
    unseal_json,
    write_sealed,
)
from metric_robustness.pipeline.files.sealed_lines import SealedLines
from metric_robustness.pipeline.files.yaml_text import parse_yaml

__all__ = [
    "OTHER_OUT",
    "WRITING",
    "SealError",
    "SealedLines",
    "append_line",
    "digest",
    "exclusive",
    "file_digest",
    "file_name",
    "folder_lock",
    "move_into_place",
    "parse_yaml",
    "plain_errors",
    "read_sealed",
    "remove_leftovers",
    "replace_link",
    "seal_json",
    "sealed",
    "tell_damaged",
    "unseal",
    "unseal_json",
    "write_atomically",
    "write_sealed",
]
