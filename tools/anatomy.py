"""The anatomy of a section: what stands where, how much of it, and which cell needs which."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from nbformat import NotebookNode

from tools import clocks, counts
from tools.checks import checks_in, parse
from tools.counts import THREAD, WIDTH, Code, Section
from tools.names import Use, names, uses

OPEN_LINES, CHECK_LINES, DRAWING_LINES = 20, 25, 45
ENDING = ["Where it goes wrong", "In practice", "Summary", "Exercises", "Further reading"]
ENDING += ["Solutions"]
AIDS = {"check", "hide-cell", "hide-input"}  # without them the open code runs just so


def faults(notebook: NotebookNode) -> list[str]:
    """What a section does against its anatomy, each with its place and what to do."""
    section = Section(notebook)
    rules = (_counts, _headings, _folds, _stars, _cells, _checks, _clocks, _widths, _loads)
    return [fault for rule in rules for fault in rule(section)]


def _counts(section: Section) -> Iterator[str]:
    yield from (count.fault for count in counts.counts(section) if not count.is_within)


def _headings(section: Section) -> Iterator[str]:
    titles = []
    for title in section.titles:
        joined = title.startswith(ENDING[0]) and title.endswith("practice")
        titles += ENDING[:2] if joined else [title]
    if titles[-3:-2] == ["Going deeper"]:
        del titles[-3]
    if titles[-len(ENDING) :] != ENDING or {"Going deeper", *ENDING} & set(titles[: -len(ENDING)]):
        yield (
            f"the last headings are not: {', '.join(ENDING)} (the first two may be one heading; "
            "*Going deeper* may stand before *Further reading*)"
        )


def _folds(section: Section) -> Iterator[str]:
    for part, text in section.texts.items():
        if part != "Solutions" and "<details>" in text:
            yield f"<details> in {part}: write it openly, or move it to *Going deeper*"


def _stars(section: Section) -> Iterator[str]:
    for number, (before, stars) in enumerate(pairwise(section.stars), 2):
        if stars < before:
            yield f"exercise {number} has fewer ★ than the one before it: order them by ★"


def _cells(section: Section) -> Iterator[str]:
    for code in section.code:
        place, tags = f"cell {code.number}", code.tags
        limit = CHECK_LINES if {"check", "d2lib"} & tags else OPEN_LINES
        limit = limit if code.is_open or "check" in tags else DRAWING_LINES
        if code.lines > limit:
            yield f"{place}: {code.lines} lines of code; at most {limit}: split it"
        if code.is_open and checks_in(code.cell.source):
            yield f"{place}: an open cell asserts: move that to a cell tagged check"


def _checks(section: Section) -> Iterator[str]:
    for code in section.code:
        if "check" not in code.tags:
            continue
        place = f"cell {code.number}"
        if not checks_in(code.cell.source):
            yield f"{place}: tagged check, but it asserts nothing"
        calls = [n for n in ast.walk(parse(code.cell.source)) if isinstance(n, ast.Call)]
        prints = [n for n in calls if getattr(n.func, "id", "") in ("print", "display")]
        if prints or code.cell.outputs:
            line = f", line {prints[0].lineno}" if prints else ""
            yield f"{place}{line}: a check prints: assert here, and print in an open cell"


def _clocks(section: Section) -> Iterator[str]:
    for place, line, name in clocks.asserted([code.cell.source for code in section.code]):
        yield (
            f"cell {section.code[place].number}, line {line}: asserts on `{name}`, which a clock"
            " measured, and differs on each machine: count operations or bytes instead"
        )


def _widths(section: Section) -> Iterator[str]:
    for code in section.code:
        lines = counts.shown_lines(code.cell)
        wide = [(place, len(line)) for place, line in lines if len(line) > WIDTH]
        if wide:
            place, columns = wide[0]
            more = f", and {len(wide) - 1} more lines" if len(wide) > 1 else ""
            yield f"cell {code.number}, {place}: {columns} columns{more}; a page shows {WIDTH}"


def _loads(section: Section) -> Iterator[str]:
    """Names that a cell takes from one that its reader may never run."""
    found = [names(code.cell.source) for code in section.code]
    for place, code in enumerate(section.code):
        named = set()
        for use in uses(found, place):
            fault = _fault(code, section.code[use.binder], use)
            if fault and use.through not in named:
                named.add(use.name)
                yield f"cell {code.number}, line {use.line}: {fault}"


def _fault(code: Code, binder: Code, use: Use) -> str | None:
    """Why a cell may not take a name from the cell that binds it last, if so."""
    bound = f"{use}, which cell {binder.number} binds last"
    if "check" in binder.tags:
        return f"loads {bound}, a check: bind another name there"
    if code.is_open and AIDS & binder.tags:
        return f"open code loads {bound}, tagged {min(AIDS & binder.tags)}: bind it in the open"
    if binder.group not in (THREAD, code.group):
        return f"loads {bound}, in *{binder.group}*: here only {THREAD} has run before"
    return None
