"""pytest plugin: nbval's comparison of committed with executed notebooks, with a tolerance.

No kernel runs: the outputs are those that tools/execute.py had papermill produce.
`python -m pytest -p tools.compare --executed chapters`
"""

import math
import re

import nbformat
import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

from tools import book

NUMBER = re.compile(  # a full stop at the end of a sentence is no decimal point
    r"([-+]?(?:\d+\.\d+|\d+\.(?!\s*(?:$|[^\W\d]))|\d+|\.\d+)(?:e[-+]?\d+)?|\bnan\b|\binf\b)",
    re.I | re.M,
)
PADDING = re.compile(r"(?<=\[) +| +(?= )")  # of printed tensors: one more digit moves it


class Text(str):
    """Equal to another text if words and integers are the same and floats are close.

    Where the cell names a tolerance of its own, since it trains, that holds for counts too.
    """

    rtol = 1e-3
    counts_too = False
    __hash__ = str.__hash__

    def difference(self, other: str) -> tuple[str, str] | None:
        """The first two pieces that differ, a number each where only that differs."""
        ours, theirs = (NUMBER.split(PADDING.sub("", text)) for text in (self, other))
        if len(ours) != len(theirs):  # words stand at even places, numbers at odd ones
            return str(self), str(other)
        for place, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a != b and not (place % 2 and self._close(a, b)):
                return a, b
        return None

    def _close(self, a: str, b: str) -> bool:
        are_floats = all(re.search(r"[.en]", number, re.I) for number in (a, b))
        widened = are_floats or self.counts_too
        return widened and math.isclose(float(a), float(b), rel_tol=self.rtol, abs_tol=1e-6)

    def __eq__(self, other):
        return self.difference(other) is None

    def __ne__(self, other):
        return not self == other


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
        self.skip_compare = tuple(k for k in self.skip_compare if not k.startswith("image/"))
        for item in super().collect():  # also reads self.nb
            yield Cell.from_parent(
                self, name=item.name, cell_num=item.cell_num, cell=item.cell, options=item.options
            )


class Cell(IPyNbCell):
    """One code cell: its committed outputs against its executed ones."""

    def sanitize(self, s):
        if not isinstance(s, str):
            return s
        text = Text(s)
        for tag in book.tags(self.cell):
            if tag.startswith("nbval-rtol-"):
                text.rtol, text.counts_too = float(tag.removeprefix("nbval-rtol-")), True
        return text

    def format_output_compare(self, key, left, right):
        super().format_output_compare(key, str(left), str(right))
        if isinstance(left, Text):  # not JSON
            pair = left.difference(right)
            self.comparison_traceback.append("committed {!r}, executed {!r}".format(*pair))

    def runtest(self):
        if self.options["skip"]:
            pytest.skip("tagged nbval-skip")
        ran = _outputs(self.parent.ran[self.cell_num])
        if self.options["check"] and not self.compare_outputs(ran, _outputs(self.cell)):
            self.raise_cell_error("Outputs differ", "\n".join(self.comparison_traceback))


def _outputs(cell: NotebookNode) -> list[NotebookNode]:
    """The cell's outputs, each figure replaced by one word, so that its presence and type count."""
    outputs = [nbformat.from_dict(output) for output in coalesce_streams(cell.outputs)]
    for output in outputs:
        data = output.get("data", {})
        data.update({kind: "figure" for kind in data if kind.startswith("image/")})
    return outputs


def pytest_addoption(parser):
    parser.addoption(
        "--executed", action="store_true", help="compare notebooks with their executed copies"
    )


def pytest_collect_file(file_path, parent):
    if parent.config.option.executed and file_path.suffix == ".ipynb":
        return Notebook.from_parent(parent, path=file_path)
