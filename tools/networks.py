"""Networks and their training: the notebook's own, built by the notebook's own cells, and others
that differ from it in one respect.
"""
import collections
import contextlib
import functools
import hashlib
import io
from types import SimpleNamespace

import cells  # first: it sets the pins before NumPy is imported
import numpy as np
import theano
import theano.tensor as T

START_SEED = 1234  # draws the notebook's initial weights


@functools.cache
def notebook():
    """Return the names that the notebook's cells define, up to the cost, and two more.

    rows: the 28 rows of the images, each (n, 28). states: the 28 hidden states, each (n, hidden
    units), made once more, since the notebook keeps only the last one. The tables are of a network
    with 100 hidden units, whatever a changed notebook says.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        nb = cells.run_cells('cost', hidden_d=100)
    nb.rows = [nb.x[:, t, :] for t in range(28)]
    nb.states = unrolled(nb.rows, nb.U, nb.W, nb.b_hidden)
    return nb


def initial_values(start_seed, hidden_d=100):
    """Return the values, {name: array}, with which the weights of all networks start.

    U, W and V are drawn as in the notebook's section "Weights", the others after them. P, of the
    linear classifier, is drawn first, too, by a generator of its own: no network has P and U.
    """
    glorot_uniform = notebook().glorot_uniform
    P = glorot_uniform(np.random.RandomState(start_seed), 784, 10)
    rng = np.random.RandomState(start_seed)
    return {
        'U': glorot_uniform(rng, 28, hidden_d),
        'W': glorot_uniform(rng, hidden_d, hidden_d),
        'V': glorot_uniform(rng, hidden_d, 10),
        'U_2': glorot_uniform(rng, hidden_d, hidden_d),
        'W_2': glorot_uniform(rng, hidden_d, hidden_d),
        'b_hidden': np.zeros(hidden_d),
        'b_hidden_2': np.zeros(hidden_d),
        'b_V': np.zeros(10),
        'B': np.zeros((28, hidden_d)),
        'P': P.reshape(28, 28, 10)}  # (row, column, class)


class Network:
    """A compiled network. Its weights have values, a list of arrays.

    Training changes them, and so do evaluated() and accuracy(), which set those that they measure.
    The networks share the notebook's variables: only one can be in use at a time.

    weights: shared variables, named as in initial_values(). states: the 28 hidden states, each
    (n, hidden_d), or none. scores: (n, 10), which a softmax turns into probabilities; if not given,
    they are read from the mean of the states.
    """

    def __init__(self, weights, states, scores=None, hidden_d=100):
        nb = notebook()
        self.weights, self.states, self.hidden_d = weights, states, hidden_d
        if scores is None:
            scores = T.dot(sum(states) / 28, nb.V) + nb.b_V
        y_prob = T.nnet.softmax(scores)
        y_pred = T.argmax(y_prob, axis=1)
        cost = T.mean(T.nnet.categorical_crossentropy(y_prob, nb.y))
        self.gradients = T.grad(cost, weights)
        rate = T.scalar('rate')
        updates = [(weight, weight - rate * gradient)
                   for weight, gradient in zip(weights, self.gradients)]
        self.step = theano.function([nb.x, nb.y, rate], [cost, y_pred], updates=updates)
        self.evaluate = theano.function([nb.x, nb.y], [cost, y_pred])

    def get_values(self):
        return [weight.get_value() for weight in self.weights]

    def set_values(self, values):
        for weight, value in zip(self.weights, values):
            weight.set_value(value)


# The networks, as functions of the notebook's names. One more also needs rows in tables.KEYS and a
# line in data/README.md and, for a weight of its own, a value in initial_values().

def unrolled(inputs, U, W, b_hidden):
    """Return the hidden states, each (n, hidden units), of a recurrent layer over these inputs."""
    h = T.zeros((inputs[0].shape[0], W.shape[0]))
    states = []
    for each in inputs:
        h = T.tanh(b_hidden + T.dot(h, W) + T.dot(each, U))
        states.append(h)
    return states


def recurrent(nb):
    """The notebook's network, with its own scores."""
    return Network(nb.weights, nb.states, nb.y_hat)


def linear(nb):
    """A linear classifier: every pixel times a weight for each class, added up row by row."""
    P = theano.shared(np.zeros((28, 28, 10)), 'P')
    scores = nb.b_V
    for t, row in enumerate(nb.rows):
        scores = scores + T.dot(row, P[t])
    return Network([P, nb.b_V], [], scores)


def without_W(nb):
    """The network without W: it forgets every row, and does not know which one it reads."""
    states = [T.tanh(nb.b_hidden + T.dot(row, nb.U)) for row in nb.rows]
    return Network([nb.U, nb.V, nb.b_hidden, nb.b_V], states)


def row_biases(nb):
    """The network without W, and with a bias for each row: it forgets, but knows the row."""
    B = theano.shared(np.zeros((28, 100)), 'B')
    states = [T.tanh(B[t] + T.dot(row, nb.U)) for t, row in enumerate(nb.rows)]
    return Network([nb.U, nb.V, B, nb.b_V], states)


def last_state(nb):
    """The network whose answer is read from the last state alone."""
    scores = T.dot(nb.states[-1], nb.V) + nb.b_V
    return Network(nb.weights, nb.states, scores)


def by_columns(nb):
    """The network that reads an image column by column, from left to right."""
    columns = [nb.x[:, :, t] for t in range(28)]
    states = unrolled(columns, nb.U, nb.W, nb.b_hidden)
    return Network(nb.weights, states)


def two_layers(nb):
    """Two recurrent layers: the second reads the states of the first, and its mean is read out."""
    U_2 = theano.shared(np.zeros((100, 100)), 'U_2')
    W_2 = theano.shared(np.zeros((100, 100)), 'W_2')
    b_hidden_2 = theano.shared(np.zeros(100), 'b_hidden_2')
    states = unrolled(nb.states, U_2, W_2, b_hidden_2)
    return Network([*nb.weights, U_2, W_2, b_hidden_2], states)


def wide(nb):
    """One layer of 166 units: as many weights, 34,040, as two layers of 100 have, 34,010.

    Its weights and states are the notebook's: the number of units is that of W's value. at_start()
    gives the weights larger values, and to another network its own again.
    """
    return Network(nb.weights, nb.states, hidden_d=166)


@functools.cache
def compiled(name):
    """Return the Network that the function with this name makes, compiled once in a process."""
    return globals()[name](notebook())


def at_start(name, start_seed=START_SEED):
    """Return the Network with this name, with initial weights that this seed draws."""
    net = compiled(name)
    values = initial_values(start_seed, net.hidden_d)
    net.set_values([values[weight.name] for weight in net.weights])
    return net


# Training.

def draw_batches(draw_seed, steps, mini_batch_size=100):
    """Return the indices of the images of these steps, (steps, mini_batch_size).

    They are those that the notebook's section "Train" draws with this seed.
    """
    return np.random.RandomState(draw_seed).randint(0, 50000, size=(steps, mini_batch_size))


def train(net, batches, learning_rate, change=None):
    """Take one SGD step on each of these mini-batches; after each, yield its cost and predictions.

    It is a generator: a step is taken when run(), say, asks for it.

    batches: the indices of the images, (steps, n). change: a function that takes the images of a
    step and returns those to train on.
    """
    nb = notebook()
    for batch in batches:
        images = nb.X_train[batch]
        if change:
            images = change(images)
        yield net.step(images, nb.Y_train[batch], learning_rate)


def run(net, training, measured_at, averaged=100):
    """Take all steps of a training, and return what it leaves, as attributes.

    costs: of all steps. values: the network's after each step in measured_at, {step: values}, where
    step 0 is the start. averages: {step: the mean of its last values}, with averaged=100 after step
    1100 of those after steps 1001 to 1100, and after step 50 of the start and those after 1 to 50.
    """
    costs, values, averages = [], {}, {}
    last = collections.deque(maxlen=averaged)

    def measure(step):
        last.append(net.get_values())
        if step in measured_at:
            values[step] = last[-1]
            averages[step] = [np.mean(arrays, axis=0) for arrays in zip(*last)]

    measure(0)
    for step, (cost, predicted) in enumerate(training, start=1):
        costs.append(cost)
        measure(step)
    return SimpleNamespace(costs=costs, values=values, averages=averages)


# Measurements.

def evaluated(net, values, images, labels):
    """Give net these values; return the mean cost and the predictions for the images."""
    net.set_values(values)
    costs, predictions = [], []
    for k in range(0, len(images), 500):  # in equal parts, to need less memory
        part = slice(k, k + 500)
        cost, predicted = net.evaluate(images[part], np.eye(10)[labels[part]])
        costs.append(cost)
        predictions.append(predicted)
    return np.mean(costs), np.concatenate(predictions)


def accuracy(net, values, images, labels):
    """Return how many per cent of the images get their label with these values, as a text."""
    cost, predicted = evaluated(net, values, images, labels)
    return '%.2f' % (100 * np.sum(predicted == labels) / len(labels))


def test_accuracy(net, values):
    return accuracy(net, values, notebook().X_test, notebook().Yt_labels)


def train_with_reports(net, batches, learning_rate, every=100):
    """Train, and return what the section "Train" prints: {column: text}. every: so many steps."""
    nb = notebook()
    found = {}
    for i, (train_cost, train_pred) in enumerate(train(net, batches, learning_rate)):
        if i % every == 0:
            valid_cost, valid_pred = net.evaluate(nb.X_valid[0:100], nb.Y_valid[0:100])
            found[i] = {
                'training_cost': train_cost,
                'validation_cost': valid_cost,
                'training_accuracy': np.mean(nb.Y_labels[batches[i]] == train_pred),
                'validation_accuracy': np.mean(nb.Yv_labels[0:100] == valid_pred)}
    return {'%s_%d' % (kind, i): '%f' % found[i][kind] for kind in found[0] for i in found}


def fingerprint(values):
    """Return a checksum of these arrays, 16 hexadecimal digits, as the notebook prints it."""
    content = b''.join(value.tobytes() for value in values)
    return hashlib.sha256(content).hexdigest()[:16]
