"""Tests of the exercise and of the folder that make handout writes."""
import importlib
import re
import shutil
import subprocess
import sys

import cells
import check
import handout
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder as make handout writes it."""
    target = tmp_path_factory.mktemp('work') / 'handout'
    handout.write(target)
    return target


def made(nbgrader):
    """Return the exercise, an nbformat notebook, or the source for nbgrader."""
    notebook = cells.read(cells.NOTEBOOK)
    handout.exercise(notebook, nbgrader)
    return notebook


SOLVED = dict(handout.with_solutions(cells.read(cells.NOTEBOOK)))  # cells, by title
EXERCISE, FOR_NBGRADER = made(nbgrader=False), made(nbgrader=True)


def pair(notebook, above):
    """Return the cell with the id above, and the one below it."""
    ids = [cell.id for cell in notebook.cells]
    start = ids.index(above)
    return notebook.cells[start:start + 2]


# The exercise.

@pytest.mark.parametrize('place', check.PLACES)
def test_a_place_is_empty_and_its_check_below(place):
    solved = SOLVED[place]
    empty, test = pair(EXERCISE, solved.id)
    assert '# YOUR CODE HERE\n' in empty.source
    assert check.PLACES[place].task in empty.source
    compile(empty.source, place, 'exec')  # its lines are indented
    assert test.source == "check.place('%s')" % place
    full, test = pair(FOR_NBGRADER, solved.id)
    assert full.source == solved.source
    assert "check.verdict('%s')" % place in test.source
    assert (test.metadata.nbgrader.grade, test.metadata.nbgrader.solution) == (True, False)


@pytest.mark.parametrize('place', check.PLACES)
def test_section_of_a_place_has_a_hint(place):
    texts = [cell.source for title, cell in cells.with_sections(EXERCISE.cells)
             if title == place and cell.cell_type == 'markdown']
    assert any('<summary>Hint</summary>' in text for text in texts)


@pytest.mark.parametrize('place', check.PLACES)
def test_task_names_what_a_place_makes(place):
    words = re.findall(r'\w+', check.PLACES[place].task)
    assert set(check.PLACES[place].makes) <= set(words)


def test_nbgrader_takes_the_check_anew(tmp_path, monkeypatch):
    """What a student's cell has put in place of the check does not count."""
    (tmp_path / 'check.py').write_text('def verdict(title): return "wrong"')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'check')
    importlib.import_module('check').verdict = lambda title: 'right'
    with pytest.raises(AssertionError, match='wrong'):
        exec(handout.TEST % 'Weights', {})


@pytest.mark.parametrize('above, new', [('imports-code', 'check'), *handout.ADDED.items()])
def test_added_cells(above, new):
    assert pair(EXERCISE, above)[1].id == new


def test_what_need_not_run_in_a_check_is_marked():
    marked = [cell.id for cell in FOR_NBGRADER.cells
              if 'skip-execution' in cell.metadata.get('tags', [])]
    assert marked[:2] == ['by-heart-code', 'train-code']


def test_a_symbol_can_be_looked_at(nb):
    _, look = pair(EXERCISE, 'look')
    code = look.source.partition('#')[0]
    assert eval(code, vars(nb)) == (2, 28, 28)  # two images


@pytest.mark.slow
def test_twenty_images_are_learnt_by_heart(nb, capsys):
    _, by_heart = pair(EXERCISE, 'by-heart')
    exec(by_heart.source, vars(nb))
    cost = re.search(r'step 400: cost (\S+), 20 of 20 correct', capsys.readouterr().out).group(1)
    assert float(cost) < .1


@pytest.mark.parametrize('sources, message', [
    (['## Cost', '### BEGIN SOLUTION\n### END SOLUTION'], 'places .one in a section. in'),
    (['## Cost', '### BEGIN SOLUTION\n1'], '"Cost" has the mark of a solution without')])
def test_a_notebook_that_the_check_does_not_know(sources, message):
    notebook = cells.read(cells.NOTEBOOK)
    notebook.cells += [new_markdown_cell(sources[0]), new_code_cell(sources[1])]
    with pytest.raises(cells.NotebookError, match=message):
        handout.exercise(notebook)


# The folder.

@pytest.mark.slow
def test_the_folder_checks_the_solved_exercise(folder):
    shutil.copy(cells.NOTEBOOK, folder / 'solved.ipynb')
    done = subprocess.run([sys.executable, folder / 'check_file.py', folder / 'solved.ipynb'],
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith('places are right')


@pytest.mark.parametrize('place', check.PLACES)
def test_folder_has_no_solution(folder, place):
    solution = SOLVED[place].source.partition('BEGIN SOLUTION')[2]
    longest = max(solution.partition('###')[0].splitlines(), key=len).strip()
    texts = [path.read_text() for path in folder.iterdir() if path.suffix in ('.py', '.md')]
    texts += [cell.source for cell in nbformat.read(folder / 'mnist_rnn.ipynb', 4).cells]
    assert not [text for text in texts if longest in text]


def test_work_is_not_overwritten(tmp_path):
    (tmp_path / 'handout').mkdir()
    (tmp_path / 'handout' / 'mnist_rnn.ipynb').write_text('my work')
    with pytest.raises(FileExistsError, match='give another name'):
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
