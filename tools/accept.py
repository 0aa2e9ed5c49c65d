"""Make the executed outputs the committed ones: `python -m tools.accept`.

With --show, print by nbdime what would change, and write nothing.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from nbformat import NotebookNode

from tools import book, tidy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="print the differences, write nothing")
    options = parser.parse_args()
    changed = 0
    for path in book.notebooks():
        text = tidy.text(_accepted(path))
        if text == path.read_text(encoding="utf-8"):
            continue
        changed += 1
        if options.show:
            _show(path, text)
        else:
            book.write(path, text)
            print(f"accepted the outputs of {path}: look at `git diff`")
    if not changed:
        print("every output is as committed")
    elif options.show:
        print(f"{changed} notebooks differ: `make accept` takes over what was executed")


def _accepted(path: Path) -> NotebookNode:
    """The notebook with its new outputs; those that differ from run to run stay as they were."""
    before = book.read(path)
    notebook = tidy.tidy(book.with_outputs(book.read(path), book.executed_copy(path)))
    pairs = zip(book.code_cells(before), book.code_cells(notebook), strict=True)
    for old, cell in pairs:
        if "nbval-ignore-output" in book.tags(cell) and _but_numbers(old) == _but_numbers(cell):
            cell.outputs = old.outputs
    return notebook


def _but_numbers(cell: NotebookNode) -> str:
    """A cell's outputs, with every number replaced by 0."""
    return re.sub(r"\d+(\.\d+)?", "0", json.dumps(cell.outputs, sort_keys=True))


def _show(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        after = Path(folder, path.name)
        after.write_text(text, encoding="utf-8")
        colour = [] if sys.stdout.isatty() else ["--no-color"]
        show = [sys.executable, "-m", "nbdime", "diff", "--outputs", *colour, path, after]
        sys.stdout.flush()
        subprocess.run(show, check=False)


if __name__ == "__main__":
    book.command(main)
