"""Render the executed book as a website: `python -m tools.render`, into _build/html.

Stages the sources with the outputs of the executed copies, adds the pages that are made from
them, and builds that tree clean with Jupyter Book, warnings as errors. Where the staged tree is
the one last rendered, there is nothing to do.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools import book
from tools.checks import checks_in

STAGE, SPHINX, HTML = Path("_build/stage"), Path("_build/sphinx"), Path("_build/html")
NAMES = {"python": "Python", "torch": "PyTorch", "torchvision": "torchvision", "numpy": "NumPy"}
NAMES |= {"pandas": "pandas", "matplotlib": "Matplotlib"}
STAMP, LOG = Path("_build/rendered"), Path("_build/render.log")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--committed", action="store_true", help="take the outputs as committed, execute nothing"
    )
    options = parser.parse_args()
    stage(options.committed)
    staged = _digest(STAGE, Path("requirements.txt"))
    if _rendered() != staged:
        STAMP.unlink(missing_ok=True)
        _build()
        book.write(STAMP, staged)
    print(f"open {(HTML / 'index.html').resolve()}")
    return 0


def stage(committed: bool) -> None:
    """Lay out in _build/stage what Jupyter Book is to render."""
    shutil.rmtree(STAGE, ignore_errors=True)
    pages = book.pages()
    notebooks = book.notebooks()
    sources = [Path("_config.yml"), Path("_toc.yml"), Path("tools/sphinx_pages.py")]
    sources += [page for page in pages if page not in notebooks]
    sources += [path for path in Path("book/static").rglob("*") if path.is_file()]
    for path in sources:
        (STAGE / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, STAGE / path)
    runs = {}
    for path in notebooks:
        notebook = book.read(path)
        if not committed:
            executed = book.executed_copy(path)
            runs[path] = executed.metadata.executed
            notebook = book.with_outputs(notebook, executed)
        notebook.metadata["executed"] = _footer(runs.get(path))
        _fold_checks(notebook)
        book.write(STAGE / path, nbformat.writes(notebook))
    book.write(STAGE / "book/references.md", _references(notebooks))
    book.write(STAGE / "book/executed.md", _executed(runs))


def _fold_checks(notebook: NotebookNode) -> None:
    """Have MyST-NB fold each check cell into one line, which counts its checks."""
    for cell in book.code_cells(notebook):
        if "check" in book.tags(cell):
            count = checks_in(cell.source)
            line = f"✓ {count} check" if count == 1 else f"✓ {count} checks"
            cell.metadata["tags"].append("hide-input")
            cell.metadata["mystnb"] = {"code_prompt_show": line, "code_prompt_hide": line}


def _footer(run: NotebookNode | None) -> str:
    if run is None:
        return "Outputs as committed; not executed for this page."
    return (
        f"Executed on {run.date} in {run.seconds:.0f} s on one thread ({run.hardware}) "
        f"with {_versions(run)}."
    )


def _versions(run: NotebookNode) -> str:
    found = run.versions
    return ", ".join(f"{shown} {found[name]}" for name, shown in NAMES.items() if name in found)


def _references(notebooks: list[Path]) -> str:
    """The references page: the lists of *Further reading* of all sections, in their order."""
    lines = ["# References", "", "The works that the sections name under *Further reading*.", ""]
    for path in notebooks:
        notebook = book.read(path)
        title = _title(path, notebook)
        if listed := book.part(book.markdown(notebook), "Further reading"):
            lines += [f"## {title}", "", listed.strip(), "", f"From {_link(path)}.", ""]
    return "\n".join(lines)


def _executed(runs: dict[Path, NotebookNode]) -> str:
    """The page that lists what each notebook was executed with."""
    lines = ["# How these pages were executed", ""]
    if not runs:
        return "\n".join([*lines, "The outputs were taken as committed: nothing was executed.", ""])
    total = sum(run.seconds for run in runs.values())
    lines += [
        f"{len(runs)} notebooks took {total:.0f} seconds of computing, each on one thread. "
        "`make test` compares their outputs with the committed ones, and the published site "
        "is rendered from a run that passed. Executed with:",
        "",
        *sorted({f"- {_escaped(f'{_versions(run)}, {run.hardware}')}" for run in runs.values()}),
        "",
        "| section | date | seconds | memory (MB) |",
        "|---|---|--:|--:|",
    ]
    for path, run in runs.items():
        lines.append(f"| {_link(path)} | {run.date} | {run.seconds:.0f} | {run.peak_mb} |")
    return "\n".join([*lines, ""])


def _title(path: Path, notebook: NotebookNode) -> str:
    """The title of a section, in Markdown."""
    first = notebook.cells[0] if notebook.cells else {}
    found = re.match(r"# +(\S.*)", first.get("source", ""))
    if not found or first.cell_type != "markdown":
        raise book.BookError(f"{path} has no title: begin its first cell with a line `# Title`")
    return found[1]


def _link(path: Path) -> str:
    """A link from a page of book/ to a section, which Sphinx labels with the section's title."""
    return f"[](<../{path.as_posix()}>)"


def _escaped(text: str) -> str:
    """The text in Markdown, where none of its signs is markup."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def _digest(folder: Path, *others: Path) -> str:
    digest = hashlib.sha256()
    for path in [*sorted(p for p in folder.rglob("*") if p.is_file()), *others]:
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


def _rendered() -> str | None:
    """The digest of the tree that _build/html was made from."""
    return STAMP.read_text() if STAMP.exists() and (HTML / "index.html").exists() else None


def _build() -> None:
    shutil.rmtree(SPHINX, ignore_errors=True)
    command = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    started = time.time()
    with LOG.open("w", encoding="utf-8") as log:
        options = ["--path-output", SPHINX, "-W", "-n", "--keep-going"]
        built = subprocess.run(
            [command, "build", STAGE, *options], stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if built.returncode != 0:
        said = re.sub(r"\x1b\[[0-9;]*m", "", LOG.read_text(encoding="utf-8"))
        told = [line for line in said.splitlines() if re.search("WARNING|ERROR|Error:", line)]
        told = [_placed(line) for line in told or said.splitlines()[-10:]]
        head = f"Jupyter Book warned or failed (all of it: {LOG}):"
        message = "\n  ".join([head, *dict.fromkeys(told)])  # Sphinx says some things twice
        raise book.BookError(message)
    shutil.rmtree(HTML, ignore_errors=True)
    (SPHINX / "_build/html").replace(HTML)
    print(f"rendered {len(list(HTML.rglob('*.html')))} pages in {time.time() - started:.0f} s")


def _placed(line: str) -> str:
    """A line of Sphinx, with its cell as a reader counts it: MyST-NB says cell * 10000 + line."""
    line = line.replace(f"{STAGE.resolve()}/", "")
    return re.sub(r"\.ipynb:(\d+)\d{4}:", r".ipynb: cell \1:", line)


if __name__ == "__main__":
    book.command(main)
