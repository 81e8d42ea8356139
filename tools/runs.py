"""Trains the network many times, for data/runs.csv and data/early.csv, on a Dask cluster.

The cluster is this machine's cores, or the one whose scheduler DASK_SCHEDULER_ADDRESS names.
"""
import contextlib
import functools
import hashlib
import json
import os
import sys
import threading
from pathlib import Path

import cells  # first: it lets bitwise be found
import bitwise

bitwise.pin()  # before Dask imports NumPy; workers that this process starts inherit the pins
import distributed  # noqa: E402
from tqdm import tqdm  # noqa: E402

READINGS = 'glorot', 'closed', 'output_d'
REPORTS = 'training_cost', 'validation_cost', 'training_accuracy', 'validation_accuracy'
CODE = hashlib.sha256(cells.NOTEBOOK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:8]
LOCK = threading.Lock()  # the weights are the notebook's: one training at a time


@functools.lru_cache(maxsize=None)
def notebook():
    """Return the notebook's names, its cells run once. Raises RuntimeError where bits differ."""
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        names = cells.run_cells('sgd_step', also=('beyond-code', 'readings-code'))
    verdict = bitwise.pin()
    if not verdict.endswith('yes'):
        raise RuntimeError('the worker at %s says %s' % (distributed.get_worker().address, verdict))
    return names


def train(bounds, draw_seed, steps, code):
    """Return the row of one training, a list. Raises RuntimeError where code is not this CODE.

    bounds: a reading's name. draw_seed: draws the mini-batches. steps: 101 for the reports at
    iterations 0 and 100; 1000 for all ten, the test accuracies in percent after step 1000 and of
    the average of the next 100 steps' weights, and the fingerprint after step 1000.
    """
    if code != CODE:
        raise RuntimeError('the worker at %s has other code' % distributed.get_worker().address)
    with LOCK:
        nb, reports = notebook(), []
        np = nb.np
        batches = np.random.RandomState(draw_seed).randint(0, 50000, size=(steps + 100, 100))
        nb.set_weights(nb.draw_weights(*nb.readings[bounds]))
        for i, ix in enumerate(batches[:steps]):
            cost, pred = nb.sgd_step(nb.X_train[ix], nb.Y_train[ix])
            if i % 100 == 0:
                valid_cost, valid_pred = nb.cost_pred(nb.X_valid[:100], nb.Y_valid[:100])
                reports.append((cost, valid_cost, np.mean(pred == nb.Y_labels[ix]),
                                np.mean(valid_pred == nb.Yv_labels[:100])))
        row = [bounds, draw_seed] + ['%f' % value for column in zip(*reports) for value in column]
        if steps == 1000:
            trained = [weight.get_value() for weight in nb.weights]
            tail = [values for cost, values in nb.descend(nb.sgd_step, trained, batches[steps:])]
            average = [np.mean(values, axis=0) for values in zip(*tail)]
            bits = b''.join(value.tobytes() for value in trained)
            row += ['%.2f' % nb.accuracy(trained), '%.2f' % nb.accuracy(average),
                    hashlib.sha256(bits).hexdigest()[:16]]
        return row


def make(client, target, jobs, steps):
    """Write target, a Path, with a training for each of jobs, (bounds, draw_seed) pairs.

    Return the Path of a file in build/ that keeps finished rows: an interrupted call goes on there.
    """
    part, rows = Path(os.environ['BUILD'], '%s-%s.part' % (target.name, CODE)), {}
    part.parent.mkdir(parents=True, exist_ok=True)
    for line in part.read_text().splitlines() if part.exists() else ():
        with contextlib.suppress(ValueError):  # an interruption cut this line
            row = json.loads(line)
            rows[row[0], row[1]] = row
    futures = [client.submit(train, *job, steps, CODE) for job in jobs if job not in rows]
    done = distributed.as_completed(futures, with_results=True)
    with open(str(part), 'a') as file:
        for future, row in tqdm(done, target.name, len(jobs), initial=len(rows)):
            rows[row[0], row[1]] = row
            file.write('\n%s\n' % json.dumps(row))
            file.flush()
    names = ['%s_%d' % (name, i) for name in REPORTS for i in range(0, steps, 100)]
    names += ['test_accuracy', 'tail_average', 'fingerprint'] * (steps == 1000)
    table = [['bounds', 'draw_seed'] + names] + [rows[job] for job in jobs]
    new = target.with_name(target.name + '.part')
    new.write_text(''.join(','.join(map(str, row)) + '\n' for row in table))
    os.replace(str(new), str(target))
    return part


def main():
    """Make both files, or stop with one line."""
    whole = [(bounds, seed) for bounds in READINGS for seed in range(50)]
    whole.insert(50, ('glorot', 1234))  # the notebook's own run
    early = [(bounds, seed) for bounds in READINGS for seed in range(1000)]
    own = {'threads_per_worker': 1, 'dashboard_address': None}
    options = {} if os.environ.get('DASK_SCHEDULER_ADDRESS') else own
    try:
        with distributed.Client(**options) as client:
            parts = [make(client, Path('data/runs.csv'), whole, 1000),
                     make(client, Path('data/early.csv'), early, 101)]
        for part in parts:
            part.unlink()
    except (OSError, RuntimeError, cells.CellError, distributed.KilledWorker) as error:
        sys.exit('make runs stopped: %s' % error)
    except KeyboardInterrupt:
        sys.exit('make runs was interrupted; call it again to go on')


def work():
    """Start a worker on each core, for the scheduler that DASK_SCHEDULER_ADDRESS names."""
    from distributed.cli.dask_worker import main
    main(['--nworkers', '-1', '--nthreads', '1', '--no-dashboard'])
