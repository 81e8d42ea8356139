"""Tests of the two notebooks as saved, of their pictures, of their bits, and as people run them."""
import re

import bitwise
import cells
import nbformat
import pytest
import rerun
from nbclient import NotebookClient

FINGERPRINT = 'da6c38b71ba1ce4e'


@pytest.fixture(params=cells.PATHS, ids=str)
def notebook(request):
    return cells.read(request.param)


def test_cells_were_run_once_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == 'code']
    assert counts == list(range(1, len(counts) + 1)), 'make save runs the notebooks and saves them'


def test_no_error_or_warning_is_saved(notebook):
    loud = [cell.id for cell in notebook.cells for output in cell.get('outputs', [])
            if output.output_type == 'error' or output.get('name') == 'stderr']
    assert loud == []


def test_no_path_of_a_machine_is_saved(notebook):
    assert re.findall('/(?:home|root|tmp|Users)/', nbformat.writes(notebook)) == []


@pytest.mark.parametrize('words', [
    'bitwise reproducible: yes\n', 'Testing accuracy: 91.050000 %\n',
    'fingerprint of the weights after step 1000: %s\n' % FINGERPRINT])
def test_saved_run_has_the_bits_that_are_promised(words):
    assert words in cells.printed(cells.read(cells.NOTEBOOK).cells)


@pytest.mark.parametrize('name', ['CHANGELOG.md', 'exercise/texts/README.md', 'data/runs.csv'])
def test_fingerprint_is_that_of_the_saved_run(name):
    assert FINGERPRINT in (cells.ROOT / name).read_text(encoding='utf-8')


# Pictures.

def test_every_figure_has_an_alternative_text(notebook):
    without = [cell.id for cell in notebook.cells
               if 'output 1, image/png' in rerun.outputs_of(cell) and not cell.metadata.get('alt')]
    assert without == [], 'add "alt" to the metadata of these cells'


def test_pictures_of_the_readme_are_those_in_the_notebooks():
    """A cell's metadata, "file", names the picture. The drawing is made from its .svg."""
    files = {cells.NOTEBOOKS / 'images' / 'unrolled_rnn.png'}
    for path in cells.PATHS:
        for file, content in rerun.pictures_of(path, cells.read(path)).items():
            assert file.exists() and file.read_bytes() == content, 'make save writes %s' % file
            files.add(file)
    readme = (cells.ROOT / 'README.md').read_text(encoding='utf-8')
    shown = {cells.ROOT / name for name in re.findall(r'!\[.+\]\((.*\.png)\)', readme)}
    assert shown == files, "the README's pictures, and those that the metadata, file, of cells name"


# Running them.

def test_bits_after_20_steps(short_run):
    if bitwise.pin() != bitwise.YES:
        pytest.skip('the bits are other ones on this machine')
    assert short_run.fingerprint == '4f463ee67014beea'


@pytest.mark.slow
def test_other_hyper_parameters_run_with_papermill(tmp_path):
    import papermill  # here, so that the other tests do not wait for it
    papermill.execute_notebook(
        cells.NOTEBOOK, tmp_path / 'short.ipynb', cwd=cells.NOTEBOOKS, progress_bar=False,
        kernel_name='python3', parameters={'iterations': 3, 'hidden_d': 30, 'mini_batch_size': 50})
    out = cells.printed(nbformat.read(tmp_path / 'short.ipynb', 4).cells)
    assert 'W        (30, 30)' in out
    assert 'fingerprint of the weights after step 3:' in out


@pytest.mark.slow
def test_running_all_cells_twice_prints_the_same_twice():
    code = [cell for cell in cells.read(cells.NOTEBOOK).cells if cell.cell_type == 'code']
    twice = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(cell.source.replace('iterations = 1000', 'iterations = 3'))
        for cell in code * 2])
    NotebookClient(twice, kernel_name='python3',
                   resources={'metadata': {'path': str(cells.NOTEBOOKS)}}).execute()
    assert cells.printed(twice.cells[:len(code)]) == cells.printed(twice.cells[len(code):])
