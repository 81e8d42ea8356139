"""What several test files share."""
import cells  # first: it sets the pins before NumPy is imported
import pytest


@pytest.fixture(scope='session')
def nb():
    """The names that the saved notebook makes, up to sgd_step."""
    return cells.run_cells('sgd_step')


@pytest.fixture
def exercise():
    """The exercise, an nbformat notebook."""
    import handout  # here, so that the other tests do not need it
    notebook = cells.saved('mnist_rnn')
    handout.exercise(notebook)
    return notebook
