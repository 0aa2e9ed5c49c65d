"""Rendering: what is staged, when it is skipped, and what a warning says."""

import nbformat
import pytest


@pytest.fixture
def book(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    toc = (tmp_path / "_toc.yml").read_text()
    book.put("_toc.yml", toc + "- file: book/references\n- file: book/executed\n")
    return book


def staged(book, name: str) -> nbformat.NotebookNode:
    return nbformat.read(book.folder / f"_build/stage/chapters/some/{name}.ipynb", as_version=4)


def test_pages_show_what_ran_and_a_second_time_does_nothing(book):
    book.change("numbers", lambda cells: cells[0].update(source="# New words\n\nProse."))
    done = book.run("tools.render")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == f"open {book.folder / '_build/html/index.html'}"
    page = (book.folder / "_build/html/chapters/some/numbers.html").read_text()
    assert "New words" in page
    assert "loss 0.5 after 7 steps" in page
    assert "Executed on 20" in page
    assert "Python 3." in page
    listed = (book.folder / "_build/html/book/executed.html").read_text()
    assert "New words" in listed
    again = book.run("tools.render").stdout
    assert "rendered" not in again
    assert again.splitlines()[-1].startswith("open ")
    book.put("book/index.md", "# Another index\n")
    assert "rendered" in book.run("tools.render").stdout


def test_staged_notebooks_hold_no_metadata_of_the_run(book):
    assert book.run("tools.render").returncode == 0
    assert set(staged(book, "words").metadata) == {"kernelspec", "language_info", "executed"}
    for cell in staged(book, "words").cells:
        assert set(cell.metadata) <= {"tags", "mystnb", "jupyter"}


def test_a_dead_link_is_an_error_that_names_its_page(book):
    book.change("words", lambda cells: cells[0].update(source="# Words\n\n[gone](gone.ipynb)"))
    done = book.run("tools.render")
    assert done.returncode == 1
    assert done.stdout.startswith("error: Jupyter Book warned or failed")
    assert "chapters/some/words.ipynb: cell 1: WARNING" in done.stdout
    assert "gone.ipynb" in done.stdout
    assert not (book.folder / "_build/html").exists()


def test_a_notebook_that_was_not_executed_is_not_rendered(book):
    book.change("words", lambda cells: cells[1].update(source="print('changed')"))
    done = book.run("tools.render")
    assert done.returncode == 1
    assert "words.ipynb is stale" in done.stdout
    committed = book.run("tools.render", "--committed")
    assert committed.returncode == 0, committed.stdout
    page = (book.folder / "_build/html/chapters/some/words.html").read_text()
    assert "Outputs as committed; not executed for this page." in page


def test_a_corrupt_executed_copy_is_named(book):
    book.put("_build/executed/chapters/some/words.ipynb", '{"cells": [')
    done = book.run("tools.render")
    assert done.returncode == 1
    assert "error: _build/executed/chapters/some/words.ipynb is not a readable" in done.stdout
