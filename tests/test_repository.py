"""Tests of the notebook as saved, of what is written about it, and of running it as people do."""
import base64
import os
import platform
import re
from pathlib import Path

import cells
import nbclient
import pytest
from nbformat.v4 import new_code_cell, new_notebook

CODE = [cell for cell in cells.read() if cell.cell_type == 'code']
PROSE = '\n'.join(cell.source for cell in cells.read() if cell.cell_type == 'markdown')
PRINTED = cells.printed(CODE)
README = Path('README.md').read_text(encoding='utf-8')


def test_notebook_is_saved_as_run_and_shows_its_pictures():
    assert [cell.execution_count for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell in CODE:
        images = [output for output in cell.outputs if 'image/png' in output.get('data', ())]
        assert bool(images) == ('alt' in cell.metadata) and set(cell.metadata) <= {'tags', 'alt'}
    source = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert not re.search(r'/(home|root|tmp|Users|work)/|"stderr"|image/svg|attachment:', source)
    assert PRINTED.startswith('bitwise reproducible: yes\n')
    for picture in (cells.NOTEBOOK.parent / 'images').glob('*.png'):
        assert base64.b64encode(picture.read_bytes()).decode() in source


def numbers(text):
    """Return a text's fingerprints, numbers with a decimal point, and counts, like 2 of 1,000."""
    fingerprints = re.findall(r'\b[0-9a-f]{16}\b', text)
    text = re.sub(r'`.*?`|Python [\d.]+( to [\d.]+)?|,(?=\d{3})|\bits ', '', text)
    return {*fingerprints, *re.findall(r'(?<![\w.])\d+\.\d+(?![\w.]|\.\d)|\d+ of \d+', text)}


def test_numbers_in_texts_are_printed_by_the_notebook():
    """A row of the published run's table names the total of its counts: "both, of 1,000   979"."""
    printed = PRINTED
    for total, counts in re.findall(r', of ([\d,]+) +(.*)', PRINTED):
        printed += ''.join('; %s of %s' % (count, total) for count in counts.split())
    for text in PROSE, README:
        assert numbers(text) and numbers(text) <= numbers(printed)


def test_published_reports_are_the_original_s():
    cell, = [cell for cell in CODE if cell.id == 'published-code']
    assert re.findall(r'(?<![\w.])\d?\.\d+', cell.source) == '''
        2.547661 2.052219 1.528508 1.460726 .873431 .716462 .414815 .384792 .575062 .390463
        2.407183 1.926936 1.455139 1.185985 .836338 .600864 .442785 .485726 .478908 .333552
        .06 .27 .49 .52 .74 .77 .91 .93 .82 .92 .10 .32 .53 .58 .72 .85 .86 .82 .86 .91'''.split()


@pytest.mark.slow
def test_all_cells_twice_from_the_root_with_other_values_print_the_same_twice():
    sources = [cell.source.replace('iterations = 1000', 'iterations = 2').replace(
        'hidden_d = 100', 'hidden_d = 30').replace('= 100  # images', '= 50  #') for cell in CODE]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources * 2])
    nbclient.NotebookClient(notebook, kernel_name='python3').execute()
    first, second = (cells.printed(notebook.cells[k:][:len(CODE)]) for k in (0, len(CODE)))
    assert first == second and 'after step 2:' in first and '\nW        (30, 30)' in first


@pytest.mark.verify
def test_what_make_run_gave_is_what_is_saved():
    fresh = cells.read(Path(os.environ['BUILD'], 'mnist_rnn.ipynb'))
    printed = cells.printed(fresh)
    if printed.startswith('bitwise reproducible: no'):
        pytest.skip(printed.splitlines()[0])
    assert printed == PRINTED
    if platform.machine() == 'x86_64':  # elsewhere, pixels were not compared yet
        assert not [new.id for new, saved in zip(fresh, cells.read()) if new != saved]
