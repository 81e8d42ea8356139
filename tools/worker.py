"""What a worker of make runs does: one training after the other, with the functions that the notebook compiles.

`make worker` starts workers on this machine for the scheduler that DASK_SCHEDULER_ADDRESS names.
"""
import contextlib
import functools
import hashlib
import os
import threading

import cells  # first: it lets bitwise be found
import bitwise

bitwise.pin()  # before Dask imports NumPy; a worker is a child of this process and inherits it
import distributed  # noqa: E402
from distributed.cli.dask_worker import main  # noqa: E402

LOCK = threading.Lock()  # the weights are the notebook's: one training at a time
REPORTS = 'training_cost', 'validation_cost', 'training_accuracy', 'validation_accuracy'


@functools.lru_cache(maxsize=None)
def notebook():
    """Return the notebook's names, once its cells have run. Raises RuntimeError where bits differ."""
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        names = cells.run_cells('sgd_step', also=('beyond-code', 'readings-code'))
    verdict = names.bitwise.pin()
    if not verdict.endswith('yes'):
        raise RuntimeError('the worker at %s says %s' % (distributed.get_worker().address, verdict))
    return names


def train(bounds, draw_seed, steps):
    """Return the row of a training as a dictionary of texts.

    bounds: a reading's name. draw_seed: draws the mini-batches. steps: 101 for the reports at iterations 0 and
    100; 1000 for all ten, the fingerprint and the test accuracy after the last step, and then, 100 steps later,
    that of the tail average.
    """
    with LOCK:
        nb = notebook()
        np, weights = nb.np, nb.draw_weights(*nb.readings[bounds])
        row = {'bounds': bounds, 'draw_seed': str(draw_seed)}
        batches = np.random.RandomState(draw_seed).randint(0, 50000, size=(steps + 100, nb.mini_batch_size))
        nb.set_weights(weights)
        for i, ix in enumerate(batches[:steps]):
            train_cost, train_pred = nb.sgd_step(nb.X_train[ix], nb.Y_train[ix])
            if i % 100 == 0:
                valid_cost, valid_pred = nb.cost_pred(nb.X_valid[:100], nb.Y_valid[:100])
                reports = (train_cost, valid_cost, np.mean(train_pred == nb.Y_labels[ix]),
                           np.mean(valid_pred == nb.Yv_labels[:100]))
                row.update(('%s_%d' % (name, i), '%f' % value) for name, value in zip(REPORTS, reports))
        if steps == 1000:
            weights = [weight.get_value() for weight in nb.weights]
            tail = [values for cost, values in nb.descend(nb.sgd_step, weights, batches[steps:])]
            average = [np.mean(values, axis=0) for values in zip(*tail)]
            row['test_accuracy'] = '%.2f' % nb.accuracy(weights)
            row['tail_average'] = '%.2f' % nb.accuracy(average)
            row['fingerprint'] = hashlib.sha256(b''.join(value.tobytes() for value in weights)).hexdigest()[:16]
        return row


if __name__ == '__main__':
    main(['--nworkers', '-1', '--nthreads', '1', '--no-dashboard'])
