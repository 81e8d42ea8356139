"""What one row of a table in data/ is: a training, and what is measured on it.

The trainings are those of the notebook's own network, built by the notebook's own cells, and of
networks that differ from it in one respect. Each function under "Rows" returns one row, as text,
from its arguments alone.
"""
import collections
import contextlib
import functools
import hashlib
import io
from pathlib import Path
from types import SimpleNamespace

import cells  # first: it sets the pins before NumPy is imported
import bitwise
import numpy as np
import theano
import theano.tensor as T
from scipy import ndimage


@functools.cache
def notebook():
    """Return the names that the notebook's cells define, up to the cost.

    Of its hyper-parameters only the number of hidden units counts here, and is set.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return cells.run_cells('cost', hidden_d=100)


# Networks. Each function takes the notebook's names and returns a network's weights, the values
# that they start from, and its ten scores, (n, 10), which a softmax turns into probabilities.

def rows_of(nb):
    """Return the 28 rows of the images, each (n, 28)."""
    return [nb.x[:, t, :] for t in range(28)]


def read_out(states, V, b_V):
    """Return the scores, (n, 10), that are read from the mean of these hidden states."""
    return T.dot(sum(states) / 28, V) + b_V


def unrolled(nb, inputs, U, W, b_hidden):
    """Return the hidden states, each (n, hidden units), of a recurrent layer over these inputs."""
    h = T.zeros((nb.x.shape[0], W.get_value().shape[0]))
    states = []
    for each in inputs:
        h = T.tanh(b_hidden + T.dot(h, W) + T.dot(each, U))
        states.append(h)
    return states


def draw_weights(nb, rng, hidden_d):
    """Return values for U, W, V, b_hidden and b_V of so many hidden units, drawn as in Weights."""
    U = nb.glorot_uniform(rng, 28, hidden_d)
    W = nb.glorot_uniform(rng, hidden_d, hidden_d)
    V = nb.glorot_uniform(rng, hidden_d, 10)
    return [U, W, V, np.zeros(hidden_d), np.zeros(10)]


def recurrent(nb):
    """The notebook's network."""
    return nb.weights, nb.initial, T.dot(nb.h_states_sum / 28, nb.V) + nb.b_V


def linear(nb):
    """A linear classifier: every pixel times a weight for each class, added up row by row."""
    start = nb.glorot_uniform(np.random.RandomState(1234), 784, 10).reshape(28, 28, 10)
    P = theano.shared(start)  # (row, column, class)
    b = theano.shared(np.zeros(10))
    scores = b
    for t, row in enumerate(rows_of(nb)):
        scores = scores + T.dot(row, P[t])
    return [P, b], [start, np.zeros(10)], scores


def without_W(nb):
    """The network without W: it forgets every row, and does not know which one it reads."""
    states = [T.tanh(nb.b_hidden + T.dot(row, nb.U)) for row in rows_of(nb)]
    U, W, V, b_hidden, b_V = nb.initial
    weights = [nb.U, nb.V, nb.b_hidden, nb.b_V]
    return weights, [U, V, b_hidden, b_V], read_out(states, nb.V, nb.b_V)


def row_biases(nb):
    """The network without W, and with a bias for each row: it forgets, but knows the row."""
    B = theano.shared(np.zeros((28, 100)))
    states = [T.tanh(B[t] + T.dot(row, nb.U)) for t, row in enumerate(rows_of(nb))]
    U, W, V, b_hidden, b_V = nb.initial
    weights = [nb.U, nb.V, B, nb.b_V]
    return weights, [U, V, np.zeros((28, 100)), b_V], read_out(states, nb.V, nb.b_V)


def last_state(nb):
    """The network whose answer is read from the last state alone."""
    return nb.weights, nb.initial, T.dot(nb.h_states, nb.V) + nb.b_V


def by_columns(nb):
    """The network that reads an image column by column, from left to right."""
    columns = [nb.x[:, :, t] for t in range(28)]
    states = unrolled(nb, columns, nb.U, nb.W, nb.b_hidden)
    return nb.weights, nb.initial, read_out(states, nb.V, nb.b_V)


def two_layers(nb):
    """Two recurrent layers: the second reads the states of the first, and its mean is read out.

    U, W and V are the notebook's; the second layer's weights are drawn after them.
    """
    rng = np.random.RandomState(1234)
    start = draw_weights(nb, rng, 100)
    start.append(nb.glorot_uniform(rng, 100, 100))  # U_2
    start.append(nb.glorot_uniform(rng, 100, 100))  # W_2
    start.append(np.zeros(100))                     # b_hidden_2
    weights = [theano.shared(value) for value in start]
    U, W, V, b_hidden, b_V, U_2, W_2, b_hidden_2 = weights
    first = unrolled(nb, rows_of(nb), U, W, b_hidden)
    second = unrolled(nb, first, U_2, W_2, b_hidden_2)
    return weights, start, read_out(second, V, b_V)


def wide(nb):
    """One layer of 166 units: as many weights, 34,040, as two layers of 100 have, 34,010."""
    start = draw_weights(nb, np.random.RandomState(1234), 166)
    weights = [theano.shared(value) for value in start]
    U, W, V, b_hidden, b_V = weights
    states = unrolled(nb, rows_of(nb), U, W, b_hidden)
    return weights, start, read_out(states, V, b_V)


NETWORKS = {network.__name__: network for network in [
    recurrent, linear, without_W, row_biases, last_state, by_columns, two_layers, wide]}


@functools.cache
def compiled(name):
    """Return a compiled network: its weights, their start, and two functions.

    step takes images, one-hot labels and a learning rate, takes one SGD step, and returns the cost
    and the predictions before it; evaluate takes images and one-hot labels and returns the same.
    """
    nb = notebook()
    weights, start, scores = NETWORKS[name](nb)
    y_prob = T.nnet.softmax(scores)
    y_pred = T.argmax(y_prob, axis=1)
    cost = T.mean(T.nnet.categorical_crossentropy(y_prob, nb.y))
    rate = T.scalar('rate')
    updates = [(weight, weight - rate * T.grad(cost, weight)) for weight in weights]
    step = theano.function([nb.x, nb.y, rate], [cost, y_pred], updates=updates)
    evaluate = theano.function([nb.x, nb.y], [cost, y_pred])
    return SimpleNamespace(weights=weights, start=start, step=step, evaluate=evaluate)


# Steps of training.

def draw_batches(draw_seed, steps, mini_batch_size):
    """Return the indices of the images of these steps, (steps, mini_batch_size): Train's draw."""
    return np.random.RandomState(draw_seed).randint(0, 50000, size=(steps, mini_batch_size))


def get_values(network):
    """Return the values of a network's weights."""
    return [weight.get_value() for weight in network.weights]


def set_values(network, values):
    """Set a network's weights to these values."""
    for weight, value in zip(network.weights, values):
        weight.set_value(value)


def take_step(network, batch, learning_rate):
    """Take one SGD step on the training images with these indices; return cost and predictions."""
    nb = notebook()
    return network.step(nb.X_train[batch], nb.Y_train[batch], learning_rate)


def take_steps(network, batches, learning_rate):
    """Take one SGD step on each of these mini-batches; return the weights after each of them."""
    iterates = []
    for batch in batches:
        take_step(network, batch, learning_rate)
        iterates.append(get_values(network))
    return iterates


def take_steps_with_reports(network, batches, learning_rate):
    """Take one SGD step on each of these mini-batches; return what Train reports, as columns."""
    reports = []
    for i, batch in enumerate(batches):
        train_cost, train_pred = take_step(network, batch, learning_rate)
        if i % 100 == 0:
            reports.append(report(network, train_cost, train_pred, batch))
    return columns_of(reports)


def average(iterates):
    """Return the mean of a list of weights, each a list of arrays."""
    return [np.mean(arrays, axis=0) for arrays in zip(*iterates)]


# Measurements.

def report(network, train_cost, train_pred, batch):
    """Return the four numbers that Train prints after a step on this mini-batch."""
    nb = notebook()
    valid_cost, valid_pred = network.evaluate(nb.X_valid[0:100], nb.Y_valid[0:100])
    train_accuracy = np.mean(nb.Y_labels[batch] == train_pred)
    valid_accuracy = np.mean(nb.Yv_labels[0:100] == valid_pred)
    return [train_cost, valid_cost, train_accuracy, valid_accuracy]


def columns_of(reports):
    """Return the numbers of reports as text: all training costs, all validation costs, ..."""
    return ['%f' % number for kind in zip(*reports) for number in kind]


def accuracy(network, values, images, labels):
    """Return how many per cent of the images get their label with these weights, as text.

    The network has its own weights again afterwards.
    """
    own = get_values(network)
    set_values(network, values)
    right = 0
    for k in range(0, len(images), 500):
        part = slice(k, k + 500)
        cost, predicted = network.evaluate(images[part], notebook().onehot(labels[part]))
        right += np.sum(predicted == labels[part])
    set_values(network, own)
    return '%.2f' % (100 * right / len(images))


def test_accuracy(network, values):
    """Return the accuracy on the test images."""
    return accuracy(network, values, notebook().X_test, notebook().Yt_labels)


def validation_accuracy(network, values):
    """Return the accuracy on the validation images."""
    return accuracy(network, values, notebook().X_valid, notebook().Yv_labels)


def fingerprint(values):
    """Return the notebook's fingerprint of these weights."""
    return hashlib.sha256(b''.join(value.tobytes() for value in values)).hexdigest()[:16]


# Starts and the runs from them.

def draw_start(W_sum, V_sum):
    """Return weights for the start, with W and V drawn up to the square root of 6 / their sum.

    Their lower bounds are Glorot's, as in the lines of the published run.
    """
    rng = np.random.RandomState(1234)
    U = rng.uniform(-np.sqrt(6 / 128), np.sqrt(6 / 128), (28, 100))
    W = rng.uniform(-np.sqrt(6 / 200), np.sqrt(6 / W_sum), (100, 100))
    V = rng.uniform(-np.sqrt(6 / 110), np.sqrt(6 / V_sum), (100, 10))
    return [U, W, V, np.zeros(100), np.zeros(10)]


def flip_last_bit(value, place):
    """Flip the last bit of the number at this place, a tuple, of a float64 array."""
    value.view('uint64')[place] ^= np.uint64(1)


def run_from(start, learning_rate, draw_seed, steps, mini_batch_size):
    """Train the notebook's network from this start; return all training costs and weights."""
    network = compiled('recurrent')
    set_values(network, start)
    costs = []
    iterates = []
    for batch in draw_batches(draw_seed, steps, mini_batch_size):
        train_cost, train_pred = take_step(network, batch, learning_rate)
        costs.append(train_cost)
        iterates.append(get_values(network))
    return np.array(costs), iterates


@functools.lru_cache(maxsize=1)  # it takes 100 MB, and most rows of one_bit.csv share one
def unchanged_run(learning_rate, draw_seed, steps, mini_batch_size):
    """Return the same of the notebook's own start."""
    start = compiled('recurrent').start
    return run_from(start, learning_rate, draw_seed, steps, mini_batch_size)


def distance(values, others):
    """Return the Euclidean distance between two lists of arrays, each taken as one vector."""
    return np.sqrt(sum(np.sum((value - other) ** 2) for value, other in zip(values, others)))


# Test images that are shifted, turned, scaled, or lose pixels.

def transform(images, matrix, shift=(0, 0)):
    """Return images, (n, 28, 28), resampled: pixel p is taken from matrix @ p + shift.

    p counts rows down and columns to the right, from the centre. Pixels are interpolated linearly,
    are 0 beyond the margin, and are rounded to multiples of 1/256, as MNIST's are.
    """
    centre = np.array([13.5, 13.5])
    offset = centre - matrix @ centre + shift
    moved = [ndimage.affine_transform(image, matrix, offset, order=1) for image in images]
    return np.round(256 * np.array(moved)) / 256


def shifted(images, down, right):
    """Return images moved by whole pixels."""
    return transform(images, np.eye(2), (-down, -right))


def turned(images, degrees):
    """Return images turned counterclockwise about their centre."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return transform(images, matrix)


def scaled(images, factor):
    """Return images made larger (a factor above 1) or smaller, about their centre."""
    return transform(images, np.eye(2) / factor)


def with_pixels(images, pixels, values):
    """Return images whose pixels with these indices, 0 to 783, are set to these values."""
    flat = images.reshape(-1, 784).astype('float64')
    flat[:, pixels] = values
    return flat.reshape(-1, 28, 28)


@functools.cache
def training_means():
    """Return the means of the 784 pixels over the training images."""
    return notebook().train_set[0].reshape(-1, 784).mean(axis=0, dtype='float64')


def flattened(images, pixels):
    """Return images whose pixels with these indices, 0 to 783, are set to their training means."""
    return with_pixels(images, pixels, training_means()[pixels])


def with_ink_on(images, pixels):
    """Return images whose pixels with these indices, 0 to 783, have the strongest ink."""
    return with_pixels(images, pixels, 255 / 256)


@functools.cache
def pixels_by_variation():
    """Return the indices of the 784 pixels, the least varying (over the training images) first."""
    deviations = notebook().train_set[0].reshape(-1, 784).std(axis=0, dtype='float64')
    return np.argsort(deviations, kind='stable')


def changed(images, change, amount):
    """Return images after one of the changes that the columns of changed.csv name."""
    if change == 'down':
        return shifted(images, amount, 0)
    if change == 'right':
        return shifted(images, 0, amount)
    if change == 'turned':
        return turned(images, amount)
    if change == 'scaled':
        return scaled(images, amount / 100)
    if change == 'least':
        return flattened(images, pixels_by_variation()[:amount])
    if change == 'most':
        return flattened(images, pixels_by_variation()[-amount:])
    if change == 'ink_on_least':
        return with_ink_on(images, pixels_by_variation()[:amount])
    if change == 'ink_on_most':
        return with_ink_on(images, pixels_by_variation()[-amount:])
    raise ValueError('no change is called %s' % change)


def changed_one_by_one(images, change, amounts):
    """Return images after a change, each by an amount of its own."""
    return np.concatenate([changed(image[None], change, amount)
                           for image, amount in zip(images, amounts)])


# Rows.

def four_endings(draw_seed, *, learning_rate, slower_rate, steps, more_steps, mini_batch_size):
    """Return a row of runs.csv: train the notebook's network, then go on for more steps.

    It goes on from the same weights and on the same mini-batches twice: at the same learning rate,
    and at a slower one.
    """
    network = compiled('recurrent')
    set_values(network, network.start)
    batches = draw_batches(draw_seed, steps + more_steps, mini_batch_size)
    reports = take_steps_with_reports(network, batches[:steps], learning_rate)
    trained = get_values(network)
    iterates = take_steps(network, batches[steps:], learning_rate)
    set_values(network, trained)
    slower = take_steps(network, batches[steps:], slower_rate)
    accuracies = [test_accuracy(network, values)
                  for values in (trained, iterates[-1], slower[-1], average(iterates))]
    return reports + accuracies + [fingerprint(trained)]


def from_other_start(W_sum, V_sum, draw_seed, *, learning_rate, steps, mini_batch_size):
    """Return the reports, at every 100th step, of the notebook's network from another start."""
    network = compiled('recurrent')
    set_values(network, draw_start(W_sum, V_sum))
    batches = draw_batches(draw_seed, steps, mini_batch_size)
    return take_steps_with_reports(network, batches, learning_rate)


def from_other_start_to_the_end(W_sum, V_sum, draw_seed, **settings):
    """Return a row of whole.csv: the same, and the test accuracy after the last step."""
    reports = from_other_start(W_sum, V_sum, draw_seed, **settings)
    network = compiled('recurrent')
    return reports + [test_accuracy(network, get_values(network))]


def two_accuracies(name, learning_rate, draw_seed, *, steps, more_steps, mini_batch_size):
    """Return accuracies on the validation and the test images, for networks.csv and sizes.csv.

    First after this many steps, then of the weights averaged over more steps.
    """
    network = compiled(name)
    set_values(network, network.start)
    batches = draw_batches(draw_seed, steps + more_steps, mini_batch_size)
    for batch in batches[:steps]:
        take_step(network, batch, learning_rate)
    trained = get_values(network)
    tail_average = average(take_steps(network, batches[steps:], learning_rate))
    return [measure(network, values) for values in (trained, tail_average)
            for measure in (validation_accuracy, test_accuracy)]


def two_accuracies_by_size(name, mini_batch_size, steps, learning_rate, draw_seed):
    """Return a row of sizes.csv. The average is over a tenth more steps."""
    return two_accuracies(name, learning_rate, draw_seed, steps=steps, more_steps=steps // 10,
                          mini_batch_size=mini_batch_size)


def long_run(name, learning_rate, later_rate, later_from, draw_seed, *, measured_at, averaged,
             mini_batch_size):
    """Return a row of longer.csv: test accuracies after single steps, then of averages.

    From step later_from on, the learning rate is later_rate. measured_at: after which steps to
    measure, both the weights and their average over the last steps, as many as averaged.
    """
    network = compiled(name)
    set_values(network, network.start)
    last_iterates = collections.deque(maxlen=averaged)
    of_single_steps = []
    of_averages = []
    batches = draw_batches(draw_seed, measured_at[-1], mini_batch_size)
    for step, batch in enumerate(batches, start=1):
        take_step(network, batch, learning_rate if step < later_from else later_rate)
        last_iterates.append(get_values(network))
        if step in measured_at:
            of_averages.append(test_accuracy(network, average(last_iterates)))
            of_single_steps.append(test_accuracy(network, last_iterates[-1]))
    return of_single_steps + of_averages


def one_bit(array, row, column, learning_rate, draw_seed, *, steps, measured_at,
            mini_batch_size):
    """Return a row of one_bit.csv: a run beside another whose start differs by one bit.

    array: the weight's name; row, column: the place in it. The row: the distance of all weights
    after the steps measured_at; the first steps (from 0, or -1: none) before which the costs
    differ by more than 1e-12, 0.01 and 0.1; the test accuracies of both at the end.
    """
    network = compiled('recurrent')
    number = [weight.name for weight in network.weights].index(array)
    start = [value.copy() for value in network.start]
    place = (row, column) if start[number].ndim == 2 else (column,)
    flip_last_bit(start[number], place)
    costs, iterates = unchanged_run(learning_rate, draw_seed, steps, mini_batch_size)
    other_costs, others = run_from(start, learning_rate, draw_seed, steps, mini_batch_size)
    distances = ['%.3e' % distance(others[step - 1], iterates[step - 1]) for step in measured_at]
    gaps = abs(other_costs - costs)
    firsts = []
    for bound in 1e-12, 1e-2, 1e-1:
        above = np.flatnonzero(gaps > bound)
        firsts.append(str(above[0]) if len(above) else '-1')
    accuracies = [test_accuracy(network, others[-1]), test_accuracy(network, iterates[-1])]
    return distances + firsts + accuracies


def on_changed_images(name, learning_rate, trained_on, draw_seed, *, changes, amounts, steps,
                      more_steps, mini_batch_size):
    """Return a row of changed.csv: accuracies of the tail average on changed test images.

    trained_on: upright, or turned or scaled: then the training images are changed so, anew in each
    step, by random amounts. amounts: the lowest and the highest, by trained_on.
    """
    nb = notebook()
    network = compiled(name)
    set_values(network, network.start)
    rng = np.random.RandomState(draw_seed)
    batches = rng.randint(0, 50000, size=(steps + more_steps, mini_batch_size))
    drawn = rng.uniform(*amounts[trained_on], size=batches.shape)
    iterates = collections.deque(maxlen=more_steps)
    for batch, amounts_of_batch in zip(batches, drawn):
        images = nb.X_train[batch]
        if trained_on != 'upright':
            images = changed_one_by_one(images, trained_on, amounts_of_batch)
        network.step(images, nb.Y_train[batch], learning_rate)
        iterates.append(get_values(network))
    tail_average = average(iterates)
    accuracies = [test_accuracy(network, tail_average)]
    for change, amount in changes:
        images = changed(nb.X_test, change, amount)
        accuracies.append(accuracy(network, tail_average, images, nb.Yt_labels))
    return accuracies


def checksum_of_code():
    """Return a checksum of everything in this repository that decides what a row is."""
    code = hashlib.sha256()
    for path in (__file__, cells.ROOT / 'tools' / 'tables.py', cells.__file__, bitwise.__file__,
                 cells.ROOT / 'requirements.txt', cells.ROOT / 'constraints.txt'):
        code.update(Path(path).read_bytes())
    for section, cell in cells.with_sections(cells.saved('mnist_rnn').cells):
        if section == 'Gradients':
            break
        if cell.cell_type == 'code':
            code.update(cell.source.encode())
    return code.hexdigest()[:8]


CODE = checksum_of_code()  # at import: of what this process runs, whatever is changed later
