"""Trains the network many times, for data/*.csv, here or on DASK_SCHEDULER_ADDRESS's cluster."""
import functools
import hashlib
import os
import sqlite3
import sys
from pathlib import Path

import cells  # first: it sets the pins, which workers inherit, before Dask imports NumPy
import distributed
from IPython.utils.capture import capture_output
from tqdm import tqdm

READINGS = 'glorot', 'closed', 'output_d'
REPORTS = dict(training_cost='cost_training_arr', validation_cost='cost_valid_arr',
               training_accuracy='accuracy_training_arr', validation_accuracy='accuracy_valid_arr')
CODE = hashlib.sha256(cells.NOTEBOOK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:8]


@functools.lru_cache(maxsize=None)
def notebook(code):
    """Return what the cells up to the training define. RuntimeError: other bits or other code."""
    verdict = cells.bitwise.pin() if code == CODE else 'its code is another'
    if not verdict.endswith('yes'):
        raise RuntimeError('the worker at %s: %s' % (distributed.get_worker().address, verdict))
    return vars(cells.run_cells('sgd_step', also=['readings-code']))


def train(bounds, draw_seed, steps, code):
    """Train by the notebook's own cells; return the row, a line of CSV. Errors: see notebook().

    bounds: a reading. draw_seed: of the mini-batches. steps: 101 for early.csv, 1000 for runs.csv.
    """
    more = ['fingerprint-code', 'beyond-code', 'lottery-steps'] if steps == 1000 else []
    with capture_output():  # the cells print
        names = notebook(code)
        names.update(initial=names['draw_weights'](*names['readings'][bounds]),
                     draw_seed=draw_seed, iterations=steps)
        for cell in cells.read():
            if cell.id in ['train-code'] + more:
                exec(cell.source, names)
        row = [bounds, draw_seed]
        row += ['%f' % value for array in REPORTS.values() for value in names[array][::100]]
        if more:
            row += ['%.2f' % names['accuracy'](names['trained']),
                    '%.2f' % names['accuracy'](names['tail_average']), names['fingerprint']]
    return ','.join(map(str, row))


def make(client, database, target, pairs, steps):
    """Write target, a Path, with the row of a training for each of pairs, (bounds, draw_seed).

    database: keeps each row as soon as it is there, so that an interrupted call can go on.
    """
    database.execute('CREATE TABLE IF NOT EXISTS rows (bounds, draw_seed, steps, row)')
    rows = {tuple(job): row for *job, row in database.execute('SELECT * FROM rows')}
    jobs = [(*pair, steps) for pair in pairs]
    futures = {client.submit(train, *job, CODE): job for job in jobs if job not in rows}
    done = distributed.as_completed(futures, with_results=True)
    for future, row in tqdm(done, target.name, len(futures)):
        rows[futures[future]] = row
        database.execute('INSERT INTO rows VALUES (?, ?, ?, ?)', (*futures[future], row))
    columns = ['%s_%d' % (name, i) for name in REPORTS for i in range(0, steps, 100)]
    if steps == 1000:
        columns += ['test_accuracy', 'tail_average', 'fingerprint']
    header = ','.join(['bounds', 'draw_seed'] + columns)
    target.write_text('\n'.join([header] + [rows[job] for job in jobs]) + '\n')


def main():
    """Make both files, or stop with one line."""
    whole = [(bounds, seed) for bounds in READINGS for seed in range(50)]
    whole.insert(50, ('glorot', 1234))  # the notebook's own run
    early = [(bounds, seed) for bounds in READINGS for seed in range(1000)]
    part = Path(os.environ['BUILD'], 'runs-%s.part' % CODE)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(str(part), isolation_level=None)
        with distributed.Client(os.getenv('DASK_SCHEDULER_ADDRESS') or distributed.LocalCluster(
                threads_per_worker=1, dashboard_address='localhost:0')) as client:
            make(client, database, Path('data/runs.csv'), whole, 1000)
            make(client, database, Path('data/early.csv'), early, 101)
        part.unlink()
    except (Exception, KeyboardInterrupt) as error:
        sys.exit('make runs stopped: %s. Call it again to go on' % (str(error) or 'interrupted'))
