"""Tests of the network: one-hot encoding, initial weights, forward pass, one SGD step."""
import numpy as np
import pytest

SHAPES = {'U': (28, 100), 'W': (100, 100), 'V': (100, 10), 'b_hidden': (100,), 'b_V': (10,)}


def forward(U, W, V, b_hidden, b_V, x):
    """Return the last hidden state, the sum of all, and the probabilities, in NumPy, from the equations."""
    h = total = np.zeros((len(x), 100))
    for t in range(28):
        h = np.tanh(x[:, t] @ U + h @ W + b_hidden)
        total = total + h
    exp = np.exp(total / 28 @ V + b_V)
    return h, total, exp / exp.sum(axis=1, keepdims=True)


def cost(weights, x, y):
    return -np.log((forward(*weights, x)[2] * y).sum(axis=1)).mean()


def set_random_weights(nb, n):
    """Set random weights, with biases; return them, n random images, and one-hot labels for these."""
    rng = np.random.RandomState(n)
    weights = [rng.normal(size=shape) / 8 for shape in SHAPES.values()]
    nb.set_weights(weights)
    return weights, rng.uniform(size=(n, 28, 28)), np.eye(10)[rng.randint(0, 10, n)]


@pytest.mark.parametrize('labels', [[2], [[7], [0]], [], np.arange(10, dtype='uint8')])
def test_onehot_encodes(nb, labels):
    assert np.array_equal(nb.onehot(labels), np.eye(10)[np.ravel(labels).astype(int)]), 'onehot: a row is wrong'


@pytest.mark.parametrize('labels', [[3, -1], [10], [2.5], [np.nan], ['3'], [True], [None], 3, [[1, 2]]])
def test_onehot_refuses_what_is_no_label(nb, labels):
    with pytest.raises(ValueError, match='^labels (have|go)'):
        nb.onehot(labels)


def test_initial_weights(nb):
    rng, initial = np.random.RandomState(1234), dict(zip(SHAPES, nb.initial))
    for name in 'UWV':
        bound = (6 / sum(SHAPES[name])) ** .5
        assert np.array_equal(initial[name], rng.uniform(-bound, bound, SHAPES[name])), (
            '%s must be %s, drawn from rng within Glorot\'s bounds; U first, then W, V' % (name, SHAPES[name]))
    assert not initial['b_hidden'].any() and not initial['b_V'].any(), 'the biases must start at 0'


@pytest.mark.parametrize('n', [1, 100, 137])
def test_forward_pass_and_step(nb, n):
    """Against NumPy; each weight's step, along a random direction, against the slope of NumPy's cost."""
    weights, x, y = set_random_weights(nb, n)
    found = nb.theano.function([nb.x], [nb.h_states, nb.h_states_sum, nb.y_prob])(x)
    for name, value, expected in zip(('h_states', 'h_states_sum', 'y_prob'), found, forward(*weights, x)):
        assert value.shape == expected.shape, 'the shape of %s must be %s' % (name, expected.shape)
        assert abs(value - expected).max() < 1e-10, '%s is not as its equation says' % name
    for function in nb.cost_pred, nb.sgd_step:
        value, pred = function(x, y)
        assert abs(value - cost(weights, x, y)) < 1e-10, 'cost must be the mean of -log of the true class\'s y_prob'
        assert pred.tolist() == found[2].argmax(axis=1).tolist(), 'one prediction per image is needed'
    for k, name in enumerate(SHAPES):
        direction = np.random.RandomState(k).normal(size=SHAPES[name])
        direction /= np.linalg.norm(direction)
        beside = [cost(weights[:k] + [weights[k] + step * direction] + weights[k + 1:], x, y)
                  for step in (1e-4, -1e-4)]
        step = ((weights[k] - getattr(nb, name).get_value()) * direction).sum()
        assert abs(step / .1 - (beside[0] - beside[1]) / 2e-4) < 1e-7, (
            '%s must become %s - learning_rate * its gradient' % (name, name))
