"""Bring notebooks into the one form that is committed: `python -m tools.tidy [NOTEBOOK ...]`.

Writes the setup cell from the repository's address and links to headings in the form that each
reader follows, gives each cell an id of its own, and drops metadata and invisible characters that
would only make noise.
"""

import re
import sys
from pathlib import Path
from uuid import uuid4

import nbformat
from nbformat import NotebookNode

from tools import book, links

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}  # knows `!ls`, `%%bash` and `name?`
ID = re.compile(r"[\w-]{1,64}", re.A)  # of a cell
FOLDED = {"check", "hide-input", "hide-cell"}
SETUP = """\
# Where d2lib is missing, as on Colab, install it with all that the book needs.
import importlib.util

address = "git+{address}"
if importlib.util.find_spec("d2lib") is None:
    %pip install -q "runnable-deep-learning[book] @ {{address}}"\
"""


def main() -> None:
    for path in [Path(name) for name in sys.argv[1:]] or book.listed_notebooks():
        notebook = tidy(book.checked(_with_ids(book.read_json(path)), path))
        after = text(links.tidy(notebook, path.name))
        if after.encode() != path.read_bytes():
            book.write(path, after)
            print(f"tidied {path}")


def _with_ids(notebook: object) -> object:
    """What a notebook's file holds, in today's format: each cell has an id of its own."""
    if isinstance(notebook, dict) and notebook.get("nbformat") == book.FORM[0]:
        notebook["nbformat_minor"] = book.FORM[1]
        cells, seen = notebook.get("cells"), set()
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, dict):
                name = cell.get("id")
                if not isinstance(name, str) or name in seen or not ID.fullmatch(name):
                    cell["id"] = uuid4().hex[:8]
                seen.add(cell["id"])
    return notebook


def text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook) + "\n"


def tidy(notebook: NotebookNode) -> NotebookNode:
    """The notebook in the form that is committed; changes it in place."""
    notebook.metadata = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    for cell in notebook.cells:
        cell.source = _visible(cell.source, cell.cell_type)
        if "setup" in book.tags(cell):
            cell.source = SETUP.format(address=book.address())
            cell.metadata["tags"] = ["setup", "hide-cell"]
        kept = {k: cell.metadata[k] for k in ("tags", "mystnb") if cell.metadata.get(k)}
        if set(kept.get("tags", [])) & FOLDED:
            kept["jupyter"] = {"source_hidden": True}  # JupyterLab's way to say it
        cell.metadata = nbformat.from_dict(kept)
    for cell in book.code_cells(notebook):
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "metadata" in output:  # a picture's width, say, stands below its kind of data
                kept = {k: v for k, v in output.metadata.items() if k in output.data}
                output.metadata = nbformat.from_dict(kept)
    return notebook


def _visible(source: str, kind: str) -> str:
    """A cell's source with one kind of line end and, in prose, with spaces for tabs."""
    source = re.sub(r"\r\n?", "\n", source.replace("\ufeff", ""))
    if kind == "code":
        return source
    return re.sub(r"[\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", source).expandtabs(4)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The outputs, with neighboring pieces of a stream, cut by chance, put together."""
    joined = []
    for output in outputs:
        if joined and output.get("name") and output.get("name") == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    book.command(main)
