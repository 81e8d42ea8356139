"""Tests of the verdicts on the places, with a student's cells run after those of the notebook."""
import os
import random
import subprocess
import sys

import cells
import check
import numpy as np
import pytest
import theano
from IPython.core.interactiveshell import InteractiveShell

LOOP = """
h_states = h_states_sum = T.zeros((x.shape[0], hidden_d))
for t in range(time_steps):
    h_states = %s
    h_states_sum = h_states_sum + h_states
"""
ROW = LOOP % 'T.tanh(b_hidden + T.dot(h_states, W) + T.dot(%s, U))'
TERMS = LOOP % 'T.tanh(b_hidden + %s)'
RIGHT_LOOP = ROW % 'x[:, t, :]'
SCAN = """
def step(x_t, h):
    return T.tanh(b_hidden + T.dot(h, W) + T.dot(x_t, U))
h_all, _ = theano.scan(step, sequences=x.dimshuffle(1, 0, 2),
                       outputs_info=T.zeros((x.shape[0], hidden_d)))
h_states = h_all[-1]
h_states_sum = h_all.sum(axis=0)
"""
SUM_BEFORE_STATE = """
h_states = h_states_sum = T.zeros((x.shape[0], hidden_d))
for t in range(time_steps):
    a = b_hidden + T.dot(h_states, W) + T.dot(x[:, t, :], U)
    h_states_sum = h_states_sum + T.tanh(a)
    h_states = T.tanh(a)
"""
STATES_IN_A_LIST = """
def next_state(h, t):
    return T.tanh(sum([b_hidden, h.dot(W), x[:, t].dot(U)]))
all_states = [T.zeros((x.shape[0], hidden_d))]
for t in range(28):
    all_states.append(next_state(all_states[-1], t))
h_states = all_states[-1]
h_states_sum = T.sum(T.stack(all_states), axis=0)
"""
SCORES = 'T.dot(h_states_sum / time_steps, V) + b_V'
PREDICTION = 'y_prob = %s\ny_pred = T.argmax(y_prob, axis=1)'
MEAN_OF_OWN_STATES = """
h, states = T.zeros((x.shape[0], hidden_d)), []
for t in range(time_steps):
    h = T.tanh(b_hidden + T.dot(h, W) + T.dot(x[:, t, :], U))
    states.append(h)
""" + PREDICTION % 'T.nnet.softmax(T.dot(T.stack(states).mean(axis=0), V) + b_V)'
OWN_SOFTMAX = """
e = T.exp(T.dot(h_states_sum / 28., V) + b_V)
""" + PREDICTION % '(e.T / T.sum(e, axis=1)).T'
MEAN_IN_PLACE = ('h_states_sum = h_states_sum / time_steps\n'
                 + PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum, V) + b_V)')
SCORES_IN_Y = 'y = %s\n' % SCORES + PREDICTION % 'T.nnet.softmax(y)'
DRAW = """
rng = np.random.RandomState(1234)
def draw(*shape):
    bound = %s
    return %s
U, W, V = draw(28, 100), draw(100, 100), draw(100, 10)
b_hidden, b_V = theano.shared(np.zeros(100)), theano.shared(np.zeros(10))
"""
RIGHT_DRAW = DRAW % ('np.sqrt(6) / np.sqrt(sum(shape))',
                     "theano.shared(bound * rng.uniform(-1, 1, shape))")
ONEHOT = """
given = onehot
def onehot(inp):
    given(inp)  # raises, where it must
    inp = np.ravel(inp)
    %s
"""
SGD = 'updates = [(w, %s) for w, g in zip(weights, [grad_U, grad_W, grad_V, grad_bh, grad_bV])]'
MOMENTUM = """
updates = []
for w in weights:
    v = theano.shared(0 * w.get_value())
    step = .9 * v - learning_rate * T.grad(cost, w)
    updates += [(v, step), (w, w + step)]
"""

RIGHT = [
    ('One-hot labels', ONEHOT % 'return np.eye(10)[inp]'),
    ('One-hot labels', ONEHOT % 'return (inp[:, None] == np.arange(10)).astype(float)'),
    ('One-hot labels', ONEHOT % 'return np.array([[i == c for c in range(10)] for i in inp]) * 1.'),
    ('Weights', RIGHT_DRAW),
    ('Weights', RIGHT_DRAW + 'del rng'),
    ('Hidden states', SCAN),
    ('Hidden states', SUM_BEFORE_STATE),
    ('Hidden states', STATES_IN_A_LIST),
    ('Hidden states', LOOP % 'np.tanh(T.dot(T.concatenate([h_states, x[:, t]], axis=1), '
     'T.concatenate([W, U])) + b_hidden)'),
    ('Prediction', PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum / x.shape[1], V) + b_V)'),
    ('Prediction', MEAN_OF_OWN_STATES),
    ('Prediction', OWN_SOFTMAX),
    ('Prediction', MEAN_IN_PLACE),
    ('Cost', 'cost = T.sum(T.nnet.categorical_crossentropy(y_prob, y)) / x.shape[0]'),
    ('Cost', 'cost = -T.mean(T.log(y_prob)[T.arange(y.shape[0]), T.argmax(y, axis=1)])'),
    ('Cost', 'cost = -T.mean(T.log(T.sum(y * y_prob, axis=1) + 1e-6))'),
    ('Cost', 'cost = T.mean(T.log(T.exp(y_hat).sum(axis=1)) - (y * y_hat).sum(axis=1))'),
    ('Cost', 'if False:\n    raise NotImplementedError\n'
     'cost = (y * -T.log(y_prob)).sum() / y.shape[0]'),
    ('Compile', SGD % 'w - learning_rate * g'),
    ('Compile', 'import collections\n' + SGD.replace('[(', 'collections.OrderedDict((')
     .replace('bV])]', 'bV]))') % 'w - learning_rate * g'),
    ('Compile', 'updates = zip(weights, [w - learning_rate * T.grad(cost, w) for w in weights])'),
]

WRONG = [
    ('One-hot labels', 'onehot = np.zeros((4, 10))', 'must stay a function'),
    ('One-hot labels', ONEHOT % 'return np.zeros((len(inp), 11))', 'and has (4, 11)'),
    ('One-hot labels', ONEHOT % 'return np.eye(inp.max() + 1)[inp]', 'and has (1, 6)'),
    ('One-hot labels', ONEHOT % 'return np.eye(10)[inp].squeeze()', 'and has (10,)'),
    ('One-hot labels', ONEHOT % 'return np.eye(10, dtype=int)[inp]', 'float64'),
    ('One-hot labels', ONEHOT % 'return np.matrix(np.eye(10)[inp])', 'returns a matrix'),
    ('One-hot labels', ONEHOT % 'return np.eye(10)[inp - 1]', 'in the columns [1, 9, 8, 1]'),
    ('One-hot labels', ONEHOT % 'raise SystemExit', 'ends the program'),
    ('One-hot labels', ONEHOT % 'raise AssertionError("right")', 'stops with AssertionError'),
    ('Weights', DRAW % ('np.sqrt(6 / sum(shape))', 'theano.shared(rng.uniform(0, bound, shape))'),
     'U must be drawn between -0.2165 and 0.2165 (Glorot and Bengio), and goes from 0.0000 to '
     '0.2165'),
    ('Weights', DRAW % ('np.sqrt(6 / sum(shape))', 'rng.uniform(-bound, bound, shape)'),
     'U must be a theano.shared variable, and is a ndarray'),
    ('Weights', RIGHT_DRAW.replace('1234', '0'), 'but other numbers'),
    ('Weights', 'U = theano.shared(cost_)', "'cost_' is not defined: is it misspelt?"),
    ('Weights', 'del cost\nU = theano.shared(cost)', 'made further down, in section "Cost"'),
    ('Hidden states', ROW % 'x[:, :, t]', 'x[:, :, t] is column t'),
    ('Hidden states', ROW % 'x[:, t - 1, :]', 'step t reads row t - 1'),
    ('Hidden states', ROW % 'x[:, t + 1, :]', 'an index is too large: index 28'),
    ('Hidden states', ROW % 'x[:, 27 - t, :]', 'from the last to the first'),
    ('Hidden states', ROW % 'x[t]', 'x[t] is image t'),
    ('Hidden states', ROW % 'x[0, t, :]', 'every image is read as the first one'),
    ('Hidden states', ROW % 'x[:100, t, :]', 'mini-batches of 100 images only'),
    ('Hidden states', ROW % 'X_train[:, t, :]', 'has images in it, as X_train has them'),
    ('Hidden states', RIGHT_LOOP.replace('time_steps', '27'), 'the last row is not read'),
    ('Hidden states', RIGHT_LOOP.replace('zeros', 'ones'), 'h_0, the state before'),
    ('Hidden states', RIGHT_LOOP.replace('W)', 'W.T)'), 'here with W.T'),
    ('Hidden states', RIGHT_LOOP.replace('T.tanh', 'T.nnet.sigmoid'), 'here the sigmoid'),
    ('Hidden states', LOOP % 'b_hidden + T.tanh(T.dot(h_states, W) + T.dot(x[:, t, :], U))',
     'b_hidden is added outside'),
    ('Hidden states', LOOP % 'T.tanh(b_hidden + T.dot(h_states, W)) + T.dot(x[:, t, :], U)',
     'the term with x is added outside'),
    ('Hidden states', LOOP % 'T.tanh(b_hidden + T.dot(h_states, W) + T.dot(x[:, t], U)) / 2',
     'one step by itself is wrong. Where W is all 0'),
    ('Hidden states', TERMS % 'T.dot(h_states_sum, W) + T.dot(x[:, t, :], U)',
     'one step by itself is right, but'),
    ('Hidden states', TERMS % 'T.dot(W, h_states + T.dot(x[:, t], U))', '(100, 100) and (28, 100)'),
    ('Hidden states', TERMS % 'h_states * W + T.dot(x[:, t], U)', '* and np.dot go entry by entry'),
    ('Hidden states', TERMS % 'np.dot(h_states, W) + T.dot(x[:, t, :], U)',
     'the shapes of a product do not fit: (28, 100) and (100, 100). T.dot multiplies matrices (* '
     'and np.dot go entry by entry): x[:, t, :], (n, 28), goes with U, and h_states, (n, 100), '
     'with W'),
    ('Hidden states', TERMS % 'h_states @ W', "'TensorSharedVariable': use T.dot"),
    ('Hidden states', TERMS % 'T.dot(x[:, t, :], U)', 'does not depend on W: was it left out'),
    ('Hidden states', RIGHT_LOOP.replace('x.shape[0]', 'mini_batch_size'), '100 images only'),
    ('Hidden states', 'x = X_train[:5]' + RIGHT_LOOP, 'then run all cells from "Inputs" on'),
    ('Hidden states', RIGHT_LOOP.replace('_sum + h_states', '_sum'), 'h_states_sum is still 0'),
    ('Hidden states', RIGHT_LOOP.replace('_sum + h_states', '_sum + 2 * h_states'),
     'h_states_sum is not the sum of h_1 to h_28'),
    ('Prediction', PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum, V) + b_V)', 'divide by 28'),
    ('Prediction', PREDICTION % 'T.nnet.softmax(T.dot(h_states, V) + b_V)', 'from the last state'),
    ('Prediction', PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum / x.shape[0], V) + b_V)',
     'divided by the number of images'),
    ('Prediction', PREDICTION % ('T.nnet.softmax((%s).T).T' % SCORES), 'goes over the images'),
    ('Prediction', PREDICTION % ('T.nnet.softmax(%s).T' % SCORES), 'and has (10, 7)'),
    ('Prediction', PREDICTION % SCORES, 'must add up to 1'),
    ('Prediction', 'e = T.exp(%s)\n' % SCORES + PREDICTION % 'e / T.sum(e, axis=1)',
     'the shapes in a division do not fit: (7, 10) and (1, 7)'),
    ('Prediction', PREDICTION % 'T.softmax(y_hat)', "has no attribute 'softmax'"),
    ('Prediction', PREDICTION % 'T.ones((x.shape[0], 10)) / 10', 'does not depend on V'),
    ('Prediction', SCORES_IN_Y, "y is no longer T.matrix('y')"),
    ('Prediction', PREDICTION.replace('=1', '=0') % ('T.nnet.softmax(%s)' % SCORES),
     'y_pred must be T.argmax'),
    ('Cost', 'cost = T.sum(y)', 'does not depend on y_prob'),
    ('Cost', 'cost = T.nnet.categorical_crossentropy(y_prob, y)', 'must be one number'),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(y, y_prob))', 'not finite'),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(y_prob[:100], y[:100]))',
     'cost must take all images, not only the first 100'),
    ('Cost', 'cost = T.mean(T.sum(y * T.log(y_prob), axis=1))', 'the wrong sign'),
    ('Cost', 'cost = T.sum(T.nnet.categorical_crossentropy(y_prob, y)) / mini_batch_size',
     "the mini-batch's own size, not by 100"),
    ('Cost', 'cost = np.mean(T.nnet.categorical_crossentropy(y_prob, y))', 'use T.mean'),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(yprob, y))',
     "'yprob' is not defined: is it misspelt?"),
    ('Cost', 'cost = (', 'stops with SyntaxError'),
    ('Compile', 'updates = [W, W - learning_rate * grad_W]', 'each in brackets'),
    ('Compile', 'updates = updates + updates[:1]', 'one new value for W, and has 2'),
    ('Compile', SGD % 'w + learning_rate * g', 'the new U goes up the gradient'),
    ('Compile', 'updates = [(w, w + learning_rate * T.grad(cost, w)) for w in weights]',
     'the new U goes up the gradient'),
    ('Compile', SGD % 'w - g', 'the new U lacks learning_rate'),
    ('Compile', (SGD % 'w - learning_rate * g').replace('grad_U, grad_W', 'grad_W, grad_U'),
     'and has grad_W'),
    ('Compile', 'updates = updates[:4] + [(b_V, b_hidden - learning_rate * grad_bV)]',
     'the new b_V does not depend on b_V'),
    ('Compile', MOMENTUM, 'the new U depends on another variable in updates'),
    ('Compile', 'W = W - learning_rate * grad_W\nupdates = []', 'W is no longer the variable of'),
    ('Compile', 'learning_rate = 0', 'learning_rate must be above 0'),
    ('Compile', 'grad_W = T.grad(cost, W) * 2\n' + SGD % 'w - learning_rate * g',
     'grad_W is no longer the gradient of cost'),
]


@pytest.fixture
def session(nb):
    """The session of a student who has run the notebook."""
    return check.Session(vars(nb).copy())


def run(session, source):
    """Run a cell in a session, which may fail."""
    error = None
    try:
        exec(compile(source, 'cell', 'exec'), session.names)
    except Exception as raised:
        error = raised
    session.after_cell(source, error)


@pytest.fixture(scope='module')
def symbolic_cells():
    """The cells from Weights to Compile, but those that compile: [(section, source)]."""
    found = [(section, cell.source) for section, cell in cells.with_sections(cells.saved('mnist_rnn').cells)
             if cell.cell_type == 'code' and 'theano.function' not in cell.source]
    sections = [section for section, source in found]
    return found[sections.index('Weights'):sections.index('Train')]


@pytest.mark.parametrize('title', check.PLACES)
def test_saved_notebook_is_right(session, title):
    assert session.verdict(title) == (check.RIGHT, 'right')


def marked(rows):
    """Return the rows for parametrize; the places that take longer to judge are slow."""
    quick = 'One-hot labels', 'Weights', 'Cost'
    return [row if row[0] in quick else pytest.param(*row, marks=pytest.mark.slow) for row in rows]


@pytest.mark.parametrize('title, source', marked(RIGHT))
def test_right(session, title, source):
    run(session, source)
    assert session.verdict(title).text == 'right'


@pytest.mark.parametrize('title, source, words', marked(WRONG))
def test_wrong(session, title, source, words):
    run(session, source)
    kind, text = session.verdict(title)
    assert kind == check.WRONG
    assert words in text


# A mistake costs its own place and no other.

def run_from(session, symbolic_cells, title, source):
    """Run the cells from a place on, with this source in it. Return each place's verdict.

    The verdicts are those at the end of their sections, as check_file.py gives them.
    """
    start = [section for section, _ in symbolic_cells].index(title)
    for section, _ in symbolic_cells[start:]:
        for name in check.PLACES[section].makes if section in check.PLACES else []:
            session.names.pop(name, None)
    for name in check.GRADIENTS.values():
        session.names.pop(name, None)
    verdicts = {}
    for number, (section, saved) in enumerate(symbolic_cells[start:]):
        run(session, saved if number else source)
        if section in check.PLACES:
            verdicts[section] = session.verdict(section)
    return verdicts


@pytest.mark.slow
@pytest.mark.parametrize('title, source', [
    ('Weights', DRAW % ('np.sqrt(6 / sum(shape))', 'rng.uniform(-bound, bound, shape)')),
    ('Weights', DRAW % ('1', "theano.shared(rng.uniform(-1, 1, shape).T)")),
    ('Hidden states', TERMS % 'T.dot(W, h_states) + T.dot(x[:, t, :], U)'),
    ('Hidden states', TERMS % 'h_states * W + T.dot(x[:, t, :], U)'),
    ('Hidden states', TERMS % 'np.dot(h_states, W) + T.dot(x[:, t, :], U)'),
    ('Hidden states', TERMS % 'T.dot(h_states, W) + T.dot(x[:, t, :], U.T)'),
    ('Hidden states', LOOP % 'T.tanh(T.dot(h_states, W) + T.dot(x[:, t, :], U))'),  # no bias
    ('Hidden states', ROW % 'x[t]'),
    ('Hidden states', RIGHT_LOOP.replace('x.shape[0]', 'mini_batch_size')),
    ('Hidden states', 'x = X_train[:5]' + RIGHT_LOOP),
    ('Hidden states', 'h_states, h_states_sum = [], []'),
    ('Prediction', PREDICTION % ('T.nnet.softmax((%s).T).T' % SCORES)),
    ('Prediction', PREDICTION % ('T.nnet.softmax(%s).T' % SCORES)),
    ('Prediction', PREDICTION % 'T.ones((x.shape[0], 10)) / 10'),
    ('Prediction', PREDICTION % 'np.ones((100, 10))'),
    ('Prediction', SCORES_IN_Y),
    ('Cost', 'cost = T.sum(y * y_prob, axis=1)'),
    ('Cost', 'cost = 2.3')])
def test_mistake_costs_its_own_place_only(session, symbolic_cells, title, source):
    verdicts = run_from(session, symbolic_cells, title, source)
    assert verdicts.pop(title).kind == check.WRONG
    for kind, text in verdicts.values():
        assert kind == check.RIGHT or text.startswith('cannot be checked before "')


@pytest.mark.slow
@pytest.mark.parametrize('title', ['Hidden states', 'Prediction', 'Cost', 'Compile'])
def test_weights_run_again_make_nothing_wrong(session, symbolic_cells, title):
    run(session, dict(symbolic_cells[:1])['Weights'])
    assert session.verdict('Weights').text == 'right'
    assert session.verdict(title).kind in (check.RIGHT, check.WAITS)


def test_what_has_to_be_run_again_is_told(session):
    run(session, 'W = theano.shared(W.get_value())')
    assert session.verdict('Hidden states') == (
        check.WAITS, 'W was made anew since h_states: run this section again')


# Not written, and what follows from it.

def test_an_empty_place_is_not_written(session):
    del session.names['cost']
    assert session.verdict('Cost') == (
        check.EMPTY, 'not written yet: make cost from y_prob and y')


def test_raise_that_was_left_in(session):
    run(session, 'cost = T.mean(y_prob)\nraise NotImplementedError')
    assert session.verdict('Cost') == (
        check.EMPTY, 'not written yet, or the line with raise was left in: make cost from y_prob '
        'and y')


@pytest.mark.parametrize('missing, source', [
    (['y_prob'], 'cost = T.mean(y_prob)'),
    ([], 'y_prob = 3\ncost = T.mean(T.nnet.categorical_crossentropy(y_prob, y))')])
def test_an_error_waits_for_the_earlier_place(session, missing, source):
    for name in missing:
        del session.names[name]
    for line in source.splitlines():
        run(session, line)
    assert session.verdict('Cost') == (
        check.WAITS, 'cannot be checked before "Prediction" is right')


def test_an_empty_place_stays_empty_when_later_ones_run(session):
    del session.names['h_states'], session.names['h_states_sum']
    run(session, MEAN_IN_PLACE)
    assert session.verdict('Hidden states').kind == check.EMPTY
    assert session.verdict('Prediction').kind == check.WAITS


def test_an_error_of_its_own_does_not_wait(session):
    del session.names['h_states']
    run(session, 'y_prob = T.softmax(h_states_sum)')
    assert session.verdict('Prediction').kind == check.WRONG


def test_an_error_does_not_wait_for_onehot(session):
    del session.names['onehot']
    run(session, 'h_states = T.dot(3, [])')
    assert session.verdict('Hidden states').kind == check.WRONG


# Given cells.

def test_a_missing_given_name_is_told(session):
    del session.names['x'], session.names['h_states']
    run(session, RIGHT_LOOP)
    assert session.verdict('Hidden states').text == (
        "'x' is not defined: the cell of section \"Inputs\" that makes it comes later, was "
        'deleted, or was not run')


@pytest.mark.parametrize('source', ['x = X_train[:5]', 'y = Y_train', 'T = 3', 'np = 3'])
def test_an_overwritten_name_is_told(session, source):
    run(session, source)
    section = 'Inputs' if source[0] in 'xy' else 'Imports'
    kind, text = session.verdict('Hidden states')
    assert kind == check.WAITS
    assert text.startswith('cannot be checked before all cells from "%s" on are run' % section)


def test_another_type_of_numbers_is_told(session, monkeypatch):
    monkeypatch.setattr(theano.config, 'floatX', 'float32')
    assert 'theano.config.floatX is no longer float64' in session.verdict('Cost').text
    assert 'theano.config.floatX is no longer float64' in session.what_changed()


def test_given_cells_of_the_notebook_are_unchanged(session):
    assert session.what_changed() is None


@pytest.mark.parametrize('source, message', [
    ('iterations = 50', 'a given cell in section "Hyper-parameters" was changed: iterations must '
     'be 1000, and is 50'),
    ('X_test = X_test * 255', 'a given cell in section "The data" was changed: X_test must be the '
     'images in test_set'),
    ('Y_train = Y_train[::-1]', 'a given cell in section "One-hot labels" was changed: Y_train '
     'must be onehot(Y_labels)'),
    pytest.param('grad_W = 2 * grad_W', 'grad_W is no longer the gradient of cost: its cell in '
                 'section "Gradients" was changed, or another cell sets it',
                 marks=pytest.mark.slow),
    ('cost_pred = sgd_step', 'a given cell in section "Compile" was changed: cost_pred must not '
     'change U'),
    ('del sgd_step', "'sgd_step' is not defined: the cell of section \"Compile\" that makes it "
     'comes later, was deleted, or was not run')])
def test_a_changed_given_cell_is_told(session, source, message):
    run(session, source)
    assert session.what_changed() == message


def test_the_first_error_of_a_given_cell_is_told(session):
    del session.names['train_set']
    run(session, 'train_set = open("/nosuch")')
    run(session, 'train_set = train_set[:1000]')
    assert session.what_changed().startswith(
        'a given cell in section "The data" stopped with FileNotFoundError')


# The check can be run at any time, and leaves all as it was.

def test_a_correction_is_seen(session):
    run(session, 'cost = T.nosuch(y)')
    session.names['cost'] = 1 * session.names['cost']  # by another way than a cell
    assert session.verdict('Cost').text == 'right'


@pytest.mark.parametrize('times', [1, 2, 3])
def test_a_place_can_be_run_again(session, times):
    for _ in range(times):
        run(session, MEAN_IN_PLACE)
    assert session.verdict('Prediction').text == 'right'


def test_weights_overwritten_further_down_were_right(session):
    run(session, 'W = W - learning_rate * grad_W\nupdates = []')
    assert session.verdict('Weights').text == 'right'


def test_trained_weights_are_right_and_stay(nb, session):
    nb.sgd_step(nb.X_train[:100], nb.Y_train[:100])
    before = [weight.get_value() for weight in nb.weights]
    verdicts = [session.verdict(title).text for title in check.PLACES]
    changed = session.what_changed()
    after = [weight.get_value() for weight in nb.weights]
    nb.set_weights(nb.initial)
    assert verdicts == 6 * ['right'] and changed is None
    assert all(map(np.array_equal, before, after))


def test_random_states_stay(session):
    run(session, 'import random\ndef onehot(inp): return np.eye(10)[np.random.randint(0, 9, '
        'random.choice([4]))]')
    before = np.random.get_state()[2], random.getstate()
    session.verdict('One-hot labels')
    assert before == (np.random.get_state()[2], random.getstate())


def test_nothing_is_printed(session, capfd):
    run(session, 'import sys\ndef onehot(inp):\n    print(3)\n    print(4, file=sys.stderr)')
    session.verdict('One-hot labels')
    assert capfd.readouterr() == ('', '')


def test_an_interrupted_check_is_no_mistake(session):
    run(session, 'def onehot(inp): raise KeyboardInterrupt')
    assert session.verdict('One-hot labels').kind == check.WAITS


# In a kernel.

@pytest.fixture
def shell(nb, tmp_path, monkeypatch):
    """IPython, with the names of the notebook."""
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path))
    shell = InteractiveShell(user_ns=vars(nb).copy())
    yield shell
    shell.history_manager.end_session()


@pytest.mark.parametrize('magic', ['', '%%time\n', '%%capture\n', '\n%%capture\n%%time\n'])
@pytest.mark.parametrize('lines, text', [
    ('cost = T.nosuch(y)', "stops with AttributeError: module 'theano.tensor' has no attribute "
     "'nosuch'"),
    ('cost = T.sum(y)\nraise NotImplementedError', 'not written yet, or the line with raise was '
     'left in: make cost from y_prob and y'),
    ('cost = -cost', 'cost has the wrong sign: it is minus the mean of the logarithms')])
def test_a_cell_counts_with_a_magic_or_without(shell, magic, lines, text):
    session = check.watch(shell)
    shell.run_cell(magic + lines)
    assert session.verdict('Cost').text == text


def test_an_earlier_error_is_not_the_next_cell_s(shell):
    session = check.watch(shell)
    shell.run_cell('1 / 0')
    shell.run_cell('cost = 1 * cost')
    assert session.verdict('Cost').text == 'right'


# Starting.

def import_check(*options, **variables):
    """Import check in a process of its own, and return what it says of errors."""
    done = subprocess.run([sys.executable, *options, '-c', 'import check'], env={
        **os.environ, 'PYTHONPATH': str(cells.ROOT / 'exercise'), **variables},
        cwd='/', capture_output=True, text=True)
    return done.stderr.strip().splitlines()


@pytest.mark.slow  # it imports Theano
def test_bitwise_is_found_from_anywhere():
    assert import_check(PYTHONSAFEPATH='1') == []


def test_without_assertions_nothing_is_right():
    assert import_check('-O')[-1].startswith('ImportError: nothing can be checked')


def test_a_broken_package_is_named(tmp_path):
    (tmp_path / 'theano.py').write_text('raise ImportError("\\n\\nread this\\n\\nno cxx")')
    path = os.pathsep.join([str(tmp_path), str(cells.ROOT / 'exercise')])
    assert import_check(PYTHONPATH=path)[-1] == (
        'ImportError: the check needs theano, which cannot be imported: no cxx (is the '
        'environment active, and complete?)')
