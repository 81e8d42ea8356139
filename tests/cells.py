"""Runs the notebook's own cells, so that the tests check the notebook and not a copy of it."""
import json
import linecache
import os
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ['MPLBACKEND'] = 'Agg'
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'mnist_rnn.ipynb'
sys.path.insert(0, str(NOTEBOOK.parent))  # bitwise


def read_cells(kind='code', notebook=NOTEBOOK):
    """Return the notebook's cells of one kind, code or markdown, as a list of dictionaries; None: of both."""
    cells = json.loads(Path(notebook).read_text(encoding='utf-8'))['cells']
    return [cell for cell in cells if kind in (None, cell['cell_type'])]


def printed():
    """Return what the saved notebook printed, as one text."""
    return ''.join(''.join(output.get('text', '')) for cell in read_cells() for output in cell['outputs'])


def run_cells(last, notebook=NOTEBOOK, skip=(), errors=None, names=None, **parameters):
    """Run the code cells from the first to the one with the id last; return what they define, as attributes.

    skip: ids of cells to leave out. errors: a dictionary; where it is given, the error of a cell is kept there
    by the cell's id, and the next cell runs. names: what an earlier run defined, to run again. parameters: set
    after the cell with the tag parameters, as by papermill. Raises NameError for a parameter that no cell has
    set by then, and LookupError where no cell is called last. A traceback shows the cell's id and its lines.
    """
    names = {'__name__': 'notebook'} if names is None else names
    for cell in read_cells(notebook=notebook):
        lines = ['\n' if line.startswith('%') else line for line in cell['source']]
        filename = '<cell %s>' % cell['id']
        linecache.cache[filename] = len(lines), None, lines, filename
        try:
            if cell['id'] not in skip:
                exec(compile(''.join(lines), filename, 'exec'), names)
        except Exception as error:
            if errors is None:
                raise
            errors[cell['id']] = error
        if 'parameters' in cell['metadata'].get('tags', ()):
            unknown = set(parameters) - set(names)
            if unknown:
                raise NameError('the cell tagged parameters does not set %s' % ', '.join(sorted(unknown)))
            names.update(parameters)
        if cell['id'] == last:
            return SimpleNamespace(**names)
    raise LookupError('%s has no code cell with the id %s' % (notebook, last))
