"""Ctrl-C while modules are imported."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from d2lib.interrupt import uninterrupted

TWO_FITS = """
import os, signal, sys, threading, time
import d2lib as d2l

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell's "&" began it

def press():
    while "sympy.functions" not in sys.modules:  # PyTorch's first optimizer is importing
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
data = d2l.SyntheticRegressionData([1.0, 2.0], 3.0)
for _ in range(2):
    try:
        history = d2l.Trainer(1).fit(d2l.LinearRegression(0.03), data)
        print("trained", len(history["val_loss"]))
    except KeyboardInterrupt:
        print("interrupted")
"""


@pytest.fixture(autouse=True)
def _usual():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_after_ctrl_c_in_the_first_fit_the_next_one_trains():
    command = [sys.executable, "-c", TWO_FITS]
    environment = os.environ | {"D2LIB_LIVE": "0"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.stdout.splitlines()[0] == "interrupted", done.stderr
    assert done.stdout.splitlines()[-1] == "trained 1", done.stderr


def test_what_comes_meanwhile_comes_after():
    seen = []

    def work():
        with uninterrupted():
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
                seen.append("still here")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == ["still here"] * 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_ignored_signals_are_left_alone():
    worked = []

    def work():
        with uninterrupted():
            worked.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert worked == [signal.default_int_handler]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_an_optimizer_of_ones_own_imports_nothing_for_seconds():
    code = """
import sys
import d2lib as d2l
data = d2l.SyntheticRegressionData([1.0, 2.0], 3.0)
d2l.Trainer(1).fit(d2l.LinearRegressionScratch(2, 0.03), data)
print("torch._dynamo" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).splitlines()[-1] == "False"
