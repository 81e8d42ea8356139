"""Makes the rows that are missing in the tables in data/: make runs.

It uses the cores of this machine, or the Dask cluster whose scheduler's address is in the
environment variable DASK_SCHEDULER_ADDRESS. Delete a row to have it made again.

usage: python tools/runs.py [worker], where worker joins this machine to that cluster.
"""
import logging
import os
import signal
import sys
from concurrent.futures import CancelledError


def stop(signal_number, frame):
    """End at once, where Ctrl-C would show what each library was doing. The workers end with us."""
    print('\nInterrupted: call it again to go on', file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, stop)

import experiments  # first: it sets the pins, which workers inherit, before Dask imports NumPy
import bitwise
import cells
import dask
import dask.system
import distributed
import locket
import tables
from distributed.cli.dask_worker import main as dask_worker
from distributed.system import MEMORY_LIMIT
from tqdm import tqdm

MEMORY_OF_A_WORKER = 2 ** 30  # bytes
SECONDS_FOR_A_WORKER = 60  # until the first one has joined

# Dask would set MALLOC_TRIM_THRESHOLD_ for its workers, so that memory goes back to the system as
# soon as it is free. Theano takes as much again at each step, and training took twice as long. (Its
# other variables are for one thread, as the pins are.)
dask.config.set({'distributed.nanny.pre-spawn-environ': {}})


class RunsError(Exception):
    """What stops make runs. The message is one line."""


def number_of_workers():
    """Return how many workers this machine can have: one for each core that has the memory."""
    return max(1, min(dask.system.CPU_COUNT, MEMORY_LIMIT // MEMORY_OF_A_WORKER))


def make_row_here(name, key, code_checksum):
    """Make a row on a worker; see experiments.make_row.

    code_checksum: the caller's experiments.CODE_CHECKSUM. Raises RunsError where this worker's row
    would be another one.
    """
    address = distributed.get_worker().address
    if code_checksum != experiments.CODE_CHECKSUM:
        raise RunsError('the worker at %s runs other code: update it and start it again' % address)
    # Not by bitwise.pin(), which says no where NumPy was imported before bitwise: Dask does so, but
    # a worker inherits the pins.
    if bitwise.checksum(bitwise.canary()) != bitwise.EXPECTED:
        raise RunsError('the worker at %s rounds differently' % address)
    return experiments.make_row(name, key)


def make_missing_rows(client, name):
    """Make the rows that a table lacks, and add each to its file as it comes."""
    keys, rows = tables.KEYS[name], tables.read(name)
    futures = [client.submit(make_row_here, name, key, experiments.CODE_CHECKSUM)
               for key in keys if key not in rows]
    done = distributed.as_completed(futures)
    for future in tqdm(done, name, total=len(keys), initial=len(rows)):
        tables.add(name, future.result())


def check_memory(client):
    """Raise RunsError for a worker with too little memory: Dask would pause it for ever."""
    for address, about in client.scheduler_info(n_workers=-1)['workers'].items():  # -1: all
        if 0 < about['memory_limit'] < MEMORY_OF_A_WORKER:  # 0: no limit
            raise RunsError('the worker at %s may use less than 1 GiB of memory' % address)


def connect():
    """Return a client of the cluster, or of a worker for each core that has the memory."""
    address = os.environ.get('DASK_SCHEDULER_ADDRESS')
    if address:
        return distributed.Client(address)
    return distributed.Client(distributed.LocalCluster(
        n_workers=number_of_workers(), threads_per_worker=1, dashboard_address='localhost:0'))


def make_all():
    """Make what is missing in all tables."""
    with connect() as client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_FOR_A_WORKER)
        except TimeoutError:
            raise RunsError('the scheduler has no worker: start one with make worker') from None
        check_memory(client)
        for name in tables.KEYS:
            make_missing_rows(client, name)


def main():
    """Make all rows, or stop with one line that says why."""
    logging.disable(logging.CRITICAL)  # Dask is loud when it is interrupted
    stopped = 'make runs stopped, and the rows that it made are kept: '
    try:
        with locket.lock_file(str(tables.DATA / 'runs.lock'), timeout=0):
            make_all()
    except locket.LockError:
        sys.exit('make runs is running already')
    except (RunsError, tables.TableError) as error:
        sys.exit(stopped + str(error))
    except (RuntimeError, OSError, distributed.KilledWorker, CancelledError,
            cells.NotebookError) as error:
        sys.exit(stopped + cells.in_one_line(error))
    print('All rows are there: %s in data/' % ', '.join(tables.KEYS))


def work():
    """Join this machine to the cluster."""
    address = os.environ.get('DASK_SCHEDULER_ADDRESS')
    if not address:
        sys.exit('DASK_SCHEDULER_ADDRESS is not set: see data/README.md')
    # Dask would give each the memory divided by the cores, though there may be fewer workers.
    memory = MEMORY_LIMIT // number_of_workers()
    dask_worker(['--nworkers', str(number_of_workers()), '--nthreads', '1',
                 '--memory-limit', str(memory), address])


if __name__ == '__main__':
    if sys.argv[1:] == ['worker']:
        work()
    elif sys.argv[1:]:
        sys.exit('usage: python tools/runs.py [worker]')
    else:
        main()
