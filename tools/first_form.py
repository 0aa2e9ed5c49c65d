"""The rules of sections in their first form, which chapters/ruff.toml lists.

The list only shrinks; when it is empty, this file goes.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools import book, counts

LIST = Path("chapters/ruff.toml")
ENDING = ["Where it goes wrong", "In practice", "Summary", "Exercises", "Further reading"]
ENDING += ["Solutions"]
CODE_LINES, DRAWING_LINES, WORDS = 25, 45, (2000, 4000)


def listed() -> list[Path]:
    """The sections that are still in their first form."""
    names = tomllib.loads(LIST.read_text(encoding="utf-8"))["format"]["exclude"]
    for name in names:
        if not Path("chapters", name).exists():
            raise book.BookError(f"{LIST} lists {name}, which is not in chapters/: take it out")
    return [Path("chapters", name) for name in names]


def faults(notebook: NotebookNode) -> list[str]:
    return [fault for rule in (_text, _exercises, _cells) for fault in rule(notebook)]


def _text(notebook: NotebookNode) -> Iterator[str]:
    text = book.markdown(notebook)
    if re.findall(r"^## (.*)$", text, re.M)[-len(ENDING) :] != ENDING:
        yield f"the last headings are not: {', '.join(ENDING)}"
    text = re.sub(r"^## Solutions\n.*", "", text, flags=re.M | re.S)
    words = counts.words(re.sub(r"<details>.*?</details>", "", text, flags=re.S))
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words of prose outside folds and solutions, not {WORDS[0]} to {WORDS[1]}"
    if sum(counts.has_figure(cell) for cell in book.code_cells(notebook)) < 2:
        yield "fewer than two figures"


def _exercises(notebook: NotebookNode) -> Iterator[str]:
    asked = counts.EXERCISE.findall(book.part(book.markdown(notebook), "Exercises"))
    if not 5 <= len(asked) <= 9:
        yield f"{len(asked)} exercises, not 5 to 9"


def _cells(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        hidden = {"hide-cell", "hide-input"} & set(book.tags(cell))
        lines = len(cell.source.splitlines()) if cell.cell_type == "code" else 0
        limit = DRAWING_LINES if hidden else CODE_LINES
        if lines > limit:
            yield f"cell {number}: {lines} lines of code; at most {limit}"
