"""American spelling in notebooks, by codespell with the settings of pyproject.toml."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools import book

CODESPELL = [sys.executable, "-X", "utf8", "-m", "codespell_lib", "--stdin-single-line", "-"]
FOUND = re.compile(r"^(\d+): (.+?) ==> (.+)$", re.M)


def faults(notebooks: dict[Path, NotebookNode]) -> dict[Path, list[str]]:
    """The misspelt words of each notebook, with their places."""
    lines = [(path, *line) for path, notebook in notebooks.items() for line in _lines(notebook)]
    text = "".join(line + "\n" for *_, line in lines)
    done = subprocess.run(CODESPELL, input=text, capture_output=True, encoding="utf-8", check=False)
    if done.returncode and not FOUND.search(done.stdout):
        raise book.BookError(f"codespell failed: {done.stderr.strip()}")
    found = {path: [] for path in notebooks}
    for number, word, better in FOUND.findall(done.stdout):
        path, place, _ = lines[int(number) - 1]
        found[path].append(f"{place}: write {better!r} for {word!r}")
    return found


def _lines(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """The lines of all cells, and of the figures' alternative texts, with their places."""
    for number, cell in enumerate(notebook.cells, 1):
        for line, text in enumerate(cell.source.splitlines(), 1):
            yield f"cell {number}, line {line}", text
        for text in book.alt_text(cell).splitlines():
            yield f"cell {number}, alt text", text
