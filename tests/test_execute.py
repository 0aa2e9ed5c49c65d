"""The executor: what runs, what is kept, what a failure says, and what is left behind."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import nbformat
import psutil
import pytest

from tools import execute


def test_failures_are_named_and_the_rest_goes_on(book):
    book.make(
        good=["print(6 * 7)"],
        raising=["x = 1", "print('before')\nx / 0", "x"],
        killed=["x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "x"],
        slow=["x = 1", "import time\ntime.sleep(100)", "x"],
    )
    started = time.time()
    done = book.run("tools.execute", "--cell-limit", "8")
    assert done.returncode == 1
    assert time.time() - started < 60, "a killed kernel must not wait for the limit"
    assert {name.split("/")[-1]: r["status"] for name, r in book.records().items()} == {
        "good.ipynb": "ok",
        "raising.ipynb": "failed",
        "killed.ipynb": "killed",
        "slow.ipynb": "timeout",
    }
    assert "code cell 2 (`print('before')`)" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    assert "code cell 2 (`import os, signal`): its kernel died" in done.stdout
    assert "code cell 2 (`import time`): ran over 8 s" in done.stdout
    executed = [path.name for path in (book.folder / "_build/executed").rglob("*.ipynb")]
    assert executed == ["good.ipynb"], "a failed notebook has no executed copy"
    failed = nbformat.read(book.folder / "_build/failed/chapters/some/raising.ipynb", as_version=4)
    assert failed.cells[2].outputs[0].text == "before\n"

    record = book.records()["chapters/some/good.ipynb"]
    assert record["seconds"] > 0
    assert record["peak_mb"] > 10
    assert record["parameters"] == {}
    assert record["versions"]["python"] == sys.version.split()[0]

    again = book.run("tools.execute", "--notebook-limit", "8")
    assert "executing 3 of 4 notebooks" in again.stdout
    assert "the notebook ran over 8 s" in again.stdout


def test_only_what_changed_runs_again(executed_book, tmp_path):
    book = executed_book.copy(tmp_path)
    assert "executing 0 of 2 notebooks" in book.run("tools.execute").stdout
    book.change("words", lambda cells: cells[0].update(source="# Another title"))
    assert "executing 0 of 2 notebooks" in book.run("tools.execute").stdout
    book.change("words", lambda cells: cells[1].update(source="print('changed')"))
    assert "executing 1 of 2 notebooks" in book.run("tools.execute").stdout
    assert book.outputs("words")[1][0].text == "changed\n"
    (tmp_path / "_build/executed/chapters/some/words.ipynb").write_text("damaged")
    assert "executing 1 of 2 notebooks" in book.run("tools.execute").stdout
    book.put("d2lib/core.py", "")
    assert "executing 2 of 2 notebooks" in book.run("tools.execute").stdout


def test_a_notebook_computes_with_one_thread_in_its_own_folder(book):
    book.make(one=["import os\nprint(os.environ['OMP_NUM_THREADS'], os.getcwd().split('/')[-1])"])
    assert book.run("tools.execute").returncode == 0
    assert book.outputs("one")[1][0].text == "1 some\n"


def test_dask_workers_give_the_same_outputs(executed_book, tmp_path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.chdir(tmp_path)  # workers start in a checkout of the book
    monkeypatch.setenv("PYTHONPATH", executed_book.environment["PYTHONPATH"])
    book = executed_book.copy(tmp_path)
    here = [book.outputs(name)[1:4] for name in ("numbers", "words")]
    (tmp_path / "_build/report.json").unlink()
    for path in (tmp_path / "_build/executed").rglob("*.ipynb"):
        path.unlink()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        cluster.wait_for_workers(2)
        done = book.run("tools.execute", "--dask", cluster.scheduler_address)
    assert done.returncode == 0, done.stdout
    assert [book.outputs(name)[1:4] for name in ("numbers", "words")] == here


def test_a_worker_that_fails_is_a_record_like_any_other():
    future = Future()
    future.set_exception(MemoryError("planted"))
    record = execute._outcome(future, "{}")
    assert record["status"] == "killed"
    assert record["error"] == "its worker failed: MemoryError: planted"


def test_no_dask_scheduler(book):
    done = book.make(one=["1"]).run("tools.execute", "--dask", "tcp://127.0.0.1:9")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == ("error: no Dask scheduler answers at tcp://127.0.0.1:9")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupting_ends_every_kernel_and_leaves_nothing_half_written(book, how):
    book.make(one=["import time\ntime.sleep(100)"], two=["import time\ntime.sleep(100)"])
    command = [sys.executable, "-m", "tools.execute", "--jobs", "2"]
    process = psutil.Popen(
        command, cwd=book.folder, env=book.environment, stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: kernels(process) == 2)
    family = process.children(recursive=True)
    process.send_signal(how)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "every kernel was ended" in said
    assert psutil.wait_procs(family, timeout=5)[1] == []
    left = [path.name for path in (book.folder / "_build").iterdir()]
    assert sorted(left) == ["matplotlib", "report.json"]


def kernels(process) -> int:
    lines = [" ".join(child.cmdline()) for child in process.children(recursive=True)]
    return sum("ipykernel_launcher" in line for line in lines)


def wait_for(condition) -> None:
    deadline = time.time() + 60
    while not condition():
        assert time.time() < deadline
        time.sleep(0.1)


def test_full_profile_takes_its_parameters_and_records_the_result(book):
    book.make(one=[("epochs = 1  # passes over the data", "parameters"), "print(epochs)"])
    notebook = json.loads((book.folder / "chapters/some/one.ipynb").read_text())
    book.put("chapters/some/one.ipynb", json.dumps(notebook | {"metadata": {}}))  # not yet tidy
    book.put("chapters/full.yml", "some/one: {epochs: 3}\n")
    done = book.run("tools.execute", "--profile", "full")
    assert done.returncode == 0, done.stdout
    result = json.loads((book.folder / "book/results/some/one.json").read_text())
    assert result["parameters"] == {"epochs": 3}
    assert result["hardware"]
    assert result["runs"] == []
    assert not (book.folder / "_build/executed").exists(), "the quick profile's copies are apart"


def test_full_profile_records_what_each_training_ended_with(book):
    train = """import d2lib as d2l
data = d2l.SyntheticRegressionData([1.0, 2.0], 3.0, seed=0)
model = d2l.LinearRegression(lr=rate)
model.board.display = False
history = d2l.Trainer(2, seed=5).fit(model, data)
print(history["val_loss"][-1])"""
    book.make(one=[("rate = 0.1  # of learning", "parameters"), train])
    book.put("chapters/full.yml", "some/one: {rate: 0.05}\n")
    done = book.run("tools.execute", "--profile", "full")
    assert done.returncode == 0, done.stdout
    [run] = json.loads((book.folder / "book/results/some/one.json").read_text())["runs"]
    assert (run["about"]["seed"], run["about"]["model"]["lr"]) == (5, 0.05)
    notebook = nbformat.read(book.folder / "_build/full/chapters/some/one.ipynb", 4)
    assert run["final"]["val_loss"] == float(notebook.cells[-1].outputs[0].text)


@pytest.mark.parametrize(
    ("full", "message"),
    [
        ("some/one: {steps: 3}", "has no parameter 'steps' (it has: epochs)"),
        ("some/other: {epochs: 3}", "names some/other, which _toc.yml does not list"),
        ("some/one:", "some/one has no parameters with values"),
        ("- some/one", "should hold names with values, not list"),
        ("some/one: {", "is not valid YAML"),
        ("", "names no section yet"),
        (
            "some/two: {x: 3}",
            "two.ipynb: its `parameters` cell is not plain Python (invalid syntax,",
        ),
    ],
)
def test_full_profile_with_an_unknown_name(book, full, message):
    given = [("epochs = 1  # passes over the data", "parameters")]
    book.make(one=given, two=[("x = 1\n!ls", "parameters")])
    book.put("chapters/full.yml", full)
    done = book.run("tools.execute", "--profile", "full")
    assert done.returncode == 1
    assert message in done.stdout
    assert not (book.folder / "_build").exists()


def test_notebook_that_the_toc_does_not_list(book):
    book.make(one=["1"])
    book.write("stray", [("1", None)])
    done = book.run("tools.execute")
    assert done.returncode == 1
    assert "error: chapters/some/stray.ipynb is not in _toc.yml" in done.stdout


def test_notebook_outside_chapters_or_unreadable(book):
    book.make(one=["1"])
    book.put("book/demo.ipynb", (book.folder / "chapters/some/one.ipynb").read_text())
    toc = (book.folder / "_toc.yml").read_text()
    book.put("_toc.yml", toc + "- file: book/demo\n")
    done = book.run("tools.execute")
    assert "error: book/demo.ipynb: notebooks stand in chapters/" in done.stdout
    book.put("_toc.yml", toc)
    book.put("chapters/some/one.ipynb", "{broken")
    done = book.run("tools.execute")
    assert "error: chapters/some/one.ipynb is not a readable notebook" in done.stdout
    assert "Traceback" not in done.stdout


def test_toc_entry_without_a_file(book):
    book.make(one=["1"])
    (book.folder / "chapters/some/one.ipynb").unlink()
    done = book.run("tools.execute")
    assert done.returncode == 1
    assert "error: _toc.yml lists chapters/some/one, but neither" in done.stdout


def test_build_folder_that_cannot_be_written(book):
    book.make(one=["1"])
    book.put("_build", "a file where a folder should be")
    done = book.run("tools.execute")
    assert done.returncode == 1
    assert done.stdout.startswith("error: _build: ")
    assert "Traceback" not in done.stdout
