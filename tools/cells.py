"""Reads notebooks, and runs the cells of mnist_rnn.ipynb in this process, without Jupyter.

Import it before NumPy: it sets the pins of notebooks/bitwise.py, the environment variables that
fix rounding.
"""
import os
import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / 'notebooks'
NOTEBOOK = NOTEBOOKS / 'mnist_rnn.ipynb'
STUDIES = NOTEBOOKS / 'studies.ipynb'
PATHS = [NOTEBOOK, STUDIES]

sys.path.append(str(NOTEBOOKS))
import bitwise  # noqa: E402  from notebooks/

bitwise.set_pins()
os.environ.setdefault('MPLBACKEND', 'agg')  # figures without windows; a kernel has set its own

import nbformat  # noqa: E402


class NotebookError(Exception):
    """A notebook that can't be read, or a cell that failed. The message is one line."""


def in_one_line(error):
    """Return an exception's name and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return ': '.join([type(error).__name__] + lines[:1])


def read(path):
    """Return the notebook of a file, as nbformat has it. Raises NotebookError if there is none."""
    try:
        return nbformat.read(path, 4)
    except OSError as error:
        raise NotebookError('%s cannot be read: %s' % (path, error.strerror)) from None
    except Exception as error:  # nbformat's and json's own
        raise NotebookError('%s is not a notebook: %s' % (path, in_one_line(error))) from None


def clear_outputs(notebook):
    """Take away, in place, what running an nbformat notebook adds to it."""
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            cell.outputs = []
            cell.execution_count = None


def printed(cells):
    """Return what these cells printed, as one text."""
    outputs = [output for cell in cells for output in cell.get('outputs', [])]
    return ''.join(output.get('text', '') for output in outputs)


def title_of(cell):
    """Return the first heading of a cell, or None if it is not Markdown or has none."""
    heading = re.search('^#+ (.*)', cell.source, re.MULTILINE)
    return heading[1] if heading and cell.cell_type == 'markdown' else None


def with_sections(cells):
    """Yield (section, cell) for each of these cells. A cell with a heading begins a section."""
    section = 'the beginning'
    for cell in cells:
        section = title_of(cell) or section
        yield section, cell


def run_cells(until, **parameters):
    """Run the saved notebook's code cells up to the one that defines a name; return all names.

    until: that name. parameters: set after the cell with the tag parameters, as papermill does.
    What the cells print is printed; their figures are not shown. Raises NotebookError for the first
    cell that fails, or if none defines until.
    """
    names = {}
    for section, cell in with_sections(read(NOTEBOOK).cells):
        if cell.cell_type != 'code':
            continue
        code = re.sub('^%', '# %', cell.source, flags=re.MULTILINE)  # magics need IPython
        code = code.replace('plt.show()', "plt.close('all')")
        try:
            exec(compile(code, 'section "%s"' % section, 'exec'), names)
        except Exception as error:
            raise NotebookError('Section "%s": %s' % (section, in_one_line(error))) from error
        if 'parameters' in cell.metadata.get('tags', []):
            names.update(parameters)
        if until in names:
            return types.SimpleNamespace(**names)
    raise NotebookError('No cell of %s defines %s' % (NOTEBOOK, until))
