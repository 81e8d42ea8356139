"""Tests of the network: one-hot encoding, initial weights, forward pass, one SGD step."""
import numpy as np
import pytest

SHAPES = {'U': (28, 100), 'W': (100, 100), 'V': (100, 10), 'b_hidden': (100,), 'b_V': (10,)}


def forward(U, W, V, b_hidden, b_V, x, y):
    """Return the last hidden state, the sum of all, the probabilities, and the cost, in NumPy."""
    h = total = np.zeros((len(x), 100))
    for t in range(28):
        h = np.tanh(x[:, t] @ U + h @ W + b_hidden)
        total = total + h
    exp = np.exp(total / 28 @ V + b_V)
    prob = exp / exp.sum(axis=1, keepdims=True)
    return h, total, prob, -np.log((prob * y).sum(axis=1)).mean()


@pytest.mark.parametrize('labels', [[2], [[7], [0]], [], np.arange(10, dtype='uint8')])
def test_onehot_encodes(nb, labels):
    expected = np.eye(10)[np.ravel(labels).astype(int)]
    assert np.array_equal(nb.onehot(labels), expected), 'onehot must return %s' % expected.tolist()


@pytest.mark.parametrize('labels', [[3, -1], [10], [2.5], [np.nan], ['3'], [True], 3, [[1, 2]]])
def test_onehot_refuses_what_is_no_label(nb, labels):
    with pytest.raises(ValueError, match='^labels (have|go)'):
        nb.onehot(labels)


def test_initial_weights(nb):
    rng, initial = np.random.RandomState(1234), dict(zip(SHAPES, nb.initial))
    for name in 'UWV':
        bound = (6 / sum(SHAPES[name])) ** .5
        assert np.array_equal(initial[name], rng.uniform(-bound, bound, SHAPES[name])), (
            '%s must be %s, within Glorot\'s bounds; U first, then W, V' % (name, SHAPES[name]))
    assert not initial['b_hidden'].any() and not initial['b_V'].any(), 'the biases must start at 0'


@pytest.mark.parametrize('n', [1, 100, 137])
def test_forward_pass_and_step(nb, n):
    """Against NumPy; each weight's step, along a random direction, against the cost's slope."""
    rng = np.random.RandomState(n)
    weights = [rng.normal(size=shape) / 8 for shape in SHAPES.values()]
    x, y = rng.uniform(size=(n, 28, 28)), np.eye(10)[rng.randint(0, 10, n)]
    expected = dict(zip(['h_states', 'h_states_sum', 'y_prob', 'cost'], forward(*weights, x, y)))
    nb.set_weights(weights)
    found = nb.theano.function([nb.x, nb.y], [getattr(nb, name) for name in expected])(x, y)
    for (name, right), value in zip(expected.items(), found):
        assert value.shape == right.shape, 'the shape of %s must be %s' % (name, right.shape)
        assert abs(value - right).max() < 1e-10, '%s is not as its equation says' % name
    for function in nb.cost_pred, nb.sgd_step:
        cost, pred = function(x, y)
        assert abs(cost - expected['cost']) < 1e-10, 'cost_pred and sgd_step must return the cost'
        assert np.array_equal(pred, found[2].argmax(axis=1)), 'y_pred must be the likeliest class'
    for k, name in enumerate(SHAPES):
        direction = rng.normal(size=SHAPES[name]) / 100
        up, down = (forward(*weights[:k], weights[k] + step * direction, *weights[k + 1:], x, y)[-1]
                    for step in (1e-4, -1e-4))
        step = ((weights[k] - getattr(nb, name).get_value()) * direction).sum()
        assert abs(step / .1 - (up - down) / 2e-4) < 1e-7, (
            '%s must become %s - learning_rate * its gradient' % (name, name))
