"""Widths of figures: those of columns and pages of papers.

A figure that is as wide as a column when it is made is not scaled when it is printed, so its text keeps its size. The
widths are the narrowest of three common styles, so that text never shrinks below 8 points: columns of CVPR and ICCV are
3.25 in wide and pages 6.875 in (their author kit), of ACM 3.33 and 7.0 (acmart, sigconf), of IEEE 3.5 and 7.16 (its
guide to graphics).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

Width: TypeAlias = Literal["column", "page"]
WIDTHS: Mapping[Width, float] = MappingProxyType({"column": 3.25, "page": 6.875})  # inches
PAGE_HEIGHT = 8.875  # inches of a page of CVPR's that text may fill
