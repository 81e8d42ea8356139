"""Networks and their training: the notebook's own, built by the notebook's own cells, and others
that differ from it in one respect.
"""
import collections
import contextlib
import functools
import io
import itertools
from typing import Callable, NamedTuple

import cells  # first: it sets the pins before NumPy is imported
import numpy as np
import theano
import theano.tensor as T

START_SEED = 1234  # draws the notebook's initial weights


@functools.cache
def notebook():
    """Return the names that the notebook's cells define, up to the cost.

    The tables are of a network with 100 hidden units, whatever a changed notebook says.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return cells.run_cells('cost', hidden_d=100)


# Networks. Each function takes the notebook's names and returns Symbols.

class Symbols(NamedTuple):
    """What a network is made of.

    weights: shared variables. draw: a function that draws their initial values, a list, from a
    random generator. scores: (n, 10), which a softmax turns into probabilities. states: the 28
    hidden states, each (n, hidden units); none in a network without any.
    """

    weights: list
    draw: Callable
    scores: object
    states: list = ()


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


def recurrent(nb):
    """The notebook's network."""
    scores = T.dot(nb.h_states_sum / 28, nb.V) + nb.b_V
    states = unrolled(nb, rows_of(nb), nb.U, nb.W, nb.b_hidden)
    return Symbols(nb.weights, draw_weights, scores, states)


def linear(nb):
    """A linear classifier: every pixel times a weight for each class, added up row by row."""
    def draw(rng):
        return [nb.glorot_uniform(rng, 784, 10).reshape(28, 28, 10), np.zeros(10)]

    P = theano.shared(np.zeros((28, 28, 10)))  # (row, column, class)
    b = theano.shared(np.zeros(10))
    scores = b
    for t, row in enumerate(rows_of(nb)):
        scores = scores + T.dot(row, P[t])
    return Symbols([P, b], draw, scores)


def without_W(nb):
    """The network without W: it forgets every row, and does not know which one it reads."""
    def draw(rng):
        U, W, V, b_hidden, b_V = draw_weights(rng)
        return [U, V, b_hidden, b_V]

    states = [T.tanh(nb.b_hidden + T.dot(row, nb.U)) for row in rows_of(nb)]
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return Symbols([nb.U, nb.V, nb.b_hidden, nb.b_V], draw, scores, states)


def row_biases(nb):
    """The network without W, and with a bias for each row: it forgets, but knows the row."""
    def draw(rng):
        U, W, V, b_hidden, b_V = draw_weights(rng)
        return [U, V, np.zeros((28, 100)), b_V]

    B = theano.shared(np.zeros((28, 100)))
    states = [T.tanh(B[t] + T.dot(row, nb.U)) for t, row in enumerate(rows_of(nb))]
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return Symbols([nb.U, nb.V, B, nb.b_V], draw, scores, states)


def last_state(nb):
    """The network whose answer is read from the last state alone."""
    scores = T.dot(nb.h_states, nb.V) + nb.b_V
    states = unrolled(nb, rows_of(nb), nb.U, nb.W, nb.b_hidden)
    return Symbols(nb.weights, draw_weights, scores, states)


def by_columns(nb):
    """The network that reads an image column by column, from left to right."""
    columns = [nb.x[:, :, t] for t in range(28)]
    states = unrolled(nb, columns, nb.U, nb.W, nb.b_hidden)
    scores = scores_of_mean(states, nb.V, nb.b_V)
    return Symbols(nb.weights, draw_weights, scores, states)


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
    return Symbols(weights, draw, scores_of_mean(second, V, b_V), second)


def wide(nb):
    """One layer of 166 units: as many weights, 34,040, as two layers of 100 have, 34,010."""
    def draw(rng):
        return draw_weights(rng, 166)

    weights = [theano.shared(value) for value in draw(np.random.RandomState(0))]
    U, W, V, b_hidden, b_V = weights
    states = unrolled(nb, rows_of(nb), U, W, b_hidden)
    return Symbols(weights, draw, scores_of_mean(states, V, b_V), states)


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
