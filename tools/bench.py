"""Measure what must stay small: `python -m tools.bench`. Nothing here is asserted."""

import statistics
import subprocess
import sys

from rich.console import Console
from rich.table import Table

from tools import book
from tools.execute import old_records

IMPORT = """
import time; start = time.perf_counter()
import torch; between = time.perf_counter()
import d2lib; print(time.perf_counter() - between, between - start)
"""


def main() -> None:
    console = Console()
    runs = [_import_seconds() for _ in range(5)]
    ours, torchs = (statistics.median(column) for column in zip(*runs, strict=True))
    console.print(f"import d2lib: {1000 * ours:.0f} ms over torch's {torchs:.1f} s (median of 5)")
    table = Table("notebook", "seconds", "memory (MB)", title="notebooks, as last executed")
    records = old_records()
    for path in map(str, book.notebooks()):
        if records.get(path, {}).get("status") == "ok":
            name = path.removeprefix("chapters/").removesuffix(".ipynb")
            table.add_row(name, f"{records[path]['seconds']:.1f}", str(records[path]["peak_mb"]))
    console.print(table)


def _import_seconds() -> list[float]:
    return [float(s) for s in subprocess.check_output([sys.executable, "-c", IMPORT]).split()]


if __name__ == "__main__":
    book.command(main)
