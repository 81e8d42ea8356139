"""Tests of the notebook as saved, of what is written about it, and of running it as people do."""
import base64
import copy
import json
import os
import re
from pathlib import Path

import cells
import nbclient
import nbformat
import papermill
import pytest

IMAGES = cells.NOTEBOOK.parent / 'images'
CODE = [cell for cell in cells.read() if cell.cell_type == 'code']


def test_notebook_is_saved_as_run():
    assert [cell.execution_count for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell in CODE:
        streams = [output.name for output in cell.outputs if output.output_type == 'stream']
        assert streams in ([], ['stdout']) and set(cell.metadata) <= {'tags', 'alt'}
        images = [output for output in cell.outputs if output.output_type == 'display_data']
        assert bool(images) == ('alt' in cell.metadata), cell.id
        assert all('image/png' in output.data for output in images)
    source = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert not re.search(r'/(home|root|tmp|Users|work)/|image/svg|attachment:', source)
    assert cells.printed().startswith('bitwise reproducible: yes\n')


def test_figures_are_those_of_the_notebook():
    picture = base64.b64encode((IMAGES / 'unrolled_rnn.png').read_bytes()).decode()
    assert picture in cells.read()[1].source
    figure, = [cell.outputs[0] for cell in CODE if cell.id == 'early-figure']
    assert base64.b64decode(figure.data['image/png']) == (IMAGES / 'published.png').read_bytes()


def numbers(text):
    """Return the numbers with a decimal point in a text, and its counts like 49 of 50, 2 of 1,000."""
    text = re.sub(r'`.*?`|Python [\d.]+( to [\d.]+)?|\(data:.*?\)|,(?=\d{3})', '', text)
    decimal = re.findall(r'(?<![\w.])\d+\.\d+(?![\w.]|\.\d)', text)
    return set(decimal + [re.sub(' the', '', count) for count in re.findall(r'\d+ of (?:the )?\d+', text)])


def test_numbers_in_texts_are_printed_by_the_notebook():
    """A row of the published run's table names the total of its counts: "both, of 1,000   979"."""
    printed = numbers(cells.printed())
    for label, total, counts in re.findall(r'^(.*), of ([\d,]+) +(.*)', cells.printed(), re.M):
        printed |= {'%s of %s' % (count, total.replace(',', '')) for count in counts.split()}
    prose = '\n'.join(cell.source for cell in cells.read() if cell.cell_type == 'markdown')
    readme = (cells.ROOT / 'README.md').read_text(encoding='utf-8')
    for text in prose, readme:
        assert numbers(text) and not numbers(text) - printed
        fingerprints = set(re.findall(r'\b[0-9a-f]{16}\b', text))
        assert fingerprints and all(value in cells.printed() for value in fingerprints)


def test_pins_agree():
    pins, all_pins = (dict(re.findall(r'^([a-z\d]+)==([^\s;]+)', (cells.ROOT / name).read_text(), re.M))
                      for name in ('requirements.txt', 'constraints.txt'))
    assert len(pins) > 5 and pins.items() <= all_pins.items()


@pytest.mark.slow
def test_papermill_runs_it_from_the_root_with_other_values(tmp_path):
    out = papermill.execute_notebook(
        'notebooks/mnist_rnn.ipynb', str(tmp_path / 'out.ipynb'), kernel_name='python3', progress_bar=False,
        parameters={'iterations': 2, 'hidden_d': 30, 'mini_batch_size': 50, 'learning_rate': .05})
    printed = cells.printed(tmp_path / 'out.ipynb')
    assert 'after step 2:' in printed and re.search(r'^W +\(30, 30\)', printed, re.M)


@pytest.mark.slow
def test_all_cells_twice_print_the_same_twice():
    notebook = nbformat.read(str(cells.NOTEBOOK), 4)
    once = [cell for cell in notebook.cells if cell.cell_type == 'code']
    for cell in once:
        cell.source = cell.source.replace('iterations = 1000', 'iterations = 2')
    notebook.cells = once + copy.deepcopy(once)
    nbclient.NotebookClient(notebook, kernel_name='python3', resources={'metadata': {'path': 'notebooks'}}).execute()
    first, second = (''.join(output.get('text', '') for cell in half for output in cell.outputs)
                     for half in (notebook.cells[:len(once)], notebook.cells[len(once):]))
    assert first == second and 'after step 2:' in first


@pytest.mark.verify
def test_what_make_run_printed_is_what_is_saved():
    fresh = cells.printed(Path(os.environ['BUILD'], 'mnist_rnn.ipynb'))
    if fresh.startswith('bitwise reproducible: no'):
        pytest.skip(fresh.splitlines()[0])
    assert fresh == cells.printed()
