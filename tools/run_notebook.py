"""Run one notebook by papermill in a process of its own, and say what came of it.

Needs nothing but its arguments and the notebook's folder, so that a worker on another machine
with the same checkout can do it as well as a thread of tools/execute.py.
"""

import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import nbformat
import psutil
import yaml
from nbformat import NotebookNode
from nbformat.v4 import to_notebook_json

from tools import book

INHERITED = re.compile(  # what finds programs, folders, data, networks and accelerators
    r"""PATH|HOME|USER|LOGNAME|SHELL|TERM|XDG_CACHE_HOME|D2LIB_DATA
    |(HTTPS?|FTP|ALL|NO)_PROXY|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE
    |(DY)?LD_\w+|(CUDA|NVIDIA|NCCL|HIP|ROCR|SLURM)_\w+
    |SYSTEM(ROOT|DRIVE)|WINDIR|COMSPEC|PATHEXT|OS|USERNAME|USERPROFILE|HOME(DRIVE|PATH)
    |(LOCAL)?APPDATA|(COMMON)?PROGRAM\w+|PROCESSOR_\w+|NUMBER_OF_PROCESSORS""",
    re.X | re.I,
)
FIXED = {"TZ": "UTC", "LC_ALL": "C.UTF-8", "JUPYTER_PREFER_ENV_PATH": "1", "D2LIB_LIVE": "0"}
FIXED |= {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", "PYTHONSAFEPATH": "1"}
OWN = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "TMPDIR", "TEMP", "TMP")
FIRST = [  # what a kernel runs before the notebook's cells
    "del exit, quit",  # they end a kernel as if all were well
    "__import__('atexit').register(__import__('os')._exit, 0)",  # tearing torch down takes 1 s
]
ROOT, MATPLOTLIB = Path(__file__).parents[1], Path("_build/matplotlib")
QUICK = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "VECLIB_MAXIMUM")}
QUICK |= {"CUDA_VISIBLE_DEVICES": ""}  # the quick profile computes on one core, everywhere
LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "matplotlib")
UNBEGUN = "before its first cell"
KILLED = 138  # papermill's exit status where the kernel died
PORT_TAKEN = re.compile(r"Address already in use|Kernel didn't respond|Kernel died before replying")


class Event(Protocol):
    """What threading.Event and distributed.Event have in common."""

    def is_set(self) -> bool: ...


def run_notebook(source: str, folder: str, parameters: dict, limits: dict, stop: Event) -> dict:
    """Execute the notebook `source` (its JSON) in `folder`.

    `limits` holds `cell` and `notebook` in seconds, and `threads` (None: as many as there are);
    `stop`, once set, ends the run. Returns the executed notebook's JSON as `notebook`, and
    `status` (ok, failed, killed, timeout, stopped), `error`, `seconds`, `peak_mb`, `date`,
    `versions`, `hardware`, and in the full profile `runs`: what each training ended with.
    """
    for _ in range(2):  # once more, where another kernel took the port of this one
        result = _attempt(source, folder, parameters, limits, stop)
        if not result.pop("port_taken"):
            break
    return result


def _attempt(source: str, folder: str, parameters: dict, limits: dict, stop: Event) -> dict:
    started = time.time()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        names = ("in.ipynb", "out.ipynb", "log", "runs")
        given, made, log, runs = (Path(scratch, name) for name in names)
        given.write_text(source, encoding="utf-8")
        Path(scratch, "parameters.yml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
        command = [sys.executable, "-m", "papermill", given, made, "--cwd", folder]
        command += ["--kernel", "python3", "--language", "python", "--no-progress-bar"]
        command += ["--execution-timeout", str(limits["cell"])]
        command += ["-f", Path(scratch, "parameters.yml")] if parameters else []
        env = environment(Path(scratch))
        env |= QUICK if limits["threads"] == 1 else {"D2LIB_RUNS": str(runs)}
        with log.open("wb") as stderr:
            process = psutil.Popen(
                [str(part) for part in command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C reaches the parent alone, which then sets `stop`
            )
            ended, peak = _watch(process, started + limits["notebook"], stop)
        said = log.read_text(encoding="utf-8", errors="replace")
        trained = runs.read_text(encoding="utf-8").splitlines() if runs.exists() else []
        notebook = _last_saved(made, given)
    notebook.cells = [c for c in notebook.cells if "papermill-error-cell-tag" not in book.tags(c)]
    status, error = _diagnose(notebook, ended, process.returncode, said, limits)
    return {
        "notebook": nbformat.writes(notebook),
        "status": status,
        "error": error,
        "seconds": round(time.time() - started, 1),
        "peak_mb": round(peak / 2**20),
        "date": time.strftime("%Y-%m-%d", time.gmtime(started)),
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": _hardware(gpu=limits["threads"] != 1),
        **({} if limits["threads"] == 1 else {"runs": [json.loads(line) for line in trained]}),
        "port_taken": status == "killed" and PORT_TAKEN.search(said) is not None,
    }


def environment(scratch: Path) -> dict[str, str]:
    """The environment of a run: its own folders in `scratch`, and no setting of the user."""
    env = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
    env |= FIXED | {name: str(scratch / name) for name in OWN}
    for name in OWN:
        (scratch / name).mkdir()
    env |= {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(MATPLOTLIB.resolve())}
    profile = scratch / "IPYTHONDIR/profile_default"
    profile.mkdir()
    settings = json.dumps({"InteractiveShellApp": {"exec_lines": FIRST}})
    (profile / "ipython_kernel_config.json").write_text(settings, encoding="utf-8")
    return env


def _last_saved(made: Path, given: Path) -> NotebookNode:
    """The notebook as papermill saved it, unless it was ended before it had, or while it did."""
    try:
        return to_notebook_json(json.loads(made.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return to_notebook_json(json.loads(given.read_text(encoding="utf-8")))


def _watch(process: psutil.Popen, deadline: float, stop: Event) -> tuple[str | None, int]:
    """Wait for papermill; end it with its kernel past the deadline or once `stop` is set."""
    peak = 0
    try:
        while True:
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(0.2)
                return None, peak
            peak = max(peak, _kernel_memory(process))
            if stop.is_set() or time.time() > deadline:
                return ("stopped" if stop.is_set() else "timeout"), peak
    finally:
        _end(process)


def _kernel_memory(process: psutil.Popen) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
    return total


def _end(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=5)


def _diagnose(
    notebook: NotebookNode, ended: str | None, returncode: int | None, said: str, limits: dict
) -> tuple[str, str | None]:
    """Status and error of a run. Papermill's own status in the notebook is wrong after a killed
    kernel or a timeout, so its exit status and the execution counts decide."""
    if ended == "stopped":
        return "stopped", "stopped before its end"
    if ended == "timeout":
        return "timeout", f"{_last_cell(notebook)}: the notebook ran over {limits['notebook']} s"
    if "CellTimeoutError" in said:
        return "timeout", f"{_last_cell(notebook)}: ran over {limits['cell']} s"
    for cell in book.code_cells(notebook):
        if cause := _cause(cell):
            return "failed", "\n".join([f"{_name(notebook, cell)}:", *cause])
    if returncode == KILLED or "DeadKernelError" in said:
        return "killed", f"{_last_cell(notebook)}: its kernel died (out of memory, or killed)"
    if returncode != 0:
        lines = [line for line in said.splitlines() if "[IPKernelApp]" not in line][-6:]
        place = _last_cell(notebook)
        error = [f"{place}: papermill ended with status {returncode}:", *lines]
        return "killed" if place == UNBEGUN else "failed", "\n".join(error)
    if fault := book.incomplete(notebook):
        return "killed", fault
    return "ok", None


def _cause(cell: NotebookNode) -> list[str]:
    """The last lines of what a failed cell said; magics and groups of errors say it to stderr."""
    if error := book.error_of(cell):
        text = "\n".join(error.traceback) or f"{error.ename}: {error.evalue}"
    elif cell.metadata.get("papermill", {}).get("exception"):
        text = "".join(o.text for o in cell.outputs if o.get("name") == "stderr")
        text = text or "it failed without a word"
    else:
        return []
    return [line[:200] for line in _plain(text).splitlines() if line.strip("-")][-8:]


def _last_cell(notebook: NotebookNode) -> str:
    """The cell that papermill started last."""
    cells = book.code_cells(notebook)
    begun = [cell for cell in cells if cell.metadata.get("papermill", {}).get("start_time")]
    return _name(notebook, begun[-1]) if begun else UNBEGUN


def _name(notebook: NotebookNode, cell: NotebookNode) -> str:
    number = book.code_cells(notebook).index(cell) + 1
    first_line = cell.source.strip().partition("\n")[0][:60]
    return f"code cell {number} (`{_plain(first_line)}`)"


def _plain(text: str) -> str:
    """The text without colors and whatever else would steer a terminal."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)", "", text)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def _versions() -> dict:
    found = {}
    for library in LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):  # PackageNotFoundError is one
            found[library] = version(library)
    return found


def _hardware(gpu: bool) -> str:
    """The accelerator if there is one and it was used, else the processor."""
    if gpu:
        with contextlib.suppress(OSError, subprocess.SubprocessError, IndexError):
            query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
            return subprocess.check_output(query, text=True, timeout=20).splitlines()[0]
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()
