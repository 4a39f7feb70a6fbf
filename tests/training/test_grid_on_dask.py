"""The grid on the workers of a Dask cluster finds what it finds here, and mistakes are told."""

import socket

import numpy as np
import pandas as pd
import pytest

from realfake_lib import cluster, data, training
from realfake_lib.errors import UserError
from realfake_lib.training import grid

RECIPE = training.Recipe(epochs=2, batch_size=32, augment="flip", precision="float32")
FAKES = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), "uint8")
SMALL = {"n_val": 20, "n_test": 40, "unseen": {"ddpm": FAKES}}


@pytest.fixture(scope="module")
def address():
    """The scheduler of two worker processes on this machine."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        scheduler_port=0,
        dashboard_address=None,
    ) as started:
        yield started.scheduler_address


@pytest.mark.slow
def test_two_workers_find_what_this_machine_finds(address, demo, tmp_path):
    task = demo, data.make_splits(demo, n_train=64)
    cells = grid.plan("tiny_cnn", RECIPE, ["baseline_cnn"], seeds=[0, 1])
    # Two processes of one thread each, as there: with more threads sums are rounded otherwise.
    here = grid.run(cells, *task, tmp_path / "here", jobs=2, **SMALL)
    there = grid.run(cells, *task, tmp_path / "there", cluster=address, **SMALL)
    kept = [name for name in here.frame if name != "seconds"]
    pd.testing.assert_frame_equal(here.frame[kept], there.frame[kept])
    np.testing.assert_allclose(here.logits, there.logits, atol=1e-3)
    np.testing.assert_allclose(here.unseen_logits["ddpm"], there.unseen_logits["ddpm"], atol=1e-3)
    names = [sorted(p.name for p in (tmp_path / place).iterdir()) for place in ("here", "there")]
    assert names[0] == names[1]  # checkpoints, too: either run could carry on the other


@pytest.mark.slow
def test_a_worker_with_other_code_is_refused(address, demo, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "environment_digest", _other_code)
    cells = grid.plan("tiny_cnn", RECIPE, seeds=[0])
    with pytest.raises(UserError, match="another version"):
        grid.run(cells, demo, data.make_splits(demo, n_train=64), tmp_path, cluster=address)


def _other_code():
    import multiprocessing

    return multiprocessing.current_process().name  # differs from process to process


@pytest.mark.parametrize("wrong", ["127.0.0.1:8786", "tcp://127.0.0.1", "banana://host:1", ""])
def test_an_address_that_is_none_is_told(wrong):
    with pytest.raises(UserError, match="no address") as told:
        cluster.connect(wrong)
    assert "tcp://127.0.0.1:8786" in told.value.hint


def test_a_scheduler_that_does_not_answer_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match="no Dask scheduler") as told:
            cluster.connect(address, timeout=0.5)
    assert address in told.value.message and "dask scheduler" in told.value.hint


def test_a_cluster_without_workers_is_told():
    from distributed import LocalCluster

    local = {"host": "127.0.0.1", "protocol": "tcp://", "dashboard_address": None}
    with LocalCluster(n_workers=0, scheduler_port=0, processes=False, **local) as empty:
        with pytest.raises(UserError, match="no workers"):
            cluster.connect(empty.scheduler_address)
