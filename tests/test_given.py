"""Tests of the notebook's given cells: the saved ones, and those of a student's copy.

A student need not change them to fill in the places. exercise/check.py tells when one was changed,
in the words of the first assertion that fails; test_mnist_rnn.py says what the classes' title,
given and builds_on are.
"""
import numpy as np
import pytest
import theano
import theano.tensor as T


class TestImports:
    title = 'Imports'
    given = ['theano', 'T', 'np', 'plt', 'pickle', 'gzip', 'hashlib', 'io', 'Path']
    builds_on = []

    def test_theano(self, nb):
        assert nb.theano is theano, 'theano must be the module theano'

    def test_tensor(self, nb):
        assert nb.T is T, 'T must be the module theano.tensor'

    def test_numpy(self, nb):
        assert nb.np is np, 'np must be the module numpy'


class TestData:
    title = 'The data'
    given = ['train_set', 'valid_set', 'test_set', 'X_valid', 'Yv_labels', 'X_test', 'Yt_labels']
    builds_on = ['Imports']

    @pytest.mark.parametrize('name, number', [('train', 50000), ('valid', 10000), ('test', 10000)])
    def test_images(self, nb, name, number):
        shape = getattr(nb, name + '_set')[0].shape
        assert shape == (number, 28, 28), (
            'the images in %s_set must have the shape %s, and have %s'
            % (name, (number, 28, 28), shape))

    @pytest.mark.parametrize('name, of_set', [('X_valid', 'valid_set'), ('X_test', 'test_set')])
    def test_images_of_the_set(self, nb, name, of_set):
        assert np.array_equal(getattr(nb, name), getattr(nb, of_set)[0]), (
            '%s must be the images in %s' % (name, of_set))

    def test_validation_labels(self, nb):
        assert np.array_equal(nb.Yv_labels, nb.valid_set[1]), (
            'Yv_labels must be the labels in valid_set')

    def test_test_labels(self, nb):
        assert np.array_equal(nb.Yt_labels, nb.test_set[1]), (
            'Yt_labels must be the labels in test_set')


class TestShuffle:
    title = 'Shuffle'
    given = ['X_train', 'Y_labels']
    builds_on = ['The data']

    def test_images(self, nb):
        order = np.random.RandomState(0).permutation(50000)
        assert np.array_equal(nb.X_train, nb.train_set[0][order]), (
            'X_train must have the training images in the order of RandomState(0)')

    def test_labels(self, nb):
        order = np.random.RandomState(0).permutation(50000)
        assert np.array_equal(nb.Y_labels, nb.train_set[1][order]), (
            'Y_labels must have the training labels in the order of RandomState(0)')


class TestEncodedLabels:
    title = 'One-hot labels'
    given = ['Y_train', 'Y_valid', 'Y_test']
    builds_on = ['Shuffle']

    @pytest.mark.parametrize('name, labels', [
        ('Y_train', 'Y_labels'), ('Y_valid', 'Yv_labels'), ('Y_test', 'Yt_labels')])
    def test_labels(self, nb, name, labels):
        assert np.array_equal(getattr(nb, name), np.eye(10)[getattr(nb, labels)]), (
            '%s must be onehot(%s)' % (name, labels))


class TestHyperParameters:
    title = 'Hyper-parameters'
    values = {'iterations': 1000, 'hidden_d': 100, 'mini_batch_size': 100, 'learning_rate': .1,
              'draw_seed': 1234, 'input_d': 28, 'output_d': 10, 'time_steps': 28}
    given = list(values)
    builds_on = []

    @pytest.mark.parametrize('name', values)
    def test_value(self, nb, name):
        assert getattr(nb, name) == self.values[name], (
            '%s must be %s, and is %s' % (name, self.values[name], getattr(nb, name)))


class TestBiases:
    title = 'Weights'
    given = ['initial']
    builds_on = []

    @pytest.mark.parametrize('number, name', [(3, 'b_hidden'), (4, 'b_V')])
    def test_starts_at_zero(self, nb, number, name):
        assert not nb.initial[number].any(), '%s must start at 0' % name


class TestInputs:
    title = 'Inputs'
    given = ['x', 'y']
    builds_on = ['Imports']

    def test_images(self, nb):
        assert nb.x.type == T.tensor3(dtype='float64').type, "x must be T.tensor3('x')"

    def test_labels(self, nb):
        assert nb.y.type == T.matrix(dtype='float64').type, "y must be T.matrix('y')"


class TestGradients:
    title = 'Gradients'
    given = ['grad_W', 'grad_U', 'grad_V', 'grad_bh', 'grad_bV']
    builds_on = ['Cost']

    @pytest.mark.parametrize('name, weight', [
        ('grad_W', 'W'), ('grad_U', 'U'), ('grad_V', 'V'), ('grad_bh', 'b_hidden'),
        ('grad_bV', 'b_V')])
    def test_dimensions(self, nb, name, weight):
        assert getattr(nb, name).ndim == getattr(nb, weight).ndim, (
            '%s must be the gradient of cost with respect to %s' % (name, weight))
