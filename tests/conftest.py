"""A small book in a scratch folder, in which tests plant faults and run the tools."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import v4

from tools import tidy

ROOT = Path(__file__).parents[1]


class Book:
    """A book of one chapter in `folder`; its notebooks are lists of code cells."""

    def __init__(self, folder: Path):
        self.folder = folder

    def make(self, **sources: list[str | tuple[str, str]]) -> "Book":
        """Write the book; a cell is its source, or its source and a tag."""
        names = [f"chapters/some/{name}" for name in sources]
        for name, cells in sources.items():
            pairs = [(cell, None) if isinstance(cell, str) else cell for cell in cells]
            self.write(name, pairs)
        chapters = [{"file": name} for name in names]
        toc = {"format": "jb-book", "root": "book/index", "chapters": chapters}
        self.put("_toc.yml", yaml.safe_dump(toc, sort_keys=False))
        self.put("_config.yml", (ROOT / "_config.yml").read_text())
        self.put("book/index.md", "# A small book\n")
        self.put("requirements.txt", "")
        for path in [*(ROOT / "book/static").iterdir(), ROOT / "tools/sphinx_pages.py"]:
            self.put(str(path.relative_to(ROOT)), path.read_text())
        return self

    def write(self, name: str, cells: list[tuple[str, str | None]]) -> None:
        notebook = v4.new_notebook(cells=[v4.new_markdown_cell(f"# Section {name}")])
        notebook.metadata["kernelspec"] = tidy.KERNEL
        for number, (source, tag) in enumerate(cells):
            cell = v4.new_code_cell(source, id=f"cell-{number}")
            cell.metadata["tags"] = [tag] if tag else []
            notebook.cells.append(cell)
        self.put(f"chapters/some/{name}.ipynb", nbformat.writes(notebook))

    def put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def copy(self, folder: Path) -> "Book":
        return Book(shutil.copytree(self.folder, folder, dirs_exist_ok=True))

    def change(self, name: str, change: Callable, executed: bool = False) -> None:
        """Plant a fault: apply `change` to the committed, or the executed, notebook."""
        root = self.folder / "_build/executed" if executed else self.folder
        path = root / f"chapters/some/{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        change(notebook.cells)
        nbformat.write(notebook, path)

    def records(self) -> dict[str, dict]:
        """What tools/execute.py reported of each notebook."""
        return json.loads((self.folder / "_build/report.json").read_text())["notebooks"]

    def outputs(self, name: str) -> list:
        """The outputs of the executed notebook, cell by cell; None for Markdown."""
        path = self.folder / f"_build/executed/chapters/some/{name}.ipynb"
        return [cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells]

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        """Run a module of Python in the book's folder; stdout and stderr come as one text."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            **{"env": self.environment, **options},
        )

    @property
    def environment(self) -> dict[str, str]:
        """The tools' modules are importable; pytest's own variables do not leak in."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        return kept | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path)


@pytest.fixture(scope="module")
def executed_book(tmp_path_factory) -> Book:
    """Two notebooks, executed, with their outputs accepted as the committed ones."""
    made = Book(tmp_path_factory.mktemp("executed")).make(
        numbers=[
            "x = 0.5\nprint('loss', x, 'after', 7, 'steps')",
            "from IPython.display import SVG, display\n"
            "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
            "x",
            ("import time\ntime.time()", "nbval-ignore-output"),
            ("0.25, 400", "nbval-rtol-5e-2"),
            "print('The count is 2930.')",
        ],
        words=["print('one')", "print('two')"],
    )
    for step in (["tools.execute"], ["tools.accept"]):
        done = made.run(*step)
        assert done.returncode == 0, done.stdout
    return made
