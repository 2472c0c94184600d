"""Which image stands behind a tag: noted by the pipeline that built it, since many may push to a registry."""

from __future__ import annotations

import re

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.files import digest
from metric_robustness.pipeline.store.store import Place, RefusedError, Store

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def record(store: Store, tag: str, reference: str) -> None:
    """Notes the digest of a tag's image; nothing where it is noted already.

    Args:
        store: Where it is noted.
        tag: The tag, which stands for all that the image is made from.
        reference: The image, HOST/PATH@DIGEST.

    Raises:
        BenchError: If the reference has no digest.
        TransientError: If the store cannot be reached.
    """
    found = reference.rpartition("@")[2]
    if not DIGEST.fullmatch(found):
        raise BenchError(
            f"an image must be written HOST/PATH@sha256:...; got {reference!r}: take IMAGE of image-status"
        )
    if digest_of(store, tag) != found:
        store.write(_place(tag), found.encode())


def digest_of(store: Store, tag: str) -> str | None:
    """Returns the digest that was noted for a tag, or None if there is none that counts."""
    try:
        found = store.read(_place(tag))
    except RefusedError:
        return None
    text = (found or b"").decode(errors="replace")
    return text if DIGEST.fullmatch(text) else None


def _place(tag: str) -> Place:
    return Place("images", digest(tag.encode())[:32], "digest")
