"""What users and attackers met, one function a case: ``python tests/replay.py`` prints them, pytest runs them."""
