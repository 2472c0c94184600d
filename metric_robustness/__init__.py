"""Everything that is installed: metrics, attacks, defences, and the pipeline that runs them.

In a checkout the four are links to the folders at its top, so that each file has one place, and one name to Python.
"""

import sys
from pathlib import Path

for _name in ("metrics", "attacks", "defences", "pipeline"):
    if not (_found := Path(__file__).with_name(_name)).is_dir():  # Windows and some archives make links text files
        sys.exit(
            f"error: {_found} must be a link to ../{_name}; it is {'a file' if _found.exists() else 'missing'}: clone "
            "with git clone -c core.symlinks=true, on Windows in developer mode, or make the four links yourself"
        )
