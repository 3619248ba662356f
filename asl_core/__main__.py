"""``python -m asl_core`` is ``asl``."""

from asl_core.cli import main

if __name__ == "__main__":
    main()
