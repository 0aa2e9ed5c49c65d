"""How many checks a cell holds: asserts, calls like `assert_close`, and errors that must come."""

import ast
import functools
import re

from IPython.core.inputtransformer2 import TransformerManager

CHECKING = re.compile(r"^assert|raises", re.I)  # names of functions that check


def checks_in(source: str) -> int:
    """Count the checks that the source spells out; one in a loop counts once.

    An error that must come is `with pytest.raises(...)`, or a `raise AssertionError` that the
    error leaves unreached.
    """
    return _count(parse(source))


@functools.cache
def parse(source: str) -> ast.Module:
    """The syntax tree of a cell; magics are calls, as IPython makes them."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return ast.parse(TransformerManager().transform_cell(source))


def _count(node: ast.AST) -> int:
    if _is_check(node):
        return 1
    if isinstance(node, ast.FunctionDef) and CHECKING.search(node.name):
        return 0  # its calls count
    return sum(_count(child) for child in ast.iter_child_nodes(node))


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return CHECKING.search(_name(node.func)) is not None
    if isinstance(node, ast.Raise):
        return "AssertionError" in ast.unparse(node)
    return isinstance(node, ast.Assert)


def _name(function: ast.expr) -> str:
    return getattr(function, "attr", None) or getattr(function, "id", "")
