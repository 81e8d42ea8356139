"""What several test files share."""
import gc

import cells  # first: it sets the pins before NumPy is imported
import pytest


def pytest_unconfigure():
    """At the end, too, spare Python's collector Theano's graphs, which take it seconds."""
    gc.freeze()


@pytest.fixture(scope='session')
def short_run():
    """The names that the notebook makes with 20 steps of training; made once for all tests."""
    names = cells.run_cells('in_2017', iterations=20)  # its last cell defines in_2017
    gc.freeze()  # from here on, Python's collector leaves out Theano's graphs
    return names


@pytest.fixture
def nb(short_run):
    """The same, with the initial weights."""
    short_run.set_weights(short_run.initial)
    return short_run
