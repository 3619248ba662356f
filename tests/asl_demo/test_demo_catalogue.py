from __future__ import annotations

import subprocess
import sys

from asl_core import testing
from asl_demo import asl_datasets
from asl_demo.dataset import DemoDataset
from asl_demo.options import DemoOptions


def test_catalogue_imports_nothing_heavy() -> None:
    code = "import sys, asl_demo; asl_demo.asl_datasets(); sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_component() -> None:
    (component,) = asl_datasets()
    testing.check_component(component)


def test_contract() -> None:
    testing.check_dataset(DemoDataset(DemoOptions(glosses=5)))
    testing.check_dataset(DemoDataset(DemoOptions(glosses=5, sentence_length=3)))
