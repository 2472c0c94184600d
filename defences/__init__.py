"""Defences of quality metrics, one per file; the file name is the defence's name."""

import logging

# Where bitsandbytes is installed, diffusers imports it, and it warns of a package that nothing here needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
