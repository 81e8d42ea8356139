"""Tests of the two notebooks as saved, and as people run them."""
import base64
import re
from pathlib import Path

import cells
import handout
import nbformat
import page
import papermill
import pytest

README = (cells.ROOT / 'README.md').read_text(encoding='utf-8')


def pictures(cell):
    """Return the PNG pictures in a cell's outputs, as base64 text."""
    data = [output.get('data', {}) for output in cell.get('outputs', [])]
    return [each['image/png'] for each in data if 'image/png' in each]


def markdown_of(notebook):
    """Return the text of a notebook."""
    return '\n\n'.join(cell.source for cell in notebook.cells if cell.cell_type == 'markdown')


def headings_of(notebook):
    """Return the titles of a notebook's headings, as links name them."""
    titles = re.findall('^#+ (.*)', markdown_of(notebook), re.MULTILINE)
    return {title.replace(' ', '-') for title in titles}


@pytest.fixture(params=cells.NAMES)
def notebook(request):
    return cells.saved(request.param)


# As saved.

def test_cells_were_run_once_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == 'code']
    assert counts == list(range(1, len(counts) + 1))


def test_saved_run_is_bitwise_reproducible(notebook):
    assert cells.printed(notebook.cells).startswith('bitwise reproducible: yes\n')


def test_fingerprint():
    printed = cells.printed(cells.saved('mnist_rnn').cells)
    assert 'fingerprint of the weights after step 1000: da6c38b71ba1ce4e\n' in printed


def test_nothing_was_printed_to_stderr(notebook):
    loud = [cell.id for cell in notebook.cells for output in cell.get('outputs', [])
            if output.get('name') == 'stderr']
    assert loud == []


def test_no_path_of_a_machine_is_saved(notebook):
    assert re.findall('/(?:home|root|tmp|Users|work)/', nbformat.writes(notebook)) == []


def test_every_figure_has_an_alternative_text(notebook):
    without = [cell.id for cell in notebook.cells
               if pictures(cell) and not cell.metadata.get('alt')]
    assert without == [], 'add "alt" to the metadata of these cells'


def test_there_is_one_heading_of_the_first_level(notebook):
    assert len(re.findall('^# ', markdown_of(notebook), re.MULTILINE)) == 1


def test_links_lead_somewhere(notebook):
    for target in re.findall(r'\]\((?!http)(.*?)\)', markdown_of(notebook)):
        file, _, heading = target.partition('#')
        if file:
            assert (cells.NOTEBOOKS / file).is_file(), target
        if heading:
            assert heading in headings_of(cells.saved(Path(file).stem) if file else notebook), target


def test_links_of_the_exercise_lead_somewhere(exercise):
    """To what is given away with it."""
    for target in re.findall(r'\]\((?!http)(.*?)\)', markdown_of(exercise)):
        file, _, heading = target.partition('#')
        assert not file or file in handout.FILES, target
        assert not heading or heading in headings_of(exercise), target


def test_the_reproduction_has_the_sections_of_the_original():
    """And the comparison, after them. What is studied beyond stands in the other notebook."""
    titles = re.findall('^## (.*)', markdown_of(cells.saved('mnist_rnn')), re.MULTILINE)
    assert titles == [
        'Imports', 'The data', 'Shuffle', 'One-hot labels', 'Hyper-parameters', 'Weights',
        'Inputs', 'Hidden states', 'Prediction', 'Cost', 'Gradients', 'Compile', 'Train', 'Curves',
        'Test', 'Beside the original', 'Discussion']


@pytest.mark.parametrize('name', cells.NAMES)
def test_figures_of_the_readme_are_in_the_notebook(name):
    by_id = {cell.id: cell for cell in cells.saved(name).cells}
    for file, cell_id in page.README_FIGURES[name].items():
        picture = (cells.NOTEBOOKS / 'images' / file).read_bytes()
        assert base64.b64decode(pictures(by_id[cell_id])[0]) == picture, 'make save writes it again'


def test_pictures_of_the_readme_exist():
    for target in re.findall(r'!\[[^]]*\]\((.*?)\)', README):
        assert (cells.ROOT / target).is_file(), target


def test_links_of_the_readme_lead_somewhere():
    headings = {re.sub('[^a-z0-9 -]', '', title.lower()).replace(' ', '-')
                for title in re.findall('^#+ (.*)', README, re.MULTILINE)}
    for target in re.findall(r'\]\((?!http)(.*?)\)', README):
        file, _, heading = target.partition('#')
        if file:
            assert (cells.ROOT / file).exists(), target
        else:
            assert heading in headings, target


# As people run them.

@pytest.mark.slow
def test_other_hyper_parameters_run_with_papermill(tmp_path):
    papermill.execute_notebook(
        cells.NOTEBOOK, tmp_path / 'short.ipynb', cwd=cells.NOTEBOOKS, progress_bar=False,
        kernel_name='python3',
        parameters={'iterations': 3, 'hidden_d': 30, 'mini_batch_size': 50})
    out = cells.printed(cells.read(tmp_path / 'short.ipynb'))
    assert 'W        (30, 30)' in out
    assert 'fingerprint of the weights after step 3:' in out


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
