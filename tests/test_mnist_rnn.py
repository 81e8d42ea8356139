"""Checks the network in the notebook, or in your copy of it: make test NOTEBOOK=path/to/your.ipynb"""
import os

import cells
import numpy as np
import pytest
from reference import numpy_step

NOTEBOOK = os.environ.get('NOTEBOOK') or cells.NOTEBOOK
WEIGHTS = ['U', 'W', 'V', 'b_hidden', 'b_V']
NAMES = {'onehot-code': ['onehot'], 'weights-code': WEIGHTS, 'inputs-code': ['x', 'y'], 'unroll': ['h_states', 'h_states_sum'],
         'prediction-code': ['y_prob'], 'cost-code': ['cost'], 'gradients-code': [], 'compile-code': ['cost_pred', 'sgd_step']}
NETWORK = list(NAMES)[1:]  # from the weights on


@pytest.fixture(scope='session')
def run():
    """What your cells define, and by the cell's id the errors of those that failed and the heading above each."""
    errors, headings, heading = {}, {}, ''
    for cell in cells.read_cells(None, NOTEBOOK):
        headings[cell['id']] = heading = next((line[3:].strip() for line in cell['source'] if line[:3] == '## '), heading)
    return cells.run_cells('compile-code', NOTEBOOK, ['digits'], errors, hidden_d=100, learning_rate=.1), errors, headings


@pytest.fixture
def need(run):
    """A function that fails if one of these cells has not done its work. Afterwards the weights are as before."""
    notebook, errors, headings = run

    def check(ids):
        for cell in ids:
            missing = [name for name in NAMES[cell] if not hasattr(notebook, name)]
            if missing or cell in errors and cell != 'cost-code':  # its last lines need the one-hot labels too
                reason = '%s: %s' % (type(errors[cell]).__name__, errors[cell]) if cell in errors else 'no %s' % missing
                pytest.fail('Section “%s”: %s' % (headings.get(cell, cell), reason), pytrace=False)
        return notebook
    weights = [getattr(notebook, name) for name in WEIGHTS if hasattr(notebook, name)]
    before = [weight.get_value() for weight in weights]
    yield check
    for weight, value in zip(weights, before):
        weight.set_value(value)


def prepare(notebook, n=7):
    """Set other weights, with biases; return them, n random images, and one-hot labels for these."""
    rng = np.random.RandomState(n)
    values = [rng.normal(size=shape) / 8 for shape in ((28, 100), (100, 100), (100, 10), (100,), (10,))]
    for name, value in zip(WEIGHTS, values):
        getattr(notebook, name).set_value(value)
    return values, rng.uniform(size=(n, 28, 28)), np.eye(10)[rng.randint(0, 10, n)]


def compute(notebook, outputs, x, y):
    """Return the values of these expressions for a mini-batch."""
    return notebook.theano.function([notebook.x, notebook.y], outputs, on_unused_input='ignore')(x, y)


def same(found, expected, what):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10, err_msg=what)


@pytest.mark.parametrize('labels', [[2], [[7], [0]], [], np.zeros((0, 1), int)] + [
    np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7], kind + bits).reshape(shape)
    for kind in ('int', 'uint') for bits in ('8', '16', '32', '64') for shape in ((10,), (10, 1))])
def test_onehot_encodes(need, labels):
    encoded = need(['onehot-code']).onehot(labels)
    assert encoded.shape == (len(labels), 10) and encoded.dtype == np.float64, 'onehot must return float64, ten per label'
    assert (encoded == np.eye(10)[np.ravel(labels).astype(int)]).all(), 'a row must be 1 in its label\'s place, 0 elsewhere'


@pytest.mark.parametrize('labels, complaint', [
    ([3, -1], 'label -1, at position 1'), ([10], 'label 10, at position 0'), ([2.5], 'float64'), ([np.nan], 'float64'),
    (['3'], '<U1'), ([True], 'bool'), ([None], 'object'), (3, r'shape \(\)'), ([[1, 2], [3, 4]], r'shape \(2, 2\)'),
    (np.zeros((2, 1, 1), int), r'shape \(2, 1, 1\)')])
def test_onehot_refuses_what_is_no_label(need, labels, complaint):
    with pytest.raises(ValueError, match=complaint):
        need(['onehot-code']).onehot(labels)


def test_weights(need):
    notebook, rng = need(['weights-code']), np.random.RandomState(1234)
    for name, shape in ('U', (28, 100)), ('W', (100, 100)), ('V', (100, 10)):
        bound = (6 / sum(shape)) ** .5
        assert np.array_equal(getattr(notebook, name).get_value(), rng.uniform(-bound, bound, shape)), (
            '%s must be %s, within Glorot\'s bounds, drawn from rng in the order U, W, V' % (name, shape))
    assert not notebook.b_hidden.get_value().any() and not notebook.b_V.get_value().any(), 'the biases must start at 0'


def test_hidden_states(need):
    notebook = need(NETWORK[:3])
    weights, x, y = prepare(notebook)
    expected = numpy_step(weights, x, y)[0]
    last, total = compute(notebook, [notebook.h_states, notebook.h_states_sum], x, y)
    same(last, expected[-1], 'h_states must be h_28 after the loop: is each state made from the one before?')
    same(total, sum(expected), 'h_states_sum must be the sum of h_1 to h_28')


def test_prediction(need):
    notebook = need(NETWORK[:4])
    (U, W, V, b_hidden, b_V), x, y = prepare(notebook)
    total, prob = compute(notebook, [notebook.h_states_sum, notebook.y_prob], x, y)
    expected = np.exp(total / 28 @ V + b_V)
    same(prob.sum(axis=1), 1, 'the probabilities of an image must sum to 1: is there a softmax?')
    same(prob, expected / expected.sum(axis=1, keepdims=True), 'y_prob must be the softmax of (h_states_sum / 28) V + b_V')


def test_cost(need):
    notebook = need(NETWORK[:5])
    weights, x, y = prepare(notebook)
    prob, cost = compute(notebook, [notebook.y_prob, notebook.cost], x, y)
    with np.errstate(invalid='ignore'):  # logarithms of what is no probability are test_prediction's matter
        same(cost, -(y * np.log(prob)).sum(axis=1).mean(), 'cost must be the mean of -log of the true class\'s probability')


@pytest.mark.parametrize('n', [1, 100, 137])
def test_step(need, n):
    notebook = need(NETWORK)
    weights, x, y = prepare(notebook, n)
    states, cost, pred, expected = numpy_step(weights, x, y)
    for function in notebook.cost_pred, notebook.sgd_step:
        found_cost, found_pred = function(x, y)
        same(found_cost, cost, 'the cost before the step')
        assert found_cost.shape == () and found_pred.tolist() == pred.tolist(), 'one cost, and one prediction per image'
    for name, value in zip(WEIGHTS, expected):
        same(getattr(notebook, name).get_value(), value, '%s must be %s - learning_rate * its gradient' % (name, name))
