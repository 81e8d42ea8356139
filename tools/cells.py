"""Runs a notebook's own cells. Import it from the repository's root, and before NumPy: it pins."""
import re
from pathlib import Path
from types import SimpleNamespace

import bitwise
import nbformat
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

NOTEBOOK = Path('notebooks/mnist_rnn.ipynb').resolve()
bitwise.pin()


def read(path=NOTEBOOK):
    """Return a notebook's cells. Raises RuntimeError where there is none that can be read."""
    try:
        return nbformat.read(str(path), 4).cells
    except (OSError, ValueError, TypeError, AttributeError, nbformat.ValidationError) as error:
        raise RuntimeError('%s is not a notebook: %s' % (path, str(error).split('\n')[0])) from None


def printed(cells):
    """Return what these cells printed, as one text."""
    return ''.join(output.get('text', '') for cell in cells for output in cell.get('outputs', ()))


def run_cells(until, path=NOTEBOOK, also=(), **parameters):
    """Run a notebook's code cells to the one that defines until, a name; return all names.

    also: ids of later cells to run. parameters: set after the cell with the tag parameters, as
    papermill does. Raises RuntimeError for the first cell that fails, or if none defines until.
    """
    shell = InteractiveShell(config=Config({'HistoryManager': {'enabled': False}}))
    shell._showtraceback = lambda *error: None  # the error is raised instead
    shell.enable_gui = lambda gui=None: None    # for %matplotlib
    names, title = shell.user_ns, 'the first cell'
    for cell in read(path):
        if cell.cell_type == 'markdown':
            title = (re.findall('^#+ (.*)', cell.source, re.M) or [title])[0]
        elif cell.cell_type == 'code' and (until not in names or cell.get('id') in also):
            result = shell.run_cell(cell.source)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                kind = type(error).__name__.replace('NotImplementedError', 'not written yet')
                kind = kind.replace('DisconnectedInputError', 'the cost misses one of the weights')
                raise RuntimeError('Section "%s": %s: ' % (title, kind) + str(error).split('\n')[0])
            if 'parameters' in cell.metadata.get('tags', ()):
                names.update(parameters)
    if until not in names:
        raise RuntimeError('No cell of %s defines %s' % (path, until))
    return SimpleNamespace(**names)
