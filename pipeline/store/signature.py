"""Signatures of the result store: on GitLab any member's job may write objects, but few may sign them.

The key is a protected CI/CD variable, which GitLab gives to pipelines of protected branches only. Where it is set, an
object without a signature counts as not there; where it is not, as on a laptop, nothing is signed or verified.
"""

from __future__ import annotations

import hmac
import re

from metric_robustness.pipeline.errors import BenchError
from metric_robustness.pipeline.tokens import token

VARIABLE = "BENCHMARK_STORE_KEY"
KEY = re.compile(r"[0-9a-zA-Z_-]{32,}")
HEAD = re.compile(rb"robustness-signed ([0-9a-f]{64})\n")


class Signature:
    """Signs and verifies objects, by HMAC with SHA-256 (RFC 2104).

    Args:
        keys: The first one signs; each verifies, so that a key can be replaced and what it signed stays.
    """

    def __init__(self, keys: tuple[bytes, ...] = ()) -> None:
        self.keys = keys

    @classmethod
    def of_environment(cls) -> Signature:
        """Returns the signature that the variable stands for, one key or several with commas.

        Raises:
            BenchError: If a key is too short, or holds other signs.
        """
        text = token(VARIABLE)
        keys = tuple(key.strip() for key in text.split(",")) if text else ()
        if not all(map(KEY.fullmatch, keys)):
            raise BenchError(
                f"{VARIABLE} must hold keys of 32 or more letters and digits: run gitlab setup, which makes one"
            )
        return cls(tuple(key.encode() for key in keys))

    def signed(self, place: str, packed: bytes) -> bytes:
        """Returns an object with its signature, which holds for its place only; unchanged without a key."""
        return b"robustness-signed %s\n%s" % (_of(self.keys[0], place, packed), packed) if self.keys else packed

    def verified(self, place: str, found: bytes) -> bytes | None:
        """Returns an object without its signature; None if there are keys and none of them signed it."""
        head = HEAD.match(found)
        packed = found[head.end() :] if head else found
        if not self.keys:
            return packed
        good = head and any(hmac.compare_digest(head[1], _of(key, place, packed)) for key in self.keys)
        return packed if good else None


def _of(key: bytes, place: str, packed: bytes) -> bytes:
    return hmac.new(key, b"%s\n%s" % (place.encode(), packed), "sha256").hexdigest().encode()
