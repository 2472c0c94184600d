"""Whether the network may be used, and the address of the Hugging Face hub."""

from __future__ import annotations

import os

HUB = "https://huggingface.co"  # where pyiqa and timm keep their weights
TRUE = {"1", "ON", "YES", "TRUE"}  # as huggingface_hub reads its variables


def forbidden_by() -> str:
    """Returns the environment variable that forbids the network; empty if none does."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in TRUE:
            return variable
    return ""


def hub() -> str:
    """Returns the address of the Hugging Face hub, or of the server that HF_ENDPOINT names instead."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")
