"""Links to a notebook's own headings: the form that is committed, and what is said of others."""

import pytest
from nbformat import v4

from tools import links
from tools.sphinx_pages import jupyter_anchor

HEADINGS = "# Tensors\n\n## Exercises\n\n### Solution 1\n\n## What is `x.T`, and why?\n"


def notebook(text: str, headings: str = HEADINGS):
    return v4.new_notebook(cells=[v4.new_markdown_cell(text), v4.new_markdown_cell(headings)])


def tidied(text: str, headings: str = HEADINGS) -> str:
    return links.tidy(notebook(text, headings), "tensors.ipynb").cells[0].source


@pytest.mark.parametrize(
    "written",
    [
        "#solution-1",
        "#Solution-1",
        "tensors.ipynb#solution-1",
        "tensors.ipynb#Solution-1",
        "#Solution%201",
    ],
)
def test_every_spelling_becomes_the_one_form(written):
    assert tidied(f"[Solution]({written})") == "[Solution](tensors.ipynb#Solution-1)"


@pytest.mark.parametrize("written", ["#what-is-x-t-and-why", "#what-is-xt-and-why"])
def test_code_and_punctuation_stay_in_the_anchor(written):
    assert tidied(f"[T]({written}).") == "[T](tensors.ipynb#What-is-x.T,-and-why?)."


@pytest.mark.parametrize(
    "text",
    [
        "`[Solution](#solution-1)`",
        "```\n[Solution](#solution-1)\n```",
        "[Solution](other.ipynb#solution-1)",
        "[Solution](https://example.org/#solution-1)",
        "[Solution](#solution-2)",
        "#solution-1",
    ],
)
def test_what_is_no_link_to_an_own_heading_stays(text):
    assert tidied(text) == text


def test_code_cells_and_other_links_stay():
    book = notebook("[a](#exercises) and [b](linear_algebra.ipynb) and [c](#exercises)")
    book.cells.append(v4.new_code_cell("'[a](#exercises)'"))
    links.tidy(book, "tensors.ipynb")
    form = "tensors.ipynb#Exercises"
    assert book.cells[0].source == f"[a]({form}) and [b](linear_algebra.ipynb) and [c]({form})"
    assert book.cells[2].source == "'[a](#exercises)'"


def faults(text: str, headings: str = HEADINGS) -> list[str]:
    return links.faults(notebook(text, headings), "tensors.ipynb")


@pytest.mark.parametrize(
    ("text", "headings", "said"),
    [
        ("[a](#solution-9)", HEADINGS, "the link to #solution-9 is dead: no heading"),
        ("[a](#deep)", "# A\n\n#### Deep\n", "is dead: no heading down to ###"),
        ("[a](#in-code)", "# A\n\n```\n# In code\n```\n", "is dead: no heading"),
        ("[a](tensors.ipynb#gone)", HEADINGS, "the link to #gone is dead"),
        ("[a](#solution-1)", HEADINGS, "run `make tidy`, which writes tensors.ipynb#Solution-1"),
        ("[a](tensors.ipynb#solution-1)", HEADINGS, "is not what JupyterLab follows: run"),
        ("[a](#twice)", "# Twice\n\n## Twice\n", "leads to the first of 2 headings"),
        ("[a](#the-norm-x)", "# The norm $x$\n", "is dead in JupyterLab: rename its heading"),
        ("[a](#naïve)", "# Naïve\n", "is dead in JupyterLab: rename its heading"),
        ('[a](#a-"b")', '# A "b"\n', "is dead in JupyterLab: rename its heading"),
        ("[a](#sums-(all))", "# Sums (all)\n", "is dead in JupyterLab: rename its heading"),
    ],
)
def test_a_link_that_some_reader_cannot_follow_is_named(text, headings, said):
    (fault,) = faults(text, headings)
    assert fault.startswith("cell 1: the link to #")
    assert said in fault


def test_links_in_form_and_links_elsewhere_are_no_faults():
    text = "[a](tensors.ipynb#Solution-1) [b](other.ipynb#nowhere) [c](https://x.org/#y) `](#z)`"
    assert faults(text) == []


def test_an_exact_anchor_is_not_taken_for_a_similar_one():
    headings = "# C\n\n## C++\n"
    assert tidied("[a](#C++) [b](#C)", headings) == "[a](tensors.ipynb#C++) [b](tensors.ipynb#C)"


def test_the_site_makes_the_same_anchors():
    assert jupyter_anchor("Where it goes wrong") == "Where-it-goes-wrong"
    assert jupyter_anchor("Could we have seen it?") == "Could-we-have-seen-it?"
