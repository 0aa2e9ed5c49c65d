"""Which names hold seconds of a clock, so that nothing may be asserted of them."""

import ast
from collections.abc import Iterator

from tools.checks import parse

CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "thread_time", "monotonic"}
CLOCKS |= {"timeit", "blocked_autorange", "elapsed_time"}
COLLECTS = {"append", "extend", "add", "insert", "setdefault", "update"}


def asserted(sources: list[str]) -> Iterator[tuple[int, int, str]]:
    """Asserts about what a clock has measured: the cell's index, the line, the name.

    The cells run in order. A name is measured if what it is bound to loads a clock or a measured
    name, and so is a list to which such a thing is appended, and a function that contains one.
    """
    measured: set[str] = set()
    for place, source in enumerate(sources):
        for node in _in_order(parse(source)):
            if isinstance(node, ast.Assert) and (name := _measured(node.test, measured)):
                yield place, node.lineno, name
            _follow(node, measured)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes as they stand in the source, a function before its body and again behind it."""
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)
    if isinstance(node, ast.FunctionDef):
        yield node


def _follow(node: ast.AST, measured: set[str]) -> None:
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=False):
                _bind([target], _measured(value, measured), measured)
        case ast.Assign(targets=targets, value=value):
            _bind(targets, _measured(value, measured), measured)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            _bind([target], _measured(value, measured), measured)
        case ast.NamedExpr(target=target, value=value):
            _bind([target], _measured(value, measured), measured)
        case ast.AugAssign(target=target, value=value) if _measured(value, measured):
            _bind([target], True, measured)
        case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
            _bind([target], _measured(source, measured), measured)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=args):
            if attr in COLLECTS and any(_measured(arg, measured) for arg in args):
                measured.add(name)
        case ast.FunctionDef(name=name, args=arguments, body=body):
            inside = ast.walk(arguments)
            measured.difference_update(arg.arg for arg in inside if isinstance(arg, ast.arg))
            _bind([ast.Name(name)], any(_measured(line, measured) for line in body), measured)


def _bind(targets: list[ast.expr], from_clock: object, measured: set[str]) -> None:
    for target in targets:
        if from_clock:
            measured.update(_names(target))
        elif isinstance(target, ast.Name | ast.Tuple):  # `record["loss"] = 1` keeps the seconds
            measured.difference_update(_names(target))


def _measured(node: ast.AST, measured: set[str]) -> str | None:
    """A clock, or a measured name, that the node loads."""
    parts = list(ast.walk(node))
    own = [part.target for part in parts if isinstance(part, ast.comprehension)]
    measured = measured - {name for target in own for name in _names(target)}
    for part in parts:
        name = part.id if isinstance(part, ast.Name) else getattr(part, "attr", None)
        if name in CLOCKS or (isinstance(part, ast.Name) and name in measured):
            return name
    return None


def _names(target: ast.expr) -> list[str]:
    return [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
