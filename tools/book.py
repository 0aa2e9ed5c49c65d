"""What the tools share: the table of contents, the notebooks, and their executed copies.

Every tool runs from the repository's root, so all paths are relative to it.
"""

import ast
import functools
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml
from nbformat import NotebookNode
from nbformat.v4 import to_notebook_json
from nbformat.validator import iter_validate

EXECUTED = Path("_build/executed")
FORM = [4, 5]  # of notebooks: nbformat's version
GENERATED = {"book/executed", "book/references"}  # pages that tools/render.py writes


class BookError(Exception):
    """Something is wrong with the book; the message says what, where, and what to do."""


def command(main: Callable[[], int | None]) -> None:
    """Run a tool's `main` and exit with its status; errors of the book are one message."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a terminal that lacks a letter shows another
    try:
        sys.exit(main())
    except BookError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        sys.exit("stopped")


def pages() -> list[Path]:
    """The files that _toc.yml lists, in its order; those made at rendering are left out."""
    toc = read_yaml(Path("_toc.yml"))
    found = []
    for entry in _entries(toc):
        files = [path for s in (".ipynb", ".md") if (path := Path(entry + s)).exists()]
        if entry not in GENERATED and not files:
            raise BookError(f"_toc.yml lists {entry}, but neither {entry}.ipynb nor .md exists")
        found += files
    return found


def _entries(node: object) -> list[str]:
    """The documents that a part of the table of contents names, in order."""
    if isinstance(node, list):
        return [entry for item in node for entry in _entries(item)]
    if not isinstance(node, dict):
        return []
    own = [str(node[k]) for k in ("root", "file") if k in node]
    return own + [entry for value in node.values() for entry in _entries(value)]


def notebooks() -> list[Path]:
    """The notebooks of the book, all readable."""
    listed = listed_notebooks()
    for path in listed:
        read(path)
    return listed


def listed_notebooks() -> list[Path]:
    """The notebooks that _toc.yml lists; one in chapters/ that it does not list is an error."""
    listed = [page for page in pages() if page.suffix == ".ipynb"]
    for path in listed:
        if path.parts[0] != "chapters":
            raise BookError(f"{path}: notebooks stand in chapters/, where outputs are compared")
    for path in Path("chapters").rglob("matplotlibrc"):
        raise BookError(f"{path} would change the figures of the notebooks beside it: delete it")
    for path in sorted(Path("chapters").rglob("*.ipynb")):
        if path not in listed and ".ipynb_checkpoints" not in path.parts:
            raise BookError(f"{path} is not in _toc.yml: list it, or move it out of chapters/")
    return listed


def read_yaml(path: Path) -> dict:
    """Read a file of settings."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{path} is not valid YAML: {str(error).replace(chr(10), ' ')}") from None
    if not isinstance(found, dict):
        raise BookError(f"{path} should hold names with values, not {type(found).__name__}")
    return found


def read(path: Path) -> NotebookNode:
    """Read a notebook as its file holds it: what nbformat would repair silently is an error."""
    return checked(read_json(path), path)


def checked(found: object, path: Path) -> NotebookNode:
    """The notebook that was found in a file, if its form is valid."""
    if fault := _malformed(found):
        raise BookError(f"{path} is not a valid notebook: {fault}")
    return to_notebook_json(found)


def read_json(path: Path) -> object:
    """Read a notebook's file, whatever it holds."""
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as error:
        raise BookError(f"{path} is not a readable notebook: {error}") from None


def _each_key_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"{twice!r} stands twice in one place, and all but one would be lost")
    return found


def _malformed(notebook: object) -> str | None:
    """What is wrong with the form of a notebook, and what to do."""
    if not isinstance(notebook, dict):
        return "it holds no cells"
    version = [notebook.get(name) for name in ("nbformat", "nbformat_minor")]
    if version != FORM and all(isinstance(number, int) for number in version):
        cure = "run `make tidy`" if version[0] == FORM[0] else "save it anew in JupyterLab"
        return f"its format is {version[0]}.{version[1]}, not {FORM[0]}.{FORM[1]}: {cure}"
    error = next(iter_validate(notebook, version=FORM[0], version_minor=FORM[1]), None)
    if error is None:
        return _shared_id([cell["id"] for cell in notebook["cells"]])
    place = list(error.relative_path)
    if place[:1] == ["cells"] and len(place) > 1:
        place[:2] = [f"cell {place[1] + 1}"]
    said = " ".join(error.message.split())[:120]
    cure = ": run `make tidy`" if "id" in place or said.startswith("'id'") else ""
    return f"{', '.join(map(str, place))}{': ' if place else ''}{said}{cure}"


def _shared_id(ids: list[str]) -> str | None:
    for number, name in enumerate(ids, 1):
        if name in ids[: number - 1]:
            first = ids.index(name) + 1
            return f"cells {first} and {number} have the same id {name!r}: run `make tidy`"
    return None


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with open(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:  # it names the temporary file or, where the disk is full, none
        raise OSError(error.errno, error.strerror, str(path)) from None


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook: NotebookNode) -> str:
    """All Markdown of a notebook."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return "\n\n".join(texts) + "\n"


def part(text: str, heading: str) -> str:
    """What stands below a heading of the second level."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def address() -> str:
    """The repository's address, which stands in _config.yml alone."""
    return read_yaml(Path("_config.yml"))["repository"]["url"]


def alt_text(cell: NotebookNode) -> str:
    """What a figure shows, in words, as the cell's metadata say it; empty where they do not."""
    found = cell.metadata
    for key in ("mystnb", "image", "alt"):
        found = found.get(key, "") if isinstance(found, dict) else ""
    return found.strip() if isinstance(found, str) else ""


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def defaults(path: Path) -> list[str]:
    """Names of the parameters that the notebook's `parameters` cell sets."""
    sources = [cell.source for cell in code_cells(read(path)) if "parameters" in tags(cell)]
    try:
        nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    except SyntaxError as error:
        said = f"{error.msg}, line {error.lineno}"
        raise BookError(f"{path}: its `parameters` cell is not plain Python ({said})") from None
    names = [node for node in nodes if isinstance(node, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


def key(notebook: NotebookNode, parameters: dict) -> str:
    """Hash of all that the outputs depend on: code, parameters, d2lib, pinned versions, Python."""
    sources = [cell.source for cell in code_cells(notebook)]
    made_from = json.dumps([sources, parameters, _surroundings()], sort_keys=True)
    return hashlib.sha256(made_from.encode()).hexdigest()


@functools.cache
def _surroundings() -> str:
    digest = hashlib.sha256(str(sys.version_info[:2]).encode())
    files = [p for p in Path("d2lib").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    for path in [Path("requirements.txt"), *sorted(files)]:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def executed_copy(path: Path) -> NotebookNode:
    """The executed copy of a notebook, if it is complete and made from the present source."""
    copy = EXECUTED / path
    if not copy.exists():
        raise BookError(f"{path} has not been executed, or failed: run `make execute`")
    executed = read(copy)
    if executed.metadata.get("executed", {}).get("key") != key(read(path), {}):
        raise BookError(f"{copy} is stale, made from other code or versions: run `make execute`")
    if [c.source for c in code_cells(executed)] != [c.source for c in code_cells(read(path))]:
        raise BookError(f"{copy} holds other code than {path}: delete it and run `make execute`")
    if fault := incomplete(executed):
        raise BookError(f"{copy}: {fault}; delete it and run `make execute`")
    return executed


def error_of(cell: NotebookNode) -> NotebookNode | None:
    """The error that a code cell raised."""
    return next((output for output in cell.outputs if output.output_type == "error"), None)


def incomplete(notebook: NotebookNode) -> str | None:
    """Why a notebook does not count as executed: a stored error, or cells not run in order."""
    for number, cell in enumerate(code_cells(notebook), 1):
        if error_of(cell):
            return f"code cell {number} raised an error"
    counts = [cell.execution_count for cell in code_cells(notebook) if cell.source.strip()]
    if counts != list(range(1, len(counts) + 1)):
        return f"its code cells did not all run, once and in order (execution counts {counts})"
    return None


def with_outputs(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """The source, with the outputs of the executed copy put in, code cell by code cell."""
    for cell, ran in zip(code_cells(source), code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return source
