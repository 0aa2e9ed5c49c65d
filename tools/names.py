"""Which names a notebook's code cells bind, which they load, and from which cell each comes."""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

from tools.checks import parse

COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}  # they run where they stand


@dataclass
class Names:
    """The names of one cell; those that it loads come with the first line that does."""

    binds: set[str] = field(default_factory=set)
    loads: dict[str, int] = field(default_factory=dict)  # before the cell has bound them
    calls: dict[str, int] = field(default_factory=dict)  # in bodies of functions
    bodies: dict[str, set[str]] = field(default_factory=dict)  # a function: what its body loads


@dataclass(frozen=True)
class Use:
    """A name that a cell takes from the cell at index `binder`."""

    name: str
    line: int
    binder: int
    through: str = ""  # the function of another cell whose body loads it

    def __str__(self) -> str:
        return f"`{self.name}`" + (f" (in `{self.through}`)" if self.through else "")


def names(source: str) -> Names:
    """The names of a cell, found in the order in which it runs."""
    found = Names()
    for statement in parse(source).body:
        _run(statement, found)
    return found


def uses(cells: list[Names], place: int) -> Iterator[Use]:
    """What the cell at `place` takes from others, where all cells run once and in order.

    The last cell that has bound a name counts. What the body of a function loads counts where
    the function is defined, and again where another cell uses the function.
    """
    cell = cells[place]
    called = {name: line for name, line in cell.calls.items() if name not in cell.binds}
    for name, line in (called | cell.loads).items():
        binder = _binder(cells, place, name)
        if binder is not None:
            yield Use(name, line, binder)
            if binder < place:
                yield from _through(cells, place, name, line, {name})


def _binder(cells: list[Names], place: int, name: str) -> int | None:
    """The last cell before `place` that binds the name; for a body to be called later, the next."""
    binders = [k for k, cell in enumerate(cells) if name in cell.binds and k != place]
    before = [k for k in binders if k < place]
    if before or name in cells[place].loads:
        return max(before, default=None)
    return min(binders, default=None)


def _through(cells: list[Names], place: int, name: str, line: int, seen: set) -> Iterator[Use]:
    """What the body of a function from another cell loads when the cell at `place` runs it."""
    home = max(k for k in range(place) if name in cells[k].binds)
    for inner in sorted(cells[home].bodies.get(name, set()) - cells[place].binds - seen):
        seen.add(inner)
        before = [k for k in range(place) if inner in cells[k].binds]
        if before:
            yield Use(inner, line, before[-1], name)
            yield from _through(cells, place, inner, line, seen)


def _run(statement: ast.stmt, found: Names) -> None:
    """Take in a statement's names; those of a compound one in the order of its parts."""
    match statement:
        case ast.If(test=head) | ast.While(test=head):
            parts = [_bind(None, head), *statement.body, *statement.orelse]
        case ast.For():
            head = _bind(statement.target, statement.iter)
            parts = [head, *statement.body, *statement.orelse]
        case ast.With():
            entered = [_bind(item.optional_vars, item.context_expr) for item in statement.items]
            parts = [*entered, *statement.body]
        case ast.Try():
            caught = [part for handler in statement.handlers for part in _caught(handler)]
            parts = [*statement.body, *caught, *statement.orelse, *statement.finalbody]
        case _:
            _take(statement, found)
            return
    for part in parts:
        _run(part, found)


def _caught(handler: ast.ExceptHandler) -> list[ast.stmt]:
    name = handler.name and ast.copy_location(ast.Name(handler.name, ast.Store()), handler)
    return [_bind(name, handler.type or ast.Constant(None)), *handler.body]


def _bind(target: ast.expr | None, value: ast.expr) -> ast.stmt:
    """The statement that evaluates `value`, and binds it where there is a target."""
    made = ast.Assign([target], value) if target else ast.Expr(value)
    return ast.fix_missing_locations(ast.copy_location(made, value))


def _take(statement: ast.stmt, found: Names) -> None:
    """Take in the names of a statement whose parts run at once: first it loads, then it binds."""
    table = symtable.symtable(ast.unparse(statement), "cell", "exec")
    loaded = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    bound = {symbol.get_name() for symbol in table.get_symbols() if _is_bound(symbol)}
    bodies = set()
    for symbol, is_body in _inner_globals(table):
        if symbol.is_referenced():
            (bodies if is_body else loaded).add(symbol.get_name())
        if symbol.is_assigned():  # after `global`, or by `:=`
            bound.add(symbol.get_name())
    if isinstance(statement, ast.AugAssign):
        loaded |= bound
    for name in sorted(loaded - found.binds):
        found.loads.setdefault(name, _line(statement, name))
    for name in sorted(bodies):
        found.calls.setdefault(name, _line(statement, name))
    found.bodies |= dict.fromkeys(bound, bodies)
    found.binds |= bound


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported()


def _inner_globals(
    table: symtable.SymbolTable, is_body: bool = False
) -> Iterator[tuple[symtable.Symbol, bool]]:
    """The global names of the scopes within, and whether they are looked up only at a call."""
    for scope in table.get_children():
        is_function = scope.get_type() == "function" and scope.get_name() not in COMPREHENSIONS
        called = is_body or is_function
        yield from ((symbol, called) for symbol in scope.get_symbols() if symbol.is_global())
        yield from _inner_globals(scope, called)


def _line(statement: ast.stmt, name: str) -> int:
    """The first line of a statement that has the name."""
    nodes = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    lines = [node.lineno for node in nodes if node.id == name]
    return min(lines, default=getattr(statement, "lineno", 1))
