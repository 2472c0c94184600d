"""Why a process ended without a verdict, in words."""

from __future__ import annotations

import signal


def reason_of_end(code: int) -> str:
    """Returns what became of a process, as the end of a sentence.

    Args:
        code: Its exit code, negative if a signal killed it.
    """
    if code >= 0:
        return f"ended the process with status {code}: take sys.exit or os._exit out"
    if -code == signal.SIGKILL:
        return "was killed, probably for memory: run again with a smaller --batch or fewer --jobs"
    name = (signal.strsignal(-code) or "unknown").lower()
    return f"was killed by signal {-code} ({name}): see what its compiled code does"


def reason_of_silence(seconds: float) -> str:
    """Returns what is told of a process that was ended since it reported nothing for so long."""
    hours = f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds:g} seconds"
    return f"reported nothing for {hours} and was ended: see if it loops, or allow more with --patience"
