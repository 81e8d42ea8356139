"""Tests of the verdicts on the places, with a student's cells run after those of the notebook."""
import cells
import check
import handout
import numpy as np
import pytest
import theano
from IPython.core.interactiveshell import InteractiveShell

SOLVED = dict(handout.with_solutions(cells.read(cells.NOTEBOOK)))  # cells, by title
LOOP = """
h, states = T.zeros((x.shape[0], hidden_d)), []
for t in range(time_steps):
    h = T.tanh(b_hidden + T.dot(h, W) + T.dot(x[:, t, :], U))
    states.append(h)
h_states_mean = T.stack(states).mean(axis=0)
"""
SCAN = """
def step(x_t, h):
    return T.tanh(b_hidden + T.dot(h, W) + T.dot(x_t, U))
h_all, _ = theano.scan(step, sequences=x.dimshuffle(1, 0, 2),
                       outputs_info=T.zeros((x.shape[0], hidden_d)))
h_states = h_all[-1]
h_states_sum = h_all.sum(axis=0)
"""
MEAN_IN_PLACE = """
h_states_sum = h_states_sum / time_steps
y_prob = T.nnet.softmax(T.dot(h_states_sum, V) + b_V)
y_pred = T.argmax(y_prob, axis=1)
"""
GRADIENTS_IN_ORDER = '[grad_U, grad_W, grad_V, grad_bh, grad_bV]'
MOMENTUM = """
updates = []
for w in weights:
    v = theano.shared(0 * w.get_value())
    step = .9 * v - learning_rate * T.grad(cost, w)
    updates += [(v, step), (w, w + step)]
"""
NOT_WRITTEN = 'not written yet, or the line with raise was left in: '
AGAIN = ': take out any line of yours that sets it, restart the kernel, and run the cells again'

# A place, what in its solved cell (None: all) is replaced by what, and words of the verdict. The
# solved cells are in notebooks/mnist_rnn.ipynb, in the sections with these titles.
CASES = [
    ('One-hot labels', 'onehot[np.arange(num_frames), inp] = 1', 'onehot = np.eye(10)[inp]',
     'right'),
    ('One-hot labels', None, 'onehot = np.zeros((4, 10))', 'must stay a function'),
    # [2, 0, 9, 2], the first labels tried, have ten columns so; [5], the next ones, have not.
    ('One-hot labels', ', 10))', ', inp.max() + 1))', 'must have the shape (1, 10), and has'),
    ('One-hot labels', '10))', '10), int)', 'float64'),
    ('One-hot labels', 'inp] = 1', 'inp - 1] = 1', 'in the columns [1, 9, 8, 1]'),
    ('One-hot labels', None, 'def onehot(inp):\n    result = np.eye(10)[inp]\n    return onehot',
     'give your array this name'),
    ('One-hot labels', 'return onehot', 'return exit()', 'SystemExit: None: take out exit()'),
    ('One-hot labels', 'raise', 'pass  #', 'onehot([3, -1]) must raise a ValueError'),
    ('Weights', 'rng.uniform(-bound, bound,', 'bound * rng.uniform(-1, 1,', 'right'),
    ('Weights', '-bound,', '0,', 'and goes from 0.0000 to 0.2165'),
    ('Weights', 'U = theano.shared(', 'U = (', 'must be a theano.shared variable, and is a tuple'),
    ('Weights', '(fan_in, fan_out))\n', "(fan_in, fan_out)).astype('float32')\n",
     'U must be of type float64'),
    ('Weights', '1234', '0', 'U has the right range, but other numbers'),
    ('Hidden states', None, SCAN, 'right'),
    ('Hidden states', 'h_states = T.tanh(a)\n    h_states_sum = h_states_sum + h_states',
     'h_states_sum = h_states_sum + T.tanh(a)\n    h_states = T.tanh(a)', 'right'),
    ('Hidden states', 'x[:, t, :]', 'x[:, :, t]', 'x[:, :, t] is column t'),
    ('Hidden states', 'x[:, t, :]', 'x[:, t - 1, :]', 'step t reads row t - 1'),
    ('Hidden states', 'x[:, t, :]', 'x[:, 27 - t, :]', 'from the last to the first'),
    ('Hidden states', 'x[:, t, :]', 'x[t]', 'x[t] is image t'),
    ('Hidden states', 'x[:, t, :]', 'x[0, t, :]', 'every image is read as the first one'),
    # Right for 28 images, wrong for 101.
    ('Hidden states', 'x[:, t, :]', 'x[:100, t, :]',
     'shapes do not fit: (101, 100) and (100, 100). (The number of images is x.shape[0]'),
    ('Hidden states', 'range(time_steps)', 'range(27)', 'the last row is not read'),
    ('Hidden states', 'h_states = T.zeros', 'h_states = T.ones', 'h_0, the state before'),
    ('Hidden states', 'W)', 'W.T)', 'here with W.T'),
    ('Hidden states', 'T.tanh', 'T.nnet.sigmoid', 'here the sigmoid'),
    ('Hidden states', 'tanh(a)', 'tanh(a - b_hidden) + b_hidden', 'b_hidden is added outside'),
    ('Hidden states', 'tanh(a)', 'tanh(a - T.dot(x[:, t], U)) + T.dot(x[:, t], U)',
     'the term with x is added outside'),
    ('Hidden states', 'tanh(a)', 'tanh(a) / 2', 'one step by itself is wrong. Where W is all 0'),
    ('Hidden states', 'T.dot(h_states,', 'T.dot(h_states_sum,', 'one step by itself is right, but'),
    ('Hidden states', 'T.dot(h_states,', 'np.dot(h_states,',
     'the shapes of a product do not fit: (28, 100) and (100, 100). T.dot multiplies matrices'),
    ('Hidden states', 'T.dot(h_states, W)', '0', 'does not depend on W: was it left out'),
    ('Hidden states', 'a = ', 'x = 3; a = ', "x is no longer T.tensor3('x')" + AGAIN),
    ('Hidden states', '_sum + h_states', '_sum', 'h_states_sum is still 0'),
    ('Hidden states', '_sum + h_states', '_sum + h_states / 28', 'is the mean of the states'),
    ('Hidden states', 'h_states_sum + h_states', 'h_states', 'is the last state alone'),
    ('Hidden states', 'h_states = T.tanh(a)\n    h_states_sum = h_states_sum + h_states',
     'h_states_sum = h_states_sum + h_states\n    h_states = T.tanh(a)', 'lacks the last state'),
    ('Hidden states', None, 'h_states, h_states_sum = [], []', "Theano's symbols, and is a list"),
    ('Prediction', 'h_states_mean = h_states_sum / time_steps', LOOP, 'right'),
    ('Prediction', 'T.nnet.softmax(y_hat)',
     '(T.exp(y_hat).T / T.sum(T.exp(y_hat), axis=1)).T', 'right'),
    ('Prediction', ' / time_steps', '', 'divide by 28'),
    ('Prediction', 'softmax(y_hat)', 'softmax(y_hat.T).T', 'goes over the images'),
    ('Prediction', 'softmax(y_hat)', 'softmax(y_hat).T', 'must have the shape (101, 10)'),
    ('Prediction', 'T.nnet.softmax(y_hat)', 'y_hat', 'must add up to 1'),
    # The scores are called y, as the labels are.
    ('Prediction', 'y_hat', 'y', "y is no longer T.matrix('y')" + AGAIN),
    ('Prediction', 'axis=1', 'axis=0', 'y_pred must be T.argmax'),
    ('Cost', 'T.mean(', '1 / x.shape[0] * T.sum(', 'right'),
    ('Cost', None, 'cost = -T.mean(T.log(T.sum(y * y_prob, axis=1) + 1e-6))', 'right'),
    ('Cost', None, 'cost = T.mean(T.log(T.exp(y_hat).sum(axis=1)) - (y * y_hat).sum(axis=1))',
     'right'),
    ('Cost', None, 'cost = 2.3', "Theano's symbols, and is a float"),
    ('Cost', 'T.mean', '', 'must be one number'),
    ('Cost', 'y_prob, y', 'y, y_prob', 'not finite'),
    ('Cost', 'y_prob, y)', 'y_prob, y)[:100]', 'not only the first 100'),
    ('Cost', 'T.mean', '-T.mean', 'the wrong sign'),
    ('Cost', 'T.mean', 'T.sum', 'over the mini-batch, not the sum'),
    ('Cost', 'T.mean', '.1 * T.mean', 'not over images and classes'),
    ('Cost', 'T.mean(', '1 / mini_batch_size * T.sum(', 'own size, not by 100'),
    ('Cost', 'T.mean', 'np.mean', 'use T.mean'),
    ('Cost', 'y))', 'y)', 'stops with SyntaxError'),
    ('Compile', None, 'updates = {w: w - learning_rate * g for w, g in zip(weights, %s)}'
     % GRADIENTS_IN_ORDER, 'right'),
    ('Compile', None, 'updates = [W, W - learning_rate * grad_W]', 'each in brackets'),
    ('Compile', 'U - learning_rate * grad_U', 'U + learning_rate * T.grad(cost, U)',
     'the new U goes up the gradient'),
    ('Compile', 'learning_rate * ', '', 'the new U lacks learning_rate'),
    ('Compile', 'grad_U', 'grad_W', 'is made of U and grad_W'),
    ('Compile', None, MOMENTUM, 'the new U depends on another variable in updates'),
    ('Compile', 'updates =', 'W = W - learning_rate * grad_W; updates =',
     'W is no longer the variable of section "Weights"' + AGAIN),
    ('Compile', 'updates =', 'learning_rate = 0; updates =', 'learning_rate is no longer above 0')]


def cell_of(place, old, new):
    """Return a place's cell with old replaced by new, or new alone if old is None."""
    source = SOLVED[place].source
    assert old is None or old in source
    return new if old is None else source.replace(old, new)


@pytest.fixture
def session(nb):
    """The session of a student who has run the notebook."""
    return check.Session({**vars(nb), 'iterations': 1000})  # nb has 20, as if that were changed


def run(session, source):
    """Run a cell in a session, which may fail."""
    error = None
    try:
        exec(compile(source, 'cell', 'exec'), session.names)
    except Exception as raised:
        error = raised
    session.after_cell(source, error)


# The sections whose cells make symbols.
SYMBOLIC = {*check.PLACES, 'Inputs', 'Gradients'} - {'One-hot labels'}


def test_every_place_has_cases():
    assert {place for place, old, new, words in CASES} == set(check.PLACES)


def slow_for_compile(case):
    """Return a case for parametrize: those of Compile take longest."""
    return pytest.param(*case, marks=pytest.mark.slow) if case[0] == 'Compile' else case


@pytest.mark.parametrize('place, old, new, words', map(slow_for_compile, CASES))
def test_verdict_on_a_solution(session, place, old, new, words):
    run(session, cell_of(place, old, new))
    kind, text = session.judge(place)
    assert words in text
    assert kind == (check.RIGHT if words == 'right' else check.WRONG)


@pytest.mark.slow
@pytest.mark.parametrize('place, old, new, words', [
    row for row in CASES if row[0] not in ('One-hot labels', 'Compile') and row[3] != 'right'])
def test_mistake_costs_its_own_place_only(session, place, old, new, words):
    for name in set(check.MADE) - set(check.PLACES['One-hot labels'].makes):
        del session.names[name]
    solved, mistake = SOLVED[place], cell_of(place, old, new)
    for section, cell in cells.with_sections(cells.read(cells.NOTEBOOK).cells):
        if (cell.cell_type == 'code' and section in SYMBOLIC
                and 'sgd_step' not in cell.source):  # which takes time
            run(session, mistake if cell.id == solved.id else cell.source)
    assert session.judge(place)[0] == check.WRONG
    others = set(check.PLACES) - {place}
    assert {session.judge(other)[0] for other in others} <= {check.RIGHT, check.WAITS}


# What else a verdict may be, after some names are deleted and some cells run.

@pytest.mark.parametrize('deleted, sources, title, kind, text', [
    (['cost'], [], 'Cost', check.EMPTY, NOT_WRITTEN + 'make cost from y_prob and y'),
    # The line with raise was left in.
    ([], ['x = 3', 'cost = 3\nraise NotImplementedError'], 'Cost', check.EMPTY,
     NOT_WRITTEN + 'make cost from y_prob and y'),
    # What an earlier place makes is missing, or wrong.
    (['y_prob'], ['cost = T.mean(y_prob)'], 'Cost', check.WAITS,
     'cannot be checked before "Prediction" is right'),
    (['U', 'W', 'V', 'b_hidden', 'b_V'], ['h_states = b_hidden + T.dot(x[:, 0], U)'],
     'Hidden states', check.WAITS, 'cannot be checked before "Weights" is right'),
    ([], ['y_prob = 3', 'cost = T.mean(T.nnet.categorical_crossentropy(y_prob, y))'], 'Cost',
     check.WAITS, 'cannot be checked before "Prediction" is right'),
    ([], ['h_states_sum = T.zeros((5, 100))', 'y_prob = T.nnet.softmax(T.dot(T.dot(x[:, 0], U), V) '
          '+ b_V)\ny_pred = T.argmax(y_prob, axis=1)'], 'Prediction', check.WAITS,
     'cannot be checked before "Hidden states" is right'),
    # Prediction's cell, which sets h_states_sum, too, is not that of Hidden states.
    (['h_states', 'h_states_sum'], [MEAN_IN_PLACE], 'Hidden states', check.EMPTY,
     NOT_WRITTEN + 'make the next h_states, and add it to h_states_sum'),
    # Its own error, though an earlier place is empty.
    (['h_states'], ['y_prob = T.softmax(h_states_sum)'], 'Prediction', check.WRONG,
     "stops with AttributeError: module 'theano.tensor' has no attribute 'softmax'"),
    (['onehot'], ['h_states = [] + 3'], 'Hidden states', check.WRONG,
     'stops with TypeError: can only concatenate list (not "int") to list'),
    (['V', 'x'], ['h_states = 0 * x'], 'Hidden states', check.WRONG,
     "stops with NameError: name 'x' is not defined: is it misspelt, or was its cell not run?"),
    # Another cell has overwritten a given name.
    ([], ['x = T.matrix()'], 'Hidden states', check.WAITS,
     "cannot be checked: x is no longer T.tensor3('x')" + AGAIN),
    ([], ['T = 3'], 'Hidden states', check.WAITS,
     'cannot be checked: T is no longer the module theano.tensor' + AGAIN),
    ([], ['W = theano.shared(W.get_value())'], 'Hidden states', check.WAITS,
     'cannot be checked: W is no longer the variable of section "Weights"' + AGAIN),
    # A cell was mended, or run again; and an iterator is used up by a later cell.
    ([], ['cost = T.nosuch(y)', 'cost = 1 * cost'], 'Cost', check.RIGHT, 'right'),
    ([], 3 * [MEAN_IN_PLACE], 'Prediction', check.RIGHT, 'right'),
    pytest.param([], ['own = T.grad(cost, list(weights))\n'
                      'updates = zip(weights, [w - .1 * g for w, g in zip(weights, own)])',
                      'dict(updates)'], 'Compile', check.RIGHT, 'right', marks=pytest.mark.slow)])
def test_verdict(session, deleted, sources, title, kind, text):
    for name in deleted:
        del session.names[name]
    for source in sources:
        run(session, source)
    assert session.judge(title) == (kind, text)


# Given cells.

@pytest.mark.parametrize('source, message', [
    ('iterations = 50', 'iterations is no longer 1000' + AGAIN),
    ('initial = 5 * [np.ones(1)]', 'initial is no longer np.zeros for b_hidden and b_V' + AGAIN),
    ('X_test = X_test * 255', 'X_test is no longer the images in test_set' + AGAIN),
    ('del weights', "NameError: name 'weights' is not defined: is it misspelt, or was its cell "
     'not run?'),
    ('Y_train = Y_train[::-1]', 'Y_train is no longer the one-hot labels in train_set' + AGAIN),
    ('grad_W = 2 * grad_W', 'grad_W is no longer the gradient of cost' + AGAIN),
    ('sgd_step = cost_pred',
     'sgd_step is no longer a function that lowers the cost of its mini-batch' + AGAIN),
    ('cost_pred = sgd_step',
     'cost_pred is no longer a function that keeps the weights' + AGAIN)])
def test_a_changed_given_cell_is_told(session, source, message):
    run(session, source)
    assert session.what_changed() == 'a given cell was changed, or what it made: ' + message


def test_another_type_of_numbers_is_told(session, monkeypatch):
    monkeypatch.setattr(theano.config, 'floatX', 'float32')
    assert 'theano.config.floatX is no longer float64' in session.judge('Cost')[1]


# The check leaves all as it was.

def test_trained_weights_are_right_and_stay(nb, session):
    # Not on X_train[:100], on which the check takes a step: if it forgot to set the weights back,
    # they would be the same.
    nb.sgd_step(nb.X_train[-100:], nb.Y_train[-100:])
    before = [weight.get_value() for weight in nb.weights]
    verdicts = [session.judge(title) for title in check.PLACES]
    changed = session.what_changed()
    after = [weight.get_value() for weight in nb.weights]
    assert verdicts == len(check.PLACES) * [(check.RIGHT, 'right')] and changed is None
    for weight, old, new in zip(nb.weights, before, after):
        assert np.array_equal(old, new), weight.name


def test_nothing_is_printed(session, capfd):
    run(session, cell_of('One-hot labels', 'inp = np', 'print(3); inp = np'))
    assert session.judge('One-hot labels')[0] == check.RIGHT
    assert capfd.readouterr() == ('', '')


# In a kernel.

@pytest.fixture
def shell(nb, tmp_path, monkeypatch):
    """IPython, with the names of the notebook."""
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path))
    shell = InteractiveShell(user_ns=vars(nb).copy())
    yield shell
    shell.history_manager.end_session()


@pytest.mark.parametrize('magic', ['', '\n%%capture\n%%time\n'])  # a blank line may come first
@pytest.mark.parametrize('lines, text', [
    ('cost = T.nosuch(y)', "stops with AttributeError: module 'theano.tensor' has no attribute "
     "'nosuch'"),
    ('cost = -cost', 'cost has the wrong sign: it is minus the mean of the logarithms')])
def test_a_cell_counts_with_a_magic_or_without(shell, magic, lines, text):
    session = check.watch(shell)
    shell.run_cell('1 / 0')  # an earlier error is not the next cell's
    shell.run_cell(magic + lines)
    assert session.judge('Cost')[1] == text
