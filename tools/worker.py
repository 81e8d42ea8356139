"""Computes single rows of the tables in data/, for make runs; run as a program, it joins the
cluster whose scheduler's address is in the environment variable DASK_SCHEDULER_ADDRESS.
"""
import os
import sys

import tables  # first: it sets the pins, which the worker's own processes inherit
import bitwise
import dask
import dask.system
import distributed
import experiments
from distributed.cli.dask_worker import main as dask_worker
from distributed.system import MEMORY_LIMIT

MEMORY_OF_A_WORKER = 2 ** 30  # bytes

# Dask would have its workers give memory back to the system as soon as it is free. Theano takes
# as much again at each step, and training took twice as long.
dask.config.set({'distributed.nanny.pre-spawn-environ': {}})


def number_of_workers():
    """Return how many workers this machine can have: one for each core that has the memory."""
    return max(1, min(dask.system.CPU_COUNT, MEMORY_LIMIT // MEMORY_OF_A_WORKER))


def make_row(table, key, code):
    """Return the row with this key of the table with this name, a list of strings.

    code: the caller's experiments.CODE. Raises RuntimeError where this worker's row would be
    another one.
    """
    address = distributed.get_worker().address
    if code != experiments.CODE:
        raise RuntimeError('the worker at %s runs other code: update it and start it again'
                           % address)
    # Measured, and not asked of pin(): Dask may have imported NumPy first, with the same pins.
    if bitwise.checksum(bitwise.canary()) != bitwise.EXPECTED:
        raise RuntimeError('the worker at %s rounds differently' % address)
    return tables.TABLES[table].row(key)


if __name__ == '__main__':
    address = os.environ.get('DASK_SCHEDULER_ADDRESS')
    if not address:
        sys.exit('DASK_SCHEDULER_ADDRESS is not set: see data/README.md')
    dask_worker(['--nworkers', str(number_of_workers()), '--nthreads', '1', address])
