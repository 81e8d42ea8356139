"""Tests of the verdicts on the places, with a student's cells run after those of the notebook."""
import random

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
TERMS = LOOP % 'T.tanh(b_hidden + %s)'
ROW = TERMS % 'T.dot(h_states, W) + T.dot(%s, U)'
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
SCORES = 'T.dot(h_states_sum / time_steps, V) + b_V'
PREDICTION = 'y_prob = %s\ny_pred = T.argmax(y_prob, axis=1)'
MEAN_OF_OWN_STATES = """
h, states = T.zeros((x.shape[0], hidden_d)), []
for t in range(time_steps):
    h = T.tanh(b_hidden + T.dot(h, W) + T.dot(x[:, t, :], U))
    states.append(h)
""" + PREDICTION % 'T.nnet.softmax(T.dot(T.stack(states).mean(axis=0), V) + b_V)'
OWN_SOFTMAX = 'e = T.exp(%s)\n' % SCORES + PREDICTION % '(e.T / T.sum(e, axis=1)).T'
MEAN_IN_PLACE = ('h_states_sum = h_states_sum / time_steps\n'
                 + PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum, V) + b_V)')
SCORES_IN_Y = 'y = %s\n' % SCORES + PREDICTION % 'T.nnet.softmax(y)'
DRAW = """
rng = np.random.RandomState(1234)
def draw(*shape):
    bound = np.sqrt(6) / np.sqrt(sum(shape))
    return %s
U, W, V = draw(28, 100), draw(100, 100), draw(100, 10)
b_hidden, b_V = theano.shared(np.zeros(100)), theano.shared(np.zeros(10))
"""
RIGHT_DRAW = DRAW % 'theano.shared(bound * rng.uniform(-1, 1, shape))'
ARRAYS = DRAW % 'bound * rng.uniform(-1, 1, shape)'
ONEHOT = """
given = onehot
def onehot(inp):
    given(inp)  # raises, where it must
    inp = np.ravel(inp)
    return %s
"""
CROSS_ENTROPY = 'T.nnet.categorical_crossentropy(y_prob, y)'
SGD = 'updates = [(w, %s) for w, g in zip(weights, [grad_U, grad_W, grad_V, grad_bh, grad_bV])]'
RIGHT_SGD = SGD % 'w - learning_rate * g'
AGAIN = ': take out any line of yours that sets it, restart the kernel, and run the cells again'
MOMENTUM = """
updates = []
for w in weights:
    v = theano.shared(0 * w.get_value())
    step = .9 * v - learning_rate * T.grad(cost, w)
    updates += [(v, step), (w, w + step)]
"""

RIGHT = [
    ('One-hot labels', ONEHOT % 'np.eye(10)[inp]'),
    ('Weights', RIGHT_DRAW + 'del rng'),
    ('Hidden states', SUM_BEFORE_STATE),
    ('Hidden states', SCAN),
    ('Prediction', OWN_SOFTMAX),
    ('Prediction', MEAN_OF_OWN_STATES),
    ('Cost', 'cost = T.sum(%s) / x.shape[0]' % CROSS_ENTROPY),
    ('Cost', 'cost = -T.mean(T.log(T.sum(y * y_prob, axis=1) + 1e-6))'),
    ('Cost', 'cost = T.mean(T.log(T.exp(y_hat).sum(axis=1)) - (y * y_hat).sum(axis=1))'),
    ('Compile', RIGHT_SGD.replace('[(', 'dict((').replace('bV])]', 'bV]))')),
    ('Compile', 'updates = zip(weights, [w - learning_rate * T.grad(cost, w) for w in weights])'),
]

WRONG = [
    ('One-hot labels', 'onehot = np.zeros((4, 10))', 'must stay a function'),
    ('One-hot labels', ONEHOT % 'np.eye(inp.max() + 1)[inp]', 'must have the shape (1, 10), and'),
    ('One-hot labels', ONEHOT % 'np.eye(10, dtype=int)[inp]', 'float64'),
    ('One-hot labels', ONEHOT % 'np.eye(10)[inp - 1]', 'in the columns [1, 9, 8, 1]'),
    ('One-hot labels', ONEHOT % 'exit()', 'SystemExit: None: take out exit()'),
    ('One-hot labels', 'def onehot(inp): return np.eye(10)[np.ravel(inp)]', 'raise a ValueError'),
    ('Weights', DRAW % 'theano.shared(rng.uniform(0, bound, shape))', 'goes from 0.0000 to 0.2165'),
    ('Weights', ARRAYS, 'U must be a theano.shared variable, and is a ndarray'),
    ('Weights', RIGHT_DRAW.replace('1234', '0'), 'but other numbers'),
    ('Hidden states', ROW % 'x[:, :, t]', 'x[:, :, t] is column t'),
    ('Hidden states', ROW % 'x[:, t - 1, :]', 'step t reads row t - 1'),
    ('Hidden states', ROW % 'x[:, 27 - t, :]', 'from the last to the first'),
    ('Hidden states', ROW % 'x[t]', 'x[t] is image t'),
    ('Hidden states', ROW % 'x[0, t, :]', 'every image is read as the first one'),
    ('Hidden states', ROW % 'x[:100, t, :]', 'shapes do not fit: (101, 100) and (100, 100). (The '
     'number of images is x.shape[0]'),
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
    ('Hidden states', TERMS % 'np.dot(h_states, W) + T.dot(x[:, t, :], U)',
     'the shapes of a product do not fit: (28, 100) and (100, 100). T.dot multiplies matrices'),
    ('Hidden states', TERMS % 'T.dot(x[:, t, :], U)', 'does not depend on W: was it left out'),
    ('Hidden states', 'x = X_train[:5]' + RIGHT_LOOP, 'take out any line of yours that'),
    ('Hidden states', RIGHT_LOOP.replace('_sum + h_states', '_sum'), 'h_states_sum is still 0'),
    ('Prediction', PREDICTION % 'T.nnet.softmax(T.dot(h_states_sum, V) + b_V)', 'divide by 28'),
    ('Prediction', PREDICTION % ('T.nnet.softmax((%s).T).T' % SCORES), 'goes over the images'),
    ('Prediction', PREDICTION % SCORES, 'must add up to 1'),
    ('Prediction', SCORES_IN_Y, "y is no longer T.matrix('y')"),
    ('Prediction', PREDICTION.replace('=1', '=0') % ('T.nnet.softmax(%s)' % SCORES),
     'y_pred must be T.argmax'),
    ('Cost', 'cost = ' + CROSS_ENTROPY, 'must be one number'),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(y, y_prob))', 'not finite'),
    ('Cost', 'cost = T.mean(%s[:100])' % CROSS_ENTROPY, 'not only the first 100'),
    ('Cost', 'cost = T.mean(T.sum(y * T.log(y_prob), axis=1))', 'the wrong sign'),
    ('Cost', 'cost = T.sum(%s) / mini_batch_size' % CROSS_ENTROPY, 'own size, not by 100'),
    ('Cost', 'cost = np.mean(%s)' % CROSS_ENTROPY, 'use T.mean'),
    ('Cost', 'cost = (', 'stops with SyntaxError'),
    ('Compile', 'updates = [W, W - learning_rate * grad_W]', 'each in brackets'),
    ('Compile', 'updates = [(w, w + learning_rate * T.grad(cost, w)) for w in weights]',
     'the new U goes up the gradient'),
    ('Compile', SGD % 'w - g', 'the new U lacks learning_rate'),
    ('Compile', RIGHT_SGD.replace('grad_U, grad_W', 'grad_W, grad_U'), 'of U and grad_W'),
    ('Compile', MOMENTUM, 'the new U depends on another variable in updates'),
    ('Compile', 'W = W - learning_rate * grad_W\nupdates = []', 'W is no longer the variable of'),
    ('Compile', 'learning_rate = 0\n' + RIGHT_SGD, 'learning_rate is no longer above 0'),
]


def slow(*row):
    return pytest.param(*row, marks=pytest.mark.slow)


def marked(rows):
    """Return the rows for parametrize: of the last places only the first row of each is quick."""
    seen = set()
    for row in rows:
        yield slow(*row) if row[0] in seen else row
        if row[0] in ('Hidden states', 'Prediction', 'Compile'):
            seen.add(row[0])


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


@pytest.mark.parametrize('title', check.PLACES)
def test_saved_notebook_is_right(session, title):
    assert session.verdict(title) == (check.RIGHT, 'right')


@pytest.mark.parametrize('title, source', marked(RIGHT))
def test_right(session, title, source):
    run(session, source)
    assert session.verdict(title)[1] == 'right'


@pytest.mark.parametrize('title, source, words', marked(WRONG))
def test_wrong(session, title, source, words):
    run(session, source)
    kind, text = session.verdict(title)
    assert kind == check.WRONG
    assert words in text


# A mistake costs its own place and no other.

def symbolic_cells():
    """Return the cells from Weights to Compile, but those that compile: [(section, source)]."""
    found = [(section, cell.source)
             for section, cell in cells.with_sections(cells.saved('mnist_rnn').cells)
             if cell.cell_type == 'code' and 'theano.function' not in cell.source]
    sections = [section for section, source in found]
    return found[sections.index('Weights'):sections.index('Train')]


@pytest.mark.slow
@pytest.mark.parametrize('title, source', [
    ('Weights', ARRAYS),
    ('Hidden states', TERMS % 'T.dot(W, h_states) + T.dot(x[:, t, :], U)'),
    ('Hidden states', LOOP % 'T.tanh(T.dot(h_states, W) + T.dot(x[:, t, :], U))'),  # no bias
    ('Hidden states', ROW % 'x[t]'),
    ('Hidden states', 'x = X_train[:5]' + RIGHT_LOOP),
    ('Hidden states', 'h_states, h_states_sum = [], []'),
    ('Prediction', PREDICTION % ('T.nnet.softmax(%s).T' % SCORES)),
    ('Prediction', PREDICTION % 'np.ones((100, 10))'),
    ('Prediction', SCORES_IN_Y),
    ('Cost', 'cost = 2.3')])
def test_mistake_costs_its_own_place_only(session, title, source):
    cells_from_place = symbolic_cells()
    while cells_from_place[0][0] != title:
        cells_from_place.pop(0)
    cells_from_place[0] = title, source
    for section, _ in cells_from_place:
        for name in check.PLACES[section].makes if section in check.PLACES else []:
            session.names.pop(name, None)
    for name in check.GRADIENTS.values():
        del session.names[name]
    for section, source in cells_from_place:
        run(session, source)
        if section == title:
            assert session.verdict(section)[0] == check.WRONG
        elif section in check.PLACES:
            assert session.verdict(section)[0] in (check.RIGHT, check.WAITS)


# What else a verdict may be, after some names are deleted and some cells run.

@pytest.mark.parametrize('deleted, sources, title, kind, text', [
    (['cost'], [], 'Cost', check.EMPTY, 'not written yet: make cost from y_prob and y'),
    ([], ['cost = 3\nraise NotImplementedError'], 'Cost', check.EMPTY,
     'not written yet, or the line with raise was left in: make cost from y_prob and y'),
    (['y_prob'], ['cost = T.mean(y_prob)'], 'Cost', check.WAITS,
     'cannot be checked before "Prediction" is right'),
    ([], ['y_prob = 3', 'cost = T.mean(%s)' % CROSS_ENTROPY], 'Cost', check.WAITS,
     'cannot be checked before "Prediction" is right'),
    (['h_states', 'h_states_sum'], [MEAN_IN_PLACE], 'Prediction', check.WAITS,
     'cannot be checked before "Hidden states" is right'),
    (['h_states'], ['y_prob = T.softmax(h_states_sum)'], 'Prediction', check.WRONG,
     "stops with AttributeError: module 'theano.tensor' has no attribute 'softmax'"),
    (['onehot'], ['h_states = [] + 3'], 'Hidden states', check.WRONG,
     'stops with TypeError: can only concatenate list (not "int") to list'),
    (['x'], [RIGHT_LOOP], 'Hidden states', check.WRONG,
     "stops with NameError: name 'x' is not defined: is it misspelt, or was its cell not run?"),
    ([], ['T = 3'], 'Hidden states', check.WAITS,
     'cannot be checked: T is no longer the module theano.tensor' + AGAIN),
    ([], ['W = theano.shared(W.get_value())'], 'Hidden states', check.WAITS,
     'cannot be checked: W is no longer the variable of section "Weights"' + AGAIN),
    ([], ['cost = T.nosuch(y)', 'cost = T.mean(%s)' % CROSS_ENTROPY], 'Cost', check.RIGHT, 'right'),
    ([], 3 * [MEAN_IN_PLACE], 'Prediction', check.RIGHT, 'right')])
def test_verdict(session, deleted, sources, title, kind, text):
    for name in deleted:
        del session.names[name]
    for source in sources:
        run(session, source)
    assert session.verdict(title) == (kind, text)


# Given cells.

@pytest.mark.parametrize('source, message', [
    ('iterations = 50', 'iterations must be 1000, and is 50'),
    ('X_test = X_test * 255', 'X_test must be the images in test_set'),
    ('del weights', "NameError: name 'weights' is not defined: is it misspelt, or was its cell "
     'not run?'),
    slow('Y_train = Y_train[::-1]', 'Y_train must be the one-hot labels in train_set'),
    slow('grad_W = 2 * grad_W', 'grad_W is no longer the gradient of cost' + AGAIN),
    slow('sgd_step = cost_pred', 'sgd_step must lower the cost of its mini-batch'),
    slow('cost_pred = sgd_step', 'cost_pred must not change the weights')])
def test_a_changed_given_cell_is_told(session, source, message):
    run(session, source)
    assert session.what_changed() == 'a given cell was changed, or what it made: ' + message


def test_another_type_of_numbers_is_told(session, monkeypatch):
    monkeypatch.setattr(theano.config, 'floatX', 'float32')
    assert 'theano.config.floatX is no longer float64' in session.verdict('Cost')[1]


# The check leaves all as it was.

def test_trained_weights_are_right_and_stay(nb, session):
    nb.sgd_step(nb.X_train[:100], nb.Y_train[:100])
    before = [weight.get_value() for weight in nb.weights]
    verdicts = [session.verdict(title)[1] for title in check.PLACES]
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


# In a kernel.

@pytest.fixture
def shell(nb, tmp_path, monkeypatch):
    """IPython, with the names of the notebook."""
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path))
    shell = InteractiveShell(user_ns=vars(nb).copy())
    yield shell
    shell.history_manager.end_session()


@pytest.mark.parametrize('magic', ['', '%%time\n', '\n%%capture\n%%time\n'])
@pytest.mark.parametrize('lines, text', [
    ('cost = T.nosuch(y)', "stops with AttributeError: module 'theano.tensor' has no attribute "
     "'nosuch'"),
    ('cost = -cost', 'cost has the wrong sign: it is minus the mean of the logarithms')])
def test_a_cell_counts_with_a_magic_or_without(shell, magic, lines, text):
    session = check.watch(shell)
    shell.run_cell(magic + lines)
    assert session.verdict('Cost')[1] == text


def test_an_earlier_error_is_not_the_next_cell_s(shell):
    session = check.watch(shell)
    shell.run_cell('1 / 0')
    shell.run_cell('cost = 1 * cost')
    assert session.verdict('Cost')[1] == 'right'
