"""Trains rows of data/'s tables again, on a cluster as people start one."""
import os
import signal
import subprocess
import sys
import threading

import cells
import make_runs
import pytest
from distributed import Client, LocalCluster


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A scheduler on the loopback address, without workers."""
    monkeypatch.setenv('BUILD', str(tmp_path))
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def start_worker(client):
    """A function that does what make worker does, with these environment variables."""
    started = []

    def start(**environment):
        address = client.scheduler.address
        started.append(subprocess.Popen([sys.executable, 'tools/worker.py'], env=dict(
            os.environ, DASK_SCHEDULER_ADDRESS=address, **environment)))
    yield start
    for process in started:
        process.terminate()
        process.wait()


@pytest.mark.slow
def test_rows_come_out_again_though_a_worker_is_killed(client, start_worker, tmp_path):
    start_worker()
    client.wait_for_workers(1)
    victim = next(iter(client.run(os.getpid).values()))
    timer = threading.Timer(8, os.kill, (victim, signal.SIGKILL))
    timer.start()
    for name, steps, runs in (('early.csv', 101, [(bounds, seed) for seed in (1, 7, 600)
                                                  for bounds in make_runs.READINGS]),
                              ('runs.csv', 1000, [('closed', 3)])):
        make_runs.make(client, tmp_path / name, runs, steps)
        saved = (cells.ROOT / 'data' / name).read_text().splitlines()
        again = (tmp_path / name).read_text().splitlines()
        assert len(again) == len(runs) + 1 and set(again) <= set(saved)
    assert timer.finished.is_set() and victim not in client.run(os.getpid).values()
    assert not list(tmp_path.glob('*.part'))


@pytest.mark.slow
def test_worker_that_rounds_differently_is_named(client, start_worker, tmp_path):
    start_worker(GLIBC_TUNABLES='glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F')
    with pytest.raises(RuntimeError, match='the worker at tcp://127.* says .*: no, because'):
        make_runs.make(client, tmp_path / 'early.csv', [('glorot', 0)], 101)
    assert not (tmp_path / 'early.csv').exists()
