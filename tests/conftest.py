"""Runs the notebook's own cells, so that the tests check the notebook and not a copy of it."""
import base64
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / 'notebooks' / 'mnist_rnn.ipynb'


def read_cells(kind='code'):
    """Return the notebook's cells of one kind, code or markdown, as a list of dictionaries."""
    cells = json.loads(NOTEBOOK.read_text(encoding='utf-8'))['cells']
    return [cell for cell in cells if cell['cell_type'] == kind]


def source(last):
    """Return the code from the notebook's start to the cell with the id last, without IPython's magics."""
    cells = read_cells()
    ids = [cell['id'] for cell in cells]
    lines = '\n'.join(''.join(cell['source']) for cell in cells[:ids.index(last) + 1]).splitlines()
    return '\n'.join(line for line in lines if not line.startswith('%'))


def run_cells(last, **values):
    """Run the notebook from its start to the cell with the id last; return what it defines.

    values: whole numbers to set in place of the hyper-parameters of these names.
    """
    code = source(last)
    for name, value in values.items():
        code = re.sub(r'^%s = \d+' % name, '%s = %d' % (name, value), code, flags=re.M)
    namespace = {}
    exec(compile(code, NOTEBOOK.name, 'exec'), namespace)
    return SimpleNamespace(**namespace)


def figures():
    """Return the README's figures, PNG bytes by their path, as the saved notebook shows them."""
    outputs = {cell['id']: cell['outputs'] for cell in read_cells()}
    return {NOTEBOOK.parent / 'images' / name: base64.b64decode(
                next(output['data']['image/png'] for output in outputs[cell] if 'data' in output))
            for name, cell in (('curves.png', 'published-code'), ('lottery.png', 'lottery-evaluate'))}


def save_figures():
    """Write the README's figures."""
    for path, content in figures().items():
        path.write_bytes(content)


@pytest.fixture(scope='session')
def notebook():
    """What the notebook defines once its functions are compiled, before any training."""
    before = Path.cwd()
    os.environ['MPLBACKEND'] = 'Agg'
    os.chdir(NOTEBOOK.parent)
    try:
        return run_cells('compile-code')
    finally:
        os.chdir(before)
