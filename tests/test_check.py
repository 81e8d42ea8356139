"""Tests of the verdicts on the places, with a student's cells run after those of the notebook."""
import random
import subprocess
import sys
import unittest

import cells
import check
import numpy as np
import pytest
import theano

SUM_BEFORE_STATE = """
h_states = h_states_sum = T.zeros((x.shape[0], hidden_d))
for t in range(time_steps):
    a = b_hidden + T.dot(h_states, W) + T.dot(x[:, t, :], U)
    h_states_sum = h_states_sum + T.tanh(a)
    h_states = T.tanh(a)
"""
LOOP = """
h_states = h_states_sum = T.zeros((x.shape[0], hidden_d))
for t in range(time_steps):
    h_states = T.tanh(b_hidden + %s)
    h_states_sum = h_states_sum + h_states
"""
SCAN = """
def step(x_t, h):
    return T.tanh(b_hidden + T.dot(h, W) + T.dot(x_t, U))
h_all, _ = theano.scan(step, sequences=x.dimshuffle(1, 0, 2),
                       outputs_info=T.zeros((x.shape[0], hidden_d)))
h_states = h_all[-1]
h_states_sum = h_all.sum(axis=0)
"""
WITHOUT_THE_SUM = """
h, states = T.zeros((x.shape[0], hidden_d)), []
for t in range(time_steps):
    h = T.tanh(b_hidden + T.dot(h, W) + T.dot(x[:, t, :], U))
    states.append(h)
y_prob = T.nnet.softmax(T.dot(T.stack(states).mean(axis=0), V) + b_V)
y_pred = T.argmax(y_prob, axis=1)
"""
DRAW = """
rng = np.random.RandomState(1234)
def draw(*shape):
    bound = %s
    return theano.shared(%s)
U, W, V = draw(28, 100), draw(100, 100), draw(100, 10)
"""
SKIP = """
def onehot(labels):
    import unittest
    raise unittest.SkipTest('right')
"""


@pytest.fixture
def session(nb):
    """The session of a student who has run the notebook."""
    return check.Session(vars(nb).copy())


@pytest.fixture
def run(session):
    """A function that runs a cell in the session."""
    def run_cell(source):
        try:
            exec(compile(source, 'cell', 'exec'), session.names)
            session.after_cell(source, None)
        except Exception as error:
            session.after_cell(source, error)
    return run_cell


@pytest.fixture
def text(session, run):
    """A function that runs a cell and returns what is then said of a place."""
    def text_of(place, source):
        run(source)
        return session.verdict(place).text
    return text_of


@pytest.fixture(scope='module')
def saved(nb):
    """The verdicts on the saved notebook, and the weights before and after."""
    nb.set_weights(nb.initial)
    session = check.Session(vars(nb).copy())
    verdicts = {place: session.verdict(place) for place in check.PLACES}
    return verdicts, nb.initial, [weight.get_value() for weight in nb.weights]


@pytest.mark.parametrize('place', check.PLACES)
def test_saved_notebook_is_right(saved, place):
    verdicts, _, _ = saved
    assert verdicts[place] == (check.RIGHT, 'right')


@pytest.mark.parametrize('place, source', [
    ('Weights', DRAW % ('np.sqrt(6) / np.sqrt(sum(shape))', 'bound * rng.uniform(-1, 1, shape)')),
    ('Hidden states', SCAN),
    ('Hidden states', SUM_BEFORE_STATE),
    ('Prediction', 'y_prob = T.nnet.softmax(T.dot(h_states_sum / x.shape[1], V) + b_V)'),
    ('Prediction', WITHOUT_THE_SUM),
    ('Cost', 'cost = T.sum(T.nnet.categorical_crossentropy(y_prob, y)) / x.shape[0]'),
    ('Compile', 'updates = zip(weights, [w - learning_rate * T.grad(cost, w) for w in weights])')])
def test_right(text, place, source):
    assert text(place, source) == 'right'


def test_right_with_a_small_number_in_the_logarithm(session, run):
    """Against log 0, as many do. Then the given cells below it are not "changed" either."""
    run('cost = -T.mean(T.log(T.sum(y * y_prob, axis=1) + 1e-6))')
    for cell in cells.saved('mnist_rnn').cells:
        if cell.id in ('gradients-code', 'updates-code', 'compile-code', 'step-code'):
            run(cell.source)
    assert session.verdict('Cost').text == 'right'
    assert session.what_changed(check.test_mnist_rnn.TestOneStep) is None


def test_weights_come_back_where_one_cannot_be_set(nb, session):
    before = nb.U.get_value()
    session.names['V'] = theano.shared(np.zeros((100, 10), 'float32'))
    session.verdict('Hidden states')
    assert np.array_equal(nb.U.get_value(), before)


def test_right_by_list_comprehension(session):
    def onehot(labels):
        given(labels)  # raises, where it must
        return np.array([[float(c == label) for c in range(10)] for label in np.ravel(labels)])
    given = session.names['onehot']
    session.names['onehot'] = onehot
    assert session.verdict('One-hot labels').text == 'right'


@pytest.mark.parametrize('place, source, message', [
    ('One-hot labels', 'def onehot(labels): return np.zeros((len(labels), 11))',
     'onehot of 4 labels must have the shape (4, 10), and has (4, 11)'),
    ('Weights', DRAW % ('np.sqrt(6 / sum(shape))', 'rng.uniform(0, bound, shape)'),
     'U must be drawn between -0.2165 and 0.2165 (Glorot and Bengio), and goes from 0.0000 to '
     '0.2165'),
    ('Weights', 'W = rng.uniform(-.17, .17, (100, 100))',
     'W must be a theano.shared variable, and is a ndarray'),
    ('Hidden states', LOOP % 'T.dot(h_states, W) + np.dot(x[:, t, :], U)',
     'the shapes of a product do not fit. T.dot multiplies matrices (* and np.dot go entry by '
     'entry): x[:, t, :], (n, 28), goes with U, and h_states, (n, 100), with W'),
    ('Hidden states', LOOP % 'T.dot(h_states, W) + T.dot(X_train[:, t, :], U)',
     'h_states has images in it, as X_train has them: use the symbol x'),
    ('Hidden states', LOOP % 'h_states @ W',
     "stops with TypeError: unsupported operand type(s) for @: 'TensorVariable' and "
     "'TensorSharedVariable': use T.dot"),
    ('Hidden states', LOOP % 'T.dot(h_states, W) + T.dot(x[:100, t, :], U)',
     'h_states takes mini-batches of 100 images only: x.shape[0] is the number of images, and '
     'T.dot multiplies matrices (* goes entry by entry)'),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(y_prob[:100], y[:100]))',
     'cost takes all images, not only the first 100'),
    ('Prediction', 'y_prob = T.nnet.softmax(T.dot(h_states_sum, V) + b_V)',
     'y_prob comes from the sum of the states, not from their mean: divide by 28'),
    ('Prediction', 'y_prob = T.nnet.softmax(T.dot(h_states, V) + b_V)',
     'y_prob comes from the last state, not from the mean of all'),
    ('Prediction', 'y_prob = T.softmax(y_hat)',
     "stops with AttributeError: module 'theano.tensor' has no attribute 'softmax'"),
    ('Cost', 'cost = T.mean(T.sum(y * T.log(y_prob), axis=1))',
     'cost has the wrong sign: it is minus the mean of the logarithms'),
    ('Cost', 'cost = T.sum(T.nnet.categorical_crossentropy(y_prob, y)) / mini_batch_size',
     "cost must be divided by the mini-batch's own size, not by 100: T.mean"),
    ('Cost', 'cost = T.mean(T.nnet.categorical_crossentropy(yprob, y))',
     "'yprob' is not defined: is it misspelt?"),
    ('Cost', 'cost = (', "stops with SyntaxError: '(' was never closed, in line 1 of its cell"),
    ('Compile', 'updates = [W, W - learning_rate * grad_W]',
     'updates must be a list of pairs, each in brackets: (weight, new value)'),
    ('Compile', 'updates = updates + updates[:1]',
     'updates must have one new value for W, and has 2'),
    ('Compile', 'updates = [(w, w + learning_rate * T.grad(cost, w)) for w in weights]',
     'the new U goes up the gradient: subtract learning_rate * grad_U'),
    ('Compile', 'W = W - learning_rate * grad_W',
     'W is not the variable of section "Weights" any more: if this cell has a line that begins '
     'with "W =", take it out; then run all cells from "Weights" on')])
def test_wrong(text, place, source, message):
    assert text(place, source) == message


def test_momentum_is_no_plain_step(text):
    assert text('Compile', """
updates = []
for w in weights:
    v = theano.shared(0 * w.get_value())
    step = .9 * v - learning_rate * T.grad(cost, w)
    updates += [(v, step), (w, w + step)]
""").startswith('the new U depends on another variable in updates')


def test_learning_rate_of_zero_hides_nothing(text):
    assert text('Compile', 'learning_rate = 0').startswith('learning_rate must be above 0')


# Not written, and what follows from it.

def test_an_empty_place_is_not_written(session):
    del session.names['cost']
    verdict = session.verdict('Cost')
    assert verdict == (check.NOT_WRITTEN, 'not written yet: make cost from y_prob and y')


def test_raise_that_was_left_in(session, run):
    run('cost = T.mean(y_prob)\nraise NotImplementedError')
    assert session.verdict('Cost').text == (
        'not written yet, or the line with raise was left in: make cost from y_prob and y')


def test_raise_that_is_never_reached_does_not_matter(text):
    assert text('Cost', 'if False:\n    raise NotImplementedError("make cost")') == 'right'


def test_what_follows_waits_for_the_earlier_place(session, run):
    del session.names['y_prob']
    run('cost = T.mean(y_prob)')
    assert session.verdict('Cost') == (
        check.NOT_CHECKED, 'cannot be checked before "Prediction" is right')


def test_an_error_of_its_own_does_not_wait(session, run):
    del session.names['h_states']
    run('y_prob = T.softmax(h_states_sum)')
    assert session.verdict('Prediction').text == (
        "stops with AttributeError: module 'theano.tensor' has no attribute 'softmax'")


def test_what_is_made_further_down_is_told(session, run):
    del session.names['cost'], session.names['U']
    run('U = theano.shared(cost)')
    assert session.verdict('Weights').text == "'cost' is made further down, in section \"Cost\""


def test_an_error_waits_for_the_earlier_place(session, run):
    run('y_prob = 3')
    run('cost = T.mean(T.nnet.categorical_crossentropy(y_prob, y))')
    assert session.verdict('Cost').text == 'cannot be checked before "Prediction" is right'


def test_a_mistake_is_not_another_places(session, run):
    run('y_prob = T.nnet.softmax(T.dot(h_states_sum, V) + b_V)')
    run('cost = T.mean(T.nnet.categorical_crossentropy(y_prob, y))')
    assert session.verdict('Cost').text == 'right'


# Given cells.

def test_a_missing_given_name_is_told(session, run):
    del session.names['x'], session.names['h_states']
    run('h_states = h_states_sum = T.zeros((x.shape[0], hidden_d))')
    assert session.verdict('Hidden states').text == (
        "'x' is not defined: the cell of section \"Inputs\" that makes it comes later, was "
        'deleted, or was not run')


@pytest.mark.parametrize('source, message', [
    ('iterations = 50', 'a given cell in section "Hyper-parameters" was changed: iterations must '
     'be 1000, and is 50'),
    ('X_test = X_test * 255', 'a given cell in section "The data" was changed: X_test must be the '
     'images in test_set'),
    ('cost_pred = sgd_step', 'a given cell in section "Compile" was changed: cost_pred must not '
     'change U'),
    ('del sgd_step', "'sgd_step' is not defined: the cell of section \"Compile\" that makes it "
     'comes later, was deleted, or was not run')])
def test_a_changed_given_cell_is_told(session, run, source, message):
    run(source)
    assert [text for text in map(session.what_changed, check.SECTIONS) if text] == [message]


def test_the_first_error_is_told(session, run):
    del session.names['train_set']
    run('train_set = open("/nosuch")')
    run('train_set = train_set[:1000]')
    assert session.what_changed(check.test_given.TestData).startswith(
        'a given cell in section "The data" stopped with FileNotFoundError')


def test_given_cells_of_the_notebook_are_unchanged(session):
    assert not [text for text in map(session.what_changed, check.SECTIONS) if text]


# Never right without tests that passed.

@pytest.mark.parametrize('source', [
    SKIP,
    SKIP.replace('raise unittest.SkipTest', 'assert False #'),
    'def onehot(labels): raise AssertionError("right")',
    '__name__ = "test_mnist_rnn"\ndef onehot(labels): raise AssertionError("right")',
    'def onehot(labels): raise SystemExit(0)',
    'def onehot(labels): raise KeyboardInterrupt',
    'import pytest\ndef onehot(labels): pytest.exit("right", returncode=0)',
    'import pytest\ndef onehot(labels): pytest.xfail("right")'])
def test_what_stops_the_tests_is_not_right(session, run, source):
    run(source)
    kind, text = session.verdict('One-hot labels')
    assert kind != check.RIGHT and text != 'right'


def test_no_tests_are_not_right(nb):
    class TestNothing:
        pass
    assert not check.run_tests(TestNothing, vars(nb)).are_right()


def test_a_skipped_test_is_no_passed_one(nb, monkeypatch):
    def skip(self, nb):
        raise unittest.SkipTest
    monkeypatch.setattr(check.PLACES['Cost'], 'test_skip', skip, raising=False)
    assert not check.run_tests(check.PLACES['Cost'], vars(nb)).are_right()


def test_settings_of_the_user_do_not_count(session, monkeypatch):
    monkeypatch.setenv('PYTEST_ADDOPTS', '--collect-only')
    assert session.verdict('Cost').text == 'right'


def test_without_assertions_nothing_is_right():
    done = subprocess.run(
        [sys.executable, '-O', '-c', 'import check'], cwd=cells.ROOT / 'exercise',
        capture_output=True, text=True)
    assert 'ImportError: nothing can be checked' in done.stderr


# The check leaves all as it was, and can be run at any time.

@pytest.fixture
def weights(nb):
    """The weights, which the test may change."""
    yield nb.weights
    nb.set_weights(nb.initial)


def test_weights_stay(saved):
    _, before, after = saved
    assert all(np.array_equal(*pair) for pair in zip(before, after))


def test_random_states_stay(session):
    session.names['onehot'] = lambda labels: np.eye(10)[np.random.randint(0, 9, random.choice([1]))]
    before = np.random.get_state()[2], random.getstate()
    session.verdict('One-hot labels')
    assert before == (np.random.get_state()[2], random.getstate())


def test_nothing_is_printed(session, run, capfd):
    run('import sys\ndef onehot(labels):\n    print(3)\n    print(4, file=sys.stderr)')
    session.verdict('One-hot labels')
    assert capfd.readouterr() == ('', '')


def test_trained_weights_are_right(session, nb, weights):
    nb.sgd_step(nb.X_train[:100], nb.Y_train[:100])
    assert session.verdict('Weights').text == 'right'


def test_a_correction_is_seen(session, run):
    run('cost = T.sum(y)')
    run('cost = T.mean(T.nnet.categorical_crossentropy(y_prob, y))')
    assert session.verdict('Cost').text == 'right'


def test_an_error_that_was_corrected_is_forgotten(session, run):
    run('cost = T.nosuch(y)')
    session.names['cost'] = session.names['T'].mean(
        session.names['T'].nnet.categorical_crossentropy(session.names['y_prob'],
                                                         session.names['y']))
    assert session.verdict('Cost').text == 'right'


def test_a_section_that_must_be_run_again_is_told(text):
    assert text('Hidden states', 'W = theano.shared(W.get_value())') == (
        'h_states does not depend on W: was it left out, or has W changed since? (Then run this '
        'section again.)')
