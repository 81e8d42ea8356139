"""What several test files share."""
import cells  # first: it sets the pins before NumPy is imported
import handout
import pytest


@pytest.fixture(scope='session')
def nb():
    """The names of the saved notebook."""
    return cells.run_cells('sgd_step')


@pytest.fixture
def exercise():
    """The exercise, an nbformat notebook."""
    notebook = cells.saved('mnist_rnn')
    handout.exercise(notebook)
    return notebook
