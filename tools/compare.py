"""pytest plugin: nbval's comparison of committed with executed notebooks, with a tolerance.

No kernel runs: the outputs are those that tools/execute.py had papermill produce.
`python -m pytest -p tools.compare --executed chapters`

- Text and white space are the same to the letter. So is what only looks like a number: dates,
  times, versions, paths, ranges, hashes, and digits joined to letters.
- Whole numbers are the same, also where they are printed as floats (`2207.0`).
- Floats that stand alone agree to a relative tolerance of 1e-3, so that orders of magnitude count.
  The one absolute tolerance is that of an array, brackets that hold nothing but floats: what stands
  near zero beside larger numbers is their rounding noise, up to 1e-6 of the largest. The column of
  a table is no array, since it often holds magnitudes, such as the errors after each step.
- A cell's tags widen this: `nbval-rtol-5e-2` is another relative tolerance, also for counts;
  `nbval-atol-1e-12` is an absolute one, for floats that are rounding noise and nothing else.
- Figures and widgets are there, of the same type; outputs come in the same order. That much holds
  where the tag `nbval-ignore-output` leaves open what they say.
"""

import cmath
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import zip_longest

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

from tools import book

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)"  # 50,000 is one number
REAL = r"\d+\.?\d*(?:e[-+]?\d\d?)?"
NUMBER = re.compile(
    rf"""(?<![\w./\\])(?<!\w[-+])(?<!\d:)  # not the end of a word, path, version, date or time
    ([-+]?(?:
        (?:{REAL}[-+])?{REAL}j             # complex
        |\d(?:\.\d*)?e[-+]?(?:[12]\d\d|\d\d?)
        |{DIGITS}\.\d+|\.\d+
        |\d+\.(?=[,)\]]|\s+[-+.\d\[])      # `1.` in an array, not at the end of a sentence
        |\d{{1,3}}(?:,\d{{3}})+|0|[1-9]\d*
    ))
    (?![\w/]|[-+.]\w|:\d)                  # nor the start of one""",
    re.I | re.X,
)
NUMBER_OF_PAGE = re.compile(NUMBER.pattern + "\n(?![^<]*>)", re.I | re.X)  # in no tag of HTML
WHOLE = re.compile(r"[-+]?[\d,]+\.?0*")
FLOATS_ONLY = re.compile(r"\[(?:[\[\]\s,.\0]|[-+]?(?:nan|inf))*\]")  # \0 stands for a number
TOLERANCE = re.compile(r"nbval-([ar]tol)-([1-9]e-\d\d?)")
NOISE = 1e-6  # some units of float32's last place, as a share of an array's largest number


class Text(str):
    """Equal to another text if words and whole numbers are the same and floats are close."""

    rtol, atol = 1e-3, 0.0
    counts_too = False
    number = NUMBER
    __hash__ = str.__hash__

    def difference(self, other: str) -> tuple[str, str] | None:
        """The first two pieces that differ, a number each where only that differs."""
        ours, theirs = (self.number.split(text) for text in (self, other))
        if len(ours) != len(theirs):  # words stand at even places, numbers at odd ones
            return self._lines(other)
        pairs = list(zip(ours, theirs, strict=True))
        resized = any(len(a) != len(b) for a, b in pairs[1::2])
        sizes = iter(_array_sizes(ours))
        for place, (a, b) in enumerate(pairs):
            if place % 2:
                same = self._close(a, b, next(sizes))
            else:
                same = a == b or (resized and _unpadded(a) == _unpadded(b))
            if not same:
                return a, b
        return None

    def _lines(self, other: str) -> tuple[str, str]:
        """The first two lines that differ in more than the values of numbers."""
        pairs = zip_longest(self.splitlines(), other.splitlines(), fillvalue="")
        shapes = ((a, b) for a, b in pairs if self.number.sub("0", a) != self.number.sub("0", b))
        return next(shapes, (str(self), str(other)))

    def _close(self, a: str, b: str, array: float) -> bool:
        """Whether two printed numbers agree; `array` is the size of the array around them."""
        if a == b or _is_float(a) != _is_float(b):
            return a == b
        x, y = _value(a), _value(b)
        whole = all(WHOLE.fullmatch(number) for number in (a, b))
        if whole and not self.counts_too:
            return _is_float(a) and x == y  # 8. and 8.0000
        if x == y and not whole:
            return False  # 2.1 and 2.10, which are versions
        return cmath.isclose(x, y, rel_tol=self.rtol, abs_tol=max(self.atol, NOISE * array))

    def __eq__(self, other):
        return self.difference(other) is None

    def __ne__(self, other):
        return not self == other


def text(content: str, tags: list[str], kind: str = "text/plain") -> Text:
    """An output of a cell with these tags, as what it is compared by."""
    made = Text(content)
    if kind == "text/html":
        made.number = NUMBER_OF_PAGE
    for tag in tags:
        if found := TOLERANCE.fullmatch(tag):
            setattr(made, found[1], float(found[2]))
            made.counts_too |= found[1] == "rtol"
    return made


def _is_float(number: str) -> bool:
    return re.search(r"[.e]", number, re.I) is not None


def _value(number: str) -> complex:
    return complex(number.replace(",", ""))


def _unpadded(words: str) -> str:
    """What stands between two numbers, without the spaces that the numbers' lengths decide."""
    return re.sub(r" +", " ", re.sub(r"\n +", " ", words)).strip(" ")


def _array_sizes(pieces: list[str]) -> list[float]:
    """For each number, the largest of the array that it stands in, 0 if it stands in none."""
    words, numbers = "\0".join(pieces[::2]), pieces[1::2]
    sizes, opened, seen = [0.0] * len(numbers), [], 0
    for sign in re.finditer(r"[\0\[\]]", words):
        if sign[0] == "\0":
            seen += 1
        elif sign[0] == "[":
            opened.append((sign.start(), seen))
        elif opened:
            start, first = opened.pop()
            inside = numbers[first:seen]
            if all(map(_is_float, inside)) and FLOATS_ONLY.fullmatch(words, start, sign.end()):
                largest = max((abs(_value(number)) for number in inside), default=0.0)
                sizes[first:seen] = [largest] * len(inside)  # of the outermost, in the end
    return sizes


class Notebook(IPyNbFile):
    """One committed notebook beside its executed copy."""

    def setup(self):
        """Starts no kernel, unlike nbval's."""

    def collect(self):
        path = self.path.relative_to(self.config.rootpath)
        try:
            self.ran = book.code_cells(book.executed_copy(path))
            fault = book.incomplete(book.read(path))
        except book.BookError as error:
            raise self.CollectError(str(error)) from None
        if fault:
            raise self.CollectError(f"{path} as committed: {fault}; run `make accept`")
        self.skip_compare = tuple(kind for kind in self.skip_compare if "/" not in kind)
        for item in super().collect():  # also reads self.nb
            yield Cell.from_parent(
                self,
                name=item.cell.id,
                cell_num=item.cell_num,
                cell=item.cell,
                options=item.options,
            )


class Cell(IPyNbCell):
    """One code cell: its committed outputs against its executed ones."""

    def sanitize(self, s):
        return text(s, book.tags(self.cell)) if type(s) is str else s

    def format_output_compare(self, key, left, right):
        super().format_output_compare(key, str(left), str(right))
        self.comparison_traceback.append(_pair(*left.difference(right)))

    def runtest(self):
        if self.options["skip"]:
            pytest.skip("tagged nbval-skip")
        committed, ran = self.cell, self.parent.ran[self.cell_num]
        found, expected = (list(_outputs(cell, committed)) for cell in (ran, committed))
        if self.options["check"] and not self.compare_outputs(found, expected):
            raise Difference("\n".join(self.comparison_traceback))
        orders = [_order(cell) for cell in (committed, ran)]
        if orders[0] != orders[1]:
            raise Difference("outputs of other types, or in another order\n" + _pair(*orders))

    def repr_failure(self, excinfo):
        if not isinstance(excinfo.value, Difference):
            return super().repr_failure(excinfo)
        source = "\n".join(f"    {line}" for line in self.cell.source.splitlines())
        return f"{self.reportinfo()[2]}: the outputs differ\n{source}\n{excinfo.value}"

    def reportinfo(self):
        path = self.path.relative_to(self.config.rootpath)
        return self.path, 0, f"{path}, code cell {self.cell_num + 1} ({self.cell.id})"


class Difference(Exception):
    """The outputs of a cell differ; the message says how."""


def _pair(committed: object, executed: object) -> str:
    return f"committed {committed!r}, executed {executed!r}"


def _outputs(cell: NotebookNode, tagged: NotebookNode) -> Iterator[NotebookNode]:
    """The cell's outputs; each figure and widget is one word, so that its presence counts."""
    for output in coalesce_streams(deepcopy(cell.outputs)):
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/") or "widget-view" in kind:
                content = "shown"
            elif not isinstance(content, str):
                content = json.dumps(content, indent=1, sort_keys=True)
            output.data[kind] = text(content, book.tags(tagged), kind)
        yield output


def _order(cell: NotebookNode) -> list[str]:
    """What the cell shows, from top to bottom; stderr, which is not buffered, may come anywhere."""
    kinds = []
    for output in cell.outputs:
        kind = output.get("name") or "/".join(sorted(output.get("data", [output.output_type])))
        if kind != "stderr" and kinds[-1:] != [kind]:
            kinds.append(kind)
    return kinds


def pytest_addoption(parser):
    parser.addoption(
        "--executed", action="store_true", help="compare notebooks with their executed copies"
    )


def pytest_collect_file(file_path, parent):
    if parent.config.option.executed and file_path.suffix == ".ipynb":
        return Notebook.from_parent(parent, path=file_path)
