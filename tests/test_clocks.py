"""What a clock measured differs on each machine: no section asserts anything about it."""

import pytest
from made_section import all_of, code, made

from tools import book, clocks, rules

TIMED = """
times = []
for _ in range(5):
    start = time.perf_counter()
    work()
    times.append(time.perf_counter() - start)
"""
HELPER = """
def seconds(task):
    start = time.process_time()
    task()
    return time.process_time() - start
"""
TABLE = """
seconds, steps = [timeit("f()", number=9) for _ in range(3)], [1, 2]
low, high = np.percentile(seconds, [10, 90])
"""


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        ([TIMED, "assert min(times) > 0"], "times"),
        ([TIMED, "ratio = min(times) / 2\nfor r in [ratio]:\n    assert r < 9"], "r"),
        ([HELPER, "assert seconds(slow) > seconds(fast)"], "seconds"),
        (
            [HELPER, "ratios = {}\nratios[1] = seconds(f) / seconds(g)", "assert ratios[1] < 2"],
            "ratios",
        ),
        (["assert timeit.timeit('f()') < 1"], "timeit"),
        ([TABLE, "assert 9 * low > steps[0]"], "low"),
        (["total = 0.0\ntotal += time.perf_counter()", "assert total"], "total"),
        (["if (t := perf_counter()):\n    pass", "assert t"], "t"),
        ([HELPER, "best: float = seconds(f)\nassert best"], "best"),
    ],
)
def test_an_assert_on_what_a_clock_measured_is_found(sources, name):
    assert [found for *_, found in clocks.asserted(sources)] == [name]


@pytest.mark.parametrize(
    "sources",
    [
        [TIMED, "assert len(range(5)) == 5"],
        [TABLE, "assert steps == [1, 2]"],  # bound in one line with what is measured
        [TIMED, "times = [1, 2]", "assert times == [1, 2]"],  # bound anew
        [TIMED, "def half(times):\n    return times / 2\n\n\nassert half(4) == 2"],
        [TIMED, "twice = [2 * times for times in (1, 2)]\nassert twice == [2, 4]"],
        ["x.repeat(2)\nassert x.repeat(2).shape"],
    ],
)
def test_what_no_clock_measured_may_be_asserted(sources):
    assert list(clocks.asserted(sources)) == []


def test_the_rules_name_the_cell_and_the_line():
    check = code("1\nassert min(times) > 0", tags=["check"])
    notebook = made()
    all_of(check, code(TIMED))(notebook)
    (fault,) = [fault for fault in rules.faults(notebook) if "clock" in fault]
    assert fault.startswith("cell 6, line 2: asserts on `times`, which a clock measured")


@pytest.mark.parametrize("path", book.notebooks(), ids=str)
def test_no_section_asserts_what_a_clock_measured(path):
    sources = [cell.source for cell in book.code_cells(book.read(path))]
    assert list(clocks.asserted(sources)) == []
