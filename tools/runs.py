"""Makes the rows that are missing in the tables in data/: make runs.

It uses the cores of this machine, or the Dask cluster whose scheduler's address is in the
environment variable DASK_SCHEDULER_ADDRESS. Delete a row to have it made again.
"""
import csv
import io
import logging
import os
import sys
from concurrent.futures import CancelledError

import tables  # first: it sets the pins, which workers inherit, before Dask imports NumPy
import cells
import distributed
import experiments
import locket
import worker
from tqdm import tqdm

DATA = cells.ROOT / 'data'
LOCK = DATA / 'runs.lock'
SECONDS_FOR_A_WORKER = 60


def read_rows(table, path):
    """Return the whole rows of a table's file, lists of strings, by their keys.

    A row that is torn, or glued to another, is left out, so that it is made again. Raises
    ValueError for a file with other columns, or with two rows of one key.
    """
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding='utf-8-sig')  # sig: a spreadsheet may have left a mark
    except UnicodeDecodeError:
        raise ValueError('%s is no UTF-8 text: git checkout brings it back' % path) from None
    head, *lines = text.splitlines(keepends=True) or ['']
    if head != ','.join(table.names()) + '\n':
        raise ValueError('%s has other columns than tools/tables.py. If a program saved it so, git '
                         'checkout brings it back; move it away, and all its rows are made again'
                         % path)
    rows = {}
    for line in lines:
        row = line.rstrip('\n').split(',')
        if line.endswith('\n') and len(row) == len(table.names()) and '' not in row:
            key = tuple(row[:len(table.key)])
            if key in rows:
                raise ValueError('%s has two rows for %s: delete one' % (path, ','.join(key)))
            rows[key] = row
    return rows


def write_rows(table, path, rows):
    """Write a table's file: it is there with all these rows, in order, or as it was before."""
    in_order = {key: rows[key] for key in table.keys() if key in rows}
    in_order.update(rows)  # after them those that the table does not ask for
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(table.names())
    writer.writerows(in_order.values())
    new = path.with_suffix('.new')
    with new.open('w', encoding='utf-8', newline='') as file:
        file.write(text.getvalue())
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def make_missing_rows(client, name):
    """Make the rows that a table's file lacks, and add each to the file as it comes."""
    table = tables.TABLES[name]
    path = DATA / name
    rows = read_rows(table, path)
    missing = [key for key in table.keys() if key not in rows]
    futures = [client.submit(worker.make_row, name, key, experiments.CODE) for key in missing]
    done = distributed.as_completed(futures)
    for future in tqdm(done, name, len(table.rows), initial=len(table.rows) - len(missing)):
        row = future.result()
        rows[tuple(row[:len(table.key)])] = row
        write_rows(table, path, rows)


def check_memory(client):
    """Raise RuntimeError for a worker with too little memory: Dask would pause it for ever."""
    for address, about in client.scheduler_info(n_workers=-1)['workers'].items():
        if 0 < about['memory_limit'] < worker.MEMORY_OF_A_WORKER:
            raise RuntimeError('the worker at %s may use %.2f GiB of memory and needs %.0f GiB'
                               % (address, about['memory_limit'] / 2 ** 30,
                                  worker.MEMORY_OF_A_WORKER / 2 ** 30))


def connect():
    """Return a client of the cluster, or of a worker for each core that has the memory."""
    address = os.environ.get('DASK_SCHEDULER_ADDRESS')
    if address:
        return distributed.Client(address)
    cluster = distributed.LocalCluster(n_workers=worker.number_of_workers(), threads_per_worker=1,
                                       dashboard_address='localhost:0')
    return distributed.Client(cluster)


def make_all():
    """Make what is missing in all tables."""
    with connect() as client:
        try:
            client.wait_for_workers(1, timeout=SECONDS_FOR_A_WORKER)
        except TimeoutError:
            raise RuntimeError('the scheduler has no worker: start one with make worker') from None
        check_memory(client)
        for name in tables.TABLES:
            make_missing_rows(client, name)


def main():
    """Make all rows, or stop with one line that says why."""
    logging.disable(logging.CRITICAL)  # Dask is loud when it is interrupted
    try:
        with locket.lock_file(str(LOCK), timeout=0):
            make_all()
    except locket.LockError:
        sys.exit('make runs is running already')
    except KeyboardInterrupt:
        sys.exit('make runs was interrupted: call it again to go on')
    except (RuntimeError, ValueError, OSError, distributed.KilledWorker, CancelledError,
            cells.NotebookError) as error:
        sys.exit('make runs stopped; the rows that it made are kept: %s' % cells.in_one_line(error))
    print('All rows are there: %s in data/' % ', '.join(tables.TABLES))


if __name__ == '__main__':
    main()
