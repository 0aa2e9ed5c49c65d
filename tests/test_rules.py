"""Every rule for notebooks goes red on the fault that it is for; the book's own keep them all."""

from copy import deepcopy

import pytest
from nbformat import v4

from tools import book, rules, tidy

NOTEBOOKS = book.notebooks()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=str)
def test_the_books_notebooks_keep_every_rule(path):
    assert rules.faults(book.read(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=str)
def test_the_chapters_index_links_to_the_section(path):
    assert f"]({path.name})" in (path.parent / "index.md").read_text()


@pytest.fixture
def section():
    """A faultless section to plant faults in."""
    return deepcopy(book.read(NOTEBOOKS[0]))


def say(text):
    """Plants a markdown cell before the ending."""

    def plant(section):
        section.cells.insert(4, v4.new_markdown_cell(text))

    return plant


def replace(old, new):
    def plant(section):
        for cell in section.cells:
            if old in cell.source:
                cell.source = cell.source.replace(old, new, 1)
                return
        raise AssertionError(f"{old!r} is not there to be replaced")

    return plant


def code(source="1", output=None, tags=()):
    """Plants a code cell, executed in its order."""

    def plant(section):
        cell = v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})
        cell.outputs = [output] if output else []
        section.cells.insert(4, cell)
        renumber(section)

    return plant


def renumber(section):
    for number, cell in enumerate(book.code_cells(section), 1):
        cell.execution_count = number


def first_figure(section):
    return next(cell for cell in book.code_cells(section) if rules._has_figure(cell))


def drop_alt(section):
    del first_figure(section).metadata["mystnb"]


def untag_figure(section):
    first_figure(section).metadata["tags"] = []
    first_figure(section).metadata.pop("jupyter")


def drop_figures(section):
    for cell in book.code_cells(section):
        cell.outputs = [] if rules._has_figure(cell) else cell.outputs
        cell.metadata.pop("mystnb", None)


def edit_setup(section):
    book.code_cells(section)[0].source += "\nprint(1)"


def drop_setup(section):
    section.cells.remove(book.code_cells(section)[0])
    renumber(section)


def drop_seed(section):
    cell = book.code_cells(section)[1]
    cell.source = cell.source.replace("manual_seed(0)", "initial_seed()")


def keep_metadata(section):
    section.cells[3].metadata["collapsed"] = True


def unexecute(section):
    book.code_cells(section)[3].execution_count = None


def three_in_a_row(section):
    section.cells[4:4] = [v4.new_code_cell("1") for _ in range(3)]
    renumber(section)


def drop_last_solution(section):
    while "### Solution" not in section.cells[-1].source:
        section.cells.pop()
    section.cells.pop()


def drop_prose(section):
    section.cells[3:] = [c for c in section.cells[3:] if "## " in c.source]


def open_solution(section):
    section.cells[-1].metadata.clear()


def cut_stream(section):
    cell = next(c for c in book.code_cells(section) if c.outputs and "text" in c.outputs[0])
    text = cell.outputs[0].text
    cell.outputs[:1] = [stream(text[:3]), stream(text[3:])]


def unassert(section):
    cell = section.cells[-1]
    cell.source = cell.source.replace("assert", "bool")


def table(html):
    return v4.new_output("display_data", data={"text/html": html})


def no_ending(section):
    for cell in section.cells:
        cell.source = cell.source.replace("## In practice\n", "## Practice\n")


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


FAULTS = {
    "no blank line after summary": (
        say("<details>\n<summary>a</summary>\ntext\n\n</details>"),
        "no blank line after </summary>",
    ),
    "no blank line before the end": (
        say("<details>\n<summary>a</summary>\n\ntext\n</details>"),
        "before </details>",
    ),
    "math in a summary": (
        say("<details>\n<summary><b>Deeper</b>: $x$</summary>\n\ntext\n\n</details>"),
        "math in <summary>",
    ),
    "heading in a fold": (
        say("<details>\n<summary>a</summary>\n\n### Why\n\n</details>"),
        "heading inside <details>",
    ),
    "fold left open": (say("<details>\n<summary>a</summary>\n\ntext"), "does not close"),
    "bar in a table's math": (say("| a |\n|---|\n| $|x|$ |"), r"write \lvert"),
    "two amounts of dollars": (say("It cost $5 and then $10 more."), "amounts of dollars"),
    "one dollar": (say("It cost $5."), "a single dollar sign"),
    "raw link": (say('<a href="tensors.ipynb">here</a>'), "raw HTML: a"),
    "raw image": (say('<img src="x.png">'), "raw HTML: img"),
    "bare align": (say("\\begin{align}a\\end{align}"), "outside $$"),
    "directive": (say("```{note}\nx\n```"), "MyST directive or role"),
    "role": (say("see {ref}`here`"), "MyST directive or role"),
    "figure without alt text": (drop_alt, "a figure without alt text"),
    "untagged figure": (untag_figure, "is tagged hide-input"),
    "no figures": (drop_figures, "fewer than two figures"),
    "seed as the last line": (code("import torch\ntorch.manual_seed(0)"), "prints an address"),
    "address": (code("f", stream("<function f at 0x7f>")), "an object's address"),
    "path": (code("p", stream("saved to /tmp/x")), "a path of the machine"),
    "warning": (code("w", stream("UserWarning", "stderr")), "writes to stderr"),
    "unknown tag": (code(tags=["hide_input"]), "unknown tag 'hide_input'"),
    "long cell": (code("\n".join("x = 1" for _ in range(26))), "26 lines of code; at most 25"),
    "three cells in a row": (three_in_a_row, "the third code cell in a row"),
    "edited setup cell": (edit_setup, "not in the committed form"),
    "no setup cell": (drop_setup, "is not the setup cell"),
    "no seed": (drop_seed, "does not import and seed"),
    "noise in the metadata": (keep_metadata, "not in the committed form"),
    "unexecuted cell": (unexecute, "did not all run"),
    "second title": (say("# Another title"), "one title"),
    "no list of abilities": (replace("**What you will", "**What we will"), "able to do"),
    "no line of prerequisites": (replace("Builds on", "Uses"), "lacks a line `Builds on"),
    "missing heading": (no_ending, "the last headings are not"),
    "long summary": (replace("## Summary\n\n", "## Summary\n\n" + "- x\n" * 4), "the summary"),
    "reference without a link": (
        replace("## Further reading\n\n", "## Further reading\n\n- A book.\n"),
        "each with a link",
    ),
    "too few words": (drop_prose, "words of prose"),
    "missing solution": (drop_last_solution, "but solutions"),
    "exercise without stars": (replace("**2.** ★", "**2.** "), "exercise 2 has no ★"),
    "summary in bold with math": (
        say("<details>\n<summary><b>Deeper: $x$</b></summary>\n\ntext\n\n</details>"),
        "math in <summary>",
    ),
    "two prices with a slash": (say("It costs $5/$10."), "dollars"),
    "table under a line of text": (say("Text\n| a |\n|---|\n| $|x|$ |"), r"write \lvert"),
    "picture in Markdown": (say("![](x.png)"), "a picture in Markdown"),
    "label of MyST": (say("(here)=\n\ntext"), "MyST directive or role"),
    "skipped by a comment": (code("# NBVAL_SKIP\n1"), "a comment for nbval"),
    "tolerance without limit": (code(tags=["nbval-rtol-1e9"]), "unknown tag"),
    "raw cell": (lambda section: section.cells.insert(2, v4.new_raw_cell("x")), "a raw cell"),
    "no cells": (lambda section: section.cells.clear(), "an empty notebook"),
    "solution without an assert": (unassert, "asserts nothing"),
    "address in a table": (code("f", table("<td>f at 0x7f12</td>")), "an object's address"),
    "misspelt link": (replace("(#solution-3)", "(#solutoin-3)"), "exercise 3 has no ★, or no link"),
    "open solution": (open_solution, "code of a solution stands open"),
    "stream cut in two": (cut_stream, "not in the committed form"),
    "solution without a link back": (
        replace("[Back to the exercises](#exercises)", ""),
        "link back to the exercises",
    ),
    "link to another solution": (
        replace("[Solution](#solution-1)", "[Solution](#solution-2)"),
        "exercises 1,",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_named(section, fault):
    plant, message = FAULTS[fault]
    plant(section)
    assert any(message in found for found in rules.faults(section)), rules.faults(section)


def test_what_is_allowed_is_not_a_fault(section):
    say("```\n# a comment, $HOME\n```")(section)
    say("A link <https://pytorch.org> and `{a}` in code.")(section)
    say("Shapes $n$, $m$, `$HOME`, $5 \\cdot 3$, $$\\begin{aligned}a\\end{aligned}$$")(section)
    code("x", stream("0.25"), tags=["nbval-rtol-5e-2"])(section)
    tidy.tidy(section)
    assert rules.faults(section) == []


def test_tidy_writes_the_setup_cell_and_the_address(section):
    edit_setup(section)
    tidy.tidy(section)
    assert f'"git+{book.address()}"' in book.code_cells(section)[0].source
    assert rules.faults(section) == []
