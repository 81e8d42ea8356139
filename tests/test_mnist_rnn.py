"""Tests of the notebook's network: the one-hot encoding, the shapes, and one step of training.

The fixture nb, from conftest.py, has the names that the notebook makes.
"""
import numpy as np
import pytest

rng = np.random.RandomState(0)
images = rng.uniform(size=(7, 28, 28))  # another number of them than in the notebook
labels = np.array([5, 0, 4, 1, 9, 2, 1])


def test_onehot_has_a_one_in_the_column_of_the_label(nb):
    encoded = nb.onehot([2, 9])
    assert encoded.tolist() == [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]]
    assert encoded.dtype == 'float64'


def test_onehot_takes_a_column_of_labels(nb):
    assert np.array_equal(nb.onehot(labels.reshape(7, 1)), nb.onehot(labels))


@pytest.mark.parametrize('wrong', [[-1], [10], [2.0], [True], [[1, 2]], 3])
def test_onehot_refuses_anything_but_labels(nb, wrong):
    with pytest.raises(ValueError, match='integers from 0 to 9'):
        nb.onehot(wrong)


@pytest.mark.parametrize('name, shape', [
    ('U', (28, 100)), ('W', (100, 100)), ('V', (100, 10)), ('b_hidden', (100,)), ('b_V', (10,))])
def test_shape_of_weights(nb, name, shape):
    assert getattr(nb, name).get_value().shape == shape


@pytest.mark.parametrize('name, shape', [
    ('h_states', (7, 100)), ('h_states_sum', (7, 100)), ('y_prob', (7, 10)), ('y_pred', (7,)),
    ('cost', ())])
def test_shape_of_output(nb, name, shape):
    given = {nb.x: images, nb.y: nb.onehot(labels)} if name == 'cost' else {nb.x: images}
    assert getattr(nb, name).eval(given).shape == shape


def numpy_step(U, W, V, b_hidden, b_V, y, rate):
    """Return the cost and the weights after one step: back-propagation through time, in NumPy."""
    h = [np.zeros((7, 100))]  # h[t] is the state after t rows
    for t in range(28):
        h.append(np.tanh(b_hidden + h[t] @ W + images[:, t] @ U))
    mean = sum(h) / 28
    exp = np.exp(mean @ V + b_V)
    y_prob = exp / exp.sum(axis=1, keepdims=True)
    cost = -np.log(y_prob[y == 1]).mean()

    d_scores = (y_prob - y) / 7  # the gradient of the cost by mean @ V + b_V, and so on
    d_U, d_W, d_bh, d_h = np.zeros((28, 100)), np.zeros((100, 100)), np.zeros(100), 0
    for t in reversed(range(28)):
        d_h = d_h + d_scores @ V.T / 28  # of the state after row t: from the mean, and from later
        d_a = d_h * (1 - h[t + 1] ** 2)  # tanh' is 1 - tanh^2
        d_U += images[:, t].T @ d_a
        d_W += h[t].T @ d_a
        d_bh += d_a.sum(axis=0)
        d_h = d_a @ W.T
    return cost, [U - rate * d_U, W - rate * d_W, V - rate * mean.T @ d_scores,
                  b_hidden - rate * d_bh, b_V - rate * d_scores.sum(axis=0)]


def test_one_step_as_in_numpy(nb):
    nb.set_weights([rng.normal(size=value.shape) / 8 for value in nb.initial])
    before = [weight.get_value() for weight in nb.weights]
    cost, expected = numpy_step(*before, nb.onehot(labels), nb.learning_rate)
    assert np.isclose(nb.sgd_step(images, nb.onehot(labels))[0], cost, rtol=1e-12)
    for weight, value in zip(nb.weights, expected):
        assert np.allclose(weight.get_value(), value, rtol=0, atol=1e-12), weight.name
