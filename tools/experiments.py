"""How the rows of the tables in data/ come about: trainings, and what is measured on them.

The trainings are those of the notebook's own network, built by the notebook's own cells, and of
networks that differ from it in one respect. FUNCTIONS has, for each table, the function that takes
a key and returns the other columns of its row, as text.
"""
import collections
import contextlib
import functools
import hashlib
import io
import itertools
from pathlib import Path
from types import SimpleNamespace

import cells  # first: it sets the pins before NumPy is imported
import bitwise
import numpy as np
import tables
import theano
import theano.tensor as T
from scipy import ndimage

START_SEED = 1234  # draws the notebook's initial weights


@functools.cache
def notebook():
    """Return the names that the notebook's cells define, up to the cost.

    The tables are of a network with 100 hidden units, whatever a changed notebook says.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return cells.run_cells('cost', hidden_d=100)


# Networks. Each function takes the notebook's names and returns a namespace: the weights (shared
# variables); draw, a function that draws their initial values from a random generator; the states,
# a list of the 28 hidden states (n, hidden units), empty where there are none; and the scores
# (n, 10), which a softmax turns into probabilities.

def rows_of(nb):
    """Return the 28 rows of the images, each (n, 28)."""
    return [nb.x[:, t, :] for t in range(28)]


def unrolled(nb, inputs, U, W, b_hidden):
    """Return the hidden states, each (n, hidden units), of a recurrent layer over these inputs."""
    h = T.zeros((nb.x.shape[0], W.get_value().shape[0]))
    states = []
    for each in inputs:
        h = T.tanh(b_hidden + T.dot(h, W) + T.dot(each, U))
        states.append(h)
    return states


def scores_of_mean(states, V, b_V):
    """Return the scores, (n, 10), that are read from the mean of these hidden states."""
    return T.dot(sum(states) / 28, V) + b_V


def draw_weights(rng, hidden_d=100):
    """Return values for U, W, V, b_hidden and b_V, drawn as in Weights."""
    glorot_uniform = notebook().glorot_uniform
    U = glorot_uniform(rng, 28, hidden_d)
    W = glorot_uniform(rng, hidden_d, hidden_d)
    V = glorot_uniform(rng, hidden_d, 10)
    return [U, W, V, np.zeros(hidden_d), np.zeros(10)]


def network(weights, draw, scores, states=()):
    """Return what the functions of this part return."""
    return SimpleNamespace(weights=list(weights), draw=draw, scores=scores, states=list(states))


def recurrent(nb):
    """The notebook's network."""
    scores = T.dot(nb.h_states_sum / 28, nb.V) + nb.b_V
    states = unrolled(nb, rows_of(nb), nb.U, nb.W, nb.b_hidden)
    return network(nb.weights, draw_weights, scores, states)


def linear(nb):
    """A linear classifier: every pixel times a weight for each class, added up row by row."""
    def draw(rng):
        return [nb.glorot_uniform(rng, 784, 10).reshape(28, 28, 10), np.zeros(10)]

    P = theano.shared(np.zeros((28, 28, 10)))  # (row, column, class)
    b = theano.shared(np.zeros(10))
    scores = b
    for t, row in enumerate(rows_of(nb)):
        scores = scores + T.dot(row, P[t])
    return network([P, b], draw, scores)


def without_W(nb):
    """The network without W: it forgets every row, and does not know which one it reads."""
    def draw(rng):
        U, W, V, b_hidden, b_V = draw_weights(rng)
        return [U, V, b_hidden, b_V]

    states = [T.tanh(nb.b_hidden + T.dot(row, nb.U)) for row in rows_of(nb)]
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return network([nb.U, nb.V, nb.b_hidden, nb.b_V], draw, scores, states)


def row_biases(nb):
    """The network without W, and with a bias for each row: it forgets, but knows the row."""
    def draw(rng):
        U, W, V, b_hidden, b_V = draw_weights(rng)
        return [U, V, np.zeros((28, 100)), b_V]

    B = theano.shared(np.zeros((28, 100)))
    states = [T.tanh(B[t] + T.dot(row, nb.U)) for t, row in enumerate(rows_of(nb))]
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return network([nb.U, nb.V, B, nb.b_V], draw, scores, states)


def last_state(nb):
    """The network whose answer is read from the last state alone."""
    scores = T.dot(nb.h_states, nb.V) + nb.b_V
    states = unrolled(nb, rows_of(nb), nb.U, nb.W, nb.b_hidden)
    return network(nb.weights, draw_weights, scores, states)


def by_columns(nb):
    """The network that reads an image column by column, from left to right."""
    columns = [nb.x[:, :, t] for t in range(28)]
    states = unrolled(nb, columns, nb.U, nb.W, nb.b_hidden)
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return network(nb.weights, draw_weights, scores, states)


def two_layers(nb):
    """Two recurrent layers: the second reads the states of the first, and its mean is read out.

    U, W and V are drawn as the notebook's are, and the second layer's weights after them.
    """
    def draw(rng):
        first_layer = draw_weights(rng)
        U_2 = nb.glorot_uniform(rng, 100, 100)
        W_2 = nb.glorot_uniform(rng, 100, 100)
        return first_layer + [U_2, W_2, np.zeros(100)]

    weights = [theano.shared(value) for value in draw(np.random.RandomState(0))]
    U, W, V, b_hidden, b_V, U_2, W_2, b_hidden_2 = weights
    first = unrolled(nb, rows_of(nb), U, W, b_hidden)
    second = unrolled(nb, first, U_2, W_2, b_hidden_2)
    return network(weights, draw, scores_of_mean(second, V, b_V), second)


def wide(nb):
    """One layer of 166 units: as many weights, 34,040, as two layers of 100 have, 34,010."""
    def draw(rng):
        return draw_weights(rng, 166)

    weights = [theano.shared(value) for value in draw(np.random.RandomState(0))]
    U, W, V, b_hidden, b_V = weights
    states = unrolled(nb, rows_of(nb), U, W, b_hidden)
    return network(weights, draw, scores_of_mean(states, V, b_V), states)


NETWORKS = {function.__name__: function for function in [
    recurrent, linear, without_W, row_biases, last_state, by_columns, two_layers, wide]}


class Network:
    """A compiled network. Its weights have values, a list of arrays, which training changes."""

    def __init__(self, name):
        nb = notebook()
        symbols = NETWORKS[name](nb)
        y_prob = T.nnet.softmax(symbols.scores)
        y_pred = T.argmax(y_prob, axis=1)
        rate = T.scalar('rate')
        self.x, self.y = nb.x, nb.y
        self.weights, self.draw, self.states = symbols.weights, symbols.draw, symbols.states
        self.cost = T.mean(T.nnet.categorical_crossentropy(y_prob, nb.y))
        self.gradients = T.grad(self.cost, self.weights)
        updates = [(weight, weight - rate * gradient)
                   for weight, gradient in zip(self.weights, self.gradients)]
        self.step = theano.function([nb.x, nb.y, rate], [self.cost, y_pred], updates=updates)
        self.evaluate = theano.function([nb.x, nb.y], [self.cost, y_pred])

    @functools.cached_property
    def states_of(self):
        """A function of images that returns all hidden states, (28, n, hidden units)."""
        return theano.function([self.x], T.stack(self.states))

    def get_values(self):
        return [weight.get_value() for weight in self.weights]

    def set_values(self, values):
        for weight, value in zip(self.weights, values):
            weight.set_value(value)


@functools.cache
def compiled(name):
    """Return the Network with this name, compiled once in a process."""
    return Network(name)


def at_start(name, start_seed=START_SEED):
    """Return the Network with this name, with initial weights that this seed draws."""
    found = compiled(name)
    found.set_values(found.draw(np.random.RandomState(start_seed)))
    return found


# Training.

def draw_batches(draw_seed, steps, mini_batch_size=100):
    """Return the indices of the images of these steps, (steps, mini_batch_size): Train's draw."""
    return np.random.RandomState(draw_seed).randint(0, 50000, size=(steps, mini_batch_size))


def train(network, batches, learning_rate, change=None):
    """Take one SGD step on each of these mini-batches; after each, yield its cost and predictions.

    batches: the indices of the images, (steps, n). change: a function that takes the number of the
    step, from 0, and its images, and returns the images to train on.
    """
    nb = notebook()
    for k, batch in enumerate(batches):
        images = nb.X_train[batch]
        if change:
            images = change(k, images)
        yield network.step(images, nb.Y_train[batch], learning_rate)


def iterates(network, training):
    """Take all steps of a training, and yield the network's values after each of them."""
    for outputs in training:
        yield network.get_values()


def average(values_of_steps):
    """Return the mean of the values after several steps, each a list of arrays."""
    return [np.mean(arrays, axis=0) for arrays in zip(*values_of_steps)]


def last_and_average(network, training, steps):
    """Take all steps of a training; return two lists of arrays.

    The values after so many steps, and the average of the values after each further step.
    """
    values = iterates(network, training)
    last = next(itertools.islice(values, steps - 1, None))
    return last, average(values)


def at_steps(network, training, measured_at):
    """Take all steps of a training; after those in measured_at, yield the number of the step,
    the values, and the average of the values after the last 100 steps.
    """
    last_hundred = collections.deque(maxlen=100)
    for step, values in enumerate(iterates(network, training), start=1):
        last_hundred.append(values)
        if step in measured_at:
            yield step, values, average(last_hundred)


# Measurements. Accuracies are texts, in per cent.

def evaluated(network, values, images, labels):
    """Return the mean cost and the predictions for these images, with these values.

    The network has its own values again afterwards.
    """
    own = network.get_values()
    network.set_values(values)
    costs, predictions = [], []
    for k in range(0, len(images), 500):
        part = slice(k, k + 500)
        cost, predicted = network.evaluate(images[part], notebook().onehot(labels[part]))
        costs.append(cost)
        predictions.append(predicted)
    network.set_values(own)
    return np.mean(costs), np.concatenate(predictions)


def per_cent(agree):
    """Return the share of True, in per cent, as text."""
    return '%.2f' % (100 * np.sum(agree) / len(agree))


def accuracy(network, values, images, labels):
    """Return how many per cent of the images get their label with these values."""
    cost, predicted = evaluated(network, values, images, labels)
    return per_cent(predicted == labels)


def test_accuracy(network, values):
    return accuracy(network, values, notebook().X_test, notebook().Yt_labels)


def validation_accuracy(network, values):
    return accuracy(network, values, notebook().X_valid, notebook().Yv_labels)


def reports(network, batches, learning_rate):
    """Train, and return what Train prints at every 100th step: {column: text}."""
    nb = notebook()
    columns = {'training_cost': {}, 'validation_cost': {}, 'training_accuracy': {},
               'validation_accuracy': {}}
    for i, (train_cost, train_pred) in enumerate(train(network, batches, learning_rate)):
        if i % 100:
            continue
        valid_cost, valid_pred = network.evaluate(nb.X_valid[0:100], nb.Y_valid[0:100])
        columns['training_cost'][i] = train_cost
        columns['validation_cost'][i] = valid_cost
        columns['training_accuracy'][i] = np.mean(nb.Y_labels[batches[i]] == train_pred)
        columns['validation_accuracy'][i] = np.mean(nb.Yv_labels[0:100] == valid_pred)
    return {'%s_%d' % (kind, i): '%f' % value
            for kind, values in columns.items() for i, value in values.items()}


def distance(values, others):
    """Return the Euclidean distance between two lists of arrays, each taken as one vector."""
    return np.sqrt(sum(np.sum((value - other) ** 2) for value, other in zip(values, others)))


# Images that are shifted, turned, scaled, or lose pixels or get ink.

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


def random_changes(kind, rng, shape):
    """Return a function for train() that changes each training image by an amount of its own.

    kind: upright (no change), turned or scaled. shape: (steps, n). rng draws the amounts.
    """
    lowest, highest = {'upright': (0, 0), 'turned': (-30, 30), 'scaled': (60, 140)}[kind]
    amounts = rng.uniform(lowest, highest, size=shape)

    def change(k, images):
        if kind == 'upright':
            return images
        return np.concatenate([changed(image[None], kind, amount)
                               for image, amount in zip(images, amounts[k])])

    return change


# Rows: what a function returns is a row without its key. The parameters are the key's columns.

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
    network = compiled('recurrent')
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


def largest_curvature(network, values, direction):
    """Return the largest curvature of the cost at these values, and its direction, five arrays.

    The curvature is an eigenvalue of the Hessian, found by power iteration: 20 products, each the
    mean over five mini-batches of the first 500 training images. direction: where to start from.
    """
    nb, own = notebook(), network.get_values()
    network.set_values(values)
    for k in range(20):
        direction = [part / np.sqrt(sum(np.sum(each ** 2) for each in direction))
                     for part in direction]
        products = [hessian_product()(nb.X_train[first:first + 100],
                                      nb.Y_train[first:first + 100], *direction)
                    for first in range(0, 500, 100)]
        product = average(products)
        curvature = sum(np.sum(part * along) for part, along in zip(product, direction))
        direction = product
    network.set_values(own)
    return curvature, direction


def curvature_and_one_bit(learning_rate, start_seed, draw_seed):
    """A row of curvature.csv: the largest curvature of the cost along a run of 2,000 steps.

    Beside it the distance from a run whose start differs by the last bit of W[0, 0].
    """
    measured_at = [*range(0, 201, 20), 250, 300, 400, 500, *range(600, 2001, 200)]
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
    rng = np.random.RandomState(0)
    direction = [rng.normal(size=value.shape) for value in start]
    for step in measured_at:
        curvature, direction = largest_curvature(network, runs[0][step], direction)
        row['curvature_%d' % step] = '%.3f' % curvature
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
                     random_changes(trained_on, rng, batches.shape))
    last, tail_average = last_and_average(network, training, 1000)
    row = {'unchanged': test_accuracy(network, tail_average)}
    for kind, amount in CHANGES:
        images = changed(nb.X_test, kind, amount)
        row['%s_%d' % (kind, amount)] = accuracy(network, tail_average, images, nb.Yt_labels)
    return row


def trained_longer_on_turned_images(network, learning_rate, trained_on, draw_seed):
    """A row of turned.csv: accuracies on images turned left and right, of averages of 100 steps."""
    measured_at = [1100, 2000, 4000]
    nb, network, rng = notebook(), at_start(network), np.random.RandomState(draw_seed)
    batches = rng.randint(0, 50000, size=(measured_at[-1], 100))
    training = train(network, batches, learning_rate,
                     random_changes(trained_on, rng, batches.shape))
    row = {}
    for step, values, last_average in at_steps(network, training, measured_at):
        for degrees in 0, 30, -30:
            images = changed(nb.X_test, 'turned', degrees) if degrees else nb.X_test
            row['turned_%d_after_%d' % (degrees, step)] = accuracy(network, last_average, images,
                                                                   nb.Yt_labels)
    return row


def ink_on_rows(network, learning_rate, steps, start_seed, draw_seed):
    """A row of ink.csv: what ink on eight pixels of one row of the test images does.

    same_0 to same_27: how many per cent of the answers stay with ink on that row. same_edge and
    same_inner: the same for the pixels that are blank in all training images, in columns where ink
    is rare and in columns where it is not. left_0 to left_27: how much of the change of that row's
    hidden state is left in the last one, as a ratio of norms, the mean over 1,000 test images.

    The values are the average of 100 steps after so many; with 0 steps they are the initial ones.
    """
    nb, network = notebook(), at_start(network, start_seed)
    values = network.get_values()
    if steps:
        training = train(network, draw_batches(draw_seed, steps + 100), learning_rate)
        last, values = last_and_average(network, training, steps)
    network.set_values(values)
    places = {str(row): 28 * row + np.arange(10, 18) for row in range(28)}
    blank = pixels_by_variation()[:67]
    is_inner = np.isin(blank % 28, np.arange(4, 24))
    places['edge'], places['inner'] = blank[~is_inner], blank[is_inner]
    cost, answers = evaluated(network, values, nb.X_test, nb.Yt_labels)
    row = {}
    for name, pixels in places.items():
        inked = with_ink_on(nb.X_test, pixels)
        cost, predicted = evaluated(network, values, inked, nb.Yt_labels)
        row['same_' + name] = per_cent(predicted == answers)
    states = network.states_of(nb.X_test[:1000])
    for t in range(28):
        inked = with_ink_on(nb.X_test[:1000], places[str(t)])
        changes = network.states_of(inked) - states  # (28, 1000, hidden units)
        norms = np.sqrt((changes ** 2).sum(axis=2))
        row['left_%d' % t] = '%.6f' % np.mean(norms[27] / norms[t])
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
    for path in (__file__, tables.__file__, cells.__file__, bitwise.__file__,
                 cells.ROOT / 'requirements.txt', cells.ROOT / 'constraints.txt'):
        code.update(Path(path).read_bytes())
    for section, cell in cells.with_sections(cells.saved('mnist_rnn').cells):
        if section == 'Gradients':
            break
        if cell.cell_type == 'code':
            code.update(cell.source.encode())
    return code.hexdigest()[:8]


CODE_CHECKSUM = checksum_of_code()  # at import: of what this process runs, whatever changes later
