"""A notebook without its cells tagged `check` gives the same outputs: no check changes anything.

Held for the quickest notebook of each chapter; with WITHOUT_CHECKS=all in the environment, for all.
"""

import os
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tools import book as the_book
from tools import execute


def is_check(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and "check" in the_book.tags(cell)


def without_checks(notebook: NotebookNode) -> NotebookNode:
    notebook.cells = [cell for cell in notebook.cells if not is_check(cell)]
    for number, cell in enumerate(the_book.code_cells(notebook), 1):
        cell.execution_count = number
    return notebook


def compared(book, executed: NotebookNode) -> tuple[int, str]:
    """Execute a notebook's code without its checks, and compare the outputs with those it had.

    It is the only one of a small book, so that execution and comparison are the book's own.
    """
    book.make(section=[])
    book.put("chapters/some/section.ipynb", nbformat.writes(without_checks(executed)))
    done = book.run("tools.execute")
    assert done.returncode == 0, done.stdout
    done = book.run("pytest", "-q", "-p", "tools.compare", "--executed", "chapters")
    return done.returncode, done.stdout


def cases() -> dict[str, list[Path]]:
    """The notebooks that have checks: by chapter, of which the quickest is taken, or one by one."""
    chapters = {path.parent.name: [] for path in the_book.notebooks()}
    for path in the_book.notebooks():
        if any(map(is_check, the_book.read(path).cells)):
            chapters[path.parent.name].append(path)
    if os.environ.get("WITHOUT_CHECKS") == "all":
        return {str(path): [path] for paths in chapters.values() for path in paths}
    return chapters


@pytest.mark.parametrize(("name", "paths"), cases().items(), ids=list(cases()))
def test_the_outputs_are_the_same_without_checks(book, name, paths):
    if not paths:
        pytest.skip(f"no section of {name} has cells tagged check")
    took = execute.old_records()
    quickest = min(paths, key=lambda path: took.get(str(path), {}).get("seconds", 1e9))
    status, said = compared(book, the_book.executed_copy(quickest))
    assert status == 0, f"{quickest}: a check changes what a later cell shows\n{said}"


def test_a_check_that_draws_from_the_global_generator_is_found(book, tmp_path):
    seed, check = "import torch\n_ = torch.manual_seed(0)", "assert torch.rand(1) < 1"
    done = book.make(one=[seed, (check, "check"), "print(torch.rand(2))"]).run("tools.execute")
    assert done.returncode == 0, done.stdout
    executed = the_book.read(tmp_path / "_build/executed/chapters/some/one.ipynb")
    status, said = compared(type(book)(tmp_path / "without"), executed)
    assert status == 1
    assert "committed" in said, said
