"""What happens to a still image, by container, mode and tags: one list, of which tests and docs/inputs.md are made.

Each case writes a file and says which pixels are right, worked out apart from the product, or why the file is refused.
"""

from __future__ import annotations

from still_alpha import transparency
from still_case import Case
from still_depths import depths, plain
from still_numbers import numbers
from still_odd import moving, others
from still_profiles import profiles
from still_tiff import tiff_colours, tiffs
from still_turned import orientations


def cases() -> list[Case]:
    """Returns all cases."""
    makers = (plain, depths, transparency, orientations, profiles, numbers, tiffs, tiff_colours, others, moving)
    return [case for make in makers for case in make()]
