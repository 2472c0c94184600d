"""Files of unknown hash are opened before they are pinned, and pins can be taken back."""

from __future__ import annotations

import gzip

import pytest
from file_server import Fault
from torch_files import checkpoint, plain_trap, touched, trap
from weights_site import PLAIN, body, errors, leftovers, sha256


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (lambda: b"<!DOCTYPE html><html>Sorry</html>", "cannot be read: it is a web page"),
        (lambda: b"", "cannot be read: it is empty"),
        (lambda: checkpoint(1)[:50_000], "cannot be read: it ends too early"),
        (lambda: gzip.compress(checkpoint(1)), "cannot be read: it is a gzip archive"),
        (trap, "holds more than tensors"),
        (plain_trap, "is not tensors only"),
    ],
    ids=["page", "empty", "short", "gzip", "trap", "plain trap"],
)
def test_what_is_no_file_of_weights_is_refused_before_it_is_pinned(site, sent, what):
    site.server.faults["plain.pth"] = [Fault(body=sent())]
    answer = site.call("fetch", "plain")
    assert answer.returncode == 3
    [line] = errors(answer.stderr)
    assert line.startswith(f"error: known, plain: {PLAIN} from {site.server.address}/plain.pth {what}"), line
    assert "it is refused and not pinned" in line
    assert (site.pins, site.path(PLAIN).exists(), leftovers(site)) == ("", False, [])
    assert not touched().exists()
    assert site.call("fetch", "plain").returncode == 0
    assert site.pins == f"{sha256(body(site, PLAIN))}  {PLAIN}\n"


def test_a_pin_can_be_taken_back(site):
    assert site.call("fetch", "plain", "named").returncode == 0
    site.server.files["plain.pth"] = checkpoint(9)
    refused = site.call("fetch", "--anew", "plain")
    assert f"if the change is meant, run python -m pipeline weights unpin {PLAIN}" in refused.stderr
    told = site.call("unpin", "plain")
    assert (told.returncode, told.stdout) == (0, f"{PLAIN} is pinned no more\n")
    assert [line.split("  ")[1] for line in site.pins.splitlines()] == [site.named]
    assert site.call("fetch", "--anew", "plain").returncode == 0
    assert site.path(PLAIN).read_bytes() == checkpoint(9)
    assert sha256(checkpoint(9)) in site.pins


def test_a_pin_that_is_not_there_is_told_and_a_damaged_one_named(site):
    told = site.call("unpin", "plain")
    assert (told.returncode, "plain must have a pin; there is none in" in told.stderr) == (2, True)
    assert site.call("fetch", "plain").returncode == 0
    file = site.home / "torch" / "metric_robustness" / "SHA256SUMS"
    file.write_text(f"{file.read_text()}{'0' * 63}  hub/other.pth\n")
    for command in ("unpin", "fetch"):
        answer = site.call(command, "plain")
        assert answer.returncode == 2
        [line] = errors(answer.stderr)
        assert f"{file} must hold lines of sha256sum; got '{'0' * 63}  hub/other.pth' in line 2" in line
