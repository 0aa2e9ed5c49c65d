"""Rendering: what is staged, when it is skipped, and what a warning says."""

import html
import re

import nbformat
import pytest

TOC = """\
format: jb-book
root: book/index
parts:
- numbered: 2
  chapters:
  - file: book/chapter
    sections:
    - file: chapters/some/numbers
    - file: chapters/some/aside
      title: ◆ An aside
    - file: chapters/some/words
  - file: book/next
    sections:
    - file: book/last
- chapters:
  - file: book/references
  - file: book/executed
"""


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


def test_dead_links_are_errors_that_name_their_page(book):
    links = "[a](gone.ipynb) [b](words.ipynb#words) [c](numbers.ipynb#Gone) [d](words.ipynb#Words)"
    book.change("words", lambda cells: cells[0].update(source=f"# Words\n\n{links}"))
    done = book.run("tools.render")
    assert done.returncode == 1
    assert done.stdout.startswith("error: Jupyter Book warned or failed")
    warned = [line for line in done.stdout.splitlines() if "words.ipynb: cell 1: WARNING" in line]
    assert ["gone.ipynb" in line for line in warned] == [True, False, False]
    for line, anchor in zip(warned[1:], ["'words'", "'Gone'"], strict=True):
        assert f": {anchor}" in line
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


@pytest.fixture(scope="module")
def rendered(executed_book, tmp_path_factory):
    """A book with an optional section between two others, and with checks, as committed."""
    book = executed_book.copy(tmp_path_factory.mktemp("rendered"))
    two, one = ("assert True\nassert 1 < 2", "check"), ("assert True", "check")
    book.write("aside", [two, one, ("print('hidden')", "hide-cell")])
    link = "[below](aside.ipynb#What-for?) [above](words.ipynb#Section-words)"
    text = f"# About a matter\n\n{link}\n\n## What for?"
    book.change("aside", lambda cells: cells[0].update(source=text))
    book.put("book/chapter.md", "# Chapter\n\n◆ [Aside](../chapters/some/aside.ipynb)\n")
    book.put("book/next.md", "# The next\n")
    book.put("book/last.md", "# The last\n\n## Part\n")
    book.put("_toc.yml", TOC)
    done = book.run("tools.render", "--committed")
    assert done.returncode == 0, done.stdout
    return book


def page_of(book, name: str) -> str:
    return html.unescape((book.folder / f"_build/html/{name}.html").read_text())


def texts(page: str, pattern: str) -> list[str]:
    """What stands in the elements that the pattern finds, without tags."""
    found = re.findall(pattern, page, re.S)
    return [" ".join(re.sub(r"<[^>]*>|#", " ", one).split()) for one in found]


def test_an_optional_section_has_a_sign_and_the_others_their_numbers(rendered):
    page = page_of(rendered, "chapters/some/aside")
    entries = texts(page, r'<li class="toctree-l[12].*?</a>')
    assert entries[1:7] == [
        "1. Chapter",
        "1.1. Section numbers",
        "◆ An aside",
        "1.2. Section words",
        "2. The next",
        "2.1. The last",
    ]
    assert texts(page, "<h1>.*?</h1>")[-1] == "◆ About a matter"
    assert texts(page, "<h2>.*?</h2>")[-1] == "What for?"
    assert texts(page, "<title>.*?</title>") == ["◆ About a matter — Runnable Deep Learning"]
    after = texts(page_of(rendered, "chapters/some/words"), "<h1>.*?</h1>")[-1]
    assert after == "1.2. Section words"
    assert texts(page_of(rendered, "book/last"), "<h1>.*?</h1>")[-1] == "2.1. The last"
    assert "◆ <a" in page_of(rendered, "book/chapter")


def test_checks_are_lines_that_count_them_and_other_folds_say_what_they_hide(rendered):
    page = page_of(rendered, "chapters/some/aside")
    lines = texts(page, "<details class=.hide.*?<summary>.*?</p>")
    assert lines == ["✓ 2 checks", "✓ 1 check", "Show the code"]
    assert texts(page, '<p class="expanded.*?</p>')[2] == "Hide the code"
    assert 'aria-label="Toggle hidden' not in page
    committed = nbformat.read(rendered.folder / "chapters/some/aside.ipynb", as_version=4)
    assert [cell.metadata.get("tags") for cell in committed.cells[1:3]] == [["check"]] * 2


def test_links_to_headings_as_jupyter_writes_them_lead_to_them_on_the_site(rendered):
    page = page_of(rendered, "chapters/some/aside")
    for where in ("#what-for", "words.html#section-words"):
        assert f'<a class="reference internal" href="{where}">' in page
    assert 'id="what-for">' in page
    assert 'id="section-words">' in page_of(rendered, "chapters/some/words")
