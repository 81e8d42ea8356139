"""How the rows of the tables in data/ come about: trainings, and what is measured on them.

The function row_of_runs makes a row of runs.csv, and so on. Its parameters are the columns of the
key; it returns the others, {column: text}. data/README.md explains all columns.
"""
import functools
import hashlib
import itertools
from pathlib import Path

import cells  # first: it sets the pins before NumPy is imported
import images
import numpy as np
import tables
import theano
import theano.tensor as T
from networks import (START_SEED, accuracy, at_start, compiled, draw_batches, evaluated,
                      fingerprint, notebook, run, test_accuracy, train, train_with_reports)
from scipy.sparse.linalg import LinearOperator, eigsh


def row_of_runs(draw_seed):
    """1,000 steps of the notebook's network, then 100 more in two ways.

    Both go on from the same weights and on the same mini-batches: at the same learning rate, and
    at a tenth of it.
    """
    net = at_start('recurrent')
    batches = draw_batches(draw_seed, 1100)
    row = train_with_reports(net, batches[:1000], .1)
    trained = net.get_values()
    same_rate = run(net, train(net, batches[1000:], .1), [100])
    net.set_values(trained)
    slower = run(net, train(net, batches[1000:], .01), [100])
    row['accuracy_1000'] = test_accuracy(net, trained)
    row['accuracy_1100'] = test_accuracy(net, same_rate.values[100])
    row['accuracy_slower'] = test_accuracy(net, slower.values[100])
    row['tail_average'] = test_accuracy(net, same_rate.averages[100])
    row['fingerprint'] = fingerprint(trained)
    return row


def last_and_average(network, mini_batch_size, steps, learning_rate, start_seed, draw_seed):
    """Train a network; return the test cost after the last step, and accuracies: {column: text}.

    Accuracies are those of the values after the last step, and of an average over the steps that
    follow: a tenth as many, but at most 100.
    """
    nb, net = notebook(), at_start(network, start_seed)
    more = min(steps // 10, 100)
    batches = draw_batches(draw_seed, steps + more, mini_batch_size)
    found = run(net, train(net, batches, learning_rate), [steps, steps + more], averaged=more)
    last, average = found.values[steps], found.averages[steps + more]
    cost, predicted = evaluated(net, last, nb.X_test, nb.Yt_labels)
    return {'cost_last': '%f' % cost,
            'validation_last': accuracy(net, last, nb.X_valid, nb.Yv_labels),
            'test_last': test_accuracy(net, last),
            'validation_average': accuracy(net, average, nb.X_valid, nb.Yv_labels),
            'test_average': test_accuracy(net, average)}


def row_of_sizes(network, mini_batch_size, steps, learning_rate, draw_seed):
    """Accuracies after the last step, and of the average, from the notebook's start."""
    row = last_and_average(network, mini_batch_size, steps, learning_rate, START_SEED, draw_seed)
    del row['cost_last']
    return row


def row_of_networks(network, learning_rate, draw_seed):
    """Accuracies after 1,000 steps on 100 images each, and of the average."""
    row = row_of_sizes(network, 100, 1000, learning_rate, draw_seed)
    return {column.replace('last', '1000'): value for column, value in row.items()}


def row_of_starts(network, mini_batch_size, steps, learning_rate, start_seed, draw_seed):
    """The test cost and accuracy after the last step, and the accuracy of the average."""
    row = last_and_average(network, mini_batch_size, steps, learning_rate, start_seed, draw_seed)
    return {column: row[column] for column in ('cost_last', 'test_last', 'test_average')}


def row_of_longer(network, learning_rate, later_rate, later_from, draw_seed):
    """Test accuracies after single steps, then of averages of 100 steps.

    From step later_from on, the learning rate is later_rate.
    """
    measured_at = [100, 200, 500, 1000, 2000, 4000, 5000, 10000]
    net = at_start(network)
    batches = draw_batches(draw_seed, measured_at[-1])
    training = itertools.chain(train(net, batches[:later_from - 1], learning_rate),
                               train(net, batches[later_from - 1:], later_rate))
    found = run(net, training, measured_at)
    row = {}
    for step in measured_at:
        row['test_%d' % step] = test_accuracy(net, found.values[step])
    for step in measured_at:
        row['average_%d' % step] = test_accuracy(net, found.averages[step])
    return row


# Other starts.

def start_with_sums(W_sum, V_sum):
    """Return initial weights with W and V drawn up to the square root of 6 / W_sum and 6 / V_sum.

    In Glorot's bound the sum is that of a matrix's rows and columns, 200 for W and 110 for V. In
    what is left of the published run, the lines that draw them are cut off after the lower bounds,
    which are Glorot's. See "Where the published run started" in studies.ipynb.
    """
    rng = np.random.RandomState(START_SEED)
    U = rng.uniform(-np.sqrt(6 / 128), np.sqrt(6 / 128), (28, 100))
    W = rng.uniform(-np.sqrt(6 / 200), np.sqrt(6 / W_sum), (100, 100))
    V = rng.uniform(-np.sqrt(6 / 110), np.sqrt(6 / V_sum), (100, 10))
    return [U, W, V, np.zeros(100), np.zeros(10)]


def row_of_scan(W_sum, V_sum, draw_seed):
    """The first two reports of the notebook's network from such a start."""
    net = compiled('recurrent')
    net.set_values(start_with_sums(W_sum, V_sum))
    return train_with_reports(net, draw_batches(draw_seed, 101), .1)


def row_of_whole(W_sum, V_sum, draw_seed):
    """All ten reports, and the test accuracy after step 1000."""
    net = compiled('recurrent')
    net.set_values(start_with_sums(W_sum, V_sum))
    row = train_with_reports(net, draw_batches(draw_seed, 1000), .1)
    return {**row, 'accuracy_1000': test_accuracy(net, net.get_values())}


def row_of_early(W_sum, V_sum, W_mean, draw_seed):
    """The validation cost after iterations 0, 10, ..., 110.

    W_mean: W keeps its own, or it is taken away, or that of_134 (W_sum = V_sum = 134) is added.
    """
    net = compiled('recurrent')
    U, W, V, b_hidden, b_V = start_with_sums(W_sum, V_sum)
    if W_mean == 'taken':
        W = W - W.mean()
    if W_mean == 'of_134':
        W = W + start_with_sums(134, 134)[1].mean()
    net.set_values([U, W, V, b_hidden, b_V])
    row = train_with_reports(net, draw_batches(draw_seed, 111), .1, every=10)
    return {column: text for column, text in row.items() if column.startswith('validation_cost')}


# One bit, and the curvature of the cost.

def flip_last_bit(array, place):
    """Flip the last bit of the number at this place of an array."""
    array.view('uint64')[place] ^= np.uint64(1)


def distances(values, others):
    """Return the Euclidean distances of all weights of two runs, {step: values}, as columns."""
    found = {}
    for step in values:
        squares = [np.sum((one - other) ** 2) for one, other in zip(values[step], others[step])]
        found['distance_%d' % step] = '%.3e' % np.sqrt(sum(squares))
    return found


def runs_with_one_bit(net, name, place, learning_rate, draw_seed, measured_at):
    """Train a network twice from its values, and return what run() returns, twice.

    The second start differs by the last bit of the number at this place of the weight of that name.
    """
    batches = draw_batches(draw_seed, measured_at[-1])
    start = dict(zip([weight.name for weight in net.weights], net.get_values()))
    unchanged = run(net, train(net, batches, learning_rate), measured_at)
    flip_last_bit(start[name], place)
    net.set_values(start.values())
    changed = run(net, train(net, batches, learning_rate), measured_at)
    return unchanged, changed


def row_of_one_bit(array, row, column, learning_rate, draw_seed):
    """A run beside another whose start differs by one bit, at a row and column of an array."""
    net = at_start('recurrent')
    place = (column,) if array.startswith('b_') else (row, column)
    measured_at = [*range(10, 301, 10), *range(400, 1001, 100)]
    unchanged, changed = runs_with_one_bit(
        net, array, place, learning_rate, draw_seed, measured_at)
    found = distances(unchanged.values, changed.values)
    gaps = abs(np.subtract(changed.costs, unchanged.costs))
    for bound in 1e-12, .01, .1:
        above = np.flatnonzero(gaps > bound)
        found['first_above_%g' % bound] = str(above[0]) if len(above) else '-1'
    found['accuracy'] = test_accuracy(net, changed.values[1000])
    found['accuracy_unchanged'] = test_accuracy(net, unchanged.values[1000])
    return found


@functools.cache
def hessian_product():
    """Return a function of images, labels and a vector: the cost's Hessian times the vector."""
    nb, net = notebook(), compiled('recurrent')
    vector = T.vector()
    gradient = T.concatenate([part.ravel() for part in net.gradients])
    products = T.grad(T.dot(gradient, vector), net.weights)
    product = T.concatenate([part.ravel() for part in products])
    return theano.function([nb.x, nb.y, vector], product)


def largest_curvature(net):
    """Return the largest curvature of the cost of the first 300 training images.

    It is the largest eigenvalue of the Hessian, found by SciPy from products with vectors.
    """
    nb = notebook()
    size = sum(value.size for value in net.get_values())

    def times_hessian(vector):
        products = []
        for k in 0, 100, 200:  # in parts: sums of 300 terms have other last bits on ARM
            part = slice(k, k + 100)
            products.append(hessian_product()(nb.X_train[part], nb.Y_train[part], vector))
        return np.mean(products, axis=0)

    hessian = LinearOperator((size, size), times_hessian, dtype='float64')
    start = np.random.RandomState(0).normal(size=size)
    return eigsh(hessian, k=1, which='LA', tol=.01, return_eigenvectors=False, v0=start)[0]


def row_of_curvature(learning_rate, start_seed, draw_seed):
    """The largest curvature of the cost along a run, and its distance from one with another bit."""
    net = at_start('recurrent', start_seed)
    measured_at = [*range(0, 201, 20), 250, 300, 350, 400, 500, *range(600, 1801, 200)]
    unchanged, changed = runs_with_one_bit(
        net, 'W', (0, 0), learning_rate, draw_seed, measured_at)
    row = {}
    for step, values in unchanged.values.items():
        net.set_values(values)
        row['curvature_%d' % step] = '%.1f' % largest_curvature(net)
    return {**row, **distances(unchanged.values, changed.values)}


# Changed images.

AMOUNTS = {'down': [-4, -2, 2, 4], 'right': [-4, -2, 2, 4],
           'turned': [-45, -30, -15, 15, 30, 45], 'scaled': [60, 80, 120, 140],
           'least': [100, 200, 400, 600], 'most': [100, 200, 400, 600],
           'ink_on_least': [67], 'ink_on_most': [67]}


def run_on_changed_images(net, learning_rate, trained_on, draw_seed, measured_at):
    """Train a network on images that are changed at random; return what run() returns."""
    rng = np.random.RandomState(draw_seed)
    batches = rng.randint(0, 50000, size=(measured_at[-1], 100))  # rng goes on with the changes
    change = functools.partial(images.changed_at_random, trained_on, rng)
    return run(net, train(net, batches, learning_rate, change), measured_at)


def row_of_changed(network, learning_rate, trained_on, draw_seed):
    """Accuracies of the average of steps 1001 to 1100 on changed images."""
    nb, net = notebook(), at_start(network)
    found = run_on_changed_images(net, learning_rate, trained_on, draw_seed, [1100])
    values = found.averages[1100]
    row = {'unchanged': test_accuracy(net, values)}
    for kind, amounts in AMOUNTS.items():
        for amount in amounts:
            changed = images.CHANGES[kind](nb.X_test, amount)
            row['%s_%d' % (kind, amount)] = accuracy(net, values, changed, nb.Yt_labels)
    return row


def row_of_turned(network, learning_rate, trained_on, draw_seed):
    """Accuracies on images turned left and right, of averages of 100 steps."""
    nb, net = notebook(), at_start(network)
    found = run_on_changed_images(net, learning_rate, trained_on, draw_seed, [1100, 2000, 4000])
    row = {}
    for step, values in found.averages.items():
        for degrees in 0, 30, -30:
            turned = images.CHANGES['turned'](nb.X_test, degrees)
            column = 'turned_%d_after_%d' % (degrees, step)
            row[column] = accuracy(net, values, turned, nb.Yt_labels)
    return row


def row_of_ink(network, learning_rate, steps, start_seed, draw_seed):
    """What ink on some pixels of the test images does to the answers and to the states.

    It is measured on the average of 100 steps after so many; with 0 steps, on the initial values.
    """
    nb, net = notebook(), at_start(network, start_seed)
    end = steps + 100 if steps else 0
    training = train(net, draw_batches(draw_seed, end), learning_rate)
    values = run(net, training, [end]).averages[end]
    places = {str(t): 28 * t + np.arange(10, 18) for t in range(28)}  # row t
    blank = images.pixels_by_variation()[:67]  # 67 pixels are blank in all training images
    is_inner = np.isin(blank % 28, np.arange(4, 24))  # in the columns 4 to 23
    places['edge'], places['inner'] = blank[~is_inner], blank[is_inner]
    cost, answers = evaluated(net, values, nb.X_test, nb.Yt_labels)
    found = {}
    for name, pixels in places.items():
        inked = images.with_pixels(nb.X_test, pixels, images.INK)
        found['same_' + name] = accuracy(net, values, inked, answers)  # how many stay
    net.set_values(values)
    states_of = theano.function([nb.x], T.stack(net.states))  # (28, n, hidden units)
    states = states_of(nb.X_test[:1000])
    for t in range(28):  # how much of the change in the state after row t is left at the end
        inked = images.with_pixels(nb.X_test[:1000], places[str(t)], images.INK)
        changes = states_of(inked) - states
        norms = np.sqrt((changes ** 2).sum(axis=2)).mean(axis=1)
        found['left_%d' % t] = '%.6f' % (norms[27] / norms[t])
    return found


def make_row(name, key):
    """Return the row of the table data/name with this key, as '0.1,3': {column: text}."""
    values = tables.KEYS[name][key]
    texts = {column: str(value) for column, value in values.items()}
    function = globals()['row_of_' + name.removesuffix('.csv')]
    return {**texts, **function(**values)}


def checksum_of_code():
    """Return a checksum of all in this repository that could change a row."""
    paths = [*sorted(Path(__file__).parent.glob('*.py')), cells.NOTEBOOKS / 'bitwise.py',
             cells.ROOT / 'requirements.txt', cells.ROOT / 'constraints.txt']
    code = hashlib.sha256()
    for path in paths:
        code.update(path.read_bytes())
    for cell in cells.read(cells.NOTEBOOK).cells:
        code.update(cell.source.encode())
    return code.hexdigest()[:8]


CODE_CHECKSUM = checksum_of_code()  # at import: of what this process runs, whatever changes later
