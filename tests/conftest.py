"""The notebook whose network is tested: the saved one, or make test's NOTEBOOK."""
import os

import cells
import pytest


@pytest.fixture(scope='session')
def nb():
    """What its cells define, as attributes. Where one fails, one line ends the tests."""
    path = os.environ.get('NOTEBOOK') or cells.NOTEBOOK
    try:
        return cells.run_cells('sgd_step', path, hidden_d=100, learning_rate=.1)
    except RuntimeError as error:
        pytest.exit(str(error), returncode=1)
