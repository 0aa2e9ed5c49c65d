"""The rules that every section keeps: `python -m tools.rules [NOTEBOOK ...]` lists the faults.

Those of the page, whatever a section says, stand here; its anatomy (CONTRIBUTING.md) in
tools/anatomy.py. With --counts, what has bounds is counted, so that a writer sees where it stands.
"""

import argparse
import ast
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode

from tools import anatomy, book, counts, first_form, links, spelling, tidy
from tools.checks import checks_in, parse
from tools.counts import INLINE_MATH, bullets, has_figure, unfenced, without_math

TAGS = {"setup", "parameters", "check", "hide-input", "hide-cell", "d2lib", "nbval-ignore-output"}
TOLERANCE = re.compile(r"nbval-[ar]tol-[1-9]e-\d\d?")
BACK = re.compile(r"\[Back to the exercises\]\([\w.-]*#[Ee]xercises\)")
HTML = {"details", "summary", "b", "br", "sub", "sup", "kbd"}


def main() -> int:
    parser = argparse.ArgumentParser(description="List what sections do against the rules.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of _toc.yml")
    parser.add_argument("--counts", action="store_true", help="print what has bounds as well")
    options = parser.parse_args()
    notebooks = {path: book.read(path) for path in options.notebooks or book.notebooks()}
    if options.counts and not options.notebooks:
        print(counts.table(notebooks, first_form.listed()))
        return 0
    old = [] if options.counts else first_form.listed()
    misspelt, found = spelling.faults(notebooks), 0
    for path, notebook in notebooks.items():
        said = links.faults(notebook, path.name) + _said(notebook, misspelt[path], path in old)
        if options.counts and not any(_syntax(notebook)):
            print(counts.summary(path, notebook))
        for fault in said:
            print(f"{path}: {fault}")
        found += len(said)
    return 1 if found else 0


def _said(notebook: NotebookNode, misspelt: list[str], is_old: bool) -> list[str]:
    """All faults of a section; one in its first form that has none of today's is to be unlisted."""
    if not is_old:
        return faults(notebook) + misspelt
    if not misspelt and not faults(notebook):
        return [f"keeps the rules of today: take it out of {first_form.LIST}"]
    return faults(notebook, is_old)


def faults(notebook: NotebookNode, is_old: bool = False) -> list[str]:
    """What a section does against the rules, each with its place."""
    if not notebook.cells:
        return ["an empty notebook"]
    if any(cell.cell_type == "raw" for cell in notebook.cells):
        return ["a raw cell: make it Markdown or code"]
    if broken := list(_syntax(notebook)):
        return broken
    whole = (_form, _frame, _exercises, _solutions, _cells_in_row)
    found = [fault for rule in whole for fault in rule(notebook)]
    found += (first_form if is_old else anatomy).faults(notebook)
    for number, cell in enumerate(notebook.cells, 1):
        rules = (_folds, _math, _html) if cell.cell_type == "markdown" else (_code, _outputs)
        found += [f"cell {number}: {fault}" for rule in rules for fault in rule(cell)]
    return found


def _syntax(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            try:
                parse(cell.source)
            except SyntaxError as error:
                yield f"cell {number}, line {error.lineno}: {error.msg}"


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


def _frame(notebook: NotebookNode) -> Iterator[str]:
    text = book.markdown(notebook)
    first = notebook.cells[0].source
    if not first.startswith("# ") or len(re.findall(r"^# ", unfenced(text), re.M)) != 1:
        yield "a section has one title, at its start"
    able = re.search(r"\*\*What you will be able to do\*\*\n\n((?:[-*] .*\n(?:  .*\n)*)+)", first)
    if not able or not 3 <= len(bullets(able[1])) <= 5:
        yield "the first cell lacks `**What you will be able to do**` with 3 to 5 bullets"
    if not re.search(r"^Builds on ", first, re.M):
        yield "the first cell lacks a line `Builds on ...`"
    if not 3 <= len(bullets(book.part(text, "Summary"))) <= 6:
        yield "the summary has not 3 to 6 bullets"
    further = bullets(book.part(text, "Further reading"))
    if not 2 <= len(further) <= 5 or not all("](http" in work for work in further):
        yield "further reading has not 2 to 5 bullets, each with a link"


def _exercises(notebook: NotebookNode) -> Iterator[str]:
    text = book.markdown(notebook)
    posed = book.part(text, "Exercises")
    asked = [number for number, _, _ in counts.EXERCISE.findall(posed)]
    for number in re.findall(r"^\*\*(\d+)\.\*\*", posed, re.M):
        if number not in asked:
            yield f"exercise {number} has no ★, or no link [Solution](#solution-{number})"
    if asked != [str(k + 1) for k in range(len(asked))]:
        yield f"exercises are numbered {', '.join(asked)}, not from 1 on"
    solved = re.findall(r"^### Solution (\d+)$", book.part(text, "Solutions"), re.M)
    if asked != solved or any(a != b for a, _, b in counts.EXERCISE.findall(text)):
        yield f"exercises {', '.join(asked)} but solutions {', '.join(solved)}"
    back = len(BACK.findall(book.part(text, "Solutions")))
    if back != len(solved):
        yield f"{len(solved)} solutions, of which {back} link [Back to the exercises](#exercises)"


def _solutions(notebook: NotebookNode) -> Iterator[str]:
    solution, code = None, {}
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            found = re.findall(r"^### (Solution \d+)$", cell.source, re.M)
            solution = found[-1] if found else solution
        elif solution:
            code[solution] = code.get(solution, "") + cell.source + "\n"
            if "hide-cell" not in book.tags(cell):
                yield f"cell {number}: code of a solution is not tagged hide-cell"
    for solution, source in code.items():
        if not checks_in(source):
            yield f"{solution} asserts nothing"


def _cells_in_row(notebook: NotebookNode) -> Iterator[str]:
    row = 0
    for number, cell in enumerate(notebook.cells, 1):
        uncounted = {"hide-cell", "setup", "check"} & set(book.tags(cell))
        row = 0 if cell.cell_type == "markdown" else row + (not uncounted)
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
    folds = re.findall(r"<details>.*?</details>", unfenced(text), re.S)
    if any(re.search(r"^#+ ", fold, re.M) for fold in folds):
        yield "a heading inside <details> breaks the page's outline"


def _math(cell: NotebookNode) -> Iterator[str]:
    text = re.sub(r"`[^`\n]*`", "", unfenced(cell.source))
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
    text = re.sub(r"`[^`\n]*`", "", unfenced(cell.source))
    used = set(re.findall(r"</?([A-Za-z][A-Za-z0-9]*)(?=[\s/>])[^>]*>", without_math(text)))
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
        if tag not in TAGS and not TOLERANCE.fullmatch(tag):
            yield f"unknown tag {tag!r}"
    if re.search(r"^\s*#\s*(?:NBVAL_|PYTEST_VALIDATE)", cell.source, re.M | re.I):
        yield "a comment for nbval: use a tag"
    if "setup" not in cell_tags and _ends_in_seed(cell.source):
        yield "ends in manual_seed(...), which prints an address: write `_ = ...`"
    alt = book.alt_text(cell)
    if has_figure(cell) and not alt:
        yield "a figure without alt text (metadata mystnb.image.alt)"
    if alt and not has_figure(cell):
        yield "alt text without a figure"
    trains = ".fit(" in cell.source  # its figure is the board's, which no drawing code makes
    if has_figure(cell) and not trains and not {"hide-input", "hide-cell"} & set(cell_tags):
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
    """Whether the last expression is a call of manual_seed (not a script that contains one)."""
    last = parse(source).body[-1:]
    call = last[0].value if last and isinstance(last[0], ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith("manual_seed")


if __name__ == "__main__":
    book.command(main)
