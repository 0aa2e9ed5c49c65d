"""What is printed is compared: each kind of text, and each number in the book."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tools.compare import text

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("chapters/*/*.ipynb"))
RTOL, ATOL = "nbval-rtol-5e-2", "nbval-atol-1e-12"
KINDS = [  # committed, what is red, what is green, tags of the cell
    ("magnitude", "exact 5.64e-07", "exact 1.00e-12", "exact 5.641e-07"),
    ("small number", "last 0.0010000", "last 0.0010021", "last 0.0010009"),
    ("smallest digit", "last 0.000001 0.50", "last 0.000002 0.50", "last 0.000001 0.5001"),
    ("threshold", "to 1e-8: 0.5000", "to 1e-6: 0.5000", "to 1e-8: 0.5001"),
    ("threshold, tagged", "to 1e-8: 0.50", "to 1e-6: 0.50", "to 1e-8: 0.51", RTOL),
    ("two digits", "0.90", "0.91", "0.9005"),
    ("four digits", "0.1234", "0.1236", "0.1235"),
    ("across zero", "-0.0030", "0.0030", "-0.003001"),
    ("nothing and little", "off by 0.0", "off by 1e-9", "off by -0.0"),
    ("explicit sign", "+0.5000", "0.5000", "+0.5001"),
    ("integer", "7 of 0.5000", "8 of 0.5000", "7 of 0.5001"),
    ("integer, tagged", "400 steps", "440 steps", "410 steps", RTOL),
    ("negative integer", "from -3 to 0.5000", "from 3 to 0.5000", "from -3 to 0.5001"),
    ("percentage", "95 % 0.5000", "96 % 0.5000", "95 % 0.5001"),
    ("integer as float", "tensor([7., 5.])", "tensor([7, 5])", "tensor([7.0000, 5.0000])"),
    ("integer as float, tagged", "(7, 0.50)", "(7.0, 0.50)", "(7, 0.51)", RTOL),
    ("year as float", "2207.0", "2208.0", "2207.04"),
    ("count as float", "tensor([60000., 1.])", "tensor([60001., 1.])", "tensor([60000., 1.0000])"),
    ("count as float, tagged", "60000.0", "66000.0", "60001.0", RTOL),
    ("thousands", "50,000.5", "50,100.5", "50,001.5"),
    ("thousands, whole", "1,212,416 0.5", "1,212,417 0.5", "1,212,416 0.5001"),
    ("thousands, tagged", "1,212,416", "1,912,416", "1,213,999", RTOL),
    ("complex", "1.0000-2.0000j", "1.0000-2.1000j", "1.0000-2.0001j"),
    ("percent", "16.88%", "16.95%", "16.89%"),
    (
        "end of a sentence",
        "It took 2930. Or 0.5000.",
        "It took 2931. Or 0.5000.",
        "It took 2930. Or 0.5001.",
    ),
    ("version", "2.15.0 0.5", "2.15.1 0.5", "2.15.0 0.5001"),
    ("version of two parts", "3.1, 0.5000", "3.10, 0.5000", "3.1, 0.5001"),
    ("version of a build", "2024.1+cu132 0.5", "2024.2+cu132 0.5", "2024.1+cu132 0.5001"),
    ("date, tagged", "2024-05-12 0.50", "2024-05-13 0.50", "2024-05-12 0.51", RTOL),
    ("capital exponent", "1.0E-08", "1.0E-06", "1.0001E-08"),
    ("ratio, tagged", "45:30 0.50", "46:30 0.50", "45:30 0.51", RTOL),
    ("time, tagged", "12:30:45 0.50", "12:30:46 0.50", "12:30:45 0.51", RTOL),
    ("fraction, tagged", "400/1000 0.50", "401/1000 0.50", "400/1000 0.51", RTOL),
    ("range, tagged", "300-500 0.50", "300-501 0.50", "300-500 0.51", RTOL),
    ("hash", "53e7219 0.5", "53e7218 0.5", "53e7219 0.5001"),
    ("hash with one letter", "1234e56 0.5", "1235e56 0.5", "1234e56 0.5001"),
    ("hash of digits, tagged", "01101100 0.50", "01101101 0.50", "01101100 0.51", RTOL),
    ("address, tagged", "0x7f3a1 0.50", "0x7f3a2 0.50", "0x7f3a1 0.51", RTOL),
    ("name, tagged", "t10k of 0.50", "t11k of 0.50", "t10k of 0.51", RTOL),
    ("path, tagged", "docs/2.15/x 0.50", "docs/2.16/x 0.50", "docs/2.15/x 0.51", RTOL),
    ("file", "m-1000.5.pt 0.5", "m-1000.6.pt 0.5", "m-1000.5.pt 0.5001"),
    ("unit", "1000.1ms 0.5", "1000.2ms 0.5", "1000.1ms 0.5001"),
    ("unit apart", "1000.1 ms", "1009.1 ms", "1000.2 ms"),
    ("size", "540x321.92 0.5", "540x321.93 0.5", "540x321.92 0.5001"),
    ("letters", "info nano 0.5", "nano info 0.5", "info nano 0.5001"),
    (
        "not a number",
        "tensor([   nan, 0.2500])",
        "tensor([0.5000, 0.2500])",
        "tensor([   nan, 0.2501])",
    ),
    ("infinity", "[inf, 0.5000]", "[-inf, 0.5000]", "[inf, 0.5001]"),
    ("infinity, tagged", "inf or 0.50", "nan or 0.50", "inf or 0.51", RTOL),
    (
        "graph",
        "tensor(36.5, grad_fn=<Sum0>)",
        "tensor(36.5, grad_fn=<Sum1>)",
        "tensor(36.5001, grad_fn=<Sum0>)",
    ),
    ("array", "[1.2e+00, 3.0e-09]", "[1.2e+00, 3.0e-05]", "[1.2e+00, -4.1e-08]"),
    (
        "array of NumPy",
        "[[1.2e+00 nan]\n [3.0e-09 1.e+00]]",
        "[[1.2e+00 nan]\n [3.0e-05 1.e+00]]",
        "[[ 1.2e+00 nan]\n [-4.1e-09 1.e+00]]",
    ),
    (
        "array of a tensor",
        "tensor([[9.3100e-01, 4.9000e-09],\n        [1.0000e-03, 1.9000e-02]])",
        "tensor([[9.3100e-01, 4.9000e-09],\n        [2.0000e-03, 1.9000e-02]])",
        "tensor([[9.3100e-01, 4.9000e-08],\n        [1.0000e-03, 1.9000e-02]])",
    ),
    (
        "array of small rows",
        "[[1.0e-09, 2.0e-09], [1.2e+00, 3.0e-09]]",
        "[[1.0e-09, 2.0e-05], [1.2e+00, 3.0e-09]]",
        "[[1.0e-09, 2.0e-08], [1.2e+00, 3.0e-09]]",
    ),
    ("two arrays", "[1.2] [3.0e-09]", "[1.2] [4.0e-09]", "[1.2001] [3.0e-09]"),
    (
        "arrays in a list",
        "[tensor([1.2]), tensor([3e-09])]",
        "[tensor([1.2]), tensor([4e-09])]",
        "[tensor([1.2001]), tensor([3e-09])]",
    ),
    ("list with a count", "[1000000, 3e-09]", "[1000000, 4e-09]", "[1000000, 3.001e-09]"),
    ("list of words", "['a', 1.2, 3e-09]", "['a', 1.2, 4e-09]", "['a', 1.2001, 3e-09]"),
    ("factor of an array", "1e-03 *\n[1.2000]", "1e-04 *\n[1.2000]", "1e-03 *\n[1.2001]"),
    (
        "column of a table",
        "a  1.2e+00\nb  3.0e-09",
        "a  1.2e+00\nb  4.0e-09",
        "a  1.2e+00\nb  3.001e-09",
    ),
    ("rounding noise", "residual 3e-16", "residual 2e-12", "residual -4e-17", ATOL),
    ("beside rounding noise", "1e-16, 5.64e-07", "1e-16, 5.74e-07", "0.0, 5.641e-07", ATOL),
    ("integer beside noise", "3000 3e-16", "3001 3e-16", "3000 1e-16", ATOL),
    ("indentation", "a\n   b 0.5000", "a\n  b 0.5000", "a\n   b 0.5001"),
    ("line break", "a 0.5000\nb", "a 0.5000 b", "a 0.5001\nb"),
    ("blank line", "a 0.5000\n\nb", "a 0.5000\nb", "a 0.5001\n\nb"),
    ("end of line", "a 0.5000\n", "a 0.5000", "a 0.5001\n"),
    ("columns of words", "a   b 0.5000", "a b 0.5000", "a   b 0.5001"),
    (
        "columns of numbers",
        "a    0.493\nbb  10.500",
        "a 0.493\nbb  10.500",
        "a   0.4931\nbb  10.500",
    ),
    ("line of numbers", " 9.9996 1", "  9.9996 1", "10.0003 1"),
    (
        "padding of an array",
        "[[0.0000, 0.5000],\n [0.1000, 0.2000]]",
        "[[ 0.0000,  0.5000],\n [ 0.1000,  0.2000]]",
        "[[-0.0000,  0.5000],\n [ 0.1000,  0.2000]]",
    ),
    (
        "array of several lines",
        "[0.0000, 0.5000,\n 0.1000]",
        "[0.0000, 0.5000, 0.1000]",
        "[-0.0000,\n  0.5000,  0.1000]",
    ),
    ("formula", r"$\frac{2}{0.50} x^{2}$", r"$\frac{2}{0.50} x^{3}$", r"$\frac{2}{0.5001} x^{2}$"),
]


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case[0])
def test_kinds(case):
    _, committed, red, green, *tags = case
    for a, b in [(committed, red), (red, committed)]:
        assert text(a, tags) != text(b, tags)
    for a, b in [(committed, green), (green, committed), (committed, committed)]:
        assert text(a, tags) == text(b, tags)


PAGE = '<td id="T_0a1b2_row1000" style="width: 1000.1%">{}</td><style>th {{ top: 1.1em }}</style>'


def test_page_compares_numbers_between_tags():
    page = text(PAGE.format(0.5), [], "text/html")
    assert page == text(PAGE.format(0.5001), [], "text/html")
    assert page != text(PAGE.format(0.501), [], "text/html")
    for a, b in [("0a1b2", "0a1b3"), ("row1000", "row1001"), ("1000.1", "1000.2"), ("1.1", "1.2")]:
        assert page != text(PAGE.format(0.5).replace(a, b), [], "text/html")


@pytest.mark.parametrize(
    ("a", "b", "pair"),
    [
        ("a 0.5 b 1e-8", "a 0.5001 b 1e-6", ("1e-8", "1e-6")),
        ("one\na 0.5\nb", "one\na 0.5001\nc", ("\nb", "\nc")),
        ("one\na 0.5\nb", "one\na 0.51 0.6\nb", ("a 0.5", "a 0.51 0.6")),
        ("one\n", "one\n2\n", ("", "2")),
    ],
)
def test_difference_is_named(a, b, pair):
    assert text(a, []).difference(b) == pair


PRINTED = re.compile(r"\d{1,3}(?:,\d{3})+|\d*\.?\d+(?:e[-+]?\d+)?", re.I)


def compared_outputs(notebook: str) -> Iterator[tuple[str, list[str], str, str]]:
    """Each text that a notebook's compared cells print: the cell, its tags, the kind, the text."""
    for cell in nbformat.read(ROOT / notebook, as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "nbval-ignore-output" not in tags:
            for output in cell.outputs:
                data = output.get("data", {"text/plain": output.get("text", output.get("evalue"))})
                for kind in [kind for kind in data if kind.startswith("text/")]:
                    yield cell.id, tags, kind, data[kind]


def planted(number: str, rtol: float) -> Iterator[str]:
    """Other values for a printed number: one more, 1 % off (or more, by the tag), times ten."""
    value = float(number.replace(",", ""))
    if not re.search(r"[.e]", number, re.I):
        yield f"{int(value) + 1 + math.ceil(2 * rtol * value)}"
    elif value == 0:
        yield re.sub(r"0(?=e|$)", "1", number, count=1)
    else:
        power = math.log10(value).is_integer()
        small = value < 1e-4 or "e" in number.lower() or power
        for factor in [1 + 10 * max(rtol, 1e-3), *([10, 0.1] if small else [])]:
            yield f"{value * factor:.6e}" if "e" in number else f"{value * factor:.12f}".rstrip("0")


def hidden(shown: str, place: int, change: float, atol: float) -> bool:
    """Whether a tag, or the largest number between the brackets around it, excuses a change."""
    opened = shown[:place].count("[") > shown[:place].count("]")
    sizes = [float(number.replace(",", "")) for number in PRINTED.findall(shown)]
    return change <= max(atol, 1e-6 * max(sizes) if opened else 0)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_each_number_in_the_book_is_compared(notebook):
    """Another value, planted for one printed number after the other, is noticed."""
    found = 0
    for cell, tags, kind, shown in compared_outputs(notebook):
        own = {tag[6:10]: float(tag[11:]) for tag in tags if re.match("nbval-[ar]tol-", tag)}
        committed = text(shown, tags, kind)
        for number in PRINTED.finditer(shown):
            for other in planted(number[0], own.get("rtol", 0)):
                executed = shown[: number.start()] + other + shown[number.end() :]
                change = abs(float(other) - float(number[0].replace(",", "")))
                excused = hidden(shown, number.start(), change, own.get("atol", 0))
                assert committed != executed or excused, (cell, number[0], other)
                found += 1
    assert found
