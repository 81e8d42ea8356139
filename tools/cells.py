"""Reads a notebook and runs its code cells, without Jupyter.

Import it before NumPy: it sets the pins of notebooks/bitwise.py.
"""
import ast
import json
import os
import re
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / 'notebooks'
NOTEBOOK = NOTEBOOKS / 'mnist_rnn.ipynb'

sys.path.append(str(NOTEBOOKS))
import bitwise  # noqa: E402  from notebooks/

bitwise.pin()
os.environ['MPLBACKEND'] = 'agg'  # plt.show() opens no window


class NotebookError(Exception):
    """A notebook that can't be read, or a cell that failed. The message is one line."""


def read(path=NOTEBOOK):
    """Return a notebook's cells, each with cell_type, source (a string), outputs, tags and id.

    Raises NotebookError where there is no notebook that can be read.
    """
    if not Path(path).is_file():
        raise NotebookError('%s is not a file' % path)
    try:
        text = Path(path).read_text(encoding='utf-8-sig')  # sig: Windows editors add a mark
    except OSError as error:
        raise NotebookError('%s cannot be read: %s' % (path, error.strerror)) from None
    except UnicodeDecodeError:
        raise NotebookError('%s is not UTF-8 text: save it in Jupyter again' % path) from None
    try:
        return [as_cell(content) for content in json.loads(text)['cells']]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotebookError('%s is not a notebook of nbformat 4: save it in Jupyter again'
                            % path) from None


def as_cell(content):
    """Return a cell's JSON as an object. What other programs leave out or set to null is empty."""
    metadata = content.get('metadata') or {}
    return types.SimpleNamespace(
        cell_type=content.get('cell_type'),
        source=''.join(content.get('source') or ''),
        outputs=content.get('outputs') or [],
        metadata=metadata,
        tags=metadata.get('tags') or [],
        id=content.get('id'))


def printed(cells):
    """Return what these cells printed, as one text."""
    texts = []
    for cell in cells:
        for output in getattr(cell, 'outputs', []):
            texts.append(''.join(output.get('text', '')))
    return ''.join(texts)


def python_of(source):
    """Return the Python in a cell's source: without magics and shell commands."""
    try:
        ast.parse(source)
        return source
    except SyntaxError:
        pass  # there may be some
    if source.startswith('%%') and not source.startswith(('%%time', '%%capture')):
        return ''  # %%bash, %%writefile, %%html, ...
    source = re.sub(r'(?m)^( *)%time(it)? ', r'\1', source)  # these run the rest of the line
    source = re.sub(r'(?m)^( *)(%%?[a-z]|!|\?).*', r'\1pass', source)
    source = re.sub(r'(?m)^( *)[\w.]+\?+ *$', r'\1pass', source)  # help, as in np.dot?
    return source


def run(cell, names, parameters):
    """Run a code cell with names, a dict, as its global names. Raises what the cell raises.

    parameters: a dict, set after the cell with the tag parameters, as papermill does.
    """
    code = compile(python_of(cell.source), 'cell', 'exec')
    exec(code, names)
    if 'parameters' in cell.tags:
        names.update(parameters)


def title_of(cell):
    """Return the first heading of a Markdown cell, or None."""
    headings = re.findall('^#+ (.*)', cell.source, re.MULTILINE)
    return headings[0] if headings else None


def with_sections(cells):
    """Yield (section, cell) for each of these cells. The section is the last heading's title."""
    section = 'the beginning'
    for cell in cells:
        if cell.cell_type == 'markdown':
            section = title_of(cell) or section
        yield section, cell


def in_one_line(error):
    """Return an exception's name and the first line of what it says."""
    text = str(error)
    if isinstance(error, SyntaxError):
        text = '%s, in line %s of its cell' % (error.msg, error.lineno)
    lines = text.strip().splitlines()
    return ': '.join([type(error).__name__] + lines[:1])


def run_cells(until, **parameters):
    """Run the saved notebook's code cells to the one that defines until, a name; return all names.

    parameters: set after the cell with the tag parameters. Raises NotebookError for the first
    cell that fails, or if none defines until.
    """
    names = {'__name__': '__main__'}
    for section, cell in with_sections(read()):
        if cell.cell_type == 'code':
            try:
                run(cell, names, parameters)
            except Exception as error:
                raise NotebookError('Section "%s": %s' % (section, in_one_line(error))) from error
            if until in names:
                return types.SimpleNamespace(**names)
    raise NotebookError('No cell of %s defines %s' % (NOTEBOOK, until))
