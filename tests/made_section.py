"""A made-up section that keeps every rule, and ways to plant faults in it."""

from nbformat import v4

from tools import book, counts, tidy

TEXT = "Ten words of a sentence that say nothing at all. " * 30
EXERCISE = "**{k}.** {stars} Do it. [Solution](#solution-{k})"
SOLUTION = """### Solution {k}

<details>
<summary>Show</summary>

So.

</details>

[Back to the exercises](#exercises)"""
FIGURE = v4.new_output("display_data", data={"image/svg+xml": "<svg/>", "text/plain": "<F>"})


def markdown(*pieces):
    return v4.new_markdown_cell("\n\n".join(pieces))


def cell(source, *tags, output=None):
    made = v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})
    made.outputs = [output] if output else []
    return made


def part(k):
    cells = [markdown(f"## Part {k}", TEXT), cell(f"x{k} = {k}\nx{k}")]
    cells.append(cell(f"twice = 2 * x{k}\nassert twice == {2 * k}\nassert x{k} > 0", "check"))
    if k < 3:
        cells.append(cell(f"ax = draw(x{k})", "hide-input", output=FIGURE))
        cells[-1].metadata["mystnb"] = {"image": {"alt": "A line."}}
    return cells


def made():
    """A section without a fault."""
    able = "**What you will be able to do**\n\n- this;\n- that;\n- more."
    stars = ["★", "★", "★", "★★", "★★", "★★★"]
    posed = [EXERCISE.format(k=k, stars=s) for k, s in enumerate(stars, 1)]
    notebook = v4.new_notebook()
    notebook.cells = [
        markdown("# A question", "What is asked?", able, "Builds on nothing."),
        cell("", "setup"),
        cell("import torch\n\n_ = torch.manual_seed(0)"),
        *[made for k in (1, 2, 3, 4) for made in part(k)],
        markdown("## Where it goes wrong", TEXT, "## In practice", TEXT),
        markdown("## Summary", "- a\n- b\n- c", "## Exercises", *posed),
        markdown("## Going deeper", "### Why?", TEXT),
        cell("y = x1 + 1\ny"),
        markdown("### How?", TEXT),
        cell("z = x1 + 2\nz"),
        markdown("## Further reading", "- [A](https://doi.org/a)\n- [B](https://doi.org/b)"),
        markdown("## Solutions", *[SOLUTION.format(k=k) for k in range(1, 6)]),
        markdown(SOLUTION.format(k=6)),
        cell("s = x1 + 3\nassert s == 4", "hide-cell"),
    ]
    renumber(notebook)
    return tidy.tidy(notebook)


def say(text, place=4):
    """Plants a Markdown cell, in the thread unless a place is given."""

    def plant(section):
        section.cells.insert(place, v4.new_markdown_cell(text))

    return plant


def code(source="1", output=None, tags=(), place=4):
    """Plants a code cell, executed in its order."""

    def plant(section):
        section.cells.insert(place, cell(source, *tags, output=output))
        renumber(section)

    return plant


def all_of(*plants):
    def plant(section):
        for each in plants:
            each(section)

    return plant


def replace(old, new, count=1):
    def plant(section):
        holding = [cell for cell in section.cells if old in cell.source]
        assert holding, f"{old!r} is not there to be replaced"
        for cell in holding[:count]:
            cell.source = cell.source.replace(old, new)

    return plant


def renumber(section):
    for number, cell in enumerate(book.code_cells(section), 1):
        cell.execution_count = number


def first_figure(section):
    return next(cell for cell in book.code_cells(section) if counts.has_figure(cell))


def drop_alt(section):
    del first_figure(section).metadata["mystnb"]


def misplace_alt(section):
    first_figure(section).metadata["mystnb"] = "A line."


def untag_figure(section):
    first_figure(section).metadata["tags"] = []
    first_figure(section).metadata.pop("jupyter")


def drop_figures(section):
    for cell in book.code_cells(section):
        cell.outputs = [] if counts.has_figure(cell) else cell.outputs
        cell.metadata.pop("mystnb", None)


def edit_setup(section):
    book.code_cells(section)[0].source += "\nprint(1)"


def drop_setup(section):
    section.cells.remove(book.code_cells(section)[0])
    renumber(section)


def keep_metadata(section):
    section.cells[3].metadata["collapsed"] = True


def unexecute(section):
    book.code_cells(section)[3].execution_count = None


def three_in_a_row(section):
    section.cells[4:4] = [cell("1"), cell("1"), cell("assert 1", "check")]
    renumber(section)


def drop_last_solution(section):
    del section.cells[-2:]


def open_solution(section):
    section.cells[-1].metadata.clear()


def untag_checks(section):
    for cell in book.code_cells(section)[-8:]:
        cell.metadata.pop("tags", None)


def leave_out_going_deeper(section):
    del section.cells[19:23]
    renumber(section)


def exercises(*stars):
    """Plants exercises of so many stars in place of the six."""

    def plant(section):
        posed = [EXERCISE.format(k=k, stars="★" * s) for k, s in enumerate(stars, 1)]
        summary = next(cell for cell in section.cells if "## Exercises" in cell.source)
        summary.source = "\n\n".join([summary.source.split("**1.**")[0].strip(), *posed])

    return plant


def table(html):
    return v4.new_output("display_data", data={"text/html": html})


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def cut_stream(section):
    code("1", stream("ab"))(section)
    section.cells[4].outputs.append(stream("c"))


def lines(count, place=4):
    """Plants so many lines of open code."""
    cells = [cell("\n".join(["1"] * min(20, count - k))) for k in range(0, count, 20)]

    def plant(section):
        for each in cells:
            section.cells[place:place] = [each, markdown("And:")]
        renumber(section)

    return plant


QUIET = 12  # a place in the thread with room for another cell
DEEPER, OTHER_PART, LAST = 21, 22, 27  # places: behind y, before z, behind the last solution
WIDE = "x = '" + "-" * 76 + "'"
