"""Bring notebooks into the one form that is committed: `python -m tools.tidy [NOTEBOOK ...]`.

Writes the setup cell from the repository's address, and drops metadata that would only make noise.
"""

import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import book

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SETUP = """\
# Where d2lib is missing, as on Colab, install it with all that the book's sections import.
import importlib.util

address = "git+{address}"
if importlib.util.find_spec("d2lib") is None:
    %pip install -q "runnable-deep-learning[book] @ {{address}}"\
"""


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:]] or book.notebooks():
        before = path.read_text(encoding="utf-8")
        after = text(tidy(book.read(path)))
        if after != before:
            book.write(path, after)
            print(f"tidied {path}")


def text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The notebook in the form that is committed; changes it in place."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        if "setup" in book.tags(cell):
            cell.source = SETUP.format(address=book.address())
            cell.metadata["tags"] = ["setup", "hide-cell"]
        kept = {k: cell.metadata[k] for k in ("tags", "mystnb") if cell.metadata.get(k)}
        if {"hide-input", "hide-cell"} & set(kept.get("tags", [])):
            kept["jupyter"] = {"source_hidden": True}  # JupyterLab's way to say it
        cell.metadata = nbformat.from_dict(kept)
    for cell in book.code_cells(notebook):
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "metadata" in output:
                output.metadata = NotebookNode()
    return notebook


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs, with neighbouring pieces of a stream, cut by chance, put together."""
    joined = []
    for output in outputs:
        if joined and output.get("name") and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    book.command(main)
