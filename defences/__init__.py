"""Defences of quality metrics, one per file; the file name is the defence's name."""

import logging

# diffusers imports bitsandbytes where it is installed, which then warns about a package that the project does not need.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
