"""Make the executed outputs the committed ones: `python -m tools.accept`.

With --show, print by nbdime what would change, and write nothing.

Outputs tagged `nbval-ignore-output` stay as they are as long as the code that makes them is as in
the last commit, down to this cell, and the words are the same: the numbers, ids, addresses, dates
and names of temporary files in them, and the pixels of a figure, differ from run to run. To have
them anew all the same, clear the cell's output.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import book, tidy

VARYING = re.compile(
    r"""[\w.:/+-]*(?:\d|\btmp\w)(?:[\w.:/+-]|,(?=\d))*  # a time, an address, an id, a file
    |\bT_[0-9a-f]{5}\b                                 # a styled table's id, if of letters alone
    |\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b
    |\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b""",
    re.X,
)
UNIT = re.compile(r"(?<=0) (?:[nµμum]?s|seconds?|minutes?|hours?|bytes|[kKMG]i?B|loops?)\b")


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
    sources, committed = _sources(notebook), _committed_sources(path)
    pairs = zip(book.code_cells(before), book.code_cells(notebook), strict=True)
    for number, (old, cell) in enumerate(pairs, 1):
        ignored = "nbval-ignore-output" in book.tags(cell)
        same_code = committed is None or committed[:number] == sources[:number]
        if ignored and same_code and words(old) == words(cell):
            cell.outputs = old.outputs
    return notebook


def _sources(notebook: NotebookNode) -> list[str]:
    """The code cells, without that of the setup cell, which no output depends on."""
    cells = book.code_cells(notebook)
    return ["" if "setup" in book.tags(cell) else cell.source for cell in cells]


def _committed_sources(path: Path) -> list[str] | None:
    """The code cells of the last commit, none of a new notebook; None where there is no commit."""
    if _git("rev-parse", "HEAD") is None:
        return None
    text = _git("show", f"HEAD:./{path.as_posix()}")
    if text is None:
        return []
    return _sources(nbformat.reads(text, as_version=4))


def _git(*command: str) -> str | None:
    """What git prints, or None where it fails or is not installed."""
    try:
        done = subprocess.run(["git", *command], capture_output=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout


def words(cell: NotebookNode) -> list[list]:
    """What a cell shows, in order: of each output its types, and its words but no numbers."""
    shown = []
    for output in cell.outputs:
        kinds = output.get("data", {"": output.get("text", output.get("evalue"))})
        shown.append([output.output_type, output.get("name"), output.get("execution_count")])
        for kind, content in sorted(kinds.items()):
            text = content if isinstance(content, str) else json.dumps(content, sort_keys=True)
            words = UNIT.sub("", VARYING.sub("0", text)).split()
            shown.append([kind, "a figure" if kind.startswith("image/") else words])
    return shown


def _show(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        after = Path(folder, path.name)
        after.write_text(text, encoding="utf-8")
        color = [] if sys.stdout.isatty() else ["--no-color"]
        show = [sys.executable, "-m", "nbdime", "diff", "--outputs", *color, path, after]
        sys.stdout.flush()
        subprocess.run(show, check=False)


if __name__ == "__main__":
    book.command(main)
