"""Every rule of a section's anatomy goes red on the fault that it is for."""

import pytest
from made_section import (
    DEEPER,
    LAST,
    OTHER_PART,
    QUIET,
    SOLUTION,
    TEXT,
    WIDE,
    all_of,
    code,
    drop_figures,
    exercises,
    leave_out_going_deeper,
    lines,
    made,
    replace,
    say,
    stream,
    untag_checks,
)
from nbformat import v4

from tools import counts, rules, tidy

ANATOMY = {
    "too few words": (replace(TEXT, "Text.", 9), "words in the thread; should be 1,500 to 2,600"),
    "too many words": (say(TEXT * 3), "words in the thread; should be 1,500 to 2,600: move some"),
    "too many lines": (lines(150), "158 open lines in the thread; should be at most 150"),
    "too many lines for so many words": (
        all_of(say(TEXT), lines(120)),
        "128 open lines in the thread; should be at most 120",
    ),
    "two parts": (replace("## Part", "### Part", 2), "2 parts (##) before *Where it goes wrong*"),
    "seven parts": (say("## A\n\n## B\n\n## C"), "7 parts (##) before *Where it goes wrong*"),
    "three check cells": (replace("assert x1", "1", 1), "7 checks in them; should be at least 8"),
    "few check cells": (untag_checks, "check cells in the thread; should be at least 4"),
    "no figures": (drop_figures, "0 figures; should be at least 2"),
    "five exercises": (exercises(1, 1, 1, 2, 3), "5 exercises; should be 6 to 9"),
    "ten exercises": (exercises(*[1] * 10), "10 exercises; should be 6 to 9"),
    "two easy exercises": (exercises(1, 1, 2, 2, 2, 3), "2 exercises with one ★; should be"),
    "exercises out of order": (exercises(1, 1, 1, 3, 2, 3), "exercise 5 has fewer ★ than"),
    "five deeper parts": (
        replace("### How?", "### How?\n\n### Who?\n\n### When?\n\n### Where?"),
        "5 parts (###) in *Going deeper*; should be at most 4",
    ),
    "too many deeper words": (
        replace("### How?", f"### How?\n\n{TEXT * 3}"),
        "words in *Going deeper*; should be at most 1,200: what needs more is a section",
    ),
    "too many deeper lines": (
        lines(107, place=DEEPER),
        "111 open lines in *Going deeper*; should be at most 110",
    ),
    "no In practice": (replace("## In practice\n", "## Practice\n"), "the last headings are not"),
    "deeper before the exercises": (
        replace("## Exercises", "## Going deeper\n\n## Exercises"),
        "the last headings are not",
    ),
    "deeper behind the reading": (
        all_of(
            replace("## Going deeper", ""),
            replace("## Solutions", "## Going deeper\n\n## Solutions"),
        ),
        "the last headings are not",
    ),
    "heading of the end in the middle": (say("## Solutions"), "the last headings are not"),
    "fold in the thread": (say("<details>"), "<details> in the thread: write it openly"),
    "fold in Going deeper": (say("<details>", OTHER_PART), "<details> in Going deeper"),
    "long open cell": (code("1\n" * 21), "cell 5: 21 lines of code; at most 20: split it"),
    "long check": (code("assert 1\n" * 26, tags=["check"]), "cell 5: 26 lines of code; at most 25"),
    "long drawing": (code("1\n" * 46, tags=["hide-cell"]), "cell 5: 46 lines of code; at most 45"),
    "assert in the open": (code("assert 1"), "cell 5: an open cell asserts"),
    "assert_close in the open": (code("torch.testing.assert_close(1, 1)"), "an open cell asserts"),
    "assert in Going deeper": (code("assert 1", place=DEEPER), "an open cell asserts"),
    "check without an assert": (code("1 == 1", tags=["check"]), "cell 5: tagged check, but it"),
    "check that prints": (
        code("assert 1\nprint(1)", tags=["check"]),
        "cell 5, line 2: a check prints",
    ),
    "check with an output": (code("assert 1\n1", stream("1"), ["check"]), "cell 5: a check prints"),
    "check in a solution": (
        code("assert 1", tags=["check"], place=LAST),
        "cell 28: code of a solution is not tagged hide-cell",
    ),
    "wide line": (code(f"1\n{WIDE}"), "cell 5, line 2: 82 columns; a page shows 80"),
    "wide line in a check": (
        code(f"assert 1\n{WIDE}", tags=["check"]),
        "cell 5, line 2: 82 columns",
    ),
    "wide stream": (code("1", stream("-" * 81)), "cell 5, output: 81 columns"),
    "wide result": (
        code("1", v4.new_output("execute_result", data={"text/plain": "-" * 81})),
        "cell 5, output: 81 columns",
    ),
}
LOADS = {
    "name of a check": (
        all_of(code("a + b"), code("b = a = 1\nassert a", tags=["check"])),
        "cell 6, line 1: loads `a`, which cell 5 binds last, a check: bind another name there",
    ),
    "name of a check in another check": (
        all_of(code("assert a", tags=["check"]), code("a = 1\nassert a", tags=["check"])),
        "cell 6, line 1: loads `a`, which cell 5 binds last, a check",
    ),
    "name that a check binds anew": (
        all_of(code("1\na"), code("for a in [2]:\n    assert a", tags=["check"]), code("a = 1")),
        "cell 7, line 2: loads `a`, which cell 6 binds last, a check",
    ),
    "name that a check imports": (
        all_of(code("math.pi"), code("import math\nassert math", tags=["check"])),
        "loads `math`, which cell 5 binds last, a check",
    ),
    "name that a check deletes": (
        all_of(code("a"), code("assert a\ndel a", tags=["check"]), code("a = 1")),
        "loads `a`, which cell 6 binds last, a check",
    ),
    "name of a folded cell": (
        all_of(code("draw(1)"), code("def draw(x):\n    return x", tags=["hide-cell"])),
        "cell 6, line 1: open code loads `draw`, which cell 5 binds last, tagged hide-cell",
    ),
    "name of a drawing": (
        all_of(code("ax"), code("ax = 1", tags=["hide-input"])),
        "open code loads `ax`, which cell 5 binds last, tagged hide-input",
    ),
    "name in the body of a function": (
        all_of(code("def f():\n    return ax"), code("ax = 1", tags=["hide-input"])),
        "cell 6, line 2: open code loads `ax`, which cell 5 binds last, tagged hide-input",
    ),
    "name in a body, bound later": (
        all_of(code("ax = 1", tags=["hide-input"]), code("def f():\n    return ax")),
        "cell 5, line 2: open code loads `ax`, which cell 6 binds last, tagged hide-input",
    ),
    "name bound anew before a call": (
        all_of(
            code("f()"),
            code("a = 2", tags=["hide-input"]),
            code("a = 1\n\n\ndef f():\n    return a"),
        ),
        "cell 7, line 1: open code loads `a` (in `f`), which cell 6 binds last, tagged hide-input",
    ),
    "name of the setup": (
        code("importlib"),
        "open code loads `importlib`, which cell 2 binds last",
    ),
    "name of another deeper part": (
        code("y", place=OTHER_PART),
        "cell 23, line 1: loads `y`, which cell 21 binds last, in *Going deeper: Why?*: here only",
    ),
    "name of Going deeper in a solution": (
        replace("s = x1 + 3", "s = z + 1"),
        "cell 27, line 1: loads `z`, which cell 23 binds last, in *Going deeper: How?*",
    ),
    "name that Going deeper binds anew": (
        replace("y = x1 + 1", "y = x1 = 1"),
        "cell 27, line 1: loads `x1`, which cell 21 binds last, in *Going deeper: Why?*",
    ),
    "name of another solution": (
        all_of(
            say(SOLUTION.format(k=7), LAST),
            code("t = s\nassert t", tags=["hide-cell"], place=LAST + 1),
        ),
        "cell 29, line 1: loads `s`, which cell 27 binds last, in *Solutions: Solution 6*",
    ),
}
FAULTS = ANATOMY | LOADS


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_named(fault):
    plant, message = FAULTS[fault]
    section = made()
    plant(section)
    assert any(message in found for found in rules.faults(section)), rules.faults(section)


JOINED = "## Where it goes wrong, and in practice"
ALLOWED = {
    "both at the end in one heading": all_of(
        replace("## In practice", ""), replace("## Where it goes wrong", JOINED)
    ),
    "no Going deeper": leave_out_going_deeper,
    "150 lines beside few words": lines(142),
    "smaller parts of the thread": replace("## Part 1", "## Part 1\n\n### Within"),
    "long cell of d2lib": code("1\n" * 25, tags=["d2lib"], place=QUIET),
    "check between two open cells": code("1", place=QUIET + 1),
    "name bound in the open after a check has": all_of(
        code("a = 1\na", place=QUIET), code("a = 2\nassert a", tags=["check"], place=QUIET)
    ),
    "import in each of two checks": all_of(
        code("import math\nassert math.pi", tags=["check"], place=QUIET),
        code("import math\nassert math.e", tags=["check"], place=QUIET),
    ),
    "help of a folded cell for a drawing and a solution": all_of(
        replace("s = x1 + 3", "s = box(4)"),
        code("box(1)", tags=["hide-input"], place=QUIET),
        code("def box(x):\n    return x", tags=["hide-cell"], place=QUIET),
    ),
    "name of another part, bound anew": replace("z = x1 + 2\nz", "y = x1 + 2\ny"),
    "variables of a comprehension": all_of(
        code("[a for a in [1]]", place=QUIET),
        code("a = 1\nassert a", tags=["check"], place=QUIET),
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_is_allowed_is_not_a_fault(case):
    section = made()
    ALLOWED[case](section)
    assert rules.faults(tidy.tidy(section)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("two words", 2),
        ("don't use state-of-the-art", 3),
        ("a span `of code, in` one", 4),
        ("so ``a `b` c``", 2),
        ("a [link text](https://example.org/some/path)", 3),
        ("see <https://example.org/a>", 1),
        ("$x^2$ is $$a + b$$", 1),
        ("it costs \\$5 or \\$6", 5),
        ("| a | b |\n|---|---|\n| c | d |", 4),
        ("- one\n- two", 2),
        ("a\n```\ncode here\n```\nb\n\n- c\n\n  ~~~python\n  x = 1\n  ~~~\n\nd", 4),
    ],
)
def test_words_are_counted_without_code_math_and_targets(text, words):
    assert counts.words(text) == words


def test_lines_are_counted_in_open_cells_alone():
    section = made()
    before = counts.Section(section).open_lines(counts.THREAD)
    assert before == 8  # two in each of four parts; none of the imports
    code("1\n\n\n2")(section)
    code("1\n" * 25, tags=["d2lib"])(section)
    for tag in ("check", "hide-cell", "hide-input", "parameters"):
        code("1\n1", tags=[tag])(section)
    code("1", place=len(section.cells))(section)  # in Solutions
    assert counts.Section(section).open_lines(counts.THREAD) == before + 2 + 20


@pytest.mark.parametrize(("words", "lines"), [(1500, 150), (2000, 150), (2001, 120), (2600, 120)])
def test_few_words_leave_room_for_more_lines(words, lines):
    section = made()
    replace(TEXT, "", 9)(section)
    there = counts.words(counts.Section(section).texts[counts.THREAD])
    say("word " * (words - there))(section)
    told, code, *_ = counts.counts(counts.Section(section))
    assert (told.value, told.is_within, code.high) == (words, True, lines)
