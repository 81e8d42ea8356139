"""Tests of the network, place by place: of the saved notebook, and of a student's copy.

Each class tests one section. The fixture nb, from conftest.py or, in a student's kernel, from
check.py, has the notebook's names as attributes. Weights, images and labels are random; a section
that starts from another one's symbol is also tested with given values for it, so that a mistake in
one section is not another's.

exercise/check.py reads from the classes what the exercise consists of:

title      the section's heading
task       what a student is to write there; a class without it, here or in test_given.py, tests
           given cells
makes      the names that the student's lines make
given      the names that the given lines make
builds_on  the titles of the sections that this one starts from

A student reads the message of the first assertion that fails.
"""
import numpy as np
import pytest
import reference
import theano
import theano.tensor as T
from theano.gof.graph import ancestors

IMAGES = 7  # in a mini-batch of these tests
SHAPES = ('the shapes of a product do not fit. T.dot multiplies matrices (* and np.dot go entry by '
          'entry): ')


@pytest.fixture(scope='class')
def rng():
    return np.random.RandomState(0)


@pytest.fixture(scope='class')
def weights(nb, rng):
    """Random values, by name, which the weights have during the tests of a class."""
    values = {'U': rng.normal(size=(nb.input_d, nb.hidden_d)) / 8,
              'W': rng.normal(size=(nb.hidden_d, nb.hidden_d)) / 8,
              'V': rng.normal(size=(nb.hidden_d, nb.output_d)) / 8,
              'b_hidden': rng.normal(size=nb.hidden_d) / 8,
              'b_V': rng.normal(size=nb.output_d) / 8}
    variables = {name: getattr(nb, name) for name in values}
    before = {name: variable.get_value() for name, variable in variables.items()}
    try:
        for name, variable in variables.items():
            variable.set_value(values[name])
        yield values
    finally:
        for name, variable in variables.items():
            variable.set_value(before[name])


@pytest.fixture(scope='class')
def images(rng):
    return rng.uniform(size=(IMAGES, 28, 28))


@pytest.fixture(scope='class')
def labels(rng):
    """One-hot labels."""
    return np.eye(10)[rng.randint(0, 10, IMAGES)]


def compute(given, wanted, hint):
    """Return the values of the symbols wanted, from {symbol: value}. hint: if shapes do not fit."""
    function = theano.function(list(given), wanted, on_unused_input='ignore')
    try:
        return function(*given.values())
    except ValueError:
        raise AssertionError(SHAPES + hint) from None


def compute_if_possible(given, wanted):
    """Return the value of a symbol; an empty array where an earlier section's shapes do not fit."""
    try:
        return compute(given, wanted, hint='')
    except AssertionError:
        return np.zeros(0)


def is_close(value, expected):
    """Say whether two arrays are equal but for rounding."""
    return (value.shape == expected.shape
            and np.allclose(value, expected, rtol=0, atol=1e-10, equal_nan=True))


def assert_time_steps(nb):
    """Fail if this number, which a student may use in place of 28, was changed."""
    assert nb.time_steps == 28, (
        'time_steps must be 28, and is %s: the cell under "Hyper-parameters" was changed'
        % nb.time_steps)


def assert_symbol(nb, name):
    """Fail if a name does not stand for a symbol of Theano's."""
    value = getattr(nb, name)
    assert isinstance(value, theano.Variable), (
        "%s must be made of Theano's symbols, and is a %s" % (name, type(value).__name__))


def assert_depends(nb, name, on):
    """Fail if a symbol's graph does not contain another one."""
    assert getattr(nb, on) in ancestors([getattr(nb, name)]), (
        '%s does not depend on %s: was it left out, or has %s changed since? (Then run this '
        'section again.)' % (name, on, on))


class TestOneHotLabels:
    title = 'One-hot labels'
    task = 'make the array onehot, of shape (len(inp), 10), from inp'
    makes = ['onehot']
    given = []
    builds_on = ['Imports']

    @pytest.fixture(scope='class')
    def encoded(self, nb):
        """What onehot returns for these labels."""
        return nb.onehot(np.array([2, 0, 9, 2]))

    def test_array(self, encoded):
        assert isinstance(encoded, np.ndarray), (
            'onehot must return a NumPy array, and returns a %s' % type(encoded).__name__)

    def test_shape(self, encoded):
        assert encoded.shape == (4, 10), (
            'onehot of 4 labels must have the shape (4, 10), and has %s' % (encoded.shape,))

    def test_values(self, encoded):
        assert set(encoded.ravel()) == {0, 1}, 'onehot must have no other numbers than 0 and 1'

    def test_single_ones(self, encoded):
        assert np.array_equal(encoded.sum(axis=1), [1, 1, 1, 1]), (
            'onehot must put exactly one 1 into each row')

    def test_places_of_the_ones(self, encoded):
        places = encoded.argmax(axis=1).tolist()
        assert places == [2, 0, 9, 2], (
            'onehot must put the 1 into the column of the label: for the labels [2, 0, 9, 2] they '
            'are in the columns %s' % places)

    def test_list_of_labels(self, nb):
        assert nb.onehot([5]).argmax() == 5, 'onehot must take a list of labels, too'

    def test_column_of_labels(self, nb):
        encoded = nb.onehot(np.array([[7], [0]], dtype='uint8'))
        assert encoded.shape == (2, 10) and encoded.argmax(axis=1).tolist() == [7, 0], (
            'onehot must take labels of the shape (n, 1), too')

    @pytest.mark.parametrize('labels', [[3, -1], [10], [2.5], [[1, 2]]])
    def test_anything_else_is_refused(self, nb, labels):
        try:
            nb.onehot(labels)
        except ValueError:
            return
        raise AssertionError('onehot(%r) must raise a ValueError' % (labels,))


class TestWeights:
    title = 'Weights'
    task = "draw U, W and V from rng, in this order, within Glorot's bounds"
    makes = ['U', 'W', 'V']
    given = ['rng', 'b_hidden', 'b_V', 'weights', 'initial', 'set_weights']
    builds_on = ['Imports']

    @pytest.fixture(scope='class')
    def shapes(self, nb):
        return {'U': (nb.input_d, nb.hidden_d),
                'W': (nb.hidden_d, nb.hidden_d),
                'V': (nb.hidden_d, nb.output_d)}

    @pytest.fixture(params=['U', 'W', 'V'])
    def name(self, request):
        return request.param

    @pytest.fixture
    def value(self, nb, name):
        """The value that a weight starts from, also when it was trained since."""
        names = vars(nb)
        for weight, initial in zip(names.get('weights', ()), names.get('initial', ())):
            if weight is getattr(nb, name):
                return initial
        return getattr(nb, name).get_value()

    def test_shared(self, nb, name):
        weight = getattr(nb, name)
        assert isinstance(weight, theano.compile.SharedVariable), (
            '%s must be a theano.shared variable, and is a %s' % (name, type(weight).__name__))

    def test_shape(self, shapes, name, value):
        assert value.shape == shapes[name], (
            '%s must have the shape %s, and has %s' % (name, shapes[name], value.shape))

    def test_type(self, name, value):
        assert value.dtype == 'float64', (
            '%s must be of type float64, and is %s' % (name, value.dtype))

    def test_range(self, shapes, name, value):
        bound = np.sqrt(6 / sum(shapes[name]))
        low, high = value.min(), value.max()
        # With this many draws, the extremes lie near the bounds.
        near = [.9 * bound <= end <= 1.0001 * bound for end in (-low, high)]
        assert all(near), (
            '%s must be drawn between -%.4f and %.4f (Glorot and Bengio), and goes from %.4f to '
            '%.4f' % (name, bound, bound, low, high))

    def test_draw(self, shapes, name, value):
        """A uniform draw stretches the next numbers of the stream, which go from 0 to 1."""
        stream = np.random.RandomState(1234)
        for other in 'U', 'W', 'V':
            numbers = stream.random_sample(shapes[other])
            if other == name:
                break
        bound = np.sqrt(6 / sum(shapes[name]))
        assert is_close(value, (2 * numbers - 1) * bound), (
            '%s has the right range, but other numbers: draw with rng.uniform, U first, then W, '
            'then V, one array a call, from a fresh rng' % name)


class TestHiddenStates:
    title = 'Hidden states'
    task = 'make the next h_states, and add it to h_states_sum'
    makes = ['h_states', 'h_states_sum']
    given = []
    builds_on = ['Weights', 'Inputs']
    hint = 'x[:, t, :], (n, 28), goes with U, and h_states, (n, 100), with W'

    @pytest.fixture(scope='class')
    def states(self, nb, weights, images):
        """The values of h_states and h_states_sum."""
        return compute({nb.x: images}, [nb.h_states, nb.h_states_sum], self.hint)

    def test_time_steps(self, nb):
        assert_time_steps(nb)

    @pytest.mark.parametrize('name', makes)
    def test_symbol(self, nb, name):
        assert_symbol(nb, name)

    def test_is_set(self, nb):
        graph = ancestors([nb.h_states])
        assert any(getattr(nb, name) in graph for name in ('U', 'W', 'b_hidden')), (
            'h_states depends on none of U, W and b_hidden: give the new state the name h_states. '
            '(If they were made anew since, run this section again.)')

    def test_no_images(self, nb):
        rows = [variable for variable in ancestors([nb.h_states])
                if isinstance(variable, T.TensorConstant) and variable.ndim > 1
                and variable.data.shape[-1] == 28 and len(variable.data) > 28]
        assert not rows, 'h_states has images in it, as X_train has them: use the symbol x'

    @pytest.mark.parametrize('on', ['x', 'U', 'W', 'b_hidden'])
    def test_depends(self, nb, on):
        assert_depends(nb, 'h_states', on)

    @pytest.mark.parametrize('n', [1, 2, 101])
    def test_any_number_of_images(self, nb, weights, n):
        """A graph for one size of mini-batch fails with others, or takes its part of them."""
        fits = theano.function([nb.x], nb.h_states)
        size = nb.mini_batch_size
        try:
            states = fits(np.zeros((n, 28, 28)))
        except ValueError:
            compute({nb.x: np.zeros((size, 28, 28))}, nb.h_states, self.hint)
            raise AssertionError('h_states takes mini-batches of %d images only: x.shape[0] is the '
                                 'number of images, and T.dot multiplies matrices (* goes entry '
                                 'by entry)' % size) from None
        assert len(states) == n, (
            'h_states has %d rows for %d images: x[:, t, :] takes row t of all of them'
            % (len(states), n))

    def test_shape(self, nb, states):
        shape = (IMAGES, nb.hidden_d)
        assert states[0].shape == shape, (
            'h_states must have the shape %s for %d images, and has %s'
            % (shape, IMAGES, states[0].shape))

    def test_last_state(self, states, weights, images):
        assert is_close(states[0], reference.hidden_states(weights, images)[0]), (
            'h_states after the loop is not h_28 of the equation')

    def test_sum_is_set(self, states):
        assert states[1].any(), 'h_states_sum is still 0: add each new state to it'

    def test_sum_leaves_no_state_out(self, states, weights, images):
        last, total = reference.hidden_states(weights, images)
        assert not is_close(states[1], total - last), (
            'h_states_sum lacks the last state: add the new state, not the one before')

    def test_sum(self, states, weights, images):
        assert is_close(states[1], reference.hidden_states(weights, images)[1]), (
            'h_states_sum is not the sum of h_1 to h_28')


class TestPrediction:
    title = 'Prediction'
    task = 'make y_prob from h_states_sum, V and b_V'
    makes = ['y_prob']
    given = ['y_pred']
    builds_on = ['Hidden states']
    hint = 'the mean state, (n, 100), goes with V, (100, 10), in this order'

    @pytest.fixture(scope='class')
    def total(self, nb, rng):
        """Values for h_states_sum."""
        return rng.normal(size=(IMAGES, nb.hidden_d)) * 28

    @pytest.fixture(scope='class')
    def from_images(self, nb, weights, images):
        """y_prob of images."""
        return compute_if_possible({nb.x: images}, nb.y_prob)

    @pytest.fixture(scope='class')
    def from_total(self, nb, weights, images, total):
        """y_prob and y_pred of given values for h_states_sum."""
        return compute({nb.x: images, nb.h_states_sum: total}, [nb.y_prob, nb.y_pred], self.hint)

    @pytest.fixture(scope='class')
    def is_right(self, from_images, weights, images):
        """Whether the network is right up to here."""
        _, sums = reference.hidden_states(weights, images)
        return is_close(from_images, reference.probabilities(weights, sums))

    def test_time_steps(self, nb):
        assert_time_steps(nb)

    def test_symbol(self, nb):
        assert_symbol(nb, 'y_prob')

    @pytest.mark.parametrize('on', ['V', 'b_V'])
    def test_depends(self, nb, on):
        assert_depends(nb, 'y_prob', on)

    def test_not_the_last_state(self, from_images, weights, images):
        last, _ = reference.hidden_states(weights, images)
        assert not is_close(from_images, reference.probabilities(weights, 28 * last)), (
            'y_prob comes from the last state, not from the mean of all')

    def test_depends_on_the_sum(self, nb, is_right):
        """There are other ways to the mean, but then y_prob of images must be right."""
        assert is_right or nb.h_states_sum in ancestors([nb.y_prob]), (
            'y_prob does not depend on h_states_sum: was it left out, or has h_states_sum changed '
            'since? (Then run this section again.)')

    def test_shape(self, from_total):
        assert from_total[0].shape == (IMAGES, 10), (
            'y_prob must have the shape (%d, 10) for %d images, and has %s'
            % (IMAGES, IMAGES, from_total[0].shape))

    def test_any_number_of_images(self, nb, weights):
        y_prob, y_pred = compute({nb.x: np.zeros((101, 28, 28))}, [nb.y_prob, nb.y_pred], self.hint)
        assert len(y_prob) == len(y_pred) == 101, (
            'y_prob and y_pred must have a row for each image, and have %d and %d for 101'
            % (len(y_prob), len(y_pred)))

    def test_probabilities(self, from_total):
        assert np.allclose(from_total[0].sum(axis=1), 1), (
            "an image's probabilities in y_prob must add up to 1: T.nnet.softmax")

    def test_mean(self, is_right, from_total, weights, total):
        of_sum = reference.probabilities(weights, 28 * total)
        assert is_right or not is_close(from_total[0], of_sum), (
            'y_prob comes from the sum of the states, not from their mean: divide by 28')

    def test_values(self, is_right, from_total, weights, total):
        assert is_right or is_close(from_total[0], reference.probabilities(weights, total)), (
            'y_prob is not the softmax of the mean state times V plus b_V')

    def test_classes(self, from_total):
        y_prob, y_pred = from_total
        assert np.array_equal(y_pred, y_prob.argmax(axis=1)), (
            'y_pred must be the class with the highest probability')


class TestCost:
    title = 'Cost'
    task = 'make cost from y_prob and y'
    makes = ['cost']
    given = []
    builds_on = ['Prediction']
    hint = 'y_prob and y both have the shape (n, 10)'

    @pytest.fixture(scope='class')
    def probabilities(self, rng):
        """Values for y_prob."""
        return rng.dirichlet(np.ones(10), size=IMAGES)

    @pytest.fixture(scope='class')
    def is_right(self, nb, weights, images, labels):
        """Whether the network is right up to here."""
        cost = compute_if_possible({nb.x: images, nb.y: labels}, nb.cost)
        expected, _ = reference.forward(weights, images, labels)
        return cost.size == 1 and np.isclose(cost, expected, rtol=1e-4)

    @pytest.fixture(scope='class')
    def cost(self, nb, images, labels, probabilities):
        """The cost of given values for y_prob."""
        given = {nb.x: images, nb.y: labels, nb.y_prob: probabilities}
        return compute(given, nb.cost, self.hint)

    @pytest.fixture(scope='class')
    def expected(self, labels, probabilities):
        return reference.cross_entropy(probabilities, labels)

    def test_symbol(self, nb):
        assert_symbol(nb, 'cost')

    def test_depends_on_the_labels(self, nb):
        assert_depends(nb, 'cost', 'y')

    def test_is_one_number(self, nb):
        assert nb.cost.ndim == 0, (
            'cost must be one number, the mean over the mini-batch, and has %d dimension(s)'
            % nb.cost.ndim)

    def test_depends_on_the_probabilities(self, nb, is_right):
        """It may come from the scores, but then the cost of images must be right."""
        assert is_right or nb.y_prob in ancestors([nb.cost]), (
            'cost does not depend on y_prob: was it left out, or has y_prob changed since? (Then '
            'run this section again.)')

    def test_is_finite(self, cost):
        assert np.isfinite(cost), (
            'cost is not finite, as if it took the logarithm of a label: '
            'T.nnet.categorical_crossentropy takes the probabilities first, then the labels')

    def test_any_number_of_images(self, nb, weights):
        """More than a mini-batch has: none may be left out."""
        images, labels = np.zeros((101, 28, 28)), np.eye(10)[np.arange(101) % 10]
        labels[100] = np.eye(10)[0]
        hint = 'cost takes all images, not only the first %d' % nb.mini_batch_size
        with_zero = compute({nb.x: images, nb.y: labels}, nb.cost, hint)
        labels[100] = np.eye(10)[1]
        with_one = compute({nb.x: images, nb.y: labels}, nb.cost, hint)
        assert with_zero != with_one, hint

    @pytest.mark.parametrize('factor, mistake', [
        (-1, 'cost has the wrong sign: it is minus the mean of the logarithms'),
        (IMAGES, 'cost must be the mean over the mini-batch, not the sum'),
        (IMAGES / 100, "cost must be divided by the mini-batch's own size, not by 100: T.mean"),
        (1 / 10, 'cost must be the mean over the images, not over images and classes'),
        (1 / np.log(10), 'cost must have the natural logarithm, T.log, not the one to base 10'),
        (1 / np.log(2), 'cost must have the natural logarithm, T.log, not the one to base 2')])
    def test_usual_mistake(self, cost, expected, factor, mistake):
        assert not np.isclose(cost, factor * expected, rtol=1e-4), mistake

    def test_value(self, is_right, cost, expected):
        # Not closer, since a small number may be added inside the logarithm.
        assert is_right or np.isclose(cost, expected, rtol=1e-4), (
            "cost is not the mean of -log of the true class's probability")


class TestCompile:
    title = 'Compile'
    task = 'make updates, a list of five pairs'
    makes = ['updates']
    given = []
    builds_on = ['Gradients']
    gradients = {'U': 'grad_U', 'W': 'grad_W', 'V': 'grad_V',
                 'b_hidden': 'grad_bh', 'b_V': 'grad_bV'}

    @pytest.fixture(params=gradients)
    def name(self, request):
        return request.param

    @pytest.fixture(scope='class')
    def pairs(self, nb):
        """updates as a list, also where it is a dict."""
        return list(nb.updates.items() if isinstance(nb.updates, dict) else nb.updates)

    @pytest.fixture(scope='class')
    def new(self, nb, pairs):
        """The expressions of the new values, by weight."""
        variables = {name: getattr(nb, name) for name in self.gradients}
        return {name: value for name, variable in variables.items()
                for key, value in pairs if key is variable}

    @pytest.fixture(scope='class')
    def computed(self, nb, weights, images, labels, new):
        """The values of the new weights, of the section's gradients and of Theano's, in a row."""
        variables = [getattr(nb, name) for name in self.gradients]
        given = [getattr(nb, gradient) for gradient in self.gradients.values()]
        wanted = list(new.values()) + given + theano.grad(nb.cost, variables)
        hint = 'each new weight is the old one minus learning_rate times its own gradient'
        compute_cost = theano.function([nb.x, nb.y], nb.cost, on_unused_input='ignore')
        compute_cost(images, labels)  # a ValueError here is an earlier section's
        return compute({nb.x: images, nb.y: labels}, wanted, hint)

    @pytest.fixture(scope='class')
    def values(self, computed):
        """The values of the new weights, by name."""
        return dict(zip(self.gradients, computed[:5]))

    @pytest.fixture(scope='class')
    def given_gradient(self, computed):
        """The values of grad_U, grad_W and so on, by weight."""
        return dict(zip(self.gradients, computed[5:10]))

    @pytest.fixture(scope='class')
    def gradient(self, computed):
        """The values of the gradients of cost, by weight."""
        return dict(zip(self.gradients, computed[10:]))

    @pytest.fixture(scope='class')
    def right(self, nb, weights, gradient):
        """The values that the new weights must have, by name."""
        return {name: weights[name] - nb.learning_rate * gradient[name] for name in weights}

    def test_learning_rate(self, nb):
        assert nb.learning_rate > 0, (
            'learning_rate must be above 0, and is %s: the cell under "Hyper-parameters" was '
            'changed' % nb.learning_rate)

    @pytest.mark.parametrize('number, name', list(enumerate(['U', 'W', 'V', 'b_hidden', 'b_V'])))
    def test_weight_is_still_there(self, nb, number, name):
        assert getattr(nb, name) is nb.weights[number], (
            '%s is not the variable of section "Weights" any more: if this cell has a line that '
            'begins with "%s =", take it out; then run all cells from "Weights" on'
            % (name, name))

    def test_pairs(self, nb):
        assert isinstance(nb.updates, (list, tuple, dict)), (
            'updates must be a list, and is a %s' % type(nb.updates).__name__)

    def test_every_pair(self, pairs):
        assert all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs), (
            'updates must be a list of pairs, each in brackets: (weight, new value)')

    def test_has_the_weight_once(self, nb, pairs, name):
        number = [key is getattr(nb, name) for key, value in pairs].count(True)
        assert number == 1, (
            'updates must have one new value for %s, and has %d' % (name, number))

    def test_starts_from_the_old_value(self, nb, new, name):
        graph = ancestors([T.as_tensor_variable(new[name])])
        assert getattr(nb, name) in graph, (
            'the new %s does not depend on %s: it is the old one minus learning_rate times the '
            'gradient' % (name, name))

    def test_no_other_gradient(self, nb, new, name):
        graph = ancestors([new[name]])
        own = self.gradients[name]
        found = [other for other in self.gradients.values() if getattr(nb, other) in graph]
        assert own in found or not found, (
            'the new %s must be %s - learning_rate * %s, and has %s' % (name, name, own, found[0]))

    def test_nothing_else_moves(self, nb, pairs, new, name):
        """Momentum, for example, keeps a velocity, which moves, too."""
        ours = [getattr(nb, other) for other in self.gradients]
        moved = [key for key, value in pairs if not any(key is variable for variable in ours)]
        assert not set(moved).intersection(ancestors([new[name]])), (
            'the new %s depends on another variable in updates: plain SGD needs only %s, '
            'learning_rate and %s' % (name, name, self.gradients[name]))

    def test_gradient_is_of_this_cost(self, given_gradient, gradient, name):
        assert is_close(given_gradient[name], gradient[name]), (
            '%s is not the gradient of cost as it is now: run the section "Gradients" again, then '
            'this one' % self.gradients[name])

    def test_subtracts(self, nb, weights, values, right, gradient, name):
        up = weights[name] + nb.learning_rate * gradient[name]
        assert is_close(values[name], right[name]) or not is_close(values[name], up), (
            'the new %s goes up the gradient: subtract learning_rate * %s'
            % (name, self.gradients[name]))

    def test_has_the_learning_rate(self, weights, values, right, gradient, name):
        whole = weights[name] - gradient[name]
        assert is_close(values[name], right[name]) or not is_close(values[name], whole), (
            'the new %s lacks learning_rate' % name)

    def test_step(self, values, right, name):
        assert is_close(values[name], right[name]), (
            'the new %s must be %s - learning_rate * %s' % (name, name, self.gradients[name]))


class TestOneStep:
    """sgd_step and cost_pred against NumPy, with nothing of Theano's in between."""

    title = 'Compile'
    given = ['cost_pred', 'sgd_step']
    builds_on = []

    @pytest.fixture
    def before(self, nb, weights):
        """The weights before the step."""
        for name, value in weights.items():
            getattr(nb, name).set_value(value)
        return weights

    @pytest.mark.parametrize('function', given)
    def test_cost(self, nb, before, images, labels, function):
        cost, _ = getattr(nb, function)(images, labels)
        expected, _ = reference.forward(before, images, labels)
        assert np.isclose(cost, expected, rtol=1e-4), '%s must return cost first' % function

    @pytest.mark.parametrize('function', given)
    def test_predictions(self, nb, before, images, labels, function):
        _, y_pred = getattr(nb, function)(images, labels)
        _, y_prob = reference.forward(before, images, labels)
        assert np.array_equal(y_pred, y_prob.argmax(axis=1)), (
            '%s must return y_pred second' % function)

    @pytest.mark.parametrize('name', TestCompile.gradients)
    def test_evaluation_moves_nothing(self, nb, before, images, labels, name):
        nb.cost_pred(images, labels)
        assert np.array_equal(getattr(nb, name).get_value(), before[name]), (
            'cost_pred must not change %s' % name)

    @pytest.mark.parametrize('name', TestCompile.gradients)
    def test_moves_down_the_slope(self, nb, rng, before, images, labels, name):
        """A weight's step along a direction is the slope of the cost, by finite differences."""
        direction = rng.normal(size=before[name].shape)
        size = 1e-6
        ahead = {**before, name: before[name] + size * direction}
        behind = {**before, name: before[name] - size * direction}
        cost_ahead, _ = reference.forward(ahead, images, labels)
        cost_behind, _ = reference.forward(behind, images, labels)
        slope = (cost_ahead - cost_behind) / (2 * size)

        nb.sgd_step(images, labels)

        step = getattr(nb, name).get_value() - before[name]
        along = (step * direction).sum()
        # Not closer, since a small number may be added inside the logarithm of the cost.
        assert np.isclose(along, -nb.learning_rate * slope, rtol=1e-2, atol=1e-5), (
            'sgd_step must move %s by -learning_rate times its gradient' % name)
