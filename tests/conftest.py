"""What several test files share."""
import cells  # first: it sets the pins before NumPy is imported
import pytest


@pytest.fixture(scope='session')
def notebook_once():
    """The names that the saved notebook makes, up to sgd_step; made once for all tests."""
    return cells.run_cells('sgd_step')


@pytest.fixture
def nb(notebook_once):
    """The same, with the initial weights again after each test."""
    yield notebook_once
    notebook_once.set_weights(notebook_once.initial)


@pytest.fixture(scope='session')
def short_run():
    """The names that the whole notebook makes with 20 steps of training; nobody changes them."""
    return cells.run_cells('in_2017', iterations=20)  # its last cell defines in_2017


@pytest.fixture
def exercise():
    """The exercise, an nbformat notebook."""
    import handout  # here, so that the other tests do not need it
    notebook = cells.saved('mnist_rnn')
    handout.exercise(notebook)
    return notebook
