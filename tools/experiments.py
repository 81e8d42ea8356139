"""How the rows of the tables in data/ come about: trainings, and what is measured on them.

FUNCTIONS has, for each table, the function that takes a key and returns the other columns of its
row, {column: text}. The function's parameters are the key's columns.
"""
import functools
import hashlib
import itertools
from pathlib import Path

import networks  # first: it sets the pins before NumPy is imported
import bitwise
import cells
import images
import numpy as np
import tables
import theano
import theano.tensor as T
from networks import (START_SEED, accuracy, at_start, at_steps, average, compiled, distance,
                      draw_batches, evaluated, iterates, last_and_average, notebook, per_cent,
                      reports, test_accuracy, train, validation_accuracy)
from scipy.sparse.linalg import LinearOperator, eigsh


def four_endings(draw_seed):
    """A row of runs.csv: 1,000 steps of the notebook's network, then 100 more in two ways.

    Both go on from the same weights and on the same mini-batches: at the same learning rate, and
    at a tenth of it.
    """
    network = at_start('recurrent')
    batches = draw_batches(draw_seed, 1100)
    row = reports(network, batches[:1000], .1)
    trained = network.get_values()
    tail = list(iterates(network, train(network, batches[1000:], .1)))
    network.set_values(trained)
    slower_tail = list(iterates(network, train(network, batches[1000:], .01)))
    row['accuracy_1000'] = test_accuracy(network, trained)
    row['accuracy_1100'] = test_accuracy(network, tail[-1])
    row['accuracy_slower'] = test_accuracy(network, slower_tail[-1])
    row['tail_average'] = test_accuracy(network, average(tail))
    content = b''.join(value.tobytes() for value in trained)
    row['fingerprint'] = hashlib.sha256(content).hexdigest()[:16]
    return row


def last_and_average_of(network, mini_batch_size, steps, learning_rate, start_seed, draw_seed):
    """Train a network from a start; return it, and its values after the last step and on average.

    The average is over a tenth more steps, but at most over 100.
    """
    network = at_start(network, start_seed)
    more = min(steps // 10, 100)
    batches = draw_batches(draw_seed, steps + more, mini_batch_size)
    return network, *last_and_average(network, train(network, batches, learning_rate), steps)


def two_accuracies(network, mini_batch_size, steps, learning_rate, draw_seed):
    """A row of sizes.csv: accuracies after the last step, and of the average."""
    network, last, tail_average = last_and_average_of(
        network, mini_batch_size, steps, learning_rate, START_SEED, draw_seed)
    return {'validation_last': validation_accuracy(network, last),
            'test_last': test_accuracy(network, last),
            'validation_average': validation_accuracy(network, tail_average),
            'test_average': test_accuracy(network, tail_average)}


def two_accuracies_after_1000(network, learning_rate, draw_seed):
    """A row of networks.csv: the same after 1,000 steps on 100 images each."""
    row = two_accuracies(network, 100, 1000, learning_rate, draw_seed)
    return {column.replace('last', '1000'): value for column, value in row.items()}


def from_other_weights(network, mini_batch_size, steps, learning_rate, start_seed, draw_seed):
    """A row of starts.csv: the test cost and accuracy after the last step, and of the average."""
    nb = notebook()
    network, last, tail_average = last_and_average_of(
        network, mini_batch_size, steps, learning_rate, start_seed, draw_seed)
    cost, predicted = evaluated(network, last, nb.X_test, nb.Yt_labels)
    return {'cost_last': '%f' % cost,
            'test_last': per_cent(predicted == nb.Yt_labels),
            'test_average': test_accuracy(network, tail_average)}


def long_run(network, learning_rate, later_rate, later_from, draw_seed):
    """A row of longer.csv: test accuracies after single steps, then of averages.

    From step later_from on, the learning rate is later_rate.
    """
    measured_at = [100, 200, 500, 1000, 2000, 4000, 5000, 10000]
    network = at_start(network)
    batches = draw_batches(draw_seed, measured_at[-1])
    training = itertools.chain(train(network, batches[:later_from - 1], learning_rate),
                               train(network, batches[later_from - 1:], later_rate))
    of_single_steps, of_averages = {}, {}
    for step, values, last_average in at_steps(network, training, measured_at):
        of_single_steps['test_%d' % step] = test_accuracy(network, values)
        of_averages['average_%d' % step] = test_accuracy(network, last_average)
    return {**of_single_steps, **of_averages}


# Other starts.

def start_with_sums(W_sum, V_sum):
    """Return initial weights with W and V drawn up to the square root of 6 / their sum.

    Their lower bounds are Glorot's, as in the lines of the published run.
    """
    rng = np.random.RandomState(START_SEED)
    U = rng.uniform(-np.sqrt(6 / 128), np.sqrt(6 / 128), (28, 100))
    W = rng.uniform(-np.sqrt(6 / 200), np.sqrt(6 / W_sum), (100, 100))
    V = rng.uniform(-np.sqrt(6 / 110), np.sqrt(6 / V_sum), (100, 10))
    return [U, W, V, np.zeros(100), np.zeros(10)]


def from_sums(W_sum, V_sum, draw_seed, steps=101):
    """A row of scan.csv: the reports of the notebook's network from such a start."""
    network = compiled('recurrent')
    network.set_values(start_with_sums(W_sum, V_sum))
    return reports(network, draw_batches(draw_seed, steps), .1)


def from_sums_to_the_end(W_sum, V_sum, draw_seed):
    """A row of whole.csv: all ten reports, and the test accuracy after step 1000."""
    row = from_sums(W_sum, V_sum, draw_seed, steps=1000)
    network = compiled('recurrent')  # the same object, which from_sums has trained
    return {**row, 'accuracy_1000': test_accuracy(network, network.get_values())}


def early_steps(W_sum, V_sum, W_mean, draw_seed):
    """A row of early.csv: the validation cost after iterations 0, 10, ..., 110.

    W_mean: own, as it was drawn; taken, the mean of W is taken away; of_134, the mean of the W
    that W_sum = 134 draws is added.
    """
    nb, network = notebook(), compiled('recurrent')
    values = start_with_sums(W_sum, V_sum)
    if W_mean == 'taken':
        values[1] = values[1] - values[1].mean()
    if W_mean == 'of_134':
        values[1] = values[1] + start_with_sums(134, 134)[1].mean()
    network.set_values(values)
    row = {}
    for i, outputs in enumerate(train(network, draw_batches(draw_seed, 111), .1)):
        if i % 10 == 0:
            cost, predicted = network.evaluate(nb.X_valid[0:100], nb.Y_valid[0:100])
            row['validation_cost_%d' % i] = '%f' % cost
    return row


# One bit, and the curvature of the cost.

def with_flipped_bit(values, number, place):
    """Return values of which one array, with this number, has one last bit flipped at a place."""
    flipped = [value.copy() for value in values]
    flipped[number].view('uint64')[place] ^= np.uint64(1)
    return flipped


@functools.lru_cache(maxsize=2)  # it takes 100 MB, and most rows of one_bit.csv share one
def run_from(flipped, learning_rate, draw_seed):
    """Train the notebook's network for 1,000 steps; return all training costs and values.

    flipped: the number of an array and the place in it of a bit to flip first; or None.
    """
    network = at_start('recurrent')
    if flipped:
        network.set_values(with_flipped_bit(network.get_values(), *flipped))
    costs, values = [], []
    for cost, predicted in train(network, draw_batches(draw_seed, 1000), learning_rate):
        costs.append(cost)
        values.append(network.get_values())
    return np.array(costs), values


def one_bit(array, row, column, learning_rate, draw_seed):
    """A row of one_bit.csv: a run beside another whose start differs by one bit.

    array: the weight's name; row, column: the place in it, for a bias column alone. The row: the
    distance of all weights after some steps; the first iteration (-1: none) at which the training
    costs differ by more than 1e-12, 0.01 and 0.1; the test accuracies of both at the end.
    """
    network = compiled('recurrent')
    number = [weight.name for weight in network.weights].index(array)
    place = (column,) if array.startswith('b_') else (row, column)
    costs, values = run_from(None, learning_rate, draw_seed)
    other_costs, other_values = run_from((number, place), learning_rate, draw_seed)
    found = {}
    for step in [*range(10, 301, 10), *range(400, 1001, 100)]:
        found['distance_%d' % step] = '%.3e' % distance(other_values[step - 1], values[step - 1])
    gaps = abs(other_costs - costs)
    for bound in 1e-12, .01, .1:
        above = np.flatnonzero(gaps > bound)
        found['first_above_%g' % bound] = str(above[0]) if len(above) else '-1'
    found['accuracy'] = test_accuracy(network, other_values[-1])
    found['accuracy_unchanged'] = test_accuracy(network, values[-1])
    return found


@functools.cache
def hessian_product():
    """Return a function of images, labels and five arrays v: the Hessian of the cost times v."""
    network = compiled('recurrent')
    v = [T.TensorType('float64', weight.broadcastable)() for weight in network.weights]
    slope = sum(T.sum(gradient * part) for gradient, part in zip(network.gradients, v))
    return theano.function([network.x, network.y, *v], T.grad(slope, network.weights))


def largest_curvature(network):
    """Return the largest curvature of the cost of the first 300 training images.

    It is the largest eigenvalue of the Hessian, found by SciPy from products with vectors.
    """
    nb = notebook()
    shapes = [value.shape for value in network.get_values()]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])

    def times_hessian(vector):
        parts = np.split(vector.ravel(), ends[:-1])
        arrays = [part.reshape(shape) for part, shape in zip(parts, shapes)]
        products = [hessian_product()(nb.X_train[k:k + 100], nb.Y_train[k:k + 100], *arrays)
                    for k in (0, 100, 200)]
        return np.concatenate([array.ravel() for array in average(products)])

    hessian = LinearOperator((ends[-1], ends[-1]), times_hessian, dtype='float64')
    eigenvalue, = eigsh(hessian, k=1, which='LA', tol=.01, return_eigenvectors=False,
                        v0=np.random.RandomState(0).normal(size=ends[-1]))
    return eigenvalue


def curvature_and_one_bit(learning_rate, start_seed, draw_seed):
    """A row of curvature.csv: the largest curvature of the cost along a run of 1,800 steps.

    Beside it the distance from a run whose start differs by the last bit of W[0, 0].
    """
    measured_at = [*range(0, 201, 20), 250, 300, 350, 400, 500, *range(600, 1801, 200)]
    network = at_start('recurrent', start_seed)
    batches = draw_batches(draw_seed, measured_at[-1])
    start = network.get_values()
    runs = []
    for values in start, with_flipped_bit(start, 1, (0, 0)):
        network.set_values(values)
        training = iterates(network, train(network, batches, learning_rate))
        found = {step: after for step, after in enumerate(training, start=1)
                 if step in measured_at}
        runs.append({0: values, **found})
    row = {}
    for step in measured_at:
        network.set_values(runs[0][step])
        row['curvature_%d' % step] = '%.1f' % largest_curvature(network)
    for step in measured_at:
        row['distance_%d' % step] = '%.3e' % distance(runs[0][step], runs[1][step])
    return row


# Changed images.

CHANGES = [('down', -4), ('down', -2), ('down', 2), ('down', 4),
           ('right', -4), ('right', -2), ('right', 2), ('right', 4),
           ('turned', -45), ('turned', -30), ('turned', -15),
           ('turned', 15), ('turned', 30), ('turned', 45),
           ('scaled', 60), ('scaled', 80), ('scaled', 120), ('scaled', 140),
           ('least', 100), ('least', 200), ('least', 400), ('least', 600),
           ('most', 100), ('most', 200), ('most', 400), ('most', 600),
           ('ink_on_least', 67), ('ink_on_most', 67)]


def on_changed_images(network, learning_rate, trained_on, draw_seed):
    """A row of changed.csv: accuracies of the average of steps 1001 to 1100 on changed images."""
    nb, network, rng = notebook(), at_start(network), np.random.RandomState(draw_seed)
    batches = rng.randint(0, 50000, size=(1100, 100))
    training = train(network, batches, learning_rate,
                     images.random_changes(trained_on, rng, batches.shape))
    last, tail_average = last_and_average(network, training, 1000)
    row = {'unchanged': test_accuracy(network, tail_average)}
    for kind, amount in CHANGES:
        test_images = images.changed(nb.X_test, kind, amount)
        row['%s_%d' % (kind, amount)] = accuracy(network, tail_average, test_images, nb.Yt_labels)
    return row


def trained_longer_on_turned_images(network, learning_rate, trained_on, draw_seed):
    """A row of turned.csv: accuracies on images turned left and right, of averages of 100 steps."""
    measured_at = [1100, 2000, 4000]
    nb, network, rng = notebook(), at_start(network), np.random.RandomState(draw_seed)
    batches = rng.randint(0, 50000, size=(measured_at[-1], 100))
    training = train(network, batches, learning_rate,
                     images.random_changes(trained_on, rng, batches.shape))
    row = {}
    for step, values, last_average in at_steps(network, training, measured_at):
        for degrees in 0, 30, -30:
            test_images = images.changed(nb.X_test, 'turned', degrees) if degrees else nb.X_test
            row['turned_%d_after_%d' % (degrees, step)] = accuracy(
                network, last_average, test_images, nb.Yt_labels)
    return row


def ink_on_rows(network, learning_rate, steps, start_seed, draw_seed):
    """A row of ink.csv: what ink on eight pixels of one row of the test images does.

    same_0 to same_27: how many per cent of the answers stay with ink on that row. same_edge and
    same_inner: the same for the pixels that are blank in all training images, in columns where ink
    is rare and in columns where it is not. left_0 to left_27: how much of the change of that row's
    hidden state is left in the last one, the ratio of their mean norms over 1,000 test images.

    The values are the average of 100 steps after so many; with 0 steps they are the initial ones.
    """
    nb, network = notebook(), at_start(network, start_seed)
    values = network.get_values()
    if steps:
        training = train(network, draw_batches(draw_seed, steps + 100), learning_rate)
        last, values = last_and_average(network, training, steps)
    network.set_values(values)
    places = {str(row): 28 * row + np.arange(10, 18) for row in range(28)}
    blank = images.pixels_by_variation()[:67]
    is_inner = np.isin(blank % 28, np.arange(4, 24))
    places['edge'], places['inner'] = blank[~is_inner], blank[is_inner]
    cost, answers = evaluated(network, values, nb.X_test, nb.Yt_labels)
    row = {}
    for name, pixels in places.items():
        inked = images.with_ink_on(nb.X_test, pixels)
        cost, predicted = evaluated(network, values, inked, nb.Yt_labels)
        row['same_' + name] = per_cent(predicted == answers)
    states = network.states_of(nb.X_test[:1000])
    for t in range(28):
        inked = images.with_ink_on(nb.X_test[:1000], places[str(t)])
        changes = network.states_of(inked) - states  # (28, 1000, hidden units)
        norms = np.sqrt((changes ** 2).sum(axis=2))
        row['left_%d' % t] = '%.6f' % (norms[27].mean() / norms[t].mean())
    return row


FUNCTIONS = {'early.csv': early_steps,
             'runs.csv': four_endings,
             'networks.csv': two_accuracies_after_1000,
             'one_bit.csv': one_bit,
             'changed.csv': on_changed_images,
             'ink.csv': ink_on_rows,
             'curvature.csv': curvature_and_one_bit,
             'turned.csv': trained_longer_on_turned_images,
             'longer.csv': long_run,
             'sizes.csv': two_accuracies,
             'starts.csv': from_other_weights,
             'scan.csv': from_sums,
             'whole.csv': from_sums_to_the_end}


def make_row(name, key):
    """Return the row of the table data/name with this key, {column: value}, as a dict of texts."""
    texts = {column: str(value) for column, value in key.items()}
    return {**texts, **FUNCTIONS[name](**key)}


def checksum_of_code():
    """Return a checksum of everything in this repository that decides what a row is."""
    code = hashlib.sha256()
    for path in (__file__, networks.__file__, images.__file__, tables.__file__, cells.__file__,
                 bitwise.__file__, cells.ROOT / 'requirements.txt', cells.ROOT / 'constraints.txt'):
        code.update(Path(path).read_bytes())
    for section, cell in cells.with_sections(cells.saved('mnist_rnn').cells):
        if section == 'Gradients':
            break
        if cell.cell_type == 'code':
            code.update(cell.source.encode())
    return code.hexdigest()[:8]


CODE_CHECKSUM = checksum_of_code()  # at import: of what this process runs, whatever changes later
