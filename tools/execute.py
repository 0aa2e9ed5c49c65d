"""Execute the notebooks of _toc.yml with papermill, side by side: `python -m tools.execute`.

Only what is missing or stale runs. Executed copies go to _build/executed, a failed notebook to
_build/failed, and what happened to _build/report.json.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path

import nbformat
from rich.console import Console
from rich.live import Live
from rich.text import Text

from tools import book
from tools.run_notebook import MATPLOTLIB, environment, run_notebook

FAILED, FULL, REPORT = Path("_build/failed"), Path("_build/full"), Path("_build/report.json")
RESULTS = Path("book/results")
BOUND = 90  # seconds a notebook should take on one core; the limits leave room for slow machines
LIMITS = {
    "quick": {"cell": 120, "notebook": 240, "threads": 1},  # seconds
    "full": {"cell": 3600, "notebook": 4 * 3600, "threads": None},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=LIMITS, default="quick", help="full: full.yml's sizes")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on this Dask cluster")
    parser.add_argument("--jobs", type=int, default=_cores(), help="notebooks at a time")
    parser.add_argument("--cell-limit", type=int, help="seconds a cell may take")
    parser.add_argument("--notebook-limit", type=int, help="seconds a notebook may take")
    options = parser.parse_args()
    limits = dict(LIMITS[options.profile])
    limits["cell"] = options.cell_limit or limits["cell"]
    limits["notebook"] = options.notebook_limit or limits["notebook"]
    if options.jobs < 1:
        parser.error("--jobs takes a number of notebooks, 1 or more")
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the last is not there on Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    jobs = _jobs(options.profile)
    Path("_build").mkdir(exist_ok=True)
    old = old_records()
    todo = sorted(jobs, key=lambda path: -old.get(str(path), {}).get("seconds", 1e9))
    if options.profile == "quick":
        todo = [path for path in todo if not _is_fresh(path)]
        for path in todo:
            (book.EXECUTED / path).unlink(missing_ok=True)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"executing {len(todo)} of {len(jobs)} notebooks")
    if todo:
        _list_fonts()
    records = {}
    with _executor(options.dask, options.jobs) as (executor, stop):
        try:
            running = _run(executor, stop, {p: jobs[p] for p in todo}, limits, console)
            with contextlib.closing(running):
                for path, record in running:
                    _save(path, record, options.profile)
                    records[str(path)] = record
        except KeyboardInterrupt:
            console.print("stopped: every kernel was ended; finished notebooks are kept")
            if options.profile == "quick":
                _report(jobs, records)
            return 130
    if options.profile == "quick":
        _report(jobs, records)
        _name_slow(records, console)
    return _name_failed(records, console)


def _list_fonts() -> None:
    """Have matplotlib list the fonts once, before notebooks side by side would each do so."""
    if not list(MATPLOTLIB.glob("fontlist-*.json")):
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, "-c", "import matplotlib.font_manager"]
            subprocess.run(command, env=environment(Path(scratch)), check=False)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _jobs(profile: str) -> dict[Path, dict]:
    """Each notebook to execute, with its parameters."""
    listed = book.notebooks()
    if profile == "quick":
        return {path: {} for path in listed}
    chosen = book.read_yaml(Path("chapters/full.yml"))
    jobs = {}
    if not chosen:
        raise book.BookError("chapters/full.yml names no section yet, so there is nothing to run")
    for name, parameters in chosen.items():
        path = Path("chapters", f"{name}.ipynb")
        if path not in listed:
            raise book.BookError(f"chapters/full.yml names {name}, which _toc.yml does not list")
        known = book.defaults(path)
        if not isinstance(parameters, dict):
            raise book.BookError(f"chapters/full.yml: {name} has no parameters with values")
        for parameter in parameters:
            if parameter not in known:
                has = ", ".join(known) or "none"
                message = f"{path} has no parameter {parameter!r} (it has: {has})"
                raise book.BookError(f"chapters/full.yml: {message}")
        jobs[path] = parameters
    return jobs


def _is_fresh(path: Path) -> bool:
    try:
        book.executed_copy(path)
    except book.BookError:
        return False
    return True


@contextlib.contextmanager
def _executor(address: str | None, jobs: int) -> Iterator[tuple[Executor, object]]:
    """A pool of threads, each of which waits for one papermill, or a Dask cluster's workers."""
    if address is None:
        with ThreadPoolExecutor(jobs) as pool:
            yield pool, threading.Event()
        return
    from distributed import Client
    from distributed import Event as DaskEvent

    try:
        client = Client(address, timeout=10)
    except OSError:
        raise book.BookError(f"no Dask scheduler answers at {address}") from None
    with client, client.get_executor() as executor:
        yield executor, DaskEvent(f"stop-{os.getpid()}", client=client)


def _run(
    executor: Executor, stop, jobs: dict[Path, dict], limits: dict, console: Console
) -> Iterator[tuple[Path, dict]]:
    """Run the jobs; yields each notebook with its record as it ends."""
    futures: dict[Future, tuple[Path, str]] = {}
    pending, done = set(), 0
    live = Live(console=console, transient=True) if console.is_terminal else None
    with live or contextlib.nullcontext():
        try:
            for path, parameters in jobs.items():
                source = path.read_text(encoding="utf-8")
                arguments = (source, str(path.parent), parameters, limits, stop)
                future = executor.submit(run_notebook, *arguments)
                futures[future] = path, source
                pending.add(future)
            while pending:
                ended, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in ended:
                    path, source = futures[future]
                    record = _outcome(future, source)
                    record["parameters"] = jobs[path]
                    record["key"] = book.key(nbformat.reads(source, as_version=4), jobs[path])
                    done += 1
                    took = f"{record['status']:<7} {record['seconds']:6.1f} s"
                    console.print(f"{done:>3}/{len(futures)} {took}  {path}")
                    yield path, record
                if live:
                    now = [str(futures[f][0]) for f in pending if f.running()]
                    left = len(pending) - len(now)
                    live.update(Text(f"running: {', '.join(now)}; waiting: {left}"))
        except BaseException:
            stop.set()
            for future in pending:
                future.cancel()
            wait(pending)
            raise


def _outcome(future: Future, source: str) -> dict:
    """What run_notebook returned; where the worker itself failed, that is the record."""
    try:
        return future.result()
    except Exception as error:
        said = f"its worker failed: {type(error).__name__}: {error}"
        record = {"notebook": source, "status": "killed", "error": said}
        return record | {"seconds": 0.0, "peak_mb": 0}


def _save(path: Path, record: dict, profile: str) -> None:
    notebook = nbformat.reads(record.pop("notebook"), as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("papermill", None)
    notebook.metadata["executed"] = {k: v for k, v in record.items() if k != "error"}
    ok = record["status"] == "ok"
    folder = (FULL if profile == "full" else book.EXECUTED) if ok else FAILED
    book.write(folder / path, nbformat.writes(notebook))
    if ok and profile == "full":
        result = RESULTS / path.relative_to("chapters").with_suffix(".json")
        book.write(result, _one_run_a_line(notebook.metadata["executed"]))
    if ok:
        (FAILED / path).unlink(missing_ok=True)


def _one_run_a_line(record: dict) -> str:
    lines = ",".join(f"\n  {json.dumps(run)}" for run in record["runs"])
    return json.dumps(record | {"runs": "RUNS"}, indent=1).replace('"RUNS"', f"[{lines}]") + "\n"


def old_records() -> dict[str, dict]:
    try:
        return json.loads(REPORT.read_text(encoding="utf-8"))["notebooks"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}


def _report(jobs: dict[Path, dict], records: dict[str, dict]) -> None:
    kept = {name: record for name, record in old_records().items() if Path(name) in jobs}
    book.write(REPORT, json.dumps({"notebooks": kept | records}, indent=1) + "\n")


def _name_slow(records: dict[str, dict], console: Console) -> None:
    for name, record in records.items():
        if record["status"] == "ok" and record["seconds"] > BOUND:
            took = f"{record['seconds']:.0f} s, more than {BOUND} s"
            console.print(f"slow: {name} took {took}: make it smaller", style="yellow")


def _name_failed(records: dict[str, dict], console: Console) -> int:
    """Say what failed, where, and why; returns the exit status."""
    failed = {name: record for name, record in records.items() if record["status"] != "ok"}
    for name, record in failed.items():
        lines = record["error"].splitlines()
        console.print(f"\n{record['status']}: {name}", style="bold red")
        console.print("\n".join(f"  {line}" for line in lines), markup=False)
        console.print(f"  as far as it ran: {FAILED / name}")
    return 1 if failed else 0


if __name__ == "__main__":
    book.command(main)
