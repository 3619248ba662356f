"""``python -m asl_core`` is ``asl``.

Python puts the working folder first on its path for ``-m``, where a file named ``click.py`` would be run. It is taken
off again before anything else is imported; ``asl`` and ``python -P -m asl_core`` never put it there.
"""

import os
import sys

if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():  # noqa: PTH109 - pathlib is not imported yet
    del sys.path[0]

from asl_core.cli import main

if __name__ == "__main__":
    main()
