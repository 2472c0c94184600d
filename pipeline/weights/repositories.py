"""Repositories of the Hugging Face hub that are needed whole, such as a language model in many parts."""

from __future__ import annotations

import json
from urllib.parse import quote

from metric_robustness.pipeline.catalogue.weight_paths import hub_file
from metric_robustness.pipeline.errors import DataError
from metric_robustness.pipeline.weights.declared import Need
from metric_robustness.pipeline.weights.manifest import Weight
from metric_robustness.pipeline.weights.network import hub
from metric_robustness.pipeline.weights.sources import UrlSource

UNREAD = (".gitattributes", ".gitignore", "README.md")  # files that no library reads


def members_on_hub(need: Need, token: str) -> list[Need]:
    """Returns the other files of a declared file's repository, as the hub lists them.

    Raises:
        ConnectionBrokenError: If the hub cannot be reached, or fails.
        BusyError: If it asks to wait.
        DataError: If it refuses, or does not answer with a list of files.
    """
    owner, repository, _ = hub_file(need.name)
    url = f"{hub()}/api/models/{quote(owner)}/{quote(repository)}/tree/main?recursive=true"
    answer = UrlSource(url, token=token).read()
    try:
        paths = [item["path"] for item in json.loads(answer) if item["type"] == "file"]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{url} must answer with a list of files; got {answer[:60]!r}: try again later") from error
    return _members(need, paths)


def members_in_mirror(need: Need, sums: dict[str, str]) -> list[Need]:
    """Returns the other files of a declared file's repository that a mirror lists."""
    prefix = need.name.removesuffix(hub_file(need.name).file)
    return _members(need, [name.removeprefix(prefix) for name in sums if name.startswith(prefix)])


def _members(need: Need, paths: list[str]) -> list[Need]:
    owner, repository, declared = hub_file(need.name)
    return [
        Need(
            Weight(
                name=f"huggingface/{owner}/{repository}/{path}",
                url=f"{hub()}/{owner}/{repository}/resolve/main/{quote(path)}",
                licence=need.weight.licence,
            ),
            need.entries,
        )
        for path in sorted(paths)
        if path != declared and path not in UNREAD and ".." not in path.split("/")
    ]
