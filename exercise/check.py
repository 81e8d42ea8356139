"""Says whether a place of the exercise is right: check.place('Weights'), in a cell below it.

PLACES has a function for each place. It takes the notebook's names, as attributes, and stops at the
first thing that is not as expected: that is what a student reads. It compares with the equations in
NumPy, on random weights, images and labels, and starts from given values for what earlier places
make, so that a mistake in one place is not another's. Weights and random numbers stay as they are.

A verdict is the first of these that applies, with an example each:

empty   There are no lines yet, or they still raise NotImplementedError.
        "not written yet: make cost from y_prob and y"
wrong   The cell stopped with an error that can only be its own.
        "stops with SyntaxError: invalid syntax, in line 2 of its cell"
waits   What the place starts from was overwritten since. (wrong, if the place's own cell did it.)
        "x is not the symbol of section "Inputs" any more: run that section again, and all below"
right   Its function finds nothing.
wrong   Its function finds a mistake.
        "cost has the wrong sign: it is minus the mean of the logarithms"
waits   Something else fails, and an earlier place is not right.
        "cannot be checked before "Prediction" is right"
waits   Something that it starts from was made anew since.
        "y_prob does not depend on V: V was made anew since; run this section again"
wrong   Something else fails.
        "stops with TypeError: Unsupported dtype"
"""
import contextlib
import importlib
import os
import random
import re
import symtable
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, NamedTuple

if not __debug__:
    raise ImportError('nothing can be checked, since Python was started with -O or '
                      'PYTHONOPTIMIZE: it leaves out assertions')

# In the repository, bitwise lies in notebooks/; in the folder of the exercise it lies here.
HERE = Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parent / 'notebooks')]
import bitwise  # noqa: E402

bitwise.set_pins()  # before NumPy is imported
for package in 'numpy', 'theano', 'IPython':
    try:
        importlib.import_module(package)
    except Exception as broken:  # of NumPy's many lines the last one says what is wrong
        raise ImportError('the check needs %s, which cannot be imported: %s (is the environment '
                          'active, and complete?)'
                          % (package, str(broken).strip().split('\n')[-1])) from None
import numpy as np  # noqa: E402
import theano  # noqa: E402
import theano.tensor as T  # noqa: E402
from IPython import get_ipython  # noqa: E402
from IPython.utils.capture import capture_output  # noqa: E402
from theano.gof.graph import ancestors  # noqa: E402
from theano.scan_module.scan_utils import equal_computations  # noqa: E402

RIGHT, EMPTY, WRONG, WAITS = 'right', 'not written yet', 'wrong', 'not checked'
IMAGES = 7  # in a mini-batch of these tests
GRADIENTS = {'U': 'grad_U', 'W': 'grad_W', 'V': 'grad_V', 'b_hidden': 'grad_bh', 'b_V': 'grad_bV'}


class Wrong(Exception):
    """Something in a place is not as expected. The message is what a student reads."""


class Overwritten(Wrong):
    """A name that the place starts from does not stand for what its section made."""

    def __init__(self, name, message):
        super().__init__(message)
        self.name = name


class Lacks(Wrong):
    """A symbol's graph does not contain another one, which it should start from."""

    def __init__(self, name, on):
        super().__init__('%s does not depend on %s' % (name, on))
        self.name = name
        self.on = on


def expect(fact, message):
    if not fact:
        raise Wrong(message)


class Names(SimpleNamespace):
    """The notebook's names, as attributes. One that is missing is a NameError, as in a cell."""

    def __getattr__(self, name):  # Python calls it for what is not there
        raise NameError("name '%s' is not defined" % name)


# The network in NumPy.

def one_step(weights, row, h):
    """Return the next hidden state, (n, hidden units). row: (n, 28). h: the state before."""
    return np.tanh(weights['b_hidden'] + h @ weights['W'] + row @ weights['U'])


def hidden_states(weights, rows, start=0, step=one_step):
    """Return the last hidden state and the sum of all, each (n, hidden units).

    rows: one (n, 28) array for each step. start: all numbers of the state before the first one.
    """
    h = np.full((rows.shape[1], len(weights['W'])), float(start))
    h_sum = np.zeros_like(h)
    for row in rows:
        h = step(weights, row, h)
        h_sum = h_sum + h
    return h, h_sum


def probabilities(weights, h_sum):
    """Return the classes' probabilities, (n, 10), from the sum of 28 hidden states."""
    exp = np.exp(h_sum / 28 @ weights['V'] + weights['b_V'])
    return exp / exp.sum(axis=1, keepdims=True)


def cross_entropy(y_prob, y):
    """Return the cost of these probabilities for the one-hot labels y, both (n, 10)."""
    return -np.log((y_prob * y).sum(axis=1)).mean()


def forward(weights, x, y):
    """Return the cost and the probabilities for images x, (n, 28, 28), and one-hot labels y."""
    _, h_sum = hidden_states(weights, x.transpose(1, 0, 2))
    y_prob = probabilities(weights, h_sum)
    return cross_entropy(y_prob, y), y_prob


# What the places have in common.

def random_weights(nb):
    """Return random values for the weights, by name."""
    rng = np.random.RandomState(0)
    shapes = {'U': (28, nb.hidden_d), 'W': (nb.hidden_d, nb.hidden_d), 'V': (nb.hidden_d, 10),
              'b_hidden': nb.hidden_d, 'b_V': 10}
    return {name: rng.normal(size=shape) / 8 for name, shape in shapes.items()}


def random_batch(n=IMAGES):
    """Return n random images, (n, 28, 28), and n one-hot labels."""
    rng = np.random.RandomState(1)
    return rng.uniform(size=(n, 28, 28)), np.eye(10)[rng.randint(0, 10, n)]


def with_weights(nb, values, given):
    """Return given, a dict of symbols and their values, with those of the weights added."""
    return {**{getattr(nb, name): value for name, value in values.items()}, **given}


def function_of(symbols, wanted):
    """Return a function from values for these symbols to the values of the symbols wanted.

    Any symbol can be given, also a shared variable, which keeps its own value.
    """
    inputs = [symbol.type() for symbol in symbols]
    return theano.function(inputs, wanted, givens=list(zip(symbols, inputs)),
                           on_unused_input='ignore')


def compute(given, wanted, hint):
    """Return the values of the symbols wanted, from {symbol: value}. hint: if shapes do not fit."""
    function = function_of(list(given), wanted)
    try:
        return function(*given.values())
    except (ValueError, IndexError) as error:
        raise Wrong(what_does_not_fit(error, hint)) from None


def operation_in(error):
    """Return the name of the operation that an error of a Theano function is from, as dot."""
    found = re.search(r'caused the error: (?:Elemwise{)?(\w+)', str(error))
    return found.group(1).lower() if found else ''


def is_of_product(error):
    """Say whether an error of a Theano function is from a product."""
    return re.match('dot|gem|batcheddot|mul', operation_in(error)) is not None


def what_does_not_fit(error, hint):
    """Return a line about a ValueError or an IndexError of a Theano function."""
    if isinstance(error, IndexError):
        return 'an index is too large: ' + str(error).partition('\n')[0]
    found = re.search(r'Inputs shapes: \[(.*)\]', str(error))
    shapes = found.group(1).replace('), (', ') and (') if found else str(error).partition('\n')[0]
    if is_of_product(error):
        return ('the shapes of a product do not fit: %s. T.dot multiplies matrices (* and np.dot '
                'go entry by entry): %s' % (shapes, hint))
    kind = {'add': 'sum', 'sub': 'difference', 'true_div': 'division'}.get(operation_in(error))
    text = 'the shapes in a %s do not fit: %s' % (kind or 'line', shapes)
    if kind == 'division':
        text += '. T.sum(..., axis=1, keepdims=True) has the shape (n, 1), with which it can be'
    return text


def is_close(value, expected, rtol=0, atol=1e-10):
    """Say whether two arrays are equal but for rounding."""
    return (np.shape(value) == np.shape(expected)
            and np.allclose(value, expected, rtol=rtol, atol=atol, equal_nan=True))


def is_right_as_a_whole(nb, wanted, expected, rtol=0):
    """Say whether a symbol has the expected value, computed from random_batch()."""
    x, y = random_batch()
    given = with_weights(nb, random_weights(nb), {nb.x: x, nb.y: y})
    try:
        return is_close(compute(given, wanted, ''), expected, rtol=rtol)
    except Exception:  # an earlier place's
        return False


def first_numbers(array):
    """Return a text with the first numbers of an array."""
    numbers = ' '.join('%.4f' % number for number in np.ravel(array)[:3])
    return '[%s ...]' % numbers


def must_be(array, expected):
    """Return a text that compares the first numbers of two arrays."""
    return ('for a random image it must begin with %s, and begins with %s'
            % (first_numbers(expected), first_numbers(array)))


def expect_symbol(nb, name):
    value = getattr(nb, name)
    expect(isinstance(value, theano.Variable),
           "%s must be made of Theano's symbols, and is a %s" % (name, type(value).__name__))


def expect_depends(nb, name, on):
    if getattr(nb, on) not in ancestors([getattr(nb, name)]):
        raise Lacks(name, on)


def expect_weights(nb):
    """Raise Overwritten for a weight that is none, and for another number of time steps."""
    if nb.time_steps != 28:
        raise Overwritten('time_steps', 'time_steps must be 28, and is %s: the cell under '
                          '"Hyper-parameters" was changed' % nb.time_steps)
    for name in GRADIENTS:
        if not isinstance(getattr(nb, name), theano.compile.SharedVariable):
            raise Overwritten(name, '%s is not the variable of section "Weights" any more: if this '
                              'cell has a line that begins with "%s =", take it out; then run all '
                              'cells from "Weights" on' % (name, name))


# The places.

def one_hot_labels(nb):
    expect(callable(nb.onehot), 'onehot must stay a function, and is a %s: indent your lines as '
           'far as the others in it' % type(nb.onehot).__name__)
    encoded = nb.onehot(np.array([2, 0, 9, 2]))
    expect(type(encoded) is np.ndarray,
           'onehot must return a NumPy array, and returns a %s' % type(encoded).__name__)
    expect(encoded.shape == (4, 10),
           'onehot of 4 labels must have the shape (4, 10), and has %s' % (encoded.shape,))
    expect(encoded.dtype == 'float64',
           'onehot must return numbers of type float64, as np.zeros makes them, and returns %s'
           % encoded.dtype)
    expect(set(encoded.ravel()) == {0, 1}, 'onehot must have no other numbers than 0 and 1')
    expect(np.array_equal(encoded.sum(axis=1), [1, 1, 1, 1]),
           'onehot must put exactly one 1 into each row')
    columns = encoded.argmax(axis=1).tolist()
    expect(columns == [2, 0, 9, 2],
           'onehot must put the 1 into the column of the label: for the labels [2, 0, 9, 2] they '
           'are in the columns %s' % columns)
    one = nb.onehot([5])
    expect(one.shape == (1, 10), 'onehot([5]) must have the shape (1, 10), and has %s: one row for '
           'each label, and always ten columns' % (one.shape,))
    expect(one.argmax() == 5, 'onehot must take a list of labels, too')
    column = nb.onehot(np.array([[7], [0]], dtype='uint8'))
    expect(column.shape == (2, 10) and column.argmax(axis=1).tolist() == [7, 0],
           'onehot must take labels of the shape (n, 1), too')
    for labels in [3, -1], [10], [2.5], [[1, 2]]:
        with contextlib.suppress(ValueError):
            nb.onehot(labels)
            raise Wrong('onehot(%r) must raise a ValueError' % (labels,))


def weights(nb):
    names = vars(nb)
    made = dict(zip(GRADIENTS, names.get('weights', ())))
    started = dict(zip(names.get('weights', ()), names.get('initial', ())))
    stream = np.random.RandomState(1234)
    shapes = {'U': (nb.input_d, nb.hidden_d), 'W': (nb.hidden_d, nb.hidden_d),
              'V': (nb.hidden_d, nb.output_d)}
    for name, shape in shapes.items():
        weight = getattr(nb, name)
        if getattr(weight, 'owner', None):  # an expression, as of W = W - learning_rate * grad_W
            weight = made.get(name, weight)
        expect(isinstance(weight, theano.compile.SharedVariable),
               '%s must be a theano.shared variable, and is a %s' % (name, type(weight).__name__))
        value = started.get(weight, weight.get_value())  # also when it was trained since
        expect(np.shape(value) == shape,
               '%s must have the shape %s, and has %s' % (name, shape, np.shape(value)))
        expect(value.dtype == 'float64',
               '%s must be of type float64, and is %s' % (name, value.dtype))
        bound = np.sqrt(6 / sum(shape))
        low, high = value.min(), value.max()
        # With this many draws, the extremes lie near the bounds.
        expect(all(.9 * bound <= end <= 1.0001 * bound for end in (-low, high)),
               '%s must be drawn between -%.4f and %.4f (Glorot and Bengio), and goes from %.4f to '
               '%.4f' % (name, bound, bound, low, high))
        # A uniform draw stretches the next numbers of the stream, which go from 0 to 1.
        expect(is_close(value, (2 * stream.random_sample(shape) - 1) * bound),
               '%s has the right range, but other numbers: draw with rng.uniform, U first, then W, '
               'then V, one array a call, from a fresh rng' % name)


# Usual mistakes in one step: the message, and the state that it makes.
WRONG_STEPS = {
    'h_states goes with W, and here with W.T':
        lambda w, row, h: np.tanh(w['b_hidden'] + h @ w['W'].T + row @ w['U']),
    'each state is the tanh of its terms: T.tanh is left out':
        lambda w, row, h: w['b_hidden'] + h @ w['W'] + row @ w['U'],
    'each state is the tanh of its terms, and here the sigmoid: T.tanh':
        lambda w, row, h: 1 / (1 + np.exp(-(w['b_hidden'] + h @ w['W'] + row @ w['U']))),
    'each state is the tanh of its terms, and here their positive part (relu): T.tanh':
        lambda w, row, h: np.maximum(w['b_hidden'] + h @ w['W'] + row @ w['U'], 0),
    'b_hidden is added outside of the tanh: all three terms go into it':
        lambda w, row, h: np.tanh(h @ w['W'] + row @ w['U']) + w['b_hidden'],
    'the term with x is added outside of the tanh: all three terms go into it':
        lambda w, row, h: np.tanh(w['b_hidden'] + h @ w['W']) + row @ w['U'],
    'the term with h_states is added outside of the tanh: all three terms go into it':
        lambda w, row, h: np.tanh(w['b_hidden'] + row @ w['U']) + h @ w['W'],
    'h_states is added as it is, too: only its product with W belongs into the sum':
        lambda w, row, h: np.tanh(w['b_hidden'] + h @ w['W'] + row @ w['U']) + h,
    'b_hidden is subtracted: all three terms are added':
        lambda w, row, h: np.tanh(h @ w['W'] + row @ w['U'] - w['b_hidden']),
}


def wrong_rows(x):
    """Return usual mistakes in what the steps read: {message: the rows}. x: images."""
    rows = x.transpose(1, 0, 2)
    return {
        'x[:, :, t] is column t of the images: row t is x[:, t, :]': x.transpose(2, 0, 1),
        'x[t] is image t: row t of all images is x[:, t, :]': x,
        'every image is read as the first one: x[:, t, :] is row t of all images':
            rows[:, :1].repeat(len(x), axis=1),
        'every step reads row 0: row t is x[:, t, :]': rows[:1].repeat(28, axis=0),
        'every step reads row 27: row t is x[:, t, :]': rows[27:].repeat(28, axis=0),
        'step t reads row t - 1: row t is x[:, t, :]': np.roll(rows, 1, axis=0),
        'the rows are read from the last to the first: step t reads row t': rows[::-1],
        'the last row is not read: range(time_steps) counts from 0 to 27': rows[:27],
        'the first row is not read: range(time_steps) counts from 0 to 27': rows[1:],
        'only the first row is read, in a single step: is h_states made in the loop?': rows[:1],
        'only the last row is read, in a single step: h_states of the step before belongs into '
        'each step': rows[27:],
    }


def expect_states(nb, values, x, h):
    """Expect the right last state, h, and name what is wrong with it."""
    rows = x.transpose(1, 0, 2)
    last, _ = hidden_states(values, rows)
    if is_close(h, last):
        return
    for message, read in wrong_rows(x).items():
        expect(not is_close(h, hidden_states(values, read)[0]), message)
    for message, step in WRONG_STEPS.items():
        expect(not is_close(h, hidden_states(values, rows, step=step)[0]), message)
    expect(not is_close(h, hidden_states(values, rows, start=1)[0]),
           'h_0, the state before the first step, must be 0, and is 1')
    no_memory = {**values, 'W': np.zeros_like(values['W'])}
    step, _ = compute(with_weights(nb, no_memory, {nb.x: x}), [nb.h_states, nb.h_states_sum], '')
    right_step, _ = hidden_states(no_memory, rows)
    expect(is_close(step, right_step), 'one step by itself is wrong. Where W is all 0, h_states is '
           'tanh(b_hidden + x_28 U): ' + must_be(step, right_step))
    raise Wrong('one step by itself is right, but h_states after the loop is not h_28 of the '
                'equation: ' + must_be(h, last))


def states(nb):
    n = 28  # images, as many as rows: so x[t] in place of x[:, t, :] gives a state, too
    hint = 'x[:, t, :], (n, 28), goes with U, and h_states, (n, %d), with W' % nb.hidden_d
    expect_weights(nb)
    expect_symbol(nb, 'h_states')
    expect_symbol(nb, 'h_states_sum')
    graph = ancestors([nb.h_states])
    # An array of the notebook that stands in the graph, where x should: it has many images.
    expect(not [part for part in graph if isinstance(part, T.TensorConstant) and part.ndim > 1
                and part.data.shape[-1] == 28 and len(part.data) > 28],
           'h_states has images in it, as X_train has them: use the symbol x')
    for on in 'x', 'U', 'W', 'b_hidden':
        expect_depends(nb, 'h_states', on)
    values = random_weights(nb)
    x, _ = random_batch(n)
    given = with_weights(nb, values, {nb.x: x})
    function = function_of(list(given), [nb.h_states, nb.h_states_sum])
    h, h_sum = run_with_images(nb, function, given, x, hint)
    expect(h.shape == (n, nb.hidden_d), 'h_states must have the shape %s for %d images, and has %s'
           % ((n, nb.hidden_d), n, h.shape))
    expect_states(nb, values, x, h)
    last, total = hidden_states(values, x.transpose(1, 0, 2))
    expect(h_sum.any(), 'h_states_sum is still 0: add each new state to it')
    expect(not is_close(h_sum, last), 'h_states_sum is the last state alone: add each new state to '
           'what it was')
    expect(not is_close(h_sum, total - last),
           'h_states_sum lacks the last state: add the new state, not the one before')
    expect(not is_close(h_sum, total / 28),
           'h_states_sum is the mean of the states: dividing by 28 comes in the next section')
    expect(is_close(h_sum, total),
           'h_states_sum is not the sum of h_1 to h_28: ' + must_be(h_sum, total))
    for n in 1, 2, 101:  # a graph for one size of mini-batch fails with others, or takes a part
        images, _ = random_batch(n)
        found, _ = run_with_images(nb, function, given, images, hint)
        expect(len(found) == n, 'h_states has %d rows for %d images: x[:, t, :] takes row t of all '
               'of them' % (len(found), n))


def run_with_images(nb, function, given, images, hint):
    """Return what function gives for these images, and the other values given."""
    values = list({**given, nb.x: images}.values())
    try:
        return function(*values)
    except (ValueError, IndexError) as error:
        if is_of_product(error):
            raise Wrong(what_does_not_fit(error, hint)) from None
        # Perhaps it is made for one size of mini-batch.
        size = nb.mini_batch_size
        values = list({**given, nb.x: np.zeros((size, 28, 28))}.values())
        with contextlib.suppress(ValueError, IndexError):
            function(*values)
            raise Wrong('h_states takes mini-batches of %d images only: x.shape[0] is the number '
                        'of images' % size) from None
        raise Wrong(what_does_not_fit(error, hint)) from None


def prediction(nb):
    """Test y_prob of given sums of the states or, if it is made in another way, of images."""
    expect_weights(nb)
    expect_symbol(nb, 'y_prob')
    expect_depends(nb, 'y_prob', 'V')
    expect_depends(nb, 'y_prob', 'b_V')
    values = random_weights(nb)
    try:
        prediction_from_sum(nb, values)
    except Wrong:
        _, right = forward(values, *random_batch())
        if not is_right_as_a_whole(nb, nb.y_prob, right):
            raise


def prediction_from_sum(nb, values):
    hint = 'the mean state, (n, %d), goes with V, (%d, 10), in this order' % (2 * (nb.hidden_d,))
    total = 28 * np.random.RandomState(2).normal(size=(IMAGES, nb.hidden_d))
    graph = ancestors([nb.y_prob])
    if nb.h_states_sum not in graph:
        if nb.h_states in graph:
            given = with_weights(nb, values, {nb.h_states: total / 28})
            expect(not is_close(compute(given, nb.y_prob, hint), probabilities(values, total)),
                   'y_prob comes from the last state, not from the mean of all')
        raise Lacks('y_prob', 'h_states_sum')
    x, _ = random_batch()
    given = with_weights(nb, values, {nb.x: x, nb.h_states_sum: total})
    y_prob, y_pred = compute(given, [nb.y_prob, nb.y_pred], hint)
    expect(y_prob.shape == (IMAGES, 10), 'y_prob must have the shape (%d, 10) for %d images, and '
           'has %s' % (IMAGES, IMAGES, y_prob.shape))
    expect(not np.allclose(y_prob.sum(axis=0), 1), 'the softmax goes over the images: for each '
           "image, the ten classes' probabilities add up to 1")
    expect(np.allclose(y_prob.sum(axis=1), 1),
           "an image's probabilities in y_prob must add up to 1: T.nnet.softmax")
    for factor, mistake in {
            28: 'y_prob comes from the sum of the states, not from their mean: divide by 28',
            28 / IMAGES: 'the sum of the states is divided by the number of images, not by the 28 '
                    'steps: time_steps',
            28 / nb.hidden_d: 'the sum of the states is divided by %d, not by the 28 steps: '
                              'time_steps' % nb.hidden_d,
            1 / 28: 'the sum of the states is divided by 28 twice',
            }.items():
        expect(not is_close(y_prob, probabilities(values, factor * total)), mistake)
    right = probabilities(values, total)
    expect(is_close(y_prob, right), 'y_prob is not the softmax of the mean state times V plus b_V: '
           + must_be(y_prob, right))
    expect(np.array_equal(y_pred, y_prob.argmax(axis=1)),
           'y_pred must be the class with the highest probability')


def costs(nb):
    """Test the cost of given probabilities or, if it is made in another way, of images."""
    expect_symbol(nb, 'cost')
    expect_depends(nb, 'cost', 'y')
    expect(nb.cost.ndim == 0, 'cost must be one number, the mean over the mini-batch, and has %d '
           'dimension(s)' % nb.cost.ndim)
    try:
        cost_from_probabilities(nb)
    except Wrong:
        right, _ = forward(random_weights(nb), *random_batch())
        if not is_right_as_a_whole(nb, nb.cost, right, rtol=1e-4):
            raise


def cost_from_probabilities(nb):
    hint = 'y_prob and y both have the shape (n, 10)'
    expect_depends(nb, 'cost', 'y_prob')
    x, y = random_batch()
    y_prob = np.random.RandomState(2).dirichlet(np.ones(10), size=IMAGES)
    cost = compute({nb.x: x, nb.y: y, nb.y_prob: y_prob}, nb.cost, hint)
    expect(np.isfinite(cost), 'cost is not finite, as if it took the logarithm of a label: '
           'T.nnet.categorical_crossentropy takes the probabilities first, then the labels')
    right = cross_entropy(y_prob, y)
    binary = -np.log(np.where(y == 1, y_prob, 1 - y_prob))
    for value, mistake in {
            -right: 'cost has the wrong sign: it is minus the mean of the logarithms',
            IMAGES * right: 'cost must be the mean over the mini-batch, not the sum',
            IMAGES * right / 100: "cost must be divided by the mini-batch's own size, not by 100: "
                                  'T.mean',
            right / 10: 'cost must be the mean over the images, not over images and classes',
            right / np.log(10): 'cost must have the natural logarithm, T.log, not the one to base '
                                '10',
            right / np.log(2): 'cost must have the natural logarithm, T.log, not the one to base 2',
            binary.mean(): 'cost is the binary cross-entropy; of an image only the logarithm for '
                           'its true class counts: T.nnet.categorical_crossentropy',
            ((y_prob - y) ** 2).mean(): 'cost is a mean of squares, not of logarithms: '
                                        'T.nnet.categorical_crossentropy',
            }.items():
        expect(not np.isclose(cost, value, rtol=1e-4), mistake)
    # Not closer, since a small number may be added inside the logarithm.
    expect(np.isclose(cost, right, rtol=1e-4), "cost is not the mean of -log of the true class's "
           'probability: for random probabilities it must be %.4f, and is %.4f' % (right, cost))
    expect_all_images(nb)


def expect_all_images(nb):
    """Expect a cost that changes with the last of 101 labels."""
    hint = 'cost must take all images, not only the first %d' % nb.mini_batch_size
    x, y = random_batch(101)
    y_prob = np.random.RandomState(2).dirichlet(np.ones(10), size=101)
    found = []
    for last in 0, 1:
        y[100] = np.eye(10)[last]
        found.append(compute({nb.x: x, nb.y: y, nb.y_prob: y_prob}, nb.cost, hint))
    expect(found[0] != found[1], hint)


def update(nb):
    """Test the new values that updates has, for given values of the gradients."""
    expect_weights(nb)
    rate = nb.learning_rate
    expect(rate > 0, 'learning_rate must be above 0, and is %s: the cell under "Hyper-parameters" '
           'was changed' % rate)
    for name, weight in zip(GRADIENTS, nb.weights):
        if getattr(nb, name) is not weight:
            raise Overwritten(name, '%s is not the variable in weights any more: run all cells '
                              'from "Weights" on' % name)
    new = new_values(nb)
    values = random_weights(nb)
    gradients = {name: values[name] ** 2 for name in values}
    of_given = {name: value for name, value in new.items()
                if getattr(nb, GRADIENTS[name]) in ancestors([value])}
    given = with_weights(nb, values, {getattr(nb, GRADIENTS[name]): gradients[name]
                                      for name in of_given})
    found = compute(given, list(of_given.values()), 'a gradient and its weight have the same shape')
    for name, value in zip(of_given, found):
        expect_step(name, value, values[name], gradients[name], rate)
    expect_own_gradients(nb, values, {name: new[name] for name in new if name not in of_given})
    expect_gradients(nb)


def new_values(nb):
    """Return the expressions in updates, by the weight's name, and expect what they must have."""
    updates = nb.updates
    expect(isinstance(updates, (list, tuple, dict)),
           'updates must be a list, and is a %s' % type(updates).__name__)
    pairs = list(updates.items() if isinstance(updates, dict) else updates)
    expect(all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs),
           'updates must be a list of pairs, each in brackets: (weight, new value)')
    keys = [key for key, value in pairs]
    moved = [key for key in keys if not any(key is weight for weight in nb.weights)]
    new = {}
    for name, own in GRADIENTS.items():
        number = [key is getattr(nb, name) for key in keys].count(True)
        expect(number == 1, 'updates must have one new value for %s, and has %d' % (name, number))
    for name, own in GRADIENTS.items():
        weight = getattr(nb, name)
        value = [value for key, value in pairs if key is weight][0]
        new[name] = T.as_tensor_variable(value)
        graph = ancestors([new[name]])
        expect(weight in graph, 'the new %s does not depend on %s: it is the old one minus '
               'learning_rate times the gradient' % (name, name))
        found = [gradient for gradient in GRADIENTS.values() if getattr(nb, gradient) in graph]
        expect(own in found or not found, 'the new %s must be %s - learning_rate * %s, and has %s'
               % (name, name, own, (found or [''])[0]))
        # Momentum, for example, keeps a velocity, which moves, too.
        expect(not any(part is key for part in graph for key in moved),
               'the new %s depends on another variable in updates: plain SGD needs only %s, '
               'learning_rate and %s' % (name, name, own))
    return new


def expect_step(name, new, old, gradient, rate):
    """Expect a right new value of a weight. All but the name and the rate are arrays."""
    own = GRADIENTS[name]
    right = old - rate * gradient
    if is_close(new, right):
        return
    expect(not is_close(new, old + rate * gradient),
           'the new %s goes up the gradient: subtract learning_rate * %s' % (name, own))
    expect(not is_close(new, old - gradient), 'the new %s lacks learning_rate' % name)
    raise Wrong('the new %s must be %s - learning_rate * %s' % (name, name, own))


def expect_own_gradients(nb, values, new):
    """Expect right new values, {name: symbol}, where gradients are taken by T.grad(cost, ...)."""
    if not new:
        return
    x, y = random_batch()
    gradients = theano.grad(nb.cost, [getattr(nb, name) for name in new])
    function = function_of([nb.x, nb.y, *(getattr(nb, name) for name in values)],
                           [*new.values(), *gradients])
    found = function(x, y, *values.values())  # a ValueError is an earlier place's
    for number, name in enumerate(new):
        expect_step(name, found[number], values[name], found[len(new) + number], nb.learning_rate)


def expect_gradients(nb):
    """Expect that grad_U and so on are the gradients of cost as it is now."""
    gradients = list(GRADIENTS.values())
    given = [getattr(nb, gradient) for gradient in gradients]
    try:
        anew = theano.grad(nb.cost, [getattr(nb, name) for name in GRADIENTS])
        if equal_computations(given, anew):
            return
        x, y = random_batch()
        found = compute(with_weights(nb, random_weights(nb), {nb.x: x, nb.y: y}),
                        given + anew, '')
    except Exception:  # an earlier place's
        return
    for number, gradient in enumerate(gradients):
        if not is_close(found[number], found[number + 5]):
            raise Overwritten(gradient, '%s is not the gradient of cost as it is now: put the '
                              'lines of section "Gradients" as they were given, run them again, '
                              'and then this section' % gradient)


class Place(NamedTuple):
    """task: what a student is to write there. makes: the names that the student's lines make.

    given: the sections with given cells without which nothing below can be checked. test: the
    function.
    """

    task: str
    makes: list
    given: list
    test: Callable


PLACES = {
    'One-hot labels': Place('make the array onehot, of shape (len(inp), 10), from inp',
                            ['onehot'], ['Imports'], one_hot_labels),
    'Weights': Place("draw U, W and V from rng, in this order, within Glorot's bounds",
                     ['U', 'W', 'V'], ['Imports'], weights),
    'Hidden states': Place('make the next h_states, and add it to h_states_sum',
                           ['h_states', 'h_states_sum'], ['Imports', 'Inputs'], states),
    'Prediction': Place('make y_prob from h_states_sum, V and b_V',
                        ['y_prob'], ['Imports', 'Inputs'], prediction),
    'Cost': Place('make cost from y_prob and y', ['cost'], ['Imports', 'Inputs'], costs),
    'Compile': Place('make updates, a list of five pairs',
                     ['updates'], ['Imports', 'Inputs'], update),
}


# The given cells.

def imports(nb):
    for name, module in {'theano': theano, 'T': T, 'np': np}.items():
        if getattr(nb, name) is not module:
            raise Overwritten(name, overwritten(name, 'the module ' + module.__name__, 'Imports'))


def inputs(nb):
    if theano.config.floatX != 'float64':
        raise Overwritten('floatX', 'theano.config.floatX is %s, and must stay float64: take out '
                          'the line that sets it, and restart the kernel' % theano.config.floatX)
    for name, maker in {'x': T.tensor3, 'y': T.matrix}.items():
        value = getattr(nb, name)
        is_input = isinstance(value, theano.Variable) and value.owner is None
        if not is_input or value.type != maker().type:
            raise Overwritten(name, overwritten(name, "T.%s('%s')" % (maker.__name__, name),
                                                'Inputs'))


def overwritten(name, made, section):
    """Return a line about a name that a given cell made."""
    return ('%s is not %s of section "%s" any more: if a cell has a line that begins with "%s =", '
            'use another name there; then run section "%s" again, and all below'
            % (name, made, section, name, section))


def data(nb):
    for name, number in {'train_set': 50000, 'valid_set': 10000, 'test_set': 10000}.items():
        shape = getattr(nb, name)[0].shape
        expect(shape == (number, 28, 28), 'the images in %s must have the shape %s, and have %s'
               % (name, (number, 28, 28), shape))
    expect(np.array_equal(nb.X_valid, nb.valid_set[0]), 'X_valid must be the images in valid_set')
    expect(np.array_equal(nb.Yv_labels, nb.valid_set[1]),
           'Yv_labels must be the labels in valid_set')
    expect(np.array_equal(nb.X_test, nb.test_set[0]), 'X_test must be the images in test_set')
    expect(np.array_equal(nb.Yt_labels, nb.test_set[1]), 'Yt_labels must be the labels in test_set')


def shuffle(nb):
    order = np.random.RandomState(0).permutation(50000)
    expect(np.array_equal(nb.X_train, nb.train_set[0][order]),
           'X_train must have the training images in the order of RandomState(0)')
    expect(np.array_equal(nb.Y_labels, nb.train_set[1][order]),
           'Y_labels must have the training labels in the order of RandomState(0)')


def encoded_labels(nb):
    for name, labels in {'Y_train': 'Y_labels', 'Y_valid': 'Yv_labels',
                         'Y_test': 'Yt_labels'}.items():
        expect(np.array_equal(getattr(nb, name), np.eye(10)[getattr(nb, labels)]),
               '%s must be onehot(%s)' % (name, labels))


HYPER_PARAMETERS = {'iterations': 1000, 'hidden_d': 100, 'mini_batch_size': 100,
                    'learning_rate': .1, 'draw_seed': 1234, 'input_d': 28, 'output_d': 10,
                    'time_steps': 28}


def hyper_parameters(nb):
    for name, value in HYPER_PARAMETERS.items():
        found = getattr(nb, name)
        expect(found == value, '%s must be %s, and is %s' % (name, value, found))


def biases(nb):
    for number, name in {3: 'b_hidden', 4: 'b_V'}.items():
        expect(not nb.initial[number].any(), '%s must start at 0' % name)


def classes(nb):
    expect(nb.y_pred.ndim == 1, 'y_pred must be T.argmax(y_prob, axis=1)')


def functions(nb):
    """Test cost_pred and sgd_step against NumPy, with nothing of Theano's in between."""
    values = random_weights(nb)
    before = [getattr(nb, name).get_value() for name in values]
    try:
        for function in 'cost_pred', 'sgd_step':
            for name, value in values.items():
                getattr(nb, name).set_value(value)
            expect_results(nb, function, values)
    finally:
        for name, value in zip(values, before):
            getattr(nb, name).set_value(value)


def expect_results(nb, function, values):
    """Expect what cost_pred or sgd_step returns, and where the weights are after it."""
    x, y = random_batch()
    right_cost, y_prob = forward(values, x, y)
    cost, y_pred = getattr(nb, function)(x, y)
    # Not closer, since a small number may be added inside the logarithm of the cost.
    expect(np.isclose(cost, right_cost, rtol=1e-4), '%s must return cost first' % function)
    expect(np.array_equal(y_pred, y_prob.argmax(axis=1)), '%s must return y_pred second' % function)
    for name, value in values.items():
        step = getattr(nb, name).get_value() - value
        if function == 'cost_pred':
            expect(not step.any(), 'cost_pred must not change %s' % name)
            continue
        # A weight's step along a direction is the slope of the cost, by finite differences.
        direction = np.random.RandomState(2).normal(size=value.shape)
        ahead, _ = forward({**values, name: value + 1e-6 * direction}, x, y)
        behind, _ = forward({**values, name: value - 1e-6 * direction}, x, y)
        slope = (ahead - behind) / 2e-6
        expect(np.isclose((step * direction).sum(), -nb.learning_rate * slope, rtol=1e-2,
                          atol=1e-5),
               'sgd_step must move %s by -learning_rate times its gradient' % name)


class Given(NamedTuple):
    """names: what the given cells of a section make. test: the function."""

    names: list
    test: Callable


GIVEN = {
    'Imports': Given(['theano', 'T', 'np', 'plt', 'pickle', 'gzip', 'hashlib', 'io', 'Path'],
                     imports),
    'The data': Given(['train_set', 'valid_set', 'test_set', 'X_valid', 'Yv_labels', 'X_test',
                       'Yt_labels'], data),
    'Shuffle': Given(['X_train', 'Y_labels'], shuffle),
    'One-hot labels': Given(['Y_train', 'Y_valid', 'Y_test'], encoded_labels),
    'Hyper-parameters': Given(list(HYPER_PARAMETERS), hyper_parameters),
    'Weights': Given(['b_hidden', 'b_V', 'weights', 'initial', 'set_weights'], biases),
    'Inputs': Given(['x', 'y'], inputs),
    'Prediction': Given(['y_pred'], classes),
    'Gradients': Given(list(GRADIENTS.values()), expect_gradients),
    'Compile': Given(['cost_pred', 'sgd_step'], functions),
}
# The notebook's sections in order, but those that are not checked.
SECTIONS = ['Imports', 'The data', 'Shuffle', 'One-hot labels', 'Hyper-parameters', 'Weights',
            'Inputs', 'Hidden states', 'Prediction', 'Cost', 'Gradients', 'Compile']


# Verdicts.

NO_NUMPY = ": NumPy's functions do not take symbols; use T.mean, T.sum, T.zeros and so on"
# What is to be done about an error, by what it says.
ADVICE = {
    r'for @': ': use T.dot',
    r"argument 'out'": NO_NUMPY,
    r'^matmul: Input operand': ': use T.dot',
    r'Variables do not support boolean': NO_NUMPY,
    r'out of bounds for array of dimension': NO_NUMPY,
    r"'TensorVariable' object cannot be interpreted as an integer": NO_NUMPY,
}
# What a cell must not do, by the name of the exception that it ends in.
FORBIDDEN = {
    'SystemExit': 'ends the program: take out exit(), quit() or sys.exit()',
    'EOFError': 'waits for the keyboard: take out input()',
    'StdinNotImplementedError': 'waits for the keyboard: take out input()',
}


class Verdict(NamedTuple):
    """What is told of a place. kind: RIGHT, EMPTY, WRONG or WAITS. text: one line."""

    kind: str
    text: str


def shortened(text):
    """Return the first line of a text, its first 300 characters that can be printed."""
    line = str(text).strip().partition('\n')[0]
    shown = ''.join(character if character.isprintable() else ' ' for character in line[:300])
    return shown if len(line) <= 300 else shown + ' ...'


def advice_on(error):
    """Return what is to be done about an error of a cell, or an empty text."""
    for said, advice in ADVICE.items():
        if re.search(said, str(error)):
            return advice
    return ''


def described(error):
    """Return an exception's name and the first line of what it says, with advice."""
    text = str(error)
    if isinstance(error, SyntaxError):
        text = '%s, in line %s of its cell' % (error.msg, error.lineno)
    lines = text.strip().splitlines()
    return shortened(': '.join([type(error).__name__] + lines[:1])) + advice_on(error)


def stopped_by(error):
    """Return what a cell or a function does that raises this error."""
    return FORBIDDEN.get(type(error).__name__, 'stops with ' + described(error))


def can_only_be_its_own(error):
    """Say whether an error comes from the lines that raise it, whatever earlier ones made."""
    return (isinstance(error, (SyntaxError, ImportError, MemoryError))
            or type(error).__name__ in FORBIDDEN
            or str(error).startswith("module '")  # has no attribute, as in T.softmax
            or advice_on(error) != '')


def name_in(error):
    """Return the name that a NameError says is not defined, or None for another error."""
    found = re.search(r"name '(\w+)'", str(error))
    return found.group(1) if type(error) is NameError and found else None


def names_set_by(source):
    """Return the global names that a cell sets; where it is no Python, the first words of lines."""
    try:
        symbols = symtable.symtable(source, 'cell', 'exec').get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r'^\s*(?:def\s+)?(\w+)', source, re.MULTILINE))
    return {symbol.get_name() for symbol in symbols
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}


@contextlib.contextmanager
def nothing_changed():
    """Throw away what is printed or displayed, and put back the random states."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with open(os.devnull, 'w', encoding='utf-8') as nowhere, \
            capture_output(stdout=False, stderr=False), \
            contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def outcome(test, names):
    """Return the exception that a function of PLACES or GIVEN ends in, or None. names: a dict."""
    with nothing_changed():
        try:
            test(Names(**names))
        except BaseException as error:  # as SystemExit, which would end the kernel
            return error
    return None


class Made(NamedTuple):
    """How a name was last set: by which cell, what that cell ended in, and what it stood for."""

    cell: int
    error: object
    value: object


class Session:
    """The names of a notebook that runs, and what its cells made."""

    def __init__(self, names):
        self.names = names
        self.cells = 0  # that have run
        self.made = {}  # name: Made
        self.h_states_sum = names.get('h_states_sum')

    def after_cell(self, source, error):
        """Note what became of a cell. source: Python. error: an exception, or None."""
        self.cells += 1
        names = names_set_by(source)
        if {'y_prob', 'h_states_sum'} <= names and 'h_states' not in names:
            # Prediction calls the mean h_states_sum. Run again, it must not divide by 28 twice.
            self.names['h_states_sum'] = self.h_states_sum
            names.remove('h_states_sum')
        self.h_states_sum = self.names.get('h_states_sum')
        if hasattr(self.names.get('updates'), '__next__'):
            # theano.function would use up an iterator, as zip(...), and leave nothing to test.
            self.names['updates'] = list(self.names['updates'])
        for name in names:
            # For `cost = cost + 1` without cost, keep what the cell that should make it ended in.
            if name_in(error) != name:
                self.made[name] = Made(self.cells, error, self.names.get(name))

    def cell_of(self, name):
        """Return the number of the cell that set a name last; 0 if it is not known."""
        return self.made[name].cell if name in self.made else 0

    def error_of(self, name):
        """Return the exception of the cell that was to set a name, or None."""
        made = self.made.get(name)
        if made and made.value is self.names.get(name):  # else it was set elsewhere since
            return made.error
        return None

    def verdict(self, title):
        """Return the Verdict on a place. The head of this file says how it is found."""
        place = PLACES[title]
        error = next(filter(None, map(self.error_of, place.makes)), None)
        if error is None and not set(place.makes) <= set(self.names):
            return Verdict(EMPTY, 'not written yet: ' + place.task)
        if error is None or not can_only_be_its_own(error):
            error = self.fault_in_given(place) or error
        if error is None:
            error = outcome(place.test, self.names)
        return self.explain(error, title) if error else Verdict(RIGHT, 'right')

    def fault_in_given(self, place):
        """Return an exception where a name that a place needs is not what a given cell made."""
        for section in place.given:
            fault = outcome(GIVEN[section].test, self.names)
            if fault:
                return fault
        return None

    def explain(self, error, title):
        """Return the Verdict on a place whose cell or function raised this."""
        if isinstance(error, NotImplementedError):
            return Verdict(EMPTY, 'not written yet, or the line with raise was left in: '
                           + PLACES[title].task)
        if isinstance(error, KeyboardInterrupt):
            return Verdict(WAITS, 'not checked: it was interrupted')
        if name_in(error):
            return self.explain_name(name_in(error), title)
        if isinstance(error, Overwritten):
            own = self.cell_of(error.name) in [self.cell_of(name) for name in PLACES[title].makes]
            if own and self.cell_of(error.name):
                return Verdict(WRONG, shortened(error))
            return self.waits_for_earlier(title) or Verdict(WAITS, shortened(error))
        if isinstance(error, Lacks):
            return self.explain_lack(error, title)
        if isinstance(error, Wrong):
            return Verdict(WRONG, shortened(error))
        if can_only_be_its_own(error):
            return Verdict(WRONG, stopped_by(error))
        return self.waits_for_earlier(title) or Verdict(WRONG, stopped_by(error))

    def waits_for_earlier(self, title):
        """Return the Verdict on a place that starts from one that is not right, or None."""
        titles = list(PLACES)
        for earlier in titles[1:titles.index(title)]:  # no place starts from the first, onehot
            if self.verdict(earlier).kind != RIGHT:
                return Verdict(WAITS, 'cannot be checked before "%s" is right' % earlier)
        return None

    def explain_lack(self, lack, title):
        """Return the Verdict on a place with a symbol that does not depend on another one."""
        if self.cell_of(lack.on) > self.cell_of(lack.name):
            return Verdict(WAITS, '%s: %s was made anew since; run this section again'
                           % (lack, lack.on))
        return self.waits_for_earlier(title) or Verdict(WRONG, '%s: was it left out?' % lack)

    def explain_name(self, name, title):
        """Return the Verdict on a place that lacks a name."""
        home = section_of(name)
        if home and SECTIONS.index(home) > SECTIONS.index(title):
            return Verdict(WRONG, "'%s' is made further down, in section \"%s\"" % (name, home))
        error = self.error_of(name)  # of a helper that the student makes
        if not home and error and not name_in(error):
            return self.explain(error, title)
        if not home or home == title:
            return Verdict(WRONG, "'%s' is not defined: is it misspelt?" % name)
        waits = self.waits_for_earlier(title)
        if waits:
            return waits
        if name in self.names:
            return Verdict(WRONG, "'%s' was not there yet: this section comes after \"%s\""
                           % (name, home))
        return Verdict(WRONG, self.text_of_missing(name, home))

    def text_of_missing(self, name, section):
        """Return what to tell of a name that a given cell of a section was to set."""
        error = self.error_of(name)
        if error:
            return 'a given cell in section "%s" stopped with %s' % (section, described(error))
        return ("'%s' is not defined: the cell of section \"%s\" that makes it comes later, was "
                'deleted, or was not run' % (name, section))

    def what_changed(self):
        """Return what is wrong with the given cells, a sentence, or None."""
        for section, given in GIVEN.items():
            for name in given.names:
                if name not in self.names:
                    return self.text_of_missing(name, section)
            fault = outcome(given.test, self.names)
            if isinstance(fault, Overwritten):
                return shortened(fault)
            if fault:
                text = shortened(fault) if isinstance(fault, Wrong) else described(fault)
                return 'a given cell in section "%s" was changed: %s' % (section, text)
        return None


def section_of(name):
    """Return the title of the section that makes a name, or None."""
    for title in SECTIONS:
        makes = PLACES[title].makes if title in PLACES else []
        given = GIVEN[title].names if title in GIVEN else []
        if name in makes + given:
            return title
    return None


def watch(shell):
    """Return the Session of an IPython shell, which notes the cells that run from now on."""
    session = Session(shell.user_ns)
    seen = [None]  # the last error shown before a cell

    def before_cell(info):
        seen[0] = getattr(sys, 'last_value', None)

    def after_cell(result):
        error = result.error_before_exec or result.error_in_exec
        shown = getattr(sys, 'last_value', None)
        if error is None and shown is not seen[0]:
            error = shown  # a magic, as %%time in IPython 8, may show an error and keep it
        session.after_cell(python_in(result.info.raw_cell, shell), error)

    shell.events.register('pre_run_cell', before_cell)
    shell.events.register('post_run_cell', after_cell)
    return session


def python_in(source, shell):
    """Return the Python of a cell, also where it is below a magic, as %%time."""
    body = re.sub(r'\A(\s*%%.*\n)+', '', source)
    try:
        return shell.transform_cell(body)
    except SyntaxError:
        return body


if get_ipython():
    session = watch(get_ipython())


def verdict(title):
    """Return the verdict on a place of this notebook, one line: 'right', or what is wrong."""
    return session.verdict(title).text


def place(title):
    """Print the verdict on a place of this notebook, one line: right, or what is wrong."""
    print(verdict(title))
