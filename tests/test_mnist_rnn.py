"""Tests of the network, section by section; --notebook runs them on a solved exercise.

Each class tests one section by the names that it defines, with given values for the weights and
for the symbols that it starts from. So a mistake in one section is not another's.
"""
import numpy as np
import pytest
import reference
import theano
from theano.gof.graph import ancestors

IMAGES = 7  # in a mini-batch of these tests


@pytest.fixture(scope='class')
def nb(request, copy):
    """The names of the notebook at the end of the class's section."""
    return copy.require(request.cls.place)


@pytest.fixture
def rng():
    return np.random.RandomState(0)


def shapes(nb):
    """Return the shapes of the weights, by name."""
    return {'U': (nb.input_d, nb.hidden_d),
            'W': (nb.hidden_d, nb.hidden_d),
            'V': (nb.hidden_d, nb.output_d),
            'b_hidden': (nb.hidden_d,),
            'b_V': (nb.output_d,)}


def random_weights(nb, rng):
    """Return random values for the weights, by name."""
    return {name: rng.normal(size=shape) / 8 for name, shape in shapes(nb).items()}


def random_mini_batch(rng):
    """Return random images and one-hot labels."""
    x = rng.uniform(size=(IMAGES, 28, 28))
    y = np.eye(10)[rng.randint(0, 10, IMAGES)]
    return x, y


def set_weights(nb, values):
    """Set the weights to values, a dict."""
    for name, value in values.items():
        getattr(nb, name).set_value(value)


def assert_depends(nb, name, on):
    """Fail if a symbol's graph does not contain another one."""
    graph = ancestors([getattr(nb, name)])
    assert getattr(nb, on) in graph, '%s does not depend on %s: was it left out?' % (name, on)


class TestOneHotLabels:
    place = 'One-hot labels'

    def test_one_label(self, nb):
        encoded = nb.onehot([2])
        assert isinstance(encoded, np.ndarray), (
            'onehot must return a NumPy array, and returns a %s' % type(encoded).__name__)
        expected = [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]]
        assert np.array_equal(encoded, expected), (
            'onehot([2]) must be %s, and is %s' % (expected, encoded.tolist()))

    def test_shape(self, nb):
        shape = nb.onehot([7, 0, 1]).shape
        assert shape == (3, 10), (
            'onehot of 3 labels must have the shape (3, 10), and has %s' % (shape,))

    def test_all_labels(self, nb):
        encoded = nb.onehot(np.arange(10, dtype='uint8'))
        assert np.array_equal(encoded, np.eye(10)), (
            'onehot must put a 1 into the column of the label and 0 elsewhere')

    def test_column_of_labels(self, nb):
        encoded = nb.onehot([[7], [0]])
        assert np.array_equal(encoded, np.eye(10)[[7, 0]]), (
            'onehot must take labels of the shape (n, 1), too')

    def test_no_labels(self, nb):
        assert nb.onehot([]).shape == (0, 10), 'onehot of no labels must have the shape (0, 10)'

    @pytest.mark.parametrize('labels', [
        [3, -1], [10], [2.5], [np.nan], ['3'], [True], 3, [[1, 2]]])
    def test_anything_else_is_refused(self, nb, labels):
        try:
            nb.onehot(labels)
        except ValueError as error:
            assert str(error).startswith(('labels have', 'labels go'))
        else:
            pytest.fail('onehot(%r) must raise a ValueError' % (labels,))


class TestWeights:
    place = 'Weights'

    @pytest.fixture(params=['U', 'W', 'V'])
    def name(self, request):
        return request.param

    @pytest.fixture
    def value(self, nb, name, copy):
        """The value that a weight starts from."""
        weight = getattr(nb, name)
        assert isinstance(weight, theano.compile.SharedVariable), (
            '%s must be a theano.shared variable, and is a %s' % (name, type(weight).__name__))
        return copy.starting[name]

    def test_shape(self, nb, name, value):
        shape = shapes(nb)[name]
        assert value.shape == shape, (
            '%s must have the shape %s, and has %s' % (name, shape, value.shape))

    def test_type(self, name, value):
        assert value.dtype == 'float64', (
            '%s must be of type float64, and is %s' % (name, value.dtype))

    def test_range(self, nb, name, value):
        bound = np.sqrt(6 / sum(shapes(nb)[name]))
        low, high = value.min(), value.max()
        # With this many draws, the extremes lie near the bounds.
        near = [.9 * bound <= end <= bound for end in (-low, high)]
        assert all(near), (
            '%s must be drawn between -%.4f and %.4f (Glorot and Bengio), and goes from %.4f to '
            '%.4f' % (name, bound, bound, low, high))

    def test_draw(self, nb, name, value):
        rng = np.random.RandomState(1234)
        expected = {}
        for other in 'U', 'W', 'V':
            shape = shapes(nb)[other]
            bound = np.sqrt(6 / sum(shape))
            expected[other] = rng.uniform(-bound, bound, shape)
        assert np.array_equal(value, expected[name]), (
            '%s has the right range, but other numbers: draw with rng.uniform, U first, then W, '
            'then V, one array a call' % name)

    @pytest.mark.parametrize('name', ['b_hidden', 'b_V'])  # in place of the fixture's U, W, V
    def test_bias_starts_at_zero(self, name, value):
        assert not value.any(), '%s must start at 0' % name


class TestHiddenStates:
    place = 'Hidden states'

    @pytest.mark.parametrize('on', ['x', 'U', 'W', 'b_hidden'])
    def test_depends(self, nb, on):
        assert_depends(nb, 'h_states', on)

    def test_sum_has_the_states(self, nb):
        assert_depends(nb, 'h_states_sum', 'h_states')

    @pytest.mark.parametrize('n', [1, IMAGES])
    def test_values(self, nb, rng, n):
        weights = random_weights(nb, rng)
        x = rng.uniform(size=(n, 28, 28))
        set_weights(nb, weights)

        try:
            last, total = theano.function([nb.x], [nb.h_states, nb.h_states_sum])(x)
        except ValueError:
            pytest.fail('the shapes of a product do not fit: x[:, t, :], (n, 28), goes with U, and '
                        'h_states, (n, %d), with W' % nb.hidden_d)

        expected_last, expected_total = reference.hidden_states(weights, x)
        assert last.shape == (n, nb.hidden_d), (
            'h_states must have the shape (%d, %d) for %d images, and has %s'
            % (n, nb.hidden_d, n, last.shape))
        assert np.allclose(last, expected_last, rtol=0, atol=1e-10), (
            'h_states after the loop is not h_28 of the equation')
        assert np.allclose(total, expected_total, rtol=0, atol=1e-10), (
            'h_states_sum is not the sum of h_1 to h_28')


class TestPrediction:
    place = 'Prediction'

    @pytest.fixture
    def h_states_sum(self, copy):
        """The symbol that the section starts from."""
        return copy.at('Hidden states').h_states_sum

    @pytest.mark.parametrize('on', ['V', 'b_V'])
    def test_depends_on_weight(self, nb, on):
        assert_depends(nb, 'y_prob', on)

    def test_depends_on_the_sum(self, nb, h_states_sum):
        assert h_states_sum in ancestors([nb.y_prob]), 'y_prob does not depend on h_states_sum'

    def test_values(self, nb, rng, h_states_sum):
        weights = random_weights(nb, rng)
        total = rng.normal(size=(IMAGES, nb.hidden_d)) * 28
        set_weights(nb, weights)

        y_prob, y_pred = theano.function([h_states_sum], [nb.y_prob, nb.y_pred])(total)

        assert y_prob.shape == (IMAGES, 10), (
            'y_prob must have the shape (%d, 10) for %d images, and has %s'
            % (IMAGES, IMAGES, y_prob.shape))
        assert np.allclose(y_prob.sum(axis=1), 1), (
            "an image's probabilities in y_prob must add up to 1: softmax")
        assert np.allclose(y_prob, reference.probabilities(weights, total), rtol=0, atol=1e-10), (
            'y_prob is not the softmax of the mean state times V plus b_V')
        assert np.array_equal(y_pred, y_prob.argmax(axis=1)), (
            'y_pred must be the class with the highest probability')


class TestCost:
    place = 'Cost'

    @pytest.fixture
    def y_prob(self, copy):
        """The symbol that the section starts from."""
        return copy.at('Prediction').y_prob

    def test_depends_on_the_probabilities(self, nb, y_prob):
        assert y_prob in ancestors([nb.cost]), 'cost does not depend on y_prob'

    def test_depends_on_the_labels(self, nb):
        assert_depends(nb, 'cost', 'y')

    def test_is_one_number(self, nb):
        assert nb.cost.ndim == 0, (
            'cost must be one number, the mean over the mini-batch, and has %d dimension(s)'
            % nb.cost.ndim)

    def test_value(self, nb, rng, y_prob):
        given = rng.dirichlet(np.ones(10), size=IMAGES)
        y = np.eye(10)[rng.randint(0, 10, IMAGES)]

        cost = theano.function([y_prob, nb.y], nb.cost)(given, y)

        expected = reference.cross_entropy(given, y)
        assert not np.isclose(cost, IMAGES * expected, rtol=1e-4), (
            'cost must be the mean over the mini-batch, not the sum')
        # Not closer, since a small number may be added inside the logarithm.
        assert np.isclose(cost, expected, rtol=1e-4), (
            "cost is not the mean of -log of the true class's probability")


class TestCompile:
    place = 'Compile'
    gradients = {'U': 'grad_U', 'W': 'grad_W', 'V': 'grad_V',
                 'b_hidden': 'grad_bh', 'b_V': 'grad_bV'}

    @pytest.fixture(params=gradients)
    def name(self, request):
        return request.param

    @pytest.fixture
    def new(self, nb, name):
        """The expression for a weight's new value."""
        updates = dict(nb.updates)
        assert getattr(nb, name) in updates, 'updates has no new value for %s' % name
        return updates[getattr(nb, name)]

    def test_step(self, nb, rng, name, new):
        """Each weight moves by the learning rate times its own gradient."""
        weight = getattr(nb, name)
        x, y = random_mini_batch(rng)
        set_weights(nb, random_weights(nb, rng))
        gradient = theano.grad(nb.cost, weight)
        expected = weight.get_value() - nb.learning_rate * theano.function(
            [nb.x, nb.y], gradient, on_unused_input='ignore')(x, y)
        others = [other for other in self.gradients.values()
                  if other != self.gradients[name] and getattr(nb, other) in ancestors([new])]
        message = 'the new %s must be %s - learning_rate * %s' % (
            name, name, self.gradients[name])
        if others:
            message += ', and has %s' % others[0]
        try:
            value = theano.function([nb.x, nb.y], new, on_unused_input='ignore')(x, y)
        except ValueError:  # a gradient of another shape
            pytest.fail(message)
        assert value.shape == expected.shape, message
        # Where the cost is wrong, both may not be numbers.
        assert np.allclose(value, expected, rtol=0, atol=1e-10, equal_nan=True), message


class TestOneStep:
    """sgd_step and cost_pred against NumPy, with nothing of Theano's in between."""

    place = 'Compile'

    @pytest.fixture
    def given(self, nb, rng):
        """Weights, which are set, images and one-hot labels."""
        weights = random_weights(nb, rng)
        set_weights(nb, weights)
        x, y = random_mini_batch(rng)
        return weights, x, y

    @pytest.mark.parametrize('function', ['cost_pred', 'sgd_step'])
    def test_returns_cost_and_predictions(self, nb, given, function):
        weights, x, y = given
        cost, pred = getattr(nb, function)(x, y)
        expected_cost, y_prob = reference.forward(weights, x, y)
        assert np.isclose(cost, expected_cost, rtol=1e-4)
        assert np.array_equal(pred, y_prob.argmax(axis=1))

    @pytest.mark.parametrize('name', TestCompile.gradients)
    def test_moves_down_the_slope(self, nb, rng, given, name):
        """A weight's step along a direction is the slope of the cost, by finite differences."""
        weights, x, y = given
        direction = rng.normal(size=weights[name].shape)
        size = 1e-6
        cost_ahead, _ = reference.forward({**weights, name: weights[name] + size * direction}, x, y)
        cost_behind, _ = reference.forward({**weights, name: weights[name] - size * direction}, x, y)
        slope = (cost_ahead - cost_behind) / (2 * size)

        nb.sgd_step(x, y)

        step = getattr(nb, name).get_value() - weights[name]
        along = (step * direction).sum()
        assert abs(along + nb.learning_rate * slope) < 1e-7, (
            'sgd_step must move %s by -learning_rate times its gradient' % name)

