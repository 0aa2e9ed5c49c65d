"""A section as the rules see it: its parts, and the counts of it that have bounds."""

import re
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tools import book
from tools.checks import checks_in

THREAD = "the thread"  # from the title to the summary
AFTER = ("Exercises", "Going deeper", "Further reading", "Solutions")
FOLDED = {"setup", "check", "hide-cell", "hide-input"}
D2LIB_LINES = 20  # of a cell of d2lib, no more are counted
WIDTH = 80
INLINE_MATH = re.compile(r"(?<![\\$])\$(?!\$)((?:[^$\\]|\\.)*)\$(?!\$)", re.S)
EXERCISE = re.compile(
    r"^\*\*(\d+)\.\*\* (★{1,3}) (?:(?!^\*\*\d).)*?\[Solution\]\([\w.-]*#[Ss]olution-(\d+)\)",
    re.M | re.S,
)


@dataclass(frozen=True)
class Code:
    """A code cell, its number among all cells of the notebook, and where in the section it is."""

    number: int
    cell: NotebookNode
    part: str  # THREAD, or one of AFTER
    group: str  # THREAD, a part of Going deeper, or a solution

    @property
    def tags(self) -> set[str]:
        return set(book.tags(self.cell))

    @property
    def is_open(self) -> bool:
        return not FOLDED & self.tags

    @property
    def lines(self) -> int:
        return sum(bool(line.strip()) for line in self.cell.source.splitlines())


class Section:
    """A notebook's Markdown without blocks of code, by part, and its code cells."""

    def __init__(self, notebook: NotebookNode):
        self.texts = dict.fromkeys((THREAD, *AFTER), "")
        self.titles: list[str] = []  # of the second level
        self.code: list[Code] = []
        part = group = THREAD
        for number, cell in enumerate(notebook.cells, 1):
            if cell.cell_type == "code":
                self.code.append(Code(number, cell, part, group))
                continue
            for piece in re.split(r"^(?=##)", unfenced(cell.source), flags=re.M):
                part, group = _place(piece, part, group)
                self.titles += re.findall(r"^## (.*?) *$", piece, re.M)
                self.texts[part] += piece + "\n\n"

    def open_lines(self, part: str) -> int:
        """Lines of open code, without the cells of the imports and the parameters."""
        imports = self.code[1:2]  # the first cell is the setup
        counted = [c for c in self.code if c.part == part and c.is_open and c not in imports]
        counted = [c for c in counted if "parameters" not in c.tags]
        return sum(min(c.lines, D2LIB_LINES) if "d2lib" in c.tags else c.lines for c in counted)

    @property
    def checks(self) -> list[int]:
        """The number of checks in each check cell of the thread."""
        cells = [c for c in self.code if c.part == THREAD and "check" in c.tags]
        return [checks_in(c.cell.source) for c in cells]

    @property
    def stars(self) -> list[int]:
        """The stars of each exercise."""
        return [len(stars) for _, stars, _ in EXERCISE.findall(self.texts["Exercises"])]


def _place(piece: str, part: str, group: str) -> tuple[str, str]:
    """Part and group of a piece of Markdown, which a heading may begin."""
    heading = re.match(r"(##|###) (.*?)\s*$", piece, re.M)
    if not heading:
        return part, group
    level, title = heading.groups()
    if level == "##":
        return (title, title) if title in AFTER else (part, group)
    return part, group if part == THREAD else f"{part}: {title}"


@dataclass(frozen=True)
class Count:
    """What is counted in a section, with its bounds."""

    name: str
    value: int
    low: int = 0
    high: int | None = None
    remedy: str = ""

    @property
    def is_within(self) -> bool:
        return self.low <= self.value and (self.high is None or self.value <= self.high)

    @property
    def bounds(self) -> str:
        if self.high is None:
            return f"at least {self.low:,}"
        return f"{self.low:,} to {self.high:,}" if self.low else f"at most {self.high:,}"

    @property
    def fault(self) -> str:
        remedy = f": {self.remedy}" if self.remedy and self.value > self.low else ""
        return f"{self.value:,} {self.name}; should be {self.bounds}{remedy}"


def counts(section: Section) -> list[Count]:
    """All that has bounds in a section, but for its widest line."""
    thread, deeper = section.texts[THREAD], section.texts["Going deeper"]
    told = words(thread)
    parts = re.findall(r"^## (?!Where it goes wrong|In practice$|Summary$)", thread, re.M)
    checks, stars, move = section.checks, section.stars, "move some to *Going deeper*"
    lines = 120 if told > 2000 else 150
    split = "what needs more is a section of its own (◆)"
    return [
        Count("words in the thread", told, 1500, 2600, move),
        Count("open lines in the thread", section.open_lines(THREAD), 0, lines, move),
        Count("parts (##) before *Where it goes wrong*", len(parts), 3, 6),
        Count("check cells in the thread", len(checks), 4),
        Count("checks in them", sum(checks), 8),
        Count("figures", sum(has_figure(c.cell) for c in section.code), 2),
        Count("exercises", len(stars), 6, 9),
        Count("exercises with one ★", stars.count(1), 3),
        Count("parts (###) in *Going deeper*", deeper.count("\n### "), 0, 4, split),
        Count("words in *Going deeper*", words(deeper), 0, 1200, split),
        Count("open lines in *Going deeper*", section.open_lines("Going deeper"), 0, 110, split),
    ]


def widest_line(section: Section) -> Count:
    lines = [line for code in section.code for _, line in shown_lines(code.cell)]
    return Count("columns of the widest line", max(map(len, lines), default=0), 0, WIDTH)


def summary(path: Path, notebook: NotebookNode) -> str:
    """All counts of a section beside their bounds, a line each."""
    section = Section(notebook)
    lines = [
        f"{'' if count.is_within else '!':<2}{count.value:>6,}  {count.name} ({count.bounds})"
        for count in [*counts(section), widest_line(section)]
    ]
    return "\n".join([f"{path}", *lines])


def table(notebooks: dict[Path, NotebookNode], old: list[Path]) -> str:
    """The counts of all sections, a line each, with a ! where one is out of its bounds."""
    heads = ["words", "lines", "parts", "cells", "checks", "figures", "exerc.", "★"]
    heads += ["parts", "words", "lines", "widest"]
    lines = [f"{'thread':>7}{'checks':>25}{'deeper':>40}"]
    lines += ["".join(f"{head:>7} " for head in heads)]
    for path, notebook in notebooks.items():
        section = Section(notebook)
        found = [*counts(section), widest_line(section)]
        cells = "".join(f"{count.value:>7,}{' ' if count.is_within else '!'}" for count in found)
        lines.append(f"{cells} {path}{' (first form)' if path in old else ''}")
    return "\n".join(lines)


def words(text: str) -> int:
    """Words of Markdown: a code span is one, mathematics and link targets are none."""
    text = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "code", unfenced(text), flags=re.S)
    text = re.sub(r"\]\([^)]*\)|<[a-z/][^>]*>", "] ", without_math(text))
    return len(re.findall(r"\w[\w'’-]*", text))


def bullets(text: str) -> list[str]:
    """The items of a list that is not within another."""
    return re.findall(r"^[-*] .*(?:\n(?![-*#]|\n\S).*)*", text, re.M)


def shown_lines(cell: NotebookNode) -> list[tuple[str, str]]:
    """The lines of a code cell's source and of the text that it prints, each with its place."""
    found = [(f"line {n}", line) for n, line in enumerate(cell.source.splitlines(), 1)]
    for output in cell.outputs:
        printed = output.get("text") or output.get("data", {}).get("text/plain") or ""
        found += [("output", line) for line in printed.splitlines()]
    return found


def has_figure(cell: NotebookNode) -> bool:
    kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
    return any(kind.startswith("image/") for kind in kinds)


def unfenced(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^ *(```|~~~).*?^ *\1", "", text, flags=re.M | re.S)


def without_math(text: str) -> str:
    return INLINE_MATH.sub(" ", re.sub(r"\$\$.*?\$\$", " ", text, flags=re.S))
