"""The device of a run: chosen, or told what there is."""

import pytest
import torch

import d2lib as d2l
from d2lib import devices


def test_devices_are_named_without_being_there():
    assert (d2l.cpu(), d2l.gpu(), d2l.gpu(3)) == tuple(
        map(torch.device, ("cpu", "cuda:0", "cuda:3"))
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_what_is_there_is_tried_before_the_cpu(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert d2l.num_gpus() == count
    assert d2l.try_gpu(1) == (d2l.gpu(1) if count == 2 else d2l.cpu())
    assert d2l.try_gpu() == (d2l.gpu() if count else d2l.cpu())
    assert d2l.try_gpu(10) == d2l.cpu()
    assert d2l.try_all_gpus() == ([d2l.gpu(i) for i in range(count)] if count else [d2l.cpu()])


def test_a_trainer_keeps_the_gpus_that_exist(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.warns(UserWarning, match="num_gpus=2, but PyTorch finds none: using the CPU"):
        assert d2l.Trainer(1, num_gpus=2).gpus == []


class Accelerator:
    """Two accelerators, for a machine that has none."""

    current = None

    def is_available(self):
        return True

    def device_count(self):
        return 2

    def set_device_index(self, number):
        self.current = number

    def current_accelerator(self):
        return "cpu"


def test_under_torchrun_each_process_gets_an_accelerator_of_its_own(monkeypatch):
    two = Accelerator()
    monkeypatch.setattr(torch, "accelerator", two)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.chosen(None, 1) == d2l.cpu()
    assert two.current == 1
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match=r"process 2 of this machine, which has 2 accel.*-node=2"):
        devices.chosen("meta", 0)
    for on_cpu in ("cpu", torch.device("cpu"), None):
        assert devices.chosen(on_cpu, 0) == d2l.cpu()
    assert two.current == 1
