"""Tests of the exercise and of the folder that make handout writes."""
import importlib
import re
import sys

import cells
import check
import handout
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BEGIN, END = handout.BEGIN, handout.END


@pytest.fixture
def solutions():
    """The lines in the places of the solved notebook, but for the shortest."""
    code = '\n'.join(cell.source for cell in cells.saved('mnist_rnn').cells
                     if cell.cell_type == 'code')
    texts = re.findall(BEGIN + r'\n(.*?)' + END, code, re.DOTALL)
    return [line.strip() for text in texts for line in text.split('\n') if len(line.strip()) > 12]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder as make handout writes it."""
    target = tmp_path_factory.mktemp('work') / 'handout'
    handout.write(target)
    return target


@pytest.fixture(params=[False, True], ids=['exercise', 'nbgrader'])
def either(request):
    """The exercise, and the source for nbgrader."""
    notebook = cells.saved('mnist_rnn')
    handout.exercise(notebook, nbgrader=request.param)
    return notebook


def below(notebook, cell_id):
    """Return the cell below the one with this id."""
    return notebook.cells[handout.index_of(notebook, cell_id) + 1]


# The exercise.

@pytest.mark.parametrize('source, emptied', [
    (BEGIN + '\n1\n' + END, '# YOUR CODE HERE\nraise NotImplementedError("make it")'),
    ('a\n  %s\n  1\n  2\n  %s\nb' % (BEGIN, END),
     'a\n  # YOUR CODE HERE\n  raise NotImplementedError("make it")\nb')])
def test_emptied(source, emptied):
    assert handout.emptied(source, 'make it') == emptied


@pytest.mark.parametrize('place', check.PLACES)
def test_check_is_below_the_place(exercise, place):
    cell = handout.places(cells.saved('mnist_rnn'))[place]
    assert below(exercise, cell.id).source == "check.place('%s')" % place


@pytest.mark.parametrize('place', check.PLACES)
def test_nbgrader_tests_the_place(place):
    notebook = cells.saved('mnist_rnn')
    cell = handout.places(notebook)[place]
    handout.exercise(notebook, nbgrader=True)
    test = below(notebook, cell.id)
    assert "check.verdict('%s')" % place in test.source
    assert (cell.metadata.nbgrader.solution, test.metadata.nbgrader.grade) == (True, True)


def test_nbgrader_takes_the_check_anew(tmp_path, monkeypatch):
    (tmp_path / 'check.py').write_text('def verdict(title): return "wrong"')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'check')
    importlib.import_module('check').verdict = lambda title: 'right'  # as a student's cell may do
    with pytest.raises(AssertionError, match='wrong'):
        exec(handout.TEST % 'Weights', {})


@pytest.mark.parametrize('place', check.PLACES)
def test_task_names_the_place(either, place):
    assert '*%s*' % place in below(either, 'title-picture').source


@pytest.mark.parametrize('above, new', [('inputs-code', 'look'), ('look', 'look-code'),
                                        ('by-heart', 'by-heart-code')])
def test_added_cells(either, above, new):
    assert below(either, above).id == new


def test_what_need_not_run_in_a_check_is_marked(exercise):
    marked = [cell.id for cell in exercise.cells
              if 'skip-execution' in cell.metadata.get('tags', [])]
    assert marked[:2] == ['by-heart-code', 'train-code']


@pytest.mark.slow
def test_twenty_images_are_learnt_by_heart(exercise, nb, capsys):
    exec(exercise.cells[handout.index_of(exercise, 'by-heart-code')].source, vars(nb))
    cost = re.search(r'step 400: cost (\S+), 20 of 20 correct', capsys.readouterr().out).group(1)
    assert float(cost) < .1


def test_a_symbol_can_be_looked_at(exercise, nb):
    source = exercise.cells[handout.index_of(exercise, 'look-code')].source
    assert eval(source.partition('#')[0], vars(nb)) == (2, 28, 28)


def test_cells_for_readers_of_the_solution_are_gone(exercise):
    assert not [cell.id for cell in exercise.cells if 'solved' in cell.metadata.get('tags', [])]


# A solved notebook that is not as it must be.

@pytest.mark.parametrize('source', [
    BEGIN, END, BEGIN + '\n' + BEGIN + '\n' + END, END + '\n' + BEGIN,
    BEGIN + '\n' + END + '\n' + END])
def test_marks_must_be_in_pairs(source):
    with pytest.raises(handout.HandoutError, match='has no partner'):
        handout.emptied(source, 'make it')


PLACE = new_code_cell(BEGIN + '\n' + END)


@pytest.mark.parametrize('new, message', [
    ([new_markdown_cell('## Cost\n' + BEGIN)], 'A text in section "Cost" has the mark'),
    ([new_markdown_cell('## Cost'), PLACE, PLACE], '"Cost" has two cells with a place'),
    ([new_markdown_cell('## Seventh'), PLACE], "in the sections .'Seventh'., but the check in")])
def test_places_are_those_of_the_check(new, message):
    with pytest.raises(handout.HandoutError, match=message):
        handout.places(new_notebook(cells=new))


# The folder.

def test_folder_has_all_files(folder):
    written = {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
    assert written == {*handout.FILES, 'mnist_rnn.ipynb'}


def test_folder_has_no_solution(folder, solutions):
    texts = [path.read_text() for path in folder.iterdir() if path.suffix in ('.py', '.md')]
    texts += [cell.source for cell in nbformat.read(folder / 'mnist_rnn.ipynb', 4).cells]
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


def test_work_is_not_overwritten_and_another_name_is_offered(tmp_path):
    for name in 'handout', 'handout-2':
        (tmp_path / name).mkdir()
    (tmp_path / 'handout' / 'mnist_rnn.ipynb').write_text('my work')
    with pytest.raises(handout.HandoutError, match='was not changed.*/handout-3$'):
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
