"""Links from a notebook to headings of its own, in the one form that all readers can follow.

In tensors.ipynb that is `[Solution](tensors.ipynb#Solution-1)`: the notebook's own name, and the
heading's anchor as Jupyter makes it (tools/sphinx_pages.py has the site make the same). Of a bare
`#Solution-1` JupyterLab takes the first in any open notebook, and GitHub leads to the folder.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import unquote

from markdown_it import MarkdownIt
from nbformat import NotebookNode

from tools.sphinx_pages import jupyter_anchor

CODE = r"^(?P<fence>```|~~~).*?^(?P=fence)|`[^`\n]*`"
LINK = r"\]\((?P<file>[\w.-]*)#(?P<anchor>[^)\s]+)\)"
CODE_OR_LINK = re.compile(f"{CODE}|{LINK}", re.M | re.S)
PORTABLE = re.compile(r"[\w.,:;?!'/+-]+", re.A)  # JupyterLab finds no anchor that a URL encodes
MARKDOWN = MarkdownIt()


def tidy(notebook: NotebookNode, name: str) -> NotebookNode:
    """Bring links to headings of the notebook, a file called `name`, into form, in place."""
    known = _anchors(notebook)

    def formed(found: re.Match) -> str:
        if found["file"] not in ("", name):  # None where it is code
            return found[0]
        headings = _headings(found["anchor"], known)
        return f"]({name}#{headings[0]})" if len(headings) == 1 else found[0]

    for cell in _markdown(notebook):
        cell.source = CODE_OR_LINK.sub(formed, cell.source)
    return notebook


def faults(notebook: NotebookNode, name: str) -> list[str]:
    """The links to headings of the notebook that some reader cannot follow, with what to do."""
    known = _anchors(notebook)
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        links = CODE_OR_LINK.finditer(cell.source) if cell.cell_type == "markdown" else ()
        for link in links:
            if link["anchor"] and link["file"] in ("", name):
                fault = _fault(link["file"], link["anchor"], known, name)
                found += [f"cell {number}: the link to #{link['anchor']} {fault}"] if fault else []
    return found


def _fault(file: str, anchor: str, known: list[str], name: str) -> str | None:
    headings = _headings(anchor, known)
    if not headings:
        return "is dead: no heading down to ### is called so"
    if len(headings) > 1:
        return f"leads to the first of {len(headings)} headings called so: rename the others"
    if not PORTABLE.fullmatch(headings[0]):
        return "is dead in JupyterLab: rename its heading, without math, quotes and accents"
    if (file, anchor) != (name, headings[0]):
        return f"is not what JupyterLab follows: run `make tidy`, which writes {name}#{headings[0]}"
    return None


def _anchors(notebook: NotebookNode) -> list[str]:
    """The anchors of the headings that the site can lead to (`myst_heading_anchors`)."""
    parsed = [MARKDOWN.parse(cell.source) for cell in _markdown(notebook)]
    texts = [
        "".join(part.content for part in inline.children)
        for tokens in parsed
        for opening, inline in pairwise(tokens)
        if opening.type == "heading_open" and opening.tag in ("h1", "h2", "h3")
    ]
    return [jupyter_anchor(text) for text in texts]


def _headings(anchor: str, known: list[str]) -> list[str]:
    """The known anchors that an anchor in any program's spelling may stand for."""
    meant = _letters(unquote(anchor))
    exact = [heading for heading in known if heading == anchor]
    return exact or [heading for heading in known if _letters(heading) == meant]


def _letters(anchor: str) -> str:
    return re.sub(r"[\W_]", "", anchor.lower())


def _markdown(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "markdown")
