"""Checks the network in the notebook, or in your copy of it: make test NOTEBOOK=path/to/your.ipynb"""
import os

import cells
import numpy as np
import pytest

NOTEBOOK = os.environ.get('NOTEBOOK') or cells.NOTEBOOK
NAMES = {'onehot': ['onehot'], 'weights-code': ['U', 'W', 'V', 'b_hidden', 'b_V'], 'inputs-code': ['x', 'y'],
         'unroll': ['h_states', 'h_states_sum'], 'prediction-code': ['y_prob', 'y_pred'], 'cost-code': ['cost'],
         'gradients-code': ['grad_U', 'grad_W', 'grad_V', 'grad_bh', 'grad_bV'], 'compile-code': ['cost_pred', 'sgd_step']}
GRAPH = list(NAMES)[1:]


@pytest.fixture(scope='session')
def run():
    """What your cells define, the errors of those that failed, and the heading above each, the two by cell id."""
    errors, headings, heading = {}, {}, ''
    for cell in cells.read_cells(None, NOTEBOOK):
        heading = next((line[3:].strip() for line in cell['source'] if line.startswith('## ')), heading)
        headings[cell.get('id')] = heading
    return cells.run_cells('compile-code', NOTEBOOK, ['digits'], errors, hidden_d=100, learning_rate=.1), errors, headings


@pytest.fixture
def need(run):
    """Fail if one of these cells has not done its work; return what the notebook defines. Restores the weights."""
    notebook, errors, headings = run
    weights = [vars(notebook)[name] for name in NAMES['weights-code'] if name in vars(notebook)]
    before = [weight.get_value() for weight in weights]

    def check(ids):
        for cell in ids:
            missing = [name for name in NAMES[cell] if name not in vars(notebook)]
            if missing or (cell == 'unroll' and cell in errors):  # its names exist before its loop
                error = errors.get(cell)
                text = '%s is not there' % missing if error is None else '%s: %s' % (type(error).__name__, error)
                pytest.fail('Section “%s”: %s' % (headings.get(cell, cell), text), pytrace=False)
        return notebook
    yield check
    for weight, value in zip(weights, before):
        weight.set_value(value)


def encode(notebook, labels):
    try:
        return notebook.onehot(labels)
    except Exception as error:
        pytest.fail('Section “One-hot labels”: onehot(%r): %s: %s' % (labels, type(error).__name__, error), pytrace=False)


def compute(notebook, outputs, *values):
    """Return the values of these expressions for a mini-batch: x, or x and y."""
    from theano import function
    return function([notebook.x, notebook.y][:len(values)], outputs, on_unused_input='ignore')(*values)


def other_weights(notebook):
    """Set other weights, with biases; return them."""
    rng = np.random.RandomState(5)
    values = [rng.normal(size=shape) / 8 for shape in ((28, 100), (100, 100), (100, 10), (100,), (10,))]
    for name, value in zip(NAMES['weights-code'], values):
        vars(notebook)[name].set_value(value)
    return values


def mini_batch(n):
    """Return n random images and one-hot labels."""
    rng = np.random.RandomState(n)
    return rng.uniform(size=(n, 28, 28)), np.eye(10)[rng.randint(0, 10, n)]


def numpy_step(weights, x, y, rate=.1):
    """One SGD step by back-propagation through time, written from the equations, in NumPy.

    Returns the states h_1 to h_28, the cost before the step, the predictions, and the five weights after it.
    """
    U, W, V, b_hidden, b_V = weights
    n, steps = x.shape[:2]
    h = [np.zeros((n, len(W)))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ U + h[-1] @ W + b_hidden))
    mean = sum(h[1:]) / steps
    prob = np.exp(mean @ V + b_V)
    prob /= prob.sum(axis=1, keepdims=True)
    d_scores = (prob - y) / n
    d_U, d_W, d_b, d_h = 0, 0, 0, 0
    for t in reversed(range(steps)):
        d_a = (d_h + d_scores @ V.T / steps) * (1 - h[t + 1] ** 2)
        d_U, d_W, d_b = d_U + x[:, t].T @ d_a, d_W + h[t].T @ d_a, d_b + d_a.sum(axis=0)
        d_h = d_a @ W.T
    gradients = d_U, d_W, mean.T @ d_scores, d_b, d_scores.sum(axis=0)
    stepped = [weight - rate * gradient for weight, gradient in zip(weights, gradients)]
    return h[1:], -np.log(prob[y == 1]).mean(), prob.argmax(axis=1), stepped


def same(found, expected, what):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10, err_msg=what)


@pytest.mark.parametrize('dtype', ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'])
@pytest.mark.parametrize('shape', [(10,), (10, 1)])
def test_onehot_encodes(need, dtype, shape):
    labels = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7])
    encoded = encode(need(['onehot']), labels.astype(dtype).reshape(shape))
    assert encoded.dtype == np.float64, 'onehot must return 64-bit floats'
    assert encoded.tolist() == np.eye(10)[labels].tolist(), 'each row must be 1 in its label\'s place and 0 elsewhere'


@pytest.mark.parametrize('labels, classes', [([2], [2]), ([[7], [0]], [7, 0]), ([], []), (np.zeros((0, 1), int), [])])
def test_onehot_encodes_lists_and_nothing(need, labels, classes):
    encoded = encode(need(['onehot']), labels)
    assert encoded.shape == (len(classes), 10), 'onehot must return one row of ten numbers per label'
    assert encoded.tolist() == [[float(k == label) for k in range(10)] for label in classes]


@pytest.mark.parametrize('labels, complaint', [
    ([3, -1], 'label -1, at position 1'), ([10], 'label 10, at position 0'), ([2.5], 'float64'), ([np.nan], 'float64'),
    (['3'], '<U1'), ([True], 'bool'), ([None], 'object'), (3, r'shape \(\)'), ([[1, 2], [3, 4]], r'shape \(2, 2\)'),
    (np.zeros((2, 1, 1), int), r'shape \(2, 1, 1\)')])
def test_onehot_refuses_what_is_no_label(need, labels, complaint):
    encode(need(['onehot']), [3])  # but takes a good one
    with pytest.raises(ValueError, match=complaint):
        need(['onehot']).onehot(labels)


def test_weights(need):
    notebook, rng = need(['weights-code']), np.random.RandomState(1234)
    for name, shape in ('U', (28, 100)), ('W', (100, 100)), ('V', (100, 10)):
        value, bound = vars(notebook)[name].get_value(), (6 / sum(shape)) ** .5
        assert value.shape == shape and abs(value).max() <= bound, '%s must be %s, within Glorot\'s bounds' % (name, shape)
        assert (value == rng.uniform(-bound, bound, shape)).all(), '%s is not the draw from rng: U, W, V, in this order' % name
    assert not notebook.b_hidden.get_value().any() and not notebook.b_V.get_value().any(), 'the biases must start at 0'


def test_hidden_states(need):
    notebook, (x, y) = need(GRAPH[:3]), mini_batch(7)
    expected = numpy_step(other_weights(notebook), x, y)[0]
    last, total = compute(notebook, [notebook.h_states, notebook.h_states_sum], x)
    same(last, expected[-1], 'h_states must be h_28 after the loop: is each new state made from the one before?')
    same(total, sum(expected), 'h_states_sum must be the sum of h_1 to h_28')


def test_prediction(need):
    notebook, x = need(GRAPH[:4]), mini_batch(7)[0]
    V, b_V = other_weights(notebook)[2::2]
    total, prob = compute(notebook, [notebook.h_states_sum, notebook.y_prob], x)
    expected = np.exp(total / 28 @ V + b_V)
    same(prob.sum(axis=1), 1, 'the probabilities of an image must sum to 1: is there a softmax?')
    same(prob, expected / expected.sum(axis=1, keepdims=True), 'y_prob must be the softmax of (h_states_sum / 28) V + b_V')


def test_cost(need):
    notebook, (x, y) = need(GRAPH[:5]), mini_batch(7)
    other_weights(notebook)
    prob, cost = compute(notebook, [notebook.y_prob, notebook.cost], x, y)
    with np.errstate(invalid='ignore'):  # logarithms of what is no probability are test_prediction's matter
        same(cost, -(y * np.log(prob)).sum(axis=1).mean(), 'cost must be the mean of -log of the true class\'s probability')


@pytest.mark.parametrize('n', [1, 100, 137])
def test_step_equals_numpy(need, n):
    notebook, (x, y) = need(GRAPH), mini_batch(n)
    start = other_weights(notebook)
    states, cost, pred, expected = numpy_step(start, x, y)
    for function in notebook.cost_pred, notebook.sgd_step:
        found_cost, found_pred = function(x, y)
        same(found_cost, cost, 'the cost before the step')
        assert found_pred.tolist() == pred.tolist(), 'one prediction per image, the class with the highest probability'
    for name, value in zip(NAMES['weights-code'], expected):
        same(vars(notebook)[name].get_value(), value, '%s must be %s - learning_rate * its gradient' % (name, name))
