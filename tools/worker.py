"""Computes single rows of the tables in data/, for make runs; run as a program, it joins the
cluster whose scheduler's address is in the environment variable DASK_SCHEDULER_ADDRESS.
"""
import os

import tables  # first: it sets the pins, which the worker's own processes inherit
import bitwise
import dask
import distributed
import experiments
from distributed.cli.dask_worker import main as dask_worker


# Dask would have its workers give memory back to the system as soon as it is free. Theano takes
# as much again at each step, and training took twice as long.
dask.config.set({'distributed.nanny.pre-spawn-environ': {}})


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
    dask_worker(['--nworkers', '-1', '--nthreads', '1', os.environ['DASK_SCHEDULER_ADDRESS']])
