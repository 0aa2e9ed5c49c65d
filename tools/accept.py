"""Make the executed outputs the committed ones: `python -m tools.accept [NOTEBOOK ...]`.

With --show, print by nbdime what would change, and write nothing.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from nbformat import NotebookNode

from tools import book, tidy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all that changed")
    parser.add_argument("--show", action="store_true", help="print the differences, write nothing")
    options = parser.parse_args()
    for path in options.notebooks or book.notebooks():
        text = tidy.text(tidy.tidy(_accepted(path)))
        if text == path.read_text(encoding="utf-8"):
            continue
        if options.show:
            _show(path, text)
        else:
            book.write(path, text)
            print(f"accepted the outputs of {path}: look at `git diff`")


def _accepted(path: Path) -> NotebookNode:
    """The notebook with its new outputs; those that differ from run to run stay as they were."""
    before = {cell.id: cell for cell in book.code_cells(book.read(path))}
    notebook = book.with_outputs(book.read(path), book.executed_copy(path))
    for cell in book.code_cells(notebook):
        old = before[cell.id]
        if "nbval-ignore-output" in book.tags(cell) and old.execution_count:
            cell.outputs = old.outputs
    return notebook


def _show(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        after = Path(folder, path.name)
        after.write_text(text, encoding="utf-8")
        show = [sys.executable, "-m", "nbdime", "diff", "--outputs", path, after]
        subprocess.run(show, check=False)


if __name__ == "__main__":
    book.command(main)
