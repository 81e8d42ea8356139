"""Trains rows of data/'s tables again, on a cluster as people start one."""
import os
import signal
import subprocess
import sys
import threading

import cells
import pytest
import runs
from distributed import Client, LocalCluster

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that does what make worker does, and returns a client of the scheduler."""
    monkeypatch.setenv('BUILD', str(tmp_path))
    monkeypatch.setenv('PYTHONPATH', 'tools')
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster) as client:
        monkeypatch.setenv('DASK_SCHEDULER_ADDRESS', cluster.scheduler_address)
        workers = []

        def start(**environment):
            workers.append(subprocess.Popen([sys.executable, '-c', 'import runs; runs.work()'],
                                            env={**os.environ, **environment}))
            client.wait_for_workers(1)
            return client
        yield start
        for worker in workers:
            worker.terminate()
            worker.wait()


def test_rows_come_out_again_though_a_worker_is_killed(start, tmp_path):
    client = start()
    victim = next(iter(client.run(os.getpid).values()))
    threading.Timer(8, os.kill, (victim, signal.SIGKILL)).start()
    seeds = [(bounds, seed) for seed in (1, 7, 600) for bounds in runs.READINGS]
    for name, steps, part in ('early.csv', 101, seeds), ('runs.csv', 1000, [('closed', 3)]):
        runs.make(client, tmp_path / name, part, steps)
        again = (tmp_path / name).read_text().splitlines()
        saved = (cells.ROOT / 'data' / name).read_text().splitlines()
        assert len(again) == len(part) + 1 and set(again) <= set(saved)
    assert victim not in client.run(os.getpid).values() and not list(tmp_path.glob('*.part'))


def test_worker_with_other_bits_is_named(start, tmp_path):
    with pytest.raises(RuntimeError, match='the worker at tcp://127.* says .*THEANO_FLAGS is set'):
        runs.make(start(THEANO_FLAGS='device=cpu'), tmp_path / 'early.csv', [('glorot', 0)], 101)
    assert not (tmp_path / 'early.csv').exists()
