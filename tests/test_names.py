"""What cells bind, load and check, as the syntax tree says it."""

import pytest

from tools.checks import checks_in
from tools.names import names, uses

NAMES = {  # source: what it binds, loads at once, and loads in bodies of functions
    "x = x + y": ("x", "x y", ""),
    "x = 1\ny = x": ("x y", "", ""),
    "x += 1": ("x", "x", ""),
    "x[0] = y.z = 2": ("", "x y", ""),
    "del x": ("x", "", ""),
    "import a.b, c as d\nfrom e import f": ("a d f", "", ""),
    "for i in n:\n    z = i + w\nz": ("i z", "n w", ""),
    "while a:\n    a = b\nelse:\n    c": ("a", "a b c", ""),
    "if a:\n    b = 1\nelif c:\n    b = 2\nb": ("b", "a c", ""),
    "with a as b, c(b):\n    b.d": ("b", "a c", ""),
    "try:\n    a()\nexcept E as e:\n    e\nelse:\n    b\nfinally:\n    c": ("e", "E a b c", ""),
    "match a:\n    case [b, *c]:\n        d": ("b c", "a d", ""),
    "[i + j for i in s if (m := i)]": ("m", "j s", ""),
    "k = lambda q=a: q + r": ("k", "a", "r"),
    "sum(i for i in f'{w:{v}}')": ("", "sum v w", ""),
    "@dec\ndef f(x: T = d) -> U:\n    return g(x)": ("f", "T U d dec", "g"),
    "def f(x):\n    def g():\n        nonlocal x\n        x = y\n    return f": ("f", "", "f y"),
    "def f():\n    global u\n    u = v": ("f u", "", "v"),
    "class A(B):\n    y = z\n    def f(self):\n        return y": ("A", "B z", "y"),
    "%pip install x\n!ls x": ("", "get_ipython", ""),
}


@pytest.mark.parametrize("source", NAMES)
def test_names_of_a_cell(source):
    found = names(source)
    sets = (found.binds, found.loads, found.calls)
    assert tuple(" ".join(sorted(each)) for each in sets) == NAMES[source]


def test_a_name_comes_with_the_first_line_that_loads_it():
    found = names("a = 1\n\n\ndef f():\n    return b + c\n\n\nprint(\n    d,\n    b,\n)")
    assert found.loads == {"print": 8, "d": 9, "b": 10}
    assert found.calls == {"b": 5, "c": 5}


def test_a_name_comes_from_the_cell_that_bound_it_last():
    cells = [names(s) for s in ("a = 1", "a = 2", "b = a", "a = 3")]
    assert [(use.name, use.binder) for use in uses(cells, 2)] == [("a", 1)]


def test_a_body_is_looked_up_where_it_is_defined_and_where_it_is_called():
    cells = [
        names(s) for s in ("a = 1", "def f():\n    return a + late", "a = 2", "late = 3", "f()")
    ]
    assert [(use.name, use.binder) for use in uses(cells, 1)] == [("a", 0), ("late", 3)]
    found = {(str(use), use.line, use.binder) for use in uses(cells, 4)}
    assert found == {("`f`", 1, 1), ("`a` (in `f`)", 1, 2), ("`late` (in `f`)", 1, 3)}


def test_what_a_cell_binds_itself_is_its_own_for_the_functions_that_it_calls():
    cells = [names(s) for s in ("a = 1", "def f():\n    return a", "a = 2", "a = 3\nf()")]
    assert [(use.name, use.binder) for use in uses(cells, 3)] == [("f", 1)]


CHECKS = {
    "assert a\nassert b, 'why'": 2,
    "for i in range(9):\n    assert i < 9": 1,
    "torch.testing.assert_close(a, b)\nnp.testing.assert_allclose(a, b)": 2,
    "with pytest.raises(ValueError):\n    f()\n    g()": 1,
    "TestCase().assertRaises(ValueError, f)": 1,
    "try:\n    f()\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('no error')": 1,
    "try:\n    f()\n    raise AssertionError\nexcept E as e:\n    assert 'text' in str(e)": 2,
    "def raises(f):\n    try:\n        f()\n    except E:\n        return True\n"
    "    raise AssertionError\n\n\nassert raises(f)\nraises(g)": 2,
    "raise ValueError('assert')\n# assert\nassert_close": 0,
    "%matplotlib inline\nassert a": 1,
    "": 0,
}


@pytest.mark.parametrize("source", CHECKS)
def test_checks_are_counted_from_the_syntax_tree(source):
    assert checks_in(source) == CHECKS[source]
