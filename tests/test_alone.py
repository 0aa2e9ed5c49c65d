"""A notebook opened alone, as on Colab: torch is there, nothing of the repository is."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import book
from tools.checks import parse

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
ONE_OF_EACH_CHAPTER = list({path.parent: path for path in reversed(book.notebooks())}.values())


def run(*command, **options) -> str:
    done = subprocess.run(
        [str(part) for part in command], text=True, capture_output=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A repository with the files as they are now, whether or not they are in one."""
    if not shutil.which("git"):
        pytest.skip("git is not installed, and pip takes the book from a repository")
    made = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    clone = tmp_path_factory.mktemp("clone") / "repository"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".git", *made))
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for step in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "as it is now"]):
        run("git", *step, cwd=clone)
    return clone


@pytest.fixture
def fresh_python(tmp_path) -> Path:
    """The Python of an environment with torch, numpy and a kernel, and nothing of the book."""
    if not (os.environ.get("CI") or index_is_reachable(tmp_path)):
        pytest.skip("the package index cannot be reached, and this notebook installs from it")
    folder = tmp_path / "fresh"
    python = folder / "bin/python"
    run(UV, "venv", "-q", "--seed", "--python", sys.executable, folder)
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    wanted = [pin for pin in pins if pin.startswith(("torch==", "numpy==", "ipykernel=="))]
    run(UV, "pip", "install", "-q", "--link-mode", "hardlink", "--python", python, *wanted)
    return python


def index_is_reachable(folder: Path) -> bool:
    download = ["-m", "pip", "download", "-q", "--no-deps", "-d"]
    command = [sys.executable, *download, folder, "hatchling"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("path", ONE_OF_EACH_CHAPTER, ids=str)
def test_notebook_alone_installs_the_book_and_moves_nothing(
    path, repository, fresh_python, tmp_path
):
    before = set(run(UV, "pip", "freeze", "--python", fresh_python).splitlines())
    assert not any(line.startswith(("matplotlib==", "runnable")) for line in before)
    kernel = {"argv": [str(fresh_python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    kernel |= {"display_name": "fresh", "language": "python"}
    specs = tmp_path / "jupyter/kernels/fresh"
    specs.mkdir(parents=True)
    (specs / "kernel.json").write_text(json.dumps(kernel))
    notebook = nbformat.read(path, as_version=4)
    setup = book.code_cells(notebook)[0]
    assert setup.source.count(book.address()) == 1
    setup.source = setup.source.replace(book.address(), f"file://{repository}")
    empty = tmp_path / "empty"
    empty.mkdir()
    nbformat.write(notebook, empty / path.name)

    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    environment |= {"JUPYTER_PATH": str(tmp_path / "jupyter"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "papermill", path.name, "out.ipynb", "-k", "fresh"]
    run(*command, "--no-progress-bar", cwd=empty, env=environment)

    ran = nbformat.read(empty / "out.ipynb", as_version=4)
    assert book.incomplete(ran) is None
    after = set(run(UV, "pip", "freeze", "--python", fresh_python).splitlines())
    assert before <= after, f"moved: {before - after}"
    assert any(line.startswith("runnable-deep-learning") for line in after)
    run(fresh_python, "-c", f"import {', '.join(imports())}")  # what all the sections need


def imports() -> list[str]:
    """The modules that the code of all notebooks imports, but for those that a cell writes."""
    found, written = set(), set()
    for cell in (cell for path in book.notebooks() for cell in book.code_cells(book.read(path))):
        written |= set(re.findall(r"^%%writefile (\w+)\.py$", cell.source, re.M))
        if "setup" not in book.tags(cell):
            for node in ast.walk(parse(cell.source)):
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(node.module)
    return sorted(found - written)
