"""Commands in several processes, as torchrun starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["torchrun"]


def torchrun(*words: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run it to its end; what it imports may be beside this file."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": ""}
    environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), *filter(None, [environ.get("PYTHONPATH")])])
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=120, check=False, env=environ)
