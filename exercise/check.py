"""Says whether a place of the exercise is right: check.place('Weights'), in a cell below it.

PLACES has a function for each place. It takes the notebook's names, as attributes, and stops at the
first thing that is not as expected: that is what a student reads. It compares with the equations in
NumPy, on random weights, images and labels, and starts from given values for what earlier places
make, so that a mistake in one place is not another's. The weights stay as they are.

A place's cell is the last one run, wherever it stands, that sets a name that the place makes (but
see Session.after_cell). A verdict is the first of these that applies:

1 empty  The lines are missing, or a line with raise NotImplementedError was left in.
2 right  Its cell ran, and its function finds nothing.
3 wrong  An error that can only be its own: a SyntaxError in its cell, a result that is not as
         expected, x made anew in its cell.
4 waits  An earlier place is empty or wrong, or another cell made anew what this one starts from.
5 wrong  All other errors.
"""
import contextlib
import re
import symtable
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, NamedTuple

# In the repository, bitwise lies in notebooks/; in the folder of the exercise it lies here.
sys.path.append(str(Path(__file__).resolve().parent.parent / 'notebooks'))
import bitwise  # noqa: E402

bitwise.set_pins()  # before NumPy is imported
import numpy as np  # noqa: E402
import theano  # noqa: E402
import theano.tensor as T  # noqa: E402
from IPython import get_ipython  # noqa: E402
from IPython.utils.capture import capture_output  # noqa: E402
from theano.gof.graph import ancestors  # noqa: E402
from theano.scan_module.scan_utils import equal_computations  # noqa: E402

RIGHT, EMPTY, WRONG, WAITS = 'right', 'empty', 'wrong', '-'  # kinds of verdicts
NOT_CHECKED = WAITS, 'not checked'  # a verdict, shown alike: a notebook was not run that far
SKIPPED = 'skip-execution'  # Jupyter's tag for cells that only people run
IMAGES = 101  # in a mini-batch of these tests: more than the notebook's mini_batch_size
# Each weight's gradient, in the order of the notebook's weights.
GRADIENTS = {'U': 'grad_U', 'W': 'grad_W', 'V': 'grad_V', 'b_hidden': 'grad_bh', 'b_V': 'grad_bV'}


class Wrong(Exception):
    """Something in a place is not as expected. The message is what a student reads."""


class Lacks(Wrong):
    """A symbol does not depend on another one. That may also be an earlier place's fault."""


class Overwritten(Wrong):
    """A name that places start from is no longer what a given cell made."""

    def __init__(self, name, made):
        super().__init__('%s is no longer %s: take out any line of yours that sets it, restart the '
                         'kernel, and run the cells again' % (name, made))
        self.name = name


class Names(SimpleNamespace):
    """The notebook's names, as attributes. One that is missing is a NameError, as in a cell."""

    def __getattr__(self, name):  # Python calls it for what is not there
        raise NameError("name '%s' is not defined" % name, name=name)


# The network in NumPy.

def hidden_states(weights, rows, start=0,
                  step=lambda bias, memory, new: np.tanh(bias + memory + new)):
    """Return the last hidden state and the sum of all, each (n, hidden units).

    rows: one (n, 28) array for each step. start: all numbers of the state before the first one.
    step: makes a state of the three terms in the equation.
    """
    h = np.full((rows.shape[1], len(weights['W'])), float(start))
    h_sum = np.zeros_like(h)
    for row in rows:
        h = step(weights['b_hidden'], h @ weights['W'], row @ weights['U'])
        h_sum = h_sum + h
    return h, h_sum


def probabilities(weights, h_sum):
    """Return the classes' probabilities, (n, 10), from the sum of 28 hidden states."""
    exp = np.exp(h_sum / 28 @ weights['V'] + weights['b_V'])
    return exp / exp.sum(axis=1, keepdims=True)


def cross_entropy(y_prob, y):
    """Return the cost of these probabilities for the one-hot labels y, both (n, 10)."""
    return -np.log((y_prob * y).sum(axis=1)).mean()


def example(nb, n=IMAGES):
    """Return random values for the weights, x and y, and the right results, two dicts by name."""
    rng = np.random.RandomState(0)
    shapes = {'U': (28, nb.hidden_d), 'W': (nb.hidden_d, nb.hidden_d), 'V': (nb.hidden_d, 10),
              'b_hidden': nb.hidden_d, 'b_V': 10}
    values = {name: rng.normal(size=shape) / 8 for name, shape in shapes.items()}
    values['x'] = rng.uniform(size=(n, 28, 28))
    values['y'] = np.eye(10)[rng.randint(0, 10, n)]
    h, h_sum = hidden_states(values, values['x'].transpose(1, 0, 2))
    y_prob = probabilities(values, h_sum)
    return values, {'h_states': h, 'h_states_sum': h_sum, 'y_prob': y_prob,
                    'cost': cross_entropy(y_prob, values['y'])}


# What symbols are worth.

def values_of(nb, values, wanted):
    """Return the values of the symbols wanted. values: {name: value}, put in for these symbols."""
    symbols = [getattr(nb, name) for name in values]
    inputs = [symbol.type() for symbol in symbols]
    function = theano.function(inputs, wanted, givens=list(zip(symbols, inputs)),
                               on_unused_input='ignore')
    return function(*values.values())


def compute(nb, values, wanted):
    """Return values_of(nb, values, wanted), or raise Wrong if shapes do not fit."""
    try:
        return values_of(nb, values, wanted)
    except ValueError as error:
        # Theano says, among other things:
        # Apply node that caused the error: Dot22(...)  or Gemm{inplace}(...), Elemwise{mul}(...)
        # Inputs shapes: [(28, 100), (100, 100)]
        found = re.search(r'Inputs shapes: \[(.*)\]', str(error))
        shapes = found.group(1).replace('), (', ') and (') if found else str(error)
        if re.search(r'caused the error: (Elemwise\{)?\w*(dot|gem|mul)', str(error), re.IGNORECASE):
            raise Wrong('the shapes of a product do not fit: %s. T.dot multiplies matrices, (n, k) '
                        'with (k, m); * and np.dot go entry by entry' % shapes) from None
        raise Wrong('shapes do not fit: %s. (The number of images is x.shape[0]; T.sum with '
                    'keepdims=True makes (n, 1), not (n,).)' % shapes) from None


def is_close(value, expected, rtol=1e-4):
    """Say whether two arrays are equal, or as good as: some add 1e-6 inside a logarithm."""
    return (np.shape(value) == np.shape(expected)
            and np.allclose(value, expected, rtol=rtol, atol=1e-10))


def is_right_from_images(nb, name):
    """Say whether a symbol is right when computed from x, y and the weights.

    Then its place is right as a whole: a student may skip the names in between.
    """
    values, right = example(nb)
    try:
        return is_close(values_of(nb, values, getattr(nb, name)), right[name])
    except Exception:  # an earlier place's fault
        return False


# What is expected.

def expect(fact, message):
    if not fact:
        raise Wrong(message)


def expect_close(value, expected, message):
    expect(is_close(value, expected),
           '%s: for random values it must begin with %s, and begins with %s'
           % (message, *(np.ravel(array)[:3].round(4) for array in (expected, value))))


def expect_none_of(value, mistakes):
    """Expect that a value is none of those that usual mistakes make, {message: wrong value}."""
    for message, wrong in mistakes.items():
        expect(not is_close(value, wrong), message)


def expect_made_of(nb, name, *others):
    """Expect that a name stands for a symbol, and that it depends on these others."""
    value = getattr(nb, name)
    expect(isinstance(value, theano.Variable),
           "%s must be made of Theano's symbols, and is a %s" % (name, type(value).__name__))
    for on in others:
        if getattr(nb, on) not in ancestors([value]):
            raise Lacks('%s does not depend on %s: was it left out, or does the result have '
                        'another name? If %s was made anew since, run this section again'
                        % (name, on, on))


# What the given cells make.

def costs_around_a_step(nb):
    """Return a cost: from cost_pred, from sgd_step, and from cost_pred after that step."""
    x, y = nb.X_train[:100], nb.Y_train[:100]
    before = [weight.get_value() for weight in nb.weights]
    nb.set_weights(nb.initial)
    try:
        return [function(x, y)[0] for function in (nb.cost_pred, nb.sgd_step, nb.cost_pred)]
    finally:
        nb.set_weights(before)


def given_names(nb):
    """Yield a name that a given cell makes, what it stands for, and whether it still does.

    The order counts. A place expects the names up to the last one that it starts from; what comes
    after that is not computed, since cells further down may not have run yet.
    """
    yield 'theano', 'the module theano', nb.theano is theano
    yield 'T', 'the module theano.tensor', nb.T is T
    yield 'np', 'the module numpy', nb.np is np
    yield 'theano.config.floatX', 'float64', theano.config.floatX == 'float64'
    for name, maker in {'x': T.tensor3, 'y': T.matrix}.items():
        value = getattr(nb, name)
        is_input = isinstance(value, theano.Variable) and value.owner is None
        yield name, "T.%s('%s')" % (maker.__name__, name), is_input and value.type == maker().type
    yield 'time_steps', '28', nb.time_steps == 28
    for name, weight in zip(GRADIENTS, nb.weights):
        yield name, 'the variable of section "Weights"', weight is getattr(nb, name)
    gradients = theano.grad(nb.cost, list(nb.weights))
    for own, anew in zip(GRADIENTS.values(), gradients):
        yield own, 'the gradient of cost', equal_computations([getattr(nb, own)], [anew])
    # No place expects these: students may try others. what_changed() does, for a whole copy.
    numbers = {'iterations': 1000, 'hidden_d': 100, 'mini_batch_size': 100, 'learning_rate': .1,
               'draw_seed': 1234, 'input_d': 28, 'output_d': 10}
    for name, value in numbers.items():
        yield name, value, getattr(nb, name) == value
    biases = nb.initial[3:]
    yield 'initial', 'np.zeros for b_hidden and b_V', not any(value.any() for value in biases)
    order = np.random.RandomState(0).permutation(50000)
    shuffled = nb.train_set[0][order], nb.train_set[1][order]
    sets = {'train': shuffled, 'valid': nb.valid_set, 'test': nb.test_set}
    for end, (images, labels) in sets.items():
        X, Y = getattr(nb, 'X_' + end), getattr(nb, 'Y_' + end)
        yield 'X_' + end, 'the images in %s_set' % end, np.array_equal(X, images)
        one_hot = np.eye(10)[labels]
        yield 'Y_' + end, 'the one-hot labels in %s_set' % end, np.array_equal(Y, one_hot)
    before, same, after = costs_around_a_step(nb)
    yield 'cost_pred', 'a function that keeps the weights', is_close(same, before, rtol=0)
    yield 'sgd_step', 'a function that lowers the cost of its mini-batch', after < same


def expect_given(nb, last=None):
    """Expect that the given names, up to a last one, stand for what the given cells made."""
    for name, made, is_as_made in given_names(nb):
        if not is_as_made:
            raise Overwritten(name, made)
        if name == last:
            return


# The places.

class Place(NamedTuple):
    """task: what a student is to write. makes: the names that it makes. test: the function."""

    task: str
    makes: tuple
    test: Callable


PLACES = {}  # by the titles of their sections, in the order of the notebook


def is_test_of(title, task, *makes):
    """Return a decorator that puts a function into PLACES, as the test of a place."""
    def put(test):
        PLACES[title] = Place(task, makes, test)
        return test
    return put


@is_test_of('One-hot labels', 'make the array onehot, of shape (len(inp), 10), from inp', 'onehot')
def check_one_hot_labels(nb):
    expect_given(nb, 'theano.config.floatX')
    expect(callable(nb.onehot), 'onehot must stay a function, and is a %s: indent your lines as '
           'far as the others in it' % type(nb.onehot).__name__)
    for inp in np.array([2, 0, 9, 2]), [5], np.array([[7], [0]], dtype='uint8'):
        labels = np.ravel(inp)
        call = 'onehot(%s)' % np.array(inp).tolist()
        encoded = nb.onehot(inp)
        expect(encoded is not nb.onehot, 'the last line returns onehot, and here that is the '
               'function itself: give your array this name')
        kind = getattr(encoded, 'dtype', type(encoded).__name__)
        expect(kind == 'float64', 'onehot must return an array of type float64, as np.zeros makes '
               'it, and returns %s' % kind)
        expect(encoded.shape == (len(labels), 10),
               '%s must have the shape %s, and has %s: one row for each label, and always ten '
               'columns' % (call, (len(labels), 10), encoded.shape))
        expect(np.array_equal(encoded, np.eye(10)[labels]),
               '%s must have a single 1 in each row, in the column of the label, and 0 elsewhere; '
               'the largest numbers are in the columns %s'
               % (call, encoded.argmax(axis=1).tolist()))
    for labels in [3, -1], [10], [2.5], [[1, 2]]:
        with contextlib.suppress(ValueError):
            nb.onehot(labels)
            raise Wrong('onehot(%r) must raise a ValueError' % (labels,))


@is_test_of('Weights', "draw U, W and V from rng, in this order, within Glorot's bounds",
            'U', 'W', 'V')
def check_weights(nb):
    expect_given(nb, 'theano.config.floatX')
    names = vars(nb)  # the next cell makes weights and initial; it may not have run yet
    first_values = dict(zip(names.get('weights', ()), names.get('initial', ())))
    stream = np.random.RandomState(1234)
    shapes = {'U': (nb.input_d, nb.hidden_d), 'W': (nb.hidden_d, nb.hidden_d),
              'V': (nb.hidden_d, nb.output_d)}
    for name, shape in shapes.items():
        weight = getattr(nb, name)
        expect(isinstance(weight, theano.compile.SharedVariable),
               '%s must be a theano.shared variable, and is a %s' % (name, type(weight).__name__))
        value = first_values.get(weight, weight.get_value())  # it may have been trained since
        expect(np.shape(value) == shape,
               '%s must have the shape %s, and has %s' % (name, shape, np.shape(value)))
        expect(value.dtype == 'float64',
               '%s must be of type float64, as rng.uniform makes it, and is %s'
               % (name, value.dtype))
        bound = np.sqrt(6 / sum(shape))
        low, high = value.min(), value.max()
        # With this many draws, the extremes lie near the bounds.
        expect(all(.9 * bound <= end <= 1.0001 * bound for end in (-low, high)),
               '%s must be drawn between -%.4f and %.4f (Glorot and Bengio), and goes from %.4f to '
               '%.4f' % (name, bound, bound, low, high))
        # A uniform draw stretches the next numbers of the stream, which go from 0 to 1.
        expect(is_close(value, (2 * stream.random_sample(shape) - 1) * bound, rtol=0),
               '%s has the right range, but other numbers: draw with rng.uniform, U first, then W, '
               'then V, one array a call, from a fresh rng' % name)


def usual_mistakes(values):
    """Return the last states that usual mistakes make, {message: array}. values: of weights, x."""
    x = values['x']
    rows = x.transpose(1, 0, 2)

    def last(rows=rows, values=values, **options):
        return hidden_states(values, rows, **options)[0]

    return {
        'x[:, :, t] is column t of the images: row t is x[:, t, :]': last(x.transpose(2, 0, 1)),
        'x[t] is image t: row t of all images is x[:, t, :]': last(x),
        'every image is read as the first one: x[:, t, :] is row t of all images':
            last(rows[:, :1].repeat(len(x), axis=1)),
        'step t reads row t - 1: row t is x[:, t, :]': last(np.roll(rows, 1, axis=0)),
        'the rows are read from the last to the first: step t reads row t': last(rows[::-1]),
        'the last row is not read: range(time_steps) counts from 0 to 27': last(rows[:27]),
        'each state is the tanh of its three terms, and here the sigmoid':
            last(step=lambda bias, memory, new: 1 / (1 + np.exp(-(bias + memory + new)))),
        'b_hidden is added outside of the tanh: all three terms go into it':
            last(step=lambda bias, memory, new: np.tanh(memory + new) + bias),
        'the term with x is added outside of the tanh: all three terms go into it':
            last(step=lambda bias, memory, new: np.tanh(bias + memory) + new),
        'h_states goes with W, and here with W.T': last(values={**values, 'W': values['W'].T}),
        'h_0, the state before the first step, must be 0, and is 1': last(start=1),
    }


@is_test_of('Hidden states', 'make the next h_states, and add it to h_states_sum',
            'h_states', 'h_states_sum')
def check_states(nb):
    expect_given(nb, 'b_V')
    expect_made_of(nb, 'h_states', 'x', 'U', 'W', 'b_hidden')
    expect_made_of(nb, 'h_states_sum')
    wanted = [nb.h_states, nb.h_states_sum]
    # As many images as rows: so x[t] in place of x[:, t, :] gives a state, too.
    values, right = example(nb, n=28)
    h, h_sum = compute(nb, values, wanted)
    last, total = right['h_states'], right['h_states_sum']
    if not is_close(h, last):
        expect_none_of(h, usual_mistakes(values))
        no_memory = {**values, 'W': np.zeros_like(values['W'])}
        step, _ = compute(nb, no_memory, wanted)
        right_step, _ = hidden_states(no_memory, values['x'].transpose(1, 0, 2))
        expect_close(step, right_step, 'one step by itself is wrong. Where W is all 0, h_states is '
                     'tanh(b_hidden + x_28 U)')
        expect_close(h, last, 'one step by itself is right, but h_states after the loop is not '
                     'h_28 of the equation')
    expect_none_of(h_sum, {
        'h_states_sum is still 0: add each new state to it': 0 * total,
        'h_states_sum is the last state alone: add each new state to what it was': last,
        'h_states_sum lacks the last state: add the new state, not the one before': total - last,
        'h_states_sum is the mean of the states: dividing by 28 comes in the next section':
            total / 28})
    expect_close(h_sum, total, 'h_states_sum is not the sum of h_1 to h_28')
    values, _ = example(nb)
    compute(nb, values, wanted)  # mini-batches of other sizes fit, too


@is_test_of('Prediction', 'make y_prob from h_states_sum, V and b_V', 'y_prob')
def check_prediction(nb):
    expect_given(nb, 'b_V')
    expect_made_of(nb, 'y_prob', 'V', 'b_V')
    expect_made_of(nb, 'y_pred', 'y_prob')
    values, results = example(nb)
    total, right = results['h_states_sum'], results['y_prob']
    if not is_right_from_images(nb, 'y_prob'):
        expect_made_of(nb, 'y_prob', 'h_states_sum')
        y_prob = compute(nb, {**values, 'h_states_sum': total}, nb.y_prob)
        expect(y_prob.shape == right.shape, 'y_prob must have the shape %s for %d images, and has '
               '%s' % (right.shape, IMAGES, y_prob.shape))
        expect(not np.allclose(y_prob.sum(axis=0), 1), 'the softmax goes over the images: for each '
               "image, the ten classes' probabilities add up to 1")
        expect(np.allclose(y_prob.sum(axis=1), 1),
               "an image's probabilities in y_prob must add up to 1: T.nnet.softmax")
        expect(not is_close(y_prob, probabilities(values, 28 * total)), 'y_prob comes from the sum '
               'of the states, not from their mean: divide by 28')
        expect_close(y_prob, right, 'y_prob is not the softmax of the mean state times V plus b_V')
    y_pred = compute(nb, {'y_prob': right}, nb.y_pred)
    expect(is_close(y_pred, right.argmax(axis=1)), 'y_pred must be T.argmax(y_prob, axis=1)')


@is_test_of('Cost', 'make cost from y_prob and y', 'cost')
def check_costs(nb):
    expect_given(nb, 'y')
    expect_made_of(nb, 'cost', 'y')
    expect(nb.cost.ndim == 0, 'cost must be one number, the mean over the mini-batch, and has %d '
           'dimension(s)' % nb.cost.ndim)
    if is_right_from_images(nb, 'cost'):
        return
    expect_made_of(nb, 'cost', 'y_prob')
    values, results = example(nb)
    y, y_prob, right = values['y'], results['y_prob'], results['cost']
    given = {'x': values['x'], 'y': y, 'y_prob': y_prob}  # x: a cost may ask it for its length
    cost = compute(nb, given, nb.cost)
    expect(np.isfinite(cost), 'cost is not finite, as if it took the logarithm of a label: '
           'T.nnet.categorical_crossentropy takes the probabilities first, then the labels')
    expect_none_of(cost, {
        'cost has the wrong sign: it is minus the mean of the logarithms': -right,
        'cost must be the mean over the mini-batch, not the sum': IMAGES * right,
        "cost must be divided by the mini-batch's own size, not by 100: T.mean":
            IMAGES * right / 100,
        'cost must be the mean over the images, not over images and classes': right / 10,
        'cost must take all images, not only the first 100':
            cross_entropy(y_prob[:100], y[:100])})
    expect_close(cost, right, "cost is not the mean of -log of the true class's probability")


def expect_new_value(nb, name, new, others):
    """Expect that new is what a weight must become. others: what else updates changes."""
    weight, own = getattr(nb, name), GRADIENTS[name]
    gradients = [getattr(nb, gradient) for gradient in GRADIENTS.values()]
    # Of this weight and the five gradients, which ones is new made of?
    # U - learning_rate * grad_U           U and grad_U
    # U - learning_rate * T.grad(cost, U)  U alone, since T.grad makes a gradient of its own
    # U - learning_rate * grad_W           U and grad_W: wrong
    # The search does not go on into the five gradients: all weights are in them.
    graph = ancestors([new], blockers=gradients)
    parts = [part for part in (name, *GRADIENTS.values()) if getattr(nb, part) in graph]
    calls_grad = parts == [name]
    expect(calls_grad or parts == [name, own],
           'the new %s must be %s - learning_rate * %s, and is made of %s'
           % (name, name, own, ' and '.join(parts) or 'neither'))
    # Momentum, for example, keeps a velocity, which moves, too.
    expect(not set(graph) & set(others),
           'the new %s depends on another variable in updates: plain SGD needs only %s, '
           'learning_rate and %s' % (name, name, own))
    values, _ = example(nb)
    values[own] = values[name] ** 2  # any numbers, put in for grad_U (if calls_grad, for nothing)
    gradient = theano.grad(nb.cost, weight) if calls_grad else getattr(nb, own)
    subtracted, right = values_of(nb, values, [weight - new, nb.learning_rate * gradient])
    expect_none_of(subtracted, {
        'the new %s goes up the gradient: subtract learning_rate * %s' % (name, own): -right,
        'the new %s lacks learning_rate' % name: right / nb.learning_rate})
    expect_close(subtracted, right,
                 'the new %s must be %s - learning_rate * %s: what is subtracted is wrong'
                 % (name, name, own))


@is_test_of('Compile', 'make updates, a list of five pairs', 'updates')
def check_updates(nb):
    expect_given(nb, 'grad_bV')
    if nb.learning_rate <= 0:
        raise Overwritten('learning_rate', 'above 0')
    pairs = list(nb.updates.items() if isinstance(nb.updates, dict) else nb.updates)
    expect(all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs),
           'updates must be a list of pairs, each in brackets: (weight, new value)')
    others = [key for key, _ in pairs if key not in nb.weights]
    for name in GRADIENTS:
        new = [value for key, value in pairs if key is getattr(nb, name)]
        expect(len(new) == 1, 'updates must have one new value for %s, and has %d'
               % (name, len(new)))
        expect_new_value(nb, name, T.as_tensor_variable(new[0]), others)


# What later places start from; b_hidden, b_V and y_pred are made by given lines in places' cells.
# Where one is missing, it may be an earlier place's fault.
MADE = ['b_hidden', 'b_V', 'weights', 'y_pred', *GRADIENTS.values(),
        *(name for place in PLACES.values() for name in place.makes)]


# Verdicts.

USE_DOT = ': use T.dot'
USE_T = ": NumPy's functions do not take symbols; use T.mean, T.sum, T.zeros and so on"
# Errors that come from the lines that raise them, whatever earlier places made: a pattern of the
# error's text, and what is said after it.
OWN_ERRORS = {
    '^(SyntaxError|IndentationError|TabError|ImportError|ModuleNotFoundError)': '',
    "^AttributeError: module '": '',         # T.softmax(y_hat)
    '^SystemExit': ': take out exit()',
    '^(EOFError|StdinNotImplementedError)': ': it waits for the keyboard; take out input()',
    ' for @': USE_DOT,                       # h_states @ W
    '^ValueError: matmul: Input': USE_DOT,   # np.matmul(h_states, W)
    "argument 'out'": USE_T,                 # np.mean(cost)
    'do not support boolean': USE_T,         # np.maximum(y_hat, 0)
    'out of bounds for array of': USE_T,     # np.argmax(y_prob, axis=1)
    "TensorVariable' object cannot": USE_T,  # np.zeros((x.shape[0], hidden_d))
}


def printable(text):
    """Return a text or a path with nothing in it that a terminal would act on, or cannot show."""
    return ''.join(character if character.isprintable() else '\\x%02x' % ord(character)
                   for character in str(text))


def described(error):
    """Return what is told of an error: one line that can be printed."""
    text = str(error) if isinstance(error, Wrong) else '%s: %s' % (type(error).__name__, error)
    if isinstance(error, SyntaxError):
        text = '%s: %s, in line %s of its cell' % (type(error).__name__, error.msg, error.lineno)
    if type(error) is NameError:
        text += ': is it misspelt, or was its cell not run?'
    line = printable(text.strip(': \n').partition('\n')[0][:300])
    advice = [advice for pattern, advice in OWN_ERRORS.items() if re.search(pattern, line)]
    return line + ''.join(advice)


def can_only_be_its_own(error, names):
    """Say whether an error is the fault of the place that it is found in, and no other cell's.

    names: those that the place's cell sets.
    """
    if type(error) is NameError:
        return error.name not in MADE
    if isinstance(error, Overwritten):
        return error.name in names
    if isinstance(error, Wrong):
        return not isinstance(error, Lacks)
    return any(re.search(pattern, described(error)) for pattern in OWN_ERRORS)


def names_set_by(source):
    """Return the names that a cell sets; if it is not Python, the words its lines begin with."""
    source = re.sub(r'^\s*[%!].*', '', source, flags=re.MULTILINE)  # without magics
    try:
        symbols = symtable.symtable(source, 'cell', 'exec').get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r'^\s*(?:def\s+)?(\w+)', source, re.MULTILINE))
    return {symbol.get_name() for symbol in symbols
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}


class Session:
    """The names of a notebook that runs, and how the cells of its places ended."""

    def __init__(self, names):
        self.names = names
        # By title: the names that a place's cell sets, and the error that it ended in.
        self.last_runs = dict.fromkeys(PLACES, (set(), None))
        # The sum that Hidden states made, where Prediction's cell may put the mean in its place.
        self.h_states_sum = names.get('h_states_sum')

    def after_cell(self, source, error):
        """Note what became of a cell. error: an exception, or None.

        Two things that right cells do are undone: they would count against a place later.
        """
        names = names_set_by(source)
        if {'y_prob', 'h_states_sum'} <= names and 'h_states' not in names:
            # Prediction, as h_states_sum = h_states_sum / time_steps. Run again, it would divide
            # the mean. So the sum comes back, and the cell does not count for Hidden states.
            names.remove('h_states_sum')
            if self.h_states_sum is not None:
                self.names['h_states_sum'] = self.h_states_sum
        self.h_states_sum = self.names.get('h_states_sum')
        if hasattr(self.names.get('updates'), '__next__'):
            # An iterator, as zip(...), can be used only once, and theano.function takes none.
            self.names['updates'] = list(self.names['updates'])
        for title, place in PLACES.items():
            if names & set(place.makes):
                self.last_runs[title] = names, error

    def outcome(self, test):
        """Return the exception that a function of the notebook's names ends in, or None."""
        with capture_output():  # and throw it away
            try:
                test(Names(**self.names))
            except BaseException as error:  # as SystemExit, which would end the kernel
                return error
        return None

    def fault(self, title):
        """Return the exception that is held against a place, or None."""
        makes, test = PLACES[title].makes, PLACES[title].test
        names, error = self.last_runs[title]
        if error is None:
            if not set(makes) <= set(self.names):
                return NotImplementedError()
            return self.outcome(test)
        if type(error) is NotImplementedError or can_only_be_its_own(error, names):
            return error
        # Its cell's error may come from a given name that was overwritten.
        found = self.outcome(test)
        return found if isinstance(found, Overwritten) else error

    def judge(self, title):
        """Return the verdict on a place: (kind, text). The head of this file says how."""
        error = self.fault(title)
        if error is None:
            return RIGHT, 'right'  # 2
        if type(error) is NotImplementedError:  # 1
            return EMPTY, ('not written yet, or the line with raise was left in: '
                           + PLACES[title].task)
        names, _ = self.last_runs[title]
        if not can_only_be_its_own(error, names):  # 4 and 5
            titles = list(PLACES)
            for earlier in titles[1:titles.index(title)]:  # no place starts from the first, onehot
                if self.judge(earlier)[0] in (EMPTY, WRONG):  # one that waits is not at fault
                    return WAITS, 'cannot be checked before "%s" is right' % earlier
            if isinstance(error, Overwritten):  # by another cell
                return WAITS, 'cannot be checked: ' + described(error)
        return WRONG, ('' if isinstance(error, Wrong) else 'stops with ') + described(error)

    def what_changed(self):
        """Return what is wrong with the given cells, a sentence, or None."""
        fault = self.outcome(expect_given)
        return 'a given cell was changed, or what it made: ' + described(fault) if fault else None


def watch(shell):
    """Return the Session of an IPython shell, which notes the cells that run from now on."""
    session = Session(shell.user_ns)
    # IPython puts the error that it shows into sys.last_value. (A cell's result lacks it where a
    # magic, as %%capture, has shown it.)
    before = getattr(sys, 'last_value', None)

    def before_cell(info):
        nonlocal before
        before = getattr(sys, 'last_value', None)

    def after_cell(result):
        after = getattr(sys, 'last_value', None)
        session.after_cell(result.info.raw_cell, None if after is before else after)

    shell.events.register('pre_run_cell', before_cell)
    shell.events.register('post_run_cell', after_cell)
    return session


# The session of this notebook. (Of a copy that is checked, run_copy.py makes it.) importlib.reload,
# as in nbgrader's cells, makes a new one, which goes on with what the old one has noted.
if get_ipython():
    previous = globals().get('session')
    session = watch(get_ipython())
    if previous:
        session.last_runs = previous.last_runs


def verdict(title):
    """Return the verdict on a place of this notebook, one line: 'right', or what is wrong."""
    return session.judge(title)[1]


def place(title):
    """Print the verdict on a place of this notebook, one line: right, or what is wrong."""
    print(verdict(title))
