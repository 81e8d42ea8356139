"""Trains the networks many times and writes data/runs.csv, data/scan.csv and data/networks.csv.

It uses the cores of this machine, or the Dask cluster whose scheduler's address is in the
environment variable DASK_SCHEDULER_ADDRESS. See data/README.md for what the files hold.
"""
import contextlib
import csv
import functools
import hashlib
import io
import logging
import os
import sys
from pathlib import Path

import cells  # first: it sets the pins, which workers inherit, before Dask imports NumPy
import bitwise
import dask.system
import distributed
import numpy as np
import theano
import theano.tensor as T
from distributed.system import MEMORY_LIMIT
from tqdm import tqdm

MEMORY_OF_A_WORKER = 2 ** 30  # bytes
KINDS_OF_REPORT = ['training_cost', 'validation_cost', 'training_accuracy', 'validation_accuracy']


@functools.cache
def notebook():
    """Return what the notebook's cells define, up to the compiled functions."""
    with contextlib.redirect_stdout(io.StringIO()):
        return cells.run_cells('sgd_step')


# What the three tables share.

def report(train_cost, train_pred, ix):
    """Return the four numbers that Train prints after a step on the images ix."""
    nb = notebook()
    valid_cost, valid_pred = nb.cost_pred(nb.X_valid[0:100], nb.Y_valid[0:100])
    train_accuracy = np.mean(nb.Y_labels[ix] == train_pred)
    valid_accuracy = np.mean(nb.Yv_labels[0:100] == valid_pred)
    return [train_cost, valid_cost, train_accuracy, valid_accuracy]


def values_of(weights):
    """Return the values of these shared variables."""
    return [weight.get_value() for weight in weights]


def set_values(weights, values):
    """Set these shared variables to these values."""
    for weight, value in zip(weights, values):
        weight.set_value(value)


def percent_right(predict, images, labels):
    """Return how many per cent of the images get their label from predict, 500 at a time."""
    right = 0
    for k in range(0, len(images), 500):
        right += np.sum(predict(images[k:k + 500]) == labels[k:k + 500])
    return 100 * right / len(images)


def in_columns(reports):
    """Return the numbers of reports as text: all training costs, all validation costs, ..."""
    return ['%f' % number for kind in zip(*reports) for number in kind]


def average(iterates):
    """Return the mean of a list of weights, each a list of arrays."""
    return [np.mean(arrays, axis=0) for arrays in zip(*iterates)]


def fingerprint(values):
    """Return the notebook's fingerprint of these weights."""
    return hashlib.sha256(b''.join(value.tobytes() for value in values)).hexdigest()[:16]


@functools.cache
def compiled(name):
    """Return (weights, their start, step, predict) of one of the four networks of networks.csv.

    step takes images, one-hot labels and a learning rate, takes one SGD step, and returns the cost
    and the predictions before it; predict takes images and returns their predicted classes.
    """
    nb = notebook()
    weights, start, scores = NETWORKS[name](nb)
    y_prob = T.nnet.softmax(scores)
    y_pred = T.argmax(y_prob, axis=1)
    cost = T.mean(T.nnet.categorical_crossentropy(y_prob, nb.y))
    rate = T.scalar('rate')
    updates = [(weight, weight - rate * T.grad(cost, weight)) for weight in weights]
    step = theano.function([nb.x, nb.y, rate], [cost, y_pred], updates=updates)
    predict = theano.function([nb.x], y_pred)
    return weights, start, step, predict


# runs.csv: the notebook's own network, from its own start, with other mini-batches.

def whole_run(draw_seed):
    """Train for 1,000 steps and go on in two ways; return a row of runs.csv.

    The two ways: 100 more steps at the same learning rate, or at a tenth of it.
    """
    nb = notebook()
    weights, start, step, predict = compiled('recurrent')
    set_values(weights, start)
    np.random.seed(draw_seed)
    reports = []
    for i in range(1000):
        ix = np.random.randint(0, 50000, size=100)
        train_cost, train_pred = step(nb.X_train[ix], nb.Y_train[ix], .1)
        if i % 100 == 0:
            reports.append(report(train_cost, train_pred, ix))
    trained = values_of(weights)
    last_batches = np.random.randint(0, 50000, size=(100, 100))

    iterates = []
    for ix in last_batches:
        step(nb.X_train[ix], nb.Y_train[ix], .1)
        iterates.append(values_of(weights))

    set_values(weights, trained)
    for ix in last_batches:
        step(nb.X_train[ix], nb.Y_train[ix], .01)
    slower = values_of(weights)

    accuracies = []
    for values in trained, iterates[-1], slower, average(iterates):
        set_values(weights, values)
        accuracies.append('%.2f' % percent_right(predict, nb.X_test, nb.Yt_labels))
    return [draw_seed] + in_columns(reports) + accuracies + [fingerprint(trained)]


# scan.csv: 101 steps from other starts.

def draw_start(W_sum, V_sum):
    """Return the five weights at the start, with W and V drawn up to sqrt(6 / their sum).

    Their lower bounds stay Glorot's, as in the lines of the published run.
    """
    rng = np.random.RandomState(1234)
    U = rng.uniform(-np.sqrt(6 / 128), np.sqrt(6 / 128), (28, 100))
    W = rng.uniform(-np.sqrt(6 / 200), np.sqrt(6 / W_sum), (100, 100))
    V = rng.uniform(-np.sqrt(6 / 110), np.sqrt(6 / V_sum), (100, 10))
    return [U, W, V, np.zeros(100), np.zeros(10)]


def early_run(W_sum, V_sum, draw_seed):
    """Train for 101 steps; return a row of scan.csv, with the reports at steps 0 and 100."""
    nb = notebook()
    nb.set_weights(draw_start(W_sum, V_sum))
    np.random.seed(draw_seed)
    reports = []
    for i in range(101):
        ix = np.random.randint(0, 50000, size=100)
        train_cost, train_pred = nb.sgd_step(nb.X_train[ix], nb.Y_train[ix])
        if i % 100 == 0:
            reports.append(report(train_cost, train_pred, ix))
    return [W_sum, V_sum, draw_seed] + in_columns(reports)


# networks.csv: four networks, each at several learning rates. Each function below takes the
# notebook's names and returns a network's weights, their start, and its ten scores, (n, 10).

def linear(nb):
    """Weigh every pixel for every class: a linear classifier, added up row by row."""
    bound = np.sqrt(6 / (784 + 10))
    start = np.random.RandomState(1234).uniform(-bound, bound, (784, 10)).reshape(28, 28, 10)
    P = theano.shared(start)
    b = theano.shared(np.zeros(10))
    scores = b
    for t in range(28):
        scores = scores + T.dot(nb.x[:, t, :], P[t])
    return [P, b], [start, np.zeros(10)], scores


def without_W(nb):
    """Forget every row: no state enters the next."""
    h_states_sum = 0
    for t in range(28):
        h_states_sum = h_states_sum + T.tanh(nb.b_hidden + T.dot(nb.x[:, t, :], nb.U))
    scores = T.dot(h_states_sum / 28, nb.V) + nb.b_V
    U, W, V, b_hidden, b_V = nb.initial
    return [nb.U, nb.V, nb.b_hidden, nb.b_V], [U, V, b_hidden, b_V], scores


def row_biases(nb):
    """Forget every row, but know by a bias of its own which row it is."""
    B = theano.shared(np.zeros((28, 100)))
    h_states_sum = 0
    for t in range(28):
        h_states_sum = h_states_sum + T.tanh(B[t] + T.dot(nb.x[:, t, :], nb.U))
    scores = T.dot(h_states_sum / 28, nb.V) + nb.b_V
    U, W, V, b_hidden, b_V = nb.initial
    return [nb.U, nb.V, B, nb.b_V], [U, V, np.zeros((28, 100)), b_V], scores


def recurrent(nb):
    """The notebook's network."""
    scores = T.dot(nb.h_states_sum / 28, nb.V) + nb.b_V
    return list(nb.weights), nb.initial, scores


NETWORKS = {'linear': linear, 'without_W': without_W,
            'row_biases': row_biases, 'recurrent': recurrent}
LEARNING_RATES = {'linear': [.2, .5, 1, 2],
                  'without_W': [1, 2, 4],
                  'row_biases': [4, 8, 16],
                  'recurrent': [.1, .2, .4]}


def controlled_run(name, learning_rate, draw_seed):
    """Train one of the four networks for 1,000 steps, then 100 more; return a row of networks.csv.
    """
    nb = notebook()
    weights, start, step, predict = compiled(name)
    set_values(weights, start)
    np.random.seed(draw_seed)
    for i in range(1000):
        ix = np.random.randint(0, 50000, size=100)
        step(nb.X_train[ix], nb.Y_train[ix], learning_rate)
    trained = values_of(weights)

    iterates = []
    for i in range(100):
        ix = np.random.randint(0, 50000, size=100)
        step(nb.X_train[ix], nb.Y_train[ix], learning_rate)
        iterates.append(values_of(weights))

    accuracies = []
    for values in trained, average(iterates):
        set_values(weights, values)
        accuracies.append('%.2f' % percent_right(predict, nb.X_valid, nb.Yv_labels))
        accuracies.append('%.2f' % percent_right(predict, nb.X_test, nb.Yt_labels))
    return [name, learning_rate, draw_seed] + accuracies


# The tables: for each file its columns, the function that makes a row, and its arguments, row by
# row.

def columns_of_reports(steps):
    """Return the names of the columns for reports at these steps."""
    return ['%s_%d' % (kind, step) for kind in KINDS_OF_REPORT for step in steps]


def table_of_runs():
    """Return the columns, function and arguments of runs.csv."""
    columns = (['draw_seed'] + columns_of_reports(range(0, 1000, 100))
               + ['accuracy_1000', 'accuracy_1100', 'accuracy_slower', 'tail_average',
                  'fingerprint'])
    arguments = [(draw_seed,) for draw_seed in list(range(50)) + [1234]]
    return columns, whole_run, arguments


def table_of_scan():
    """Return the columns, function and arguments of scan.csv."""
    columns = ['W_sum', 'V_sum', 'draw_seed'] + columns_of_reports([0, 100])
    arguments = []
    for total in list(range(112, 162, 2)) + [200, 228]:
        runs = 150 if 126 <= total <= 146 else 40
        arguments += [(total, total, draw_seed) for draw_seed in range(runs)]
    for V_sum in 110, 228:
        arguments += [(134, V_sum, draw_seed) for draw_seed in range(60)]
    return columns, early_run, arguments


def table_of_networks():
    """Return the columns, function and arguments of networks.csv."""
    columns = ['network', 'learning_rate', 'draw_seed',
               'validation_1000', 'test_1000', 'validation_average', 'test_average']
    arguments = []
    for name, rates in LEARNING_RATES.items():
        for rate in rates:
            arguments += [(name, rate, draw_seed) for draw_seed in list(range(20)) + [1234]]
    return columns, controlled_run, arguments


TABLES = {'runs.csv': table_of_runs, 'scan.csv': table_of_scan, 'networks.csv': table_of_networks}


# On a cluster.

@functools.cache
def code_version():
    """Return a checksum of the code that makes the rows: this file and the network's cells."""
    code = Path(__file__).read_text(encoding='utf-8')
    for cell in cells.read():
        if cell.cell_type == 'code':
            code += cell.source
        if 'sgd_step =' in cell.source:
            break
    return hashlib.sha256(code.encode()).hexdigest()[:8]


def on_worker(function, arguments, version):
    """Return function(*arguments). Raises RuntimeError if this worker's rows would be others."""
    worker = distributed.get_worker().address
    if version != code_version():
        raise RuntimeError('the worker at %s runs other code: update it and start it again'
                           % worker)
    if bitwise.pin() != bitwise.YES:
        raise RuntimeError('the worker at %s: %s' % (worker, bitwise.pin()))
    return function(*arguments)


def check_memory(client):
    """Raise RuntimeError for a worker with too little memory: Dask would pause it for ever."""
    for worker, about in client.scheduler_info(n_workers=-1)['workers'].items():
        if 0 < about['memory_limit'] < MEMORY_OF_A_WORKER:
            raise RuntimeError('the worker at %s may use %.2f GiB of memory and needs %.0f GiB'
                               % (worker, about['memory_limit'] / 2 ** 30,
                                  MEMORY_OF_A_WORKER / 2 ** 30))


def rows_there(part, key_length):
    """Return the rows in the file part, each a list of strings, by their first key_length values.
    """
    if not part.exists():
        return {}
    with part.open(newline='') as file:
        return {tuple(row[:key_length]): row for row in csv.reader(file)}


def add_rows(client, name, function, arguments, part):
    """Make a row for each of these arguments on the cluster, and append it to the file part."""
    futures = [client.submit(on_worker, function, these, code_version()) for these in arguments]
    done = distributed.as_completed(futures, with_results=True)
    with part.open('a', newline='') as file:
        for future, row in tqdm(done, name, len(futures)):
            csv.writer(file, lineterminator='\n').writerow(row)
            file.flush()


def make_table(client, name, target, part):
    """Write the table called name to target. Its rows are kept in part as they come."""
    columns, function, arguments = TABLES[name]()
    keys = [tuple(map(str, these)) for these in arguments]  # a row begins with its arguments
    there = rows_there(part, len(keys[0]))  # from an earlier call
    missing = [these for these, key in zip(arguments, keys) if key not in there]
    add_rows(client, name, function, missing, part)
    rows = rows_there(part, len(keys[0]))
    with target.open('w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows(rows[key] for key in keys)


def connect():
    """Return a client of the cluster, or of a worker for each core that has the memory."""
    address = os.environ.get('DASK_SCHEDULER_ADDRESS')
    if address:
        return distributed.Client(address)
    workers = min(dask.system.CPU_COUNT, MEMORY_LIMIT // MEMORY_OF_A_WORKER)
    cluster = distributed.LocalCluster(n_workers=max(1, workers), threads_per_worker=1,
                                       dashboard_address='localhost:0',
                                       silence_logs=logging.CRITICAL)  # an interruption is loud
    return distributed.Client(cluster)


def main():
    """Make the three files, or stop with one line that says why."""
    build = cells.ROOT / 'build'
    build.mkdir(exist_ok=True)
    try:
        with connect() as client:
            client.wait_for_workers(1)
            check_memory(client)
            for name in TABLES:
                part = build / ('%s-%s' % (code_version(), name))  # no rows of other code
                make_table(client, name, cells.ROOT / 'data' / name, part)
    except KeyboardInterrupt:
        sys.exit('make runs was interrupted: call it again to go on')
    except (RuntimeError, OSError, distributed.KilledWorker, cells.NotebookError) as error:
        sys.exit('make runs stopped: %s. Call it again to go on' % error)
    print('Wrote %s in data/' % ', '.join(TABLES))


if __name__ == '__main__':
    # Dask sends functions by their module's name. Those of __main__ the workers would not find.
    import runs
    runs.main()
