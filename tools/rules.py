"""The rules that every section keeps: `python -m tools.rules [NOTEBOOK ...]` lists the faults.

What breaks a page without a word, and the anatomy of a section (CONTRIBUTING.md).
"""

import ast
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode

from tools import book, tidy

TAGS = {"setup", "parameters", "hide-input", "hide-cell", "d2lib", "nbval-ignore-output"}
ENDING = ["Where it goes wrong", "In practice", "Summary", "Exercises", "Further reading"]
ENDING += ["Solutions"]
HTML = {"details", "summary", "b", "br", "sub", "sup", "kbd"}
INLINE_MATH = re.compile(r"(?<![\\$])\$(?!\$)((?:[^$\\]|\\.)*)\$(?!\$)", re.S)
EXERCISE = re.compile(
    r"^\*\*(\d+)\.\*\* ★{1,3} (?:(?!^\*\*\d).)*?\[Solution\]\(#solution-(\d+)\)", re.M | re.S
)
CODE_LINES, DRAWING_LINES, WORDS = 25, 45, (2000, 4000)


def main() -> int:
    found = 0
    for path in [Path(name) for name in sys.argv[1:]] or book.notebooks():
        for fault in faults(book.read(path)):
            print(f"{path}: {fault}")
            found += 1
    return 1 if found else 0


def faults(notebook: NotebookNode) -> list[str]:
    """What a section does against the rules, each with its place."""
    whole = (_form, _anatomy, _exercises, _solutions, _cells_in_row)
    if not notebook.cells:
        return ["an empty notebook"]
    if any(cell.cell_type == "raw" for cell in notebook.cells):
        return ["a raw cell: make it Markdown or code"]
    found = [fault for rule in whole for fault in rule(notebook)]
    for number, cell in enumerate(notebook.cells, 1):
        rules = (_folds, _math, _html) if cell.cell_type == "markdown" else (_code, _outputs)
        found += [f"cell {number}: {fault}" for rule in rules for fault in rule(cell)]
    return found


def _form(notebook: NotebookNode) -> Iterator[str]:
    if tidy.text(tidy.tidy(deepcopy(notebook))) != tidy.text(notebook):
        yield "not in the committed form: run `make tidy`"
    code = book.code_cells(notebook)
    if not code or "setup" not in book.tags(code[0]):
        yield "the first code cell is not the setup cell (tag `setup`)"
    elif len(code) < 2 or "import" not in code[1].source or "manual_seed(" not in code[1].source:
        yield "the second code cell does not import and seed"
    if fault := book.incomplete(notebook):
        yield f"{fault}: run `make accept`"


def _anatomy(notebook: NotebookNode) -> Iterator[str]:
    text = book.markdown(notebook)
    first = notebook.cells[0].source
    if not first.startswith("# ") or len(re.findall(r"^# ", _unfenced(text), re.M)) != 1:
        yield "a section has one title, at its start"
    able = re.search(r"\*\*What you will be able to do\*\*\n\n((?:[-*] .*\n(?:  .*\n)*)+)", first)
    if not able or not 3 <= _bullets(able[1]) <= 5:
        yield "the first cell lacks `**What you will be able to do**` with 3 to 5 bullets"
    if not re.search(r"^Builds on ", first, re.M):
        yield "the first cell lacks a line `Builds on ...`"
    if re.findall(r"^## (.*)$", text, re.M)[-len(ENDING) :] != ENDING:
        yield f"the last headings are not: {', '.join(ENDING)}"
    if not 3 <= _bullets(book.part(text, "Summary")) <= 6:
        yield "the summary has not 3 to 6 bullets"
    further = book.part(text, "Further reading")
    if not 2 <= _bullets(further) <= 5 or further.count("](http") < _bullets(further):
        yield "further reading has not 2 to 5 bullets, each with a link"
    words = len(re.findall(r"\w[\w'’-]*", _prose(text)))
    if not WORDS[0] <= words <= WORDS[1]:
        yield f"{words} words of prose outside folds and solutions, not {WORDS[0]} to {WORDS[1]}"
    if sum(_has_figure(cell) for cell in book.code_cells(notebook)) < 2:
        yield "fewer than two figures"


def _exercises(notebook: NotebookNode) -> Iterator[str]:
    text = book.markdown(notebook)
    posed = book.part(text, "Exercises")
    asked = [number for number, _ in EXERCISE.findall(posed)]
    for number in re.findall(r"^\*\*(\d+)\.\*\*", posed, re.M):
        if number not in asked:
            yield f"exercise {number} has no ★, or no link [Solution](#solution-{number})"
    solved = re.findall(r"^### Solution (\d+)$", book.part(text, "Solutions"), re.M)
    if asked != [str(k + 1) for k in range(len(asked))] or not 5 <= len(asked) <= 9:
        yield "exercises are not 5 to 9, numbered, starred, each linked to its solution"
    if asked != solved or any(a != b for a, b in EXERCISE.findall(text)):
        yield f"exercises {', '.join(asked)} but solutions {', '.join(solved)}"
    back = book.part(text, "Solutions").count("[Back to the exercises](#exercises)")
    if back != len(solved):
        yield f"{len(solved)} solutions, of which {back} link back to the exercises"


def _solutions(notebook: NotebookNode) -> Iterator[str]:
    solution, code = None, {}
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            found = re.findall(r"^### (Solution \d+)$", cell.source, re.M)
            solution = found[-1] if found else solution
        elif solution:
            code[solution] = code.get(solution, "") + cell.source
            if "hide-cell" not in book.tags(cell):
                yield f"cell {number}: code of a solution stands open: tag it hide-cell"
    for solution, source in code.items():
        if "assert" not in source:
            yield f"{solution} asserts nothing"


def _cells_in_row(notebook: NotebookNode) -> Iterator[str]:
    row = 0
    for number, cell in enumerate(notebook.cells, 1):
        hidden = {"hide-cell", "setup"} & set(book.tags(cell))
        row = 0 if cell.cell_type == "markdown" else row + (not hidden)
        if row == 3:
            yield f"cell {number}: the third code cell in a row without prose"


def _folds(cell: NotebookNode) -> Iterator[str]:
    text = cell.source
    if text.count("<details>") != text.count("</details>"):
        yield "<details> does not close in its cell"
    if re.search(r"</summary>(?!\s*\n\s*\n)", text) or re.search(r"[^\n]\n?</details>", text):
        yield "no blank line after </summary> or before </details>: what is folded stays raw"
    if re.search(r"<summary>(?:(?!</summary>).)*\$", text, re.S):
        yield "math in <summary> stays raw"
    if any(re.search(r"^#+ ", fold, re.M) for fold in _FOLD.findall(_unfenced(text))):
        yield "a heading inside <details> breaks the page's outline"


def _math(cell: NotebookNode) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", _unfenced(cell.source))
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    if re.search(r"\\begin\{", INLINE_MATH.sub("", text)):
        yield r"\begin{...} outside $$ ... $$"
    for paragraph in text.split("\n\n"):
        spans = INLINE_MATH.findall(paragraph)
        if "$" in re.sub(r"\\\$", "", INLINE_MATH.sub("", paragraph)):
            yield f"a single dollar sign in {paragraph[:40]!r}: write \\$"
        if any(span != span.strip() for span in spans):
            yield f"math that begins or ends with a space, or two amounts of dollars: {spans}"
        behind = [paragraph[found.end() :][:1] for found in INLINE_MATH.finditer(paragraph)]
        if any(letter.isdigit() for letter in behind):
            yield "a digit right behind math: two amounts of dollars?"
        rows = "\n".join(line for line in paragraph.splitlines() if line.lstrip().startswith("|"))
        if any("|" in span for span in INLINE_MATH.findall(rows)):
            yield r"| in the math of a table ends its column: write \lvert ... \rvert"


def _html(cell: NotebookNode) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", _unfenced(cell.source))
    used = set(re.findall(r"</?([A-Za-z][A-Za-z0-9]*)(?=[\s/>])[^>]*>", _without_math(text)))
    if used - HTML:
        yield f"raw HTML: {', '.join(sorted(used - HTML))}"
    if re.search(r"!\[", text):
        yield "a picture in Markdown: figures are drawn by code, with alt text"
    spans = re.sub(r"(?<!`)`(?!`)[^`\n]*`", "\0", cell.source)
    if re.search(r"^\s*(?:`{3,}|~{3,}|:{3,})\{|\{[a-z:-]+\}\0|^\([\w-]+\)=\s*$", spans, re.M):
        yield "a MyST directive or role, which shows raw in Jupyter, on GitHub and on Colab"


def _code(cell: NotebookNode) -> Iterator[str]:
    cell_tags = book.tags(cell)
    for tag in cell_tags:
        if tag not in TAGS and not re.fullmatch(r"nbval-rtol-[1-9]e-[1-9]", tag):
            yield f"unknown tag {tag!r}"
    if re.search(r"^\s*#\s*(?:NBVAL_|PYTEST_VALIDATE)", cell.source, re.M | re.I):
        yield "a comment for nbval: use a tag"
    lines = len(cell.source.splitlines())
    limit = DRAWING_LINES if {"hide-cell", "hide-input"} & set(cell_tags) else CODE_LINES
    if lines > limit:
        yield f"{lines} lines of code; at most {limit}"
    if "setup" not in cell_tags and _ends_in_seed(cell.source):
        yield "ends in manual_seed(...), which prints an address: write `_ = ...`"
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
    if _has_figure(cell) and not alt:
        yield "a figure without alt text (metadata mystnb.image.alt)"
    if alt and not _has_figure(cell):
        yield "alt text without a figure"
    trains = ".fit(" in cell.source  # its figure is the board's, which no drawing code makes
    if _has_figure(cell) and not trains and not {"hide-input", "hide-cell"} & set(cell_tags):
        yield "a cell that draws is tagged hide-input"


def _outputs(cell: NotebookNode) -> Iterator[str]:
    if any(output.get("name") == "stderr" for output in cell.outputs):
        yield "writes to stderr (a warning?)"
    shown = "".join(output.get("text") or "" for output in cell.outputs)
    data = [item for output in cell.outputs for item in output.get("data", {}).items()]
    shown += "".join(str(value) for kind, value in data if kind.startswith("text/"))
    if re.search(r"\bat 0x[0-9a-f]+|<[\w.]+ object|<matplotlib", shown):
        yield "shows an object's address or repr"
    if re.search(r"(?<![\w.])/(?:tmp|home|root|work|Users)/", shown):
        yield "shows a path of the machine that ran it"


def _ends_in_seed(source: str) -> bool:
    try:
        last = ast.parse(source).body[-1:]
    except SyntaxError:
        return False
    return bool(last) and isinstance(last[0], ast.Expr) and "manual_seed(" in ast.unparse(last[0])


def _has_figure(cell: NotebookNode) -> bool:
    kinds = [kind for output in cell.outputs for kind in output.get("data", {})]
    return any(kind.startswith("image/") for kind in kinds)


_FOLD = re.compile(r"<details>.*?</details>", re.S)


def _bullets(text: str) -> int:
    return len(re.findall(r"^[-*] ", text, re.M))


def _prose(text: str) -> str:
    """The words a reader reads first: no folds, solutions, code, mathematics or link targets."""
    text = re.sub(r"^## Solutions\n.*", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`", "code", _unfenced(_FOLD.sub("", text)))
    return re.sub(r"\]\([^)]*\)", "]", _without_math(text))


def _unfenced(text: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S)


def _without_math(text: str) -> str:
    return INLINE_MATH.sub("", re.sub(r"\$\$.*?\$\$", "", text, flags=re.S))


if __name__ == "__main__":
    book.command(main)
