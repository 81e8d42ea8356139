"""Tests of the notebook as saved, of what is written about it, and of running it as people do."""
import base64
import copy
import os
import re
from pathlib import Path

import cells
import nbclient
import nbformat
import pytest

IMAGES = cells.NOTEBOOK.parent / 'images'
CODE = [cell for cell in cells.read() if cell.cell_type == 'code']


def test_notebook_is_saved_as_run():
    assert [cell.execution_count for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell in CODE:
        streams = [output.name for output in cell.outputs if output.output_type == 'stream']
        images = [output.data for output in cell.outputs if output.output_type == 'display_data']
        assert streams in ([], ['stdout']) and all('image/png' in data for data in images)
        assert set(cell.metadata) <= {'tags', 'alt'}
        assert bool(images) == ('alt' in cell.metadata), cell.id
    source = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert not re.search(r'/(home|root|tmp|Users|work)/|image/svg|attachment:', source)
    assert cells.printed().startswith('bitwise reproducible: yes\n')


def test_figures_are_those_of_the_notebook(tmp_path):
    picture = base64.b64encode((IMAGES / 'unrolled_rnn.png').read_bytes()).decode()
    assert picture in cells.read()[1].source
    cells.save_figure(tmp_path / 'figure.png')
    assert (tmp_path / 'figure.png').read_bytes() == (IMAGES / 'published.png').read_bytes()


def numbers(text):
    """Return the numbers with a decimal point in a text, and its counts, like 2 of 1,000."""
    text = re.sub(r'`.*?`|Python [\d.]+( to [\d.]+)?|\(data:.*?\)|,(?=\d{3})', '', text)
    decimal = re.findall(r'(?<![\w.])\d+\.\d+(?![\w.]|\.\d)', text)
    return set(decimal + re.findall(r'\d+ of \d+', text.replace(' of the ', ' of ')))


def test_numbers_in_texts_are_printed_by_the_notebook():
    """A row of the published run's table names the total of its counts: "both, of 1,000   979"."""
    printed = numbers(cells.printed())
    for total, counts in re.findall(r', of ([\d,]+) +(.*)', cells.printed()):
        printed |= {'%s of %s' % (count, total.replace(',', '')) for count in counts.split()}
    prose = '\n'.join(cell.source for cell in cells.read() if cell.cell_type == 'markdown')
    for text in prose, (cells.ROOT / 'README.md').read_text(encoding='utf-8'):
        assert numbers(text) and not numbers(text) - printed
        fingerprints = re.findall(r'\b[0-9a-f]{16}\b', text)
        assert fingerprints and all(value in cells.printed() for value in fingerprints)


def test_published_reports_are_the_original_s():
    cell, = [cell for cell in CODE if cell.id == 'published-code']
    assert re.findall(r'(?<![\w.])\d?\.\d+', cell.source) == '''
        2.547661 2.052219 1.528508 1.460726 .873431 .716462 .414815 .384792 .575062 .390463
        2.407183 1.926936 1.455139 1.185985 .836338 .600864 .442785 .485726 .478908 .333552
        .06 .27 .49 .52 .74 .77 .91 .93 .82 .92 .10 .32 .53 .58 .72 .85 .86 .82 .86 .91'''.split()


def test_pins_agree():
    pins, all_pins = (re.findall(r'^[a-z\d]+==[^\s;]+', (cells.ROOT / name).read_text(), re.M)
                      for name in ('requirements.txt', 'constraints.txt'))
    assert len(pins) > 5 and set(pins) <= set(all_pins)


@pytest.mark.slow
def test_all_cells_twice_from_the_root_with_other_values_print_the_same_twice():
    notebook = nbformat.read(str(cells.NOTEBOOK), 4)
    for cell in notebook.cells:
        if 'parameters' in cell.metadata.get('tags', ()):
            cell.source = ('iterations, hidden_d, mini_batch_size = 2, 30, 50\n'
                           'learning_rate, draw_seed = .05, 7')
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == 'code']
    n = len(notebook.cells)
    notebook.cells += copy.deepcopy(notebook.cells)
    nbclient.NotebookClient(notebook, kernel_name='python3').execute()
    first, second = (''.join(output.get('text', '') for cell in half for output in cell.outputs)
                     for half in (notebook.cells[:n], notebook.cells[n:]))
    assert first == second and 'after step 2:' in first and '\nW        (30, 30)' in first


@pytest.mark.verify
def test_what_make_run_printed_is_what_is_saved():
    fresh = cells.printed(Path(os.environ['BUILD'], 'mnist_rnn.ipynb'))
    if fresh.startswith('bitwise reproducible: no'):
        pytest.skip(fresh.splitlines()[0])
    assert fresh == cells.printed()
