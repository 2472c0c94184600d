"""What holds for every defence with downloaded weights, tested with random ones in the published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published_weights import WRITERS, load

from metric_robustness.pipeline.catalogue import lookup
from metric_robustness.pipeline.contract import check_entry
from metric_robustness.pipeline.contract.defence import DefenceCheck
from metric_robustness.pipeline.weights.manifest import weight

pytestmark = pytest.mark.usefixtures("hub")


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("name", WRITERS)
def test_keeps_the_contract_with_weights(name: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[name](hub)
    init = DefenceCheck.__init__

    def fewer(self: DefenceCheck, *args: Any) -> None:
        init(self, *args)
        self.images = self.images[..., :17, :21]  # small is enough: the content does not matter with random weights

    monkeypatch.setattr(DefenceCheck, "__init__", fewer)
    monkeypatch.setattr(type(load(name)), "presets", {})
    checks = check_entry(lookup.find("defences", name))
    failed = {check.promise for check in checks if check.status != "passed"}
    assert failed <= {"show the same as the clear images once aligned"}, checks


@pytest.mark.parametrize("name", [*WRITERS, "diffpure_unsharp"])
def test_without_weights_it_is_skipped_and_says_which_are_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    checks = check_entry(lookup.find("defences", name))
    assert [check.status for check in checks] == ["passed", "skipped"]
    for file in lookup.find("defences", name).fields["weights"]:
        assert file in checks[1].seen
    assert f"weights fetch {name}" in checks[1].seen


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("damage", ["truncated", "of another architecture", "not tensors", "missing"])
@pytest.mark.parametrize("name", WRITERS)
def test_damaged_weights_are_named(name: str, damage: str, hub: Path) -> None:
    WRITERS[name](hub)
    file = hub / lookup.find("defences", name).fields["weights"][0].rpartition("/")[2]
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:3000])
    elif damage == "not tensors":
        torch.save({"params": print}, file)
    elif damage == "missing":
        file.unlink()
    else:
        torch.save({"params": {"a": torch.ones(1)}, "state_dict": {}, "model": {"sd": {}}, "out.0.weight": 1}, file)
    with pytest.raises(
        ValueError, match=rf"must be built from hub/checkpoints/{file.name}.*: fetch them again"
    ) as error:
        load(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*WRITERS, "diffpure_unsharp"])
def test_every_file_has_a_licence_and_an_address_or_can_only_be_imported(name: str) -> None:
    for file in lookup.find("defences", name).fields["weights"]:
        known = weight(file)
        assert known.licence
        assert bool(known.url) == (name != "disco")
        assert len(known.sha256) == (0 if name in {"disco", "mprnet"} else 64)
