"""Every rule for notebooks goes red on the fault that it is for; the book's own keep them all."""

import sys

import pytest
from made_section import (
    TEXT,
    code,
    cut_stream,
    drop_alt,
    drop_figures,
    drop_last_solution,
    drop_setup,
    edit_setup,
    exercises,
    keep_metadata,
    leave_out_going_deeper,
    made,
    misplace_alt,
    open_solution,
    replace,
    say,
    stream,
    table,
    three_in_a_row,
    unexecute,
    untag_figure,
)
from nbformat import v4

from tools import book, counts, first_form, links, rules, tidy

NOTEBOOKS, OLD = book.notebooks(), first_form.listed()
OF_THE_FIRST_EDITION = {  # no other section may be listed as one in its first form
    "linear_classification": {
        "classifier",
        "distribution_shift",
        "fashion_mnist",
        "generalization_in_classification",
        "softmax_regression",
        "softmax_regression_concise",
        "softmax_regression_scratch",
    },
    "linear_regression": {
        "generalization",
        "linear_regression",
        "linear_regression_concise",
        "linear_regression_scratch",
        "object_oriented_design",
        "synthetic_data",
        "weight_decay",
    },
    "preliminaries": {
        "automatic_differentiation",
        "calculus",
        "data_preprocessing",
        "documentation",
        "linear_algebra",
        "probability",
        "tensors",
    },
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=str)
def test_the_books_notebooks_keep_every_rule(path):
    assert rules.faults(book.read(path), path in OLD) == []


@pytest.mark.parametrize("path", OLD, ids=str)
def test_no_section_is_listed_anew_as_in_its_first_form(path):
    assert path.stem in OF_THE_FIRST_EDITION[path.parent.name]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=str)
def test_the_chapters_index_links_to_the_section(path):
    assert f"]({path.name})" in (path.parent / "index.md").read_text()


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
    "alt text out of its place": (misplace_alt, "a figure without alt text"),
    "untagged figure": (untag_figure, "is tagged hide-input"),
    "seed as the last line": (code("import torch\ntorch.manual_seed(0)"), "prints an address"),
    "address": (code("f", stream("<function f at 0x7f>")), "an object's address"),
    "path": (code("p", stream("saved to /tmp/x")), "a path of the machine"),
    "warning": (code("w", stream("UserWarning", "stderr")), "writes to stderr"),
    "unknown tag": (code(tags=["hide_input"]), "unknown tag 'hide_input'"),
    "three cells in a row": (three_in_a_row, "the third code cell in a row"),
    "edited setup cell": (edit_setup, "not in the committed form"),
    "no setup cell": (drop_setup, "is not the setup cell"),
    "no seed": (replace("manual_seed(0)", "initial_seed()"), "does not import and seed"),
    "noise in the metadata": (keep_metadata, "not in the committed form"),
    "unexecuted cell": (unexecute, "did not all run"),
    "no Python": (code("x ="), "cell 5, line 1: invalid syntax"),
    "second title": (say("# Another title"), "one title"),
    "no list of abilities": (replace("**What you will", "**What we will"), "able to do"),
    "two abilities": (replace("\n- more.", ""), "with 3 to 5 bullets"),
    "no line of prerequisites": (replace("Builds on", "Uses"), "lacks a line `Builds on"),
    "long summary": (replace("## Summary\n\n", "## Summary\n\n" + "- x\n" * 4), "the summary"),
    "reference without a link": (replace("- [B](https://doi.org/b)", "- B"), "each with a link"),
    "two links in one reference": (
        replace("\n- [B]", " [B](https://doi.org/b)\n- B"),
        "each with a link",
    ),
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
    "tolerance with an empty mantissa": (code(tags=["nbval-atol-0e-9"]), "unknown tag"),
    "raw cell": (lambda section: section.cells.insert(2, v4.new_raw_cell("x")), "a raw cell"),
    "no cells": (lambda section: section.cells.clear(), "an empty notebook"),
    "solution without an assert": (replace("\nassert s == 4", ""), "asserts nothing"),
    "address in a table": (code("f", table("<td>f at 0x7f12</td>")), "an object's address"),
    "misspelt link": (replace("(#solution-3)", "(#solutoin-3)"), "exercise 3 has no ★, or no link"),
    "open solution": (open_solution, "cell 27: code of a solution is not tagged hide-cell"),
    "stream cut in two": (cut_stream, "not in the committed form"),
    "solution without a link back": (
        replace("[Back to the exercises](#exercises)", ""),
        "6 solutions, of which 1 link [Back to the exercises](#exercises)",
    ),
    "link to another solution": (
        replace("[Solution](#solution-1)", "[Solution](#solution-2)"),
        "exercises 1,",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_named(fault):
    plant, message = FAULTS[fault]
    section = made()
    plant(section)
    assert any(message in found for found in rules.faults(section)), rules.faults(section)


def test_a_faultless_section_has_no_fault():
    assert rules.faults(made()) == []


def test_what_is_allowed_is_not_a_fault():
    section = made()
    say("```\n# a comment, $HOME\n```")(section)
    say("A link <https://pytorch.org> and `{a}` in code.")(section)
    say("Shapes $n$, $m$, `$HOME`, $5 \\cdot 3$, $$\\begin{aligned}a\\end{aligned}$$")(section)
    code("x", stream("0.25"), tags=["nbval-rtol-5e-2", "nbval-atol-1e-12"])(section)
    replace("(#solution-1)", "(made.ipynb#Solution-1)")(section)
    replace("(#exercises)", "(made.ipynb#Exercises)", 9)(section)
    tidy.tidy(section)
    assert rules.faults(section) == []


def test_tidy_writes_the_setup_cell_and_the_address():
    section = made()
    edit_setup(section)
    tidy.tidy(section)
    assert f'"git+{book.address()}"' in book.code_cells(section)[0].source
    assert rules.faults(section) == []


OLD_FAULTS = {
    "too few words": (replace(TEXT, "Text.", 9), "words of prose outside folds and solutions, not"),
    "missing heading": (replace("## In practice\n", "## Practice\n"), "the last headings are not"),
    "no figures": (drop_figures, "fewer than two figures"),
    "long cell": (code("1\n" * 26), "cell 5: 26 lines of code; at most 25"),
    "four exercises": (exercises(1, 1, 2, 3), "4 exercises, not 5 to 9"),
}


@pytest.fixture
def old_section():
    """A section in its first form: longer, with folds, and asserts in the open."""
    section = made()
    leave_out_going_deeper(section)
    say(f"<details>\n<summary>More</summary>\n\n{TEXT}\n\n</details>\n\n{TEXT}")(section)
    code("assert 1\n" + "1\n" * 20)(section)
    return tidy.tidy(section)


def test_a_section_in_its_first_form_keeps_the_rules_of_then(old_section):
    assert rules.faults(old_section, is_old=True) == []
    assert "cell 5: 21 lines of code; at most 20: split it" in rules.faults(old_section)


@pytest.mark.parametrize("fault", OLD_FAULTS)
def test_planted_fault_of_a_first_form_is_named(old_section, fault):
    plant, message = OLD_FAULTS[fault]
    plant(old_section)
    assert any(message in found for found in rules.faults(old_section, is_old=True))


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command on a section, which may be listed as one in its first form."""

    def run(section, *options, listed=False):
        path = tmp_path / "section.ipynb"
        path.write_text(tidy.text(links.tidy(section, path.name)))
        monkeypatch.setattr(first_form, "listed", lambda: [path] if listed else [])
        monkeypatch.setattr(sys, "argv", ["rules", *options, str(path)])
        return rules.main(), capsys.readouterr().out.replace(f"{path}: ", "")

    return run


def test_a_listed_section_that_keeps_the_rules_is_to_leave_the_list(run, old_section):
    assert run(made()) == (0, "")
    listed = run(made(), listed=True)
    assert listed == (1, "keeps the rules of today: take it out of chapters/ruff.toml\n")
    assert run(old_section, listed=True) == (0, "")
    assert run(old_section)[0] == 1


def test_a_link_that_not_every_reader_can_follow_is_named(run, tmp_path):
    section = links.tidy(made(), "section.ipynb")
    section.cells[0].source += "\n\n[away](#Nowhere)"
    dead = "cell 1: the link to #Nowhere is dead: no heading down to ### is called so\n"
    assert run(section) == (1, dead)


def test_a_list_of_what_is_not_there_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "ruff.toml").write_text('format.exclude = ["some/other.ipynb"]')
    monkeypatch.setattr(first_form, "LIST", tmp_path / "ruff.toml")
    with pytest.raises(book.BookError, match=r"lists some/other.ipynb, which is not in chapters/"):
        first_form.listed()


def test_counts_are_printed_beside_their_bounds(run):
    status, said = run(made(), "--counts")
    assert status == 0
    assert "       8  open lines in the thread (at most 150)\n" in said
    assert "       3  exercises with one ★ (at least 3)\n" in said
    short = made()
    replace(TEXT, "Text.", 1)(short)
    exercises(1, 1, 2, 2, 3, 3)(short)
    status, said = run(short, "--counts", listed=True)
    assert status == 1
    assert "!      2  exercises with one ★ (at least 3)\n" in said
    assert "\n2 exercises with one ★; should be at least 3\n" in said


def test_all_sections_make_a_table_of_a_line_each():
    section = made()
    exercises(1, 1, 2, 2, 3, 3)(section)
    *_, line = counts.table({"a.ipynb": section}, old=["a.ipynb"]).splitlines()
    assert line.split()[1:8] == ["8", "4", "4", "8", "2", "6", "2!"]
    assert line.endswith(" a.ipynb (first form)")
