"""What a test needs of its machine: where it is absent, people skip the test, and CI fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(message: str, *, on_purpose: bool = False) -> NoReturn:
    """Ends the test.

    Args:
        message: What is absent, and how to get it.
        on_purpose: Whether CI does without it, too.
    """
    if os.environ.get("CI") == "true" and not on_purpose:
        pytest.fail(message)
    pytest.skip(message)
