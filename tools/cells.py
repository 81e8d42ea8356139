"""Runs a notebook's own cells, so that tools and tests use the notebook and not a copy of it.

The one place that sets paths: importing it makes the repository's root the working directory and lets
notebooks/bitwise.py be imported.
"""
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'mnist_rnn.ipynb'
os.chdir(str(ROOT))
sys.path.append(str(NOTEBOOK.parent))


class CellError(Exception):
    """A cell raised an error. The message says in one line which section it is in, and what is wrong.

    names: what the cells before it defined, as attributes.
    """

    names = SimpleNamespace()


def read(path=NOTEBOOK):
    """Return a notebook's cells. Raises CellError where there is none that can be read."""
    try:
        return nbformat.read(str(path), 4).cells
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise CellError('%s is not a notebook: %s' % (path, str(error).splitlines()[0])) from None


def printed(path=NOTEBOOK):
    """Return what a saved notebook printed, as one text."""
    return ''.join(output.get('text', '') for cell in read(path) for output in cell.get('outputs', ()))


def run_cells(until, path=NOTEBOOK, also=(), **parameters):
    """Run a notebook's code cells, up to the one that defines the name until; return their names as attributes.

    also: ids of later cells to run. parameters: set after the cell with the tag parameters, as by papermill.
    Raises CellError for the first cell that fails, or where no cell defines until.
    """
    shell = InteractiveShell(config=Config({'HistoryManager': {'enabled': False}}))
    shell._showtraceback = lambda *error: None  # the error is raised instead
    shell.enable_gui = lambda gui=None: None
    names, heading = shell.user_ns, 'the first cell'
    for cell in read(path):
        if cell.cell_type == 'markdown':
            heading = next((line.strip('# ') for line in cell.source.splitlines() if line.startswith('#')), heading)
        elif cell.cell_type == 'code' and (until not in names or cell.get('id') in also):
            result = shell.run_cell(cell.source)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                break
            if 'parameters' in cell.metadata.get('tags', ()):
                names.update(parameters)
    else:
        if until in names:
            return SimpleNamespace(**names)
        heading, error = 'the end', NameError('no cell defines %s' % until)
    message = (str(error).splitlines() or [''])[0]
    failure = CellError('Section "%s": %s: %s' % (heading, type(error).__name__, message))
    failure.names = SimpleNamespace(**names)
    raise failure
