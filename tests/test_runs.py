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


@pytest.mark.slow
def test_bad_worker_is_named_and_a_killed_one_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv('BUILD', str(tmp_path))
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster) as client:

        def start_worker(**environment):
            environment.update(PYTHONPATH='tools', DASK_SCHEDULER_ADDRESS=cluster.scheduler_address)
            worker = subprocess.Popen([sys.executable, '-c', 'import runs; runs.work()'],
                                      env={**os.environ, **environment})
            client.wait_for_workers(1)
            return worker

        bad = start_worker(THEANO_FLAGS='device=cpu')
        with pytest.raises(RuntimeError, match='worker at tcp://127.* says .*THEANO_FLAGS is set'):
            runs.make(client, tmp_path / 'early.csv', [('glorot', 0)], 101)
        bad.terminate()
        bad.wait()
        worker = start_worker()
        victim = next(iter(client.run(os.getpid).values()))
        threading.Timer(8, os.kill, (victim, signal.SIGKILL)).start()
        seeds = [(bounds, seed) for seed in (1, 7, 600) for bounds in runs.READINGS]
        for name, steps, part in ('early.csv', 101, seeds), ('runs.csv', 1000, [('closed', 3)]):
            runs.make(client, tmp_path / name, part, steps)
            again = (tmp_path / name).read_text().splitlines()
            saved = (cells.ROOT / 'data' / name).read_text().splitlines()
            assert len(again) == len(part) + 1 and set(again) <= set(saved)
        assert victim not in client.run(os.getpid).values()
        worker.terminate()
        worker.wait()
