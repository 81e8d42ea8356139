"""Tests of the notebook as saved, of the texts about it, and of the helpers of its studies."""
import base64
import re

import cells
import nbformat
import numpy as np
import page
import papermill
import pytest

README = (cells.ROOT / 'README.md').read_text(encoding='utf-8')
PRINTED = cells.printed(cells.read())
CODE = [cell for cell in cells.read() if cell.cell_type == 'code']
PROSE = '\n\n'.join(cell.source for cell in cells.read() if cell.cell_type == 'markdown')


def by_id(cell_id):
    """Return the saved notebook's cell with this id."""
    found = [cell for cell in cells.read() if cell.id == cell_id]
    assert found, 'the notebook has no cell with the id %s' % cell_id
    return found[0]


def pictures(cell):
    """Return the PNG pictures in a cell's outputs, as base64 text."""
    data = [output.get('data', {}) for output in cell.outputs]
    return [each['image/png'].strip() for each in data if 'image/png' in each]


# As saved.

def test_cells_were_run_once_from_top_to_bottom():
    counts = [cell['execution_count'] for cell in nbformat.read(cells.NOTEBOOK, 4).cells
              if cell.cell_type == 'code']
    assert counts == list(range(1, len(counts) + 1))


def test_saved_run_is_bitwise_reproducible():
    assert PRINTED.startswith('bitwise reproducible: yes\n')


def test_fingerprint():
    assert 'fingerprint of the weights after step 1000: da6c38b71ba1ce4e\n' in PRINTED


def test_nothing_was_printed_to_stderr():
    loud = [cell.id for cell in CODE for output in cell.outputs if output.get('name') == 'stderr']
    assert loud == []


def test_no_path_of_a_machine_is_saved():
    text = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert re.findall('/(?:home|root|tmp|Users|work)/', text) == []


def test_every_figure_has_an_alternative_text():
    without = [cell.id for cell in CODE if pictures(cell) and not cell.metadata.get('alt')]
    assert without == [], 'add "alt" to the metadata of these cells'


def test_there_is_one_heading_of_the_first_level():
    assert len(re.findall('^# ', PROSE, re.MULTILINE)) == 1


def test_links_lead_to_headings():
    headings = {title.replace(' ', '-') for title in re.findall('^#+ (.*)', PROSE, re.MULTILINE)}
    links = set(re.findall(r'\]\(#(.*?)\)', PROSE))
    assert links - headings == set(), 'these headings are missing'


@pytest.mark.parametrize('cell_id', page.README_FIGURES)
def test_figure_of_the_readme_is_in_the_notebook(cell_id):
    name = page.README_FIGURES[cell_id]
    picture = (cells.ROOT / 'notebooks' / 'images' / name).read_bytes()
    saved = pictures(by_id(cell_id))[0]
    assert base64.b64decode(saved) == picture, 'make save writes it again'
    assert 'notebooks/images/' + name in README


def test_picture_of_the_network_is_the_file():
    picture = (cells.ROOT / 'notebooks' / 'images' / 'unrolled_rnn.png').read_bytes()
    assert base64.b64encode(picture).decode() in by_id('picture').source


# The texts.

def numbers_in(text):
    """Return a text's numbers with a decimal point, and its fingerprints."""
    text = re.sub(r'`.*?`|Python \d\.\d+|\]\(.*?\)', '', text)  # versions, links
    decimals = re.findall(r'(?<![\w.])\d+\.\d+(?!\w|\.\d)', text)
    return set(decimals + re.findall(r'\b[0-9a-f]{16}\b', text))


def test_numbers_in_the_text_are_printed_by_the_notebook():
    unprinted = numbers_in(PROSE) - numbers_in(PRINTED) - {'91.87'}
    assert unprinted == set(), 'the notebook does not print these'


def test_numbers_in_the_readme_are_printed_by_the_notebook():
    findings = README.split('## What was found')[1].split('\n## ')[0]
    unprinted = numbers_in(findings) - numbers_in(PRINTED) - {'91.87'}
    assert unprinted == set(), 'the notebook does not print these'


def test_published_numbers_are_those_of_the_original():
    lines = by_id('scan-code').source.splitlines()
    assert [line.strip() for line in lines[1:5]] == [
        "'training_cost_0': 2.547661, 'training_cost_100': 2.052219,",
        "'validation_cost_0': 2.407183, 'validation_cost_100': 1.926936,",
        "'training_accuracy_0': .06, 'training_accuracy_100': .27,",
        "'validation_accuracy_0': .10, 'validation_accuracy_100': .32}"]


# The helpers of the studies, against NumPy.

@pytest.fixture(scope='module')
def nb():
    """The names of the notebook up to these helpers, after two steps of training."""
    return cells.run_cells('descend', iterations=2)


def test_accuracy_counts_all_images(nb):
    """Of 1,200 images, not a multiple of 500; the network is wrong about some."""
    weights = dict(zip(['U', 'W', 'V', 'b_hidden', 'b_V'], nb.trained))
    images, labels = nb.X_valid[:1200], nb.Yv_labels[:1200]
    cost, y_prob = forward(weights, images, nb.onehot(labels))
    expected = 100 * np.mean(y_prob.argmax(axis=1) == labels)
    assert nb.accuracy(nb.trained, images, labels) == expected
    assert 0 < expected < 100


def test_descend_takes_the_steps_of_train(nb):
    steps = list(nb.descend(nb.sgd_step, nb.initial, nb.batches))
    costs = [cost for cost, values in steps]
    assert costs == nb.cost_training_arr.tolist()
    for value, trained in zip(steps[-1][1], nb.trained):
        assert np.array_equal(value, trained)


# As people run it.

@pytest.mark.slow
def test_other_hyper_parameters_run_with_papermill(tmp_path):
    papermill.execute_notebook(
        cells.NOTEBOOK, tmp_path / 'short.ipynb', cwd=cells.NOTEBOOK.parent, progress_bar=False,
        kernel_name='python3',
        parameters={'iterations': 3, 'hidden_d': 30, 'mini_batch_size': 50})
    out = cells.printed(cells.read(tmp_path / 'short.ipynb'))
    assert 'W        (30, 30)' in out
    assert 'fingerprint of the weights after step 3:' in out
    assert 'after step 3 ' in out


@pytest.mark.slow
def test_running_all_cells_twice_prints_the_same_twice():
    notebook = papermill.parameterize.parameterize_notebook(
        papermill.iorw.load_notebook_node(str(cells.NOTEBOOK)), {'iterations': 3})
    twice = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(cell.source)
        for cell in notebook.cells * 2 if cell.cell_type == 'code'])
    page.execute(twice)
    half = len(twice.cells) // 2
    assert cells.printed(twice.cells[:half]) == cells.printed(twice.cells[half:])
