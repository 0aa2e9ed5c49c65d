"""A reader's own check: stock nbval passes on a notebook that trains nothing."""

import subprocess
import sys
from pathlib import Path


def test_stock_nbval_passes():
    notebook = "chapters/preliminaries/tensors.ipynb"
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", notebook]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
