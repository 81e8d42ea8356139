"""What several test files share."""
import cells  # first: it sets the pins before NumPy is imported
import handout
import nbformat
import pytest


@pytest.fixture(scope='session')
def nb():
    """The names of the saved notebook."""
    return cells.run_cells('sgd_step')


@pytest.fixture
def exercise():
    """The exercise, an nbformat notebook."""
    notebook = nbformat.read(cells.NOTEBOOK, 4)
    handout.exercise(notebook)
    return notebook
