"""Tests of the exercise and of the folder that make handout writes."""
import re

import cells
import check
import handout
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

EMPTY = '# YOUR CODE HERE\n%sraise NotImplementedError("%s")'
BEGIN, END = handout.BEGIN, handout.END


@pytest.fixture
def solutions():
    """The lines in the places of the solved notebook, but for the shortest."""
    code = '\n'.join(cell.source for cell in cells.saved('mnist_rnn').cells if cell.cell_type == 'code')
    texts = re.findall(BEGIN + r'\n(.*?)' + END, code, re.DOTALL)
    return [line.strip() for text in texts for line in text.split('\n') if len(line.strip()) > 12]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder as make handout writes it."""
    target = tmp_path_factory.mktemp('work') / 'handout'
    handout.write(target)
    return target


def place_cell(exercise, place):
    """Return the number of the cell with a place."""
    task = check.PLACES[place].task
    number, = [number for number, cell in enumerate(exercise.cells) if task in cell.source]
    return number


# The exercise.

@pytest.mark.parametrize('place', check.PLACES)
def test_place_is_empty(exercise, place):
    source = exercise.cells[place_cell(exercise, place)].source
    indent = re.search('( *)# YOUR CODE HERE', source).group(1)
    assert EMPTY % (indent, check.PLACES[place].task) in source


@pytest.mark.parametrize('place', check.PLACES)
def test_check_is_below_the_place(exercise, place):
    below = exercise.cells[place_cell(exercise, place) + 1]
    assert below.source == "check.place('%s')" % place


@pytest.mark.parametrize('place', check.PLACES)
def test_place_has_a_hint(exercise, place):
    texts = [cell.source for cell in exercise.cells if cells.title_of(cell) == place]
    assert '*Hint.*' in texts[0]


@pytest.mark.parametrize('place', check.PLACES)
def test_task_names_the_place(exercise, place):
    task, = [cell.source for cell in exercise.cells if cell.id == 'task']
    assert '*%s*' % place in task


@pytest.mark.parametrize('place', check.PLACES)
def test_place_is_a_solution_of_nbgrader(place):
    cell = handout.places(cells.saved('mnist_rnn'))[place]
    assert cell.metadata.nbgrader.solution is True


@pytest.mark.parametrize('place', check.PLACES)
def test_nbgrader_tests_the_place(place):
    notebook = cells.saved('mnist_rnn')
    handout.exercise(notebook, nbgrader=True)
    tests = [cell for cell in notebook.cells if "check.verdict('%s')" % place in cell.source]
    assert tests[0].metadata.nbgrader.grade is True


def test_no_output_is_left(exercise):
    assert not [cell.id for cell in exercise.cells if cell.get('outputs')]


def test_cells_for_readers_of_the_solution_are_gone(exercise):
    assert not [cell.id for cell in exercise.cells if 'solved' in cell.metadata.get('tags', [])]


@pytest.mark.parametrize('name', [name for section in check.SECTIONS for name in
                                  section.given + getattr(section, 'makes', [])])
def test_every_name_of_the_sections_is_in_the_notebook(nb, name):
    assert hasattr(nb, name)


# Marks that are not as they must be.

@pytest.mark.parametrize('source', [
    BEGIN, END, BEGIN + '\n' + BEGIN + '\n' + END, END + '\n' + BEGIN,
    BEGIN + '\n' + END + '\n' + END])
def test_marks_must_be_in_pairs(source):
    with pytest.raises(handout.HandoutError, match='has no partner'):
        handout.emptied(source, 'make it')


def test_a_text_must_have_no_marks():
    notebook = new_notebook(cells=[new_markdown_cell('## Cost\n' + BEGIN)])
    with pytest.raises(handout.HandoutError, match='A text in section "Cost" has the mark'):
        handout.places(notebook)


def test_a_section_has_one_place():
    cell = new_code_cell(BEGIN + '\n' + END)
    notebook = new_notebook(cells=[new_markdown_cell('## Cost'), cell, cell])
    with pytest.raises(handout.HandoutError, match='"Cost" has two cells with a place'):
        handout.places(notebook)


def test_a_place_without_tests_is_refused():
    notebook = cells.saved('mnist_rnn')
    notebook.cells += [new_markdown_cell('## Seventh'), new_code_cell(BEGIN + '\n' + END)]
    with pytest.raises(handout.HandoutError, match="'Seventh'.*but the tests in"):
        handout.exercise(notebook)


def test_tests_without_a_place_are_refused():
    notebook = cells.saved('mnist_rnn')
    notebook.cells = [cell for cell in notebook.cells if cell.id != 'cost-code']
    with pytest.raises(handout.HandoutError, match='but the tests in'):
        handout.exercise(notebook)


def test_a_missing_cell_is_named():
    with pytest.raises(handout.HandoutError, match='has no cell with the id picture'):
        handout.insert_after(new_notebook(), 'picture', new_markdown_cell(''))


# The folder.

def test_folder_has_all_files(folder):
    written = {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
    assert written == {*handout.FILES, 'mnist_rnn.ipynb'}


def test_folder_has_no_solution(folder, solutions):
    texts = [path.read_text() for path in folder.iterdir() if path.suffix in ('.py', '.md')]
    texts += [cell.source for cell in cells.read(folder / 'mnist_rnn.ipynb')]
    assert len(solutions) > 12
    assert not [line for line in solutions for text in texts if line in text]


def test_packages_of_the_exercise_are_pinned(folder):
    names = re.findall(r'^(\w+)', (folder / 'requirements.txt').read_text(), re.MULTILINE)
    pins = re.findall(r'^(\w+)==', (folder / 'constraints.txt').read_text(), re.MULTILINE)
    assert names and set(names) <= set(pins)


def test_damaged_data_is_not_given_away(tmp_path, monkeypatch):
    (tmp_path / 'mnist.pkl.gz').write_bytes(b'torn')
    monkeypatch.setitem(handout.FILES, 'data/mnist.pkl.gz', tmp_path / 'mnist.pkl.gz')
    with pytest.raises(handout.HandoutError, match='is another file than the notebook expects'):
        handout.write(tmp_path / 'handout')


def test_work_is_not_overwritten(tmp_path):
    (tmp_path / 'handout').mkdir()
    (tmp_path / 'handout' / 'mnist_rnn.ipynb').write_text('my work')
    with pytest.raises(handout.HandoutError, match='already exists and was not changed'):
        handout.write(tmp_path / 'handout')
    assert (tmp_path / 'handout' / 'mnist_rnn.ipynb').read_text() == 'my work'


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(notebook, path):
        path.write_text('{')
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(nbformat, 'write', full)
    with pytest.raises(OSError):
        handout.write(tmp_path / 'handout')
    assert list(tmp_path.iterdir()) == []
