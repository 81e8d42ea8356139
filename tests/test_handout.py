"""Tests of the handout, and of how a student's copy is graded."""
import re
from pathlib import Path

import cells
import nbformat
import pytest
from nbconvert import NotebookExporter
from traitlets.config import PyFileConfigLoader

NETWORK = str(Path(__file__).with_name('test_mnist_rnn.py'))
SOLUTIONS = [solution for cell in cells.read() for solution in
             re.findall('### BEGIN SOLUTION.*### END SOLUTION', cell.source, re.S)]


@pytest.fixture(scope='module')
def handout():
    config = PyFileConfigLoader('tools/handout.py').load_config()
    return NotebookExporter(config=config).from_filename(str(cells.NOTEBOOK))[0]


@pytest.fixture
def grade(tmp_path, monkeypatch, capsys):
    """A function that grades a notebook, a text, and returns what it prints."""
    def graded(text):
        (tmp_path / 'copy.ipynb').write_text(text, encoding='utf-8')
        monkeypatch.setenv('NOTEBOOK', str(tmp_path / 'copy.ipynb'))
        pytest.main(['-q', '--tb=line', '-rN', NETWORK])
        return capsys.readouterr().out
    return graded


def solve(handout, right='', wrong=''):
    """Return the handout with the solutions, right replaced by wrong, in a format without ids."""
    notebook, solutions = nbformat.reads(handout, 4), iter(SOLUTIONS)
    for cell in notebook.cells:
        if 'raise NotImplementedError' in cell.source:
            solution = next(solutions).replace(right, wrong)
            cell.source = re.sub('# YOUR.*\n.*', lambda place: solution, cell.source)
        del cell['id']
    notebook.nbformat_minor = 0
    return nbformat.writes(notebook)


def test_handout_is_the_assignment_and_no_more(handout):
    assert handout.count('# YOUR CODE HERE') == len(SOLUTIONS) + 1 == 8  # one in the task
    assert not re.search('SOLUTION|Original cell|T.tanh.a|## Discussion|lottery|"stream"', handout)


def test_untouched_handout_is_told_the_first_place(grade, handout):
    out = grade(handout)
    assert 'Section "One-hot labels": not written yet: make the array onehot' in out
    assert len(out.splitlines()) < 5


@pytest.mark.parametrize('right, wrong, message', [
    ('(V, V -', '(V, V +', 'V must become V - learning_rate * its gradient'),
    (' / time_steps', '', 'y_prob is not as its equation says'),
    pytest.param('(h_states, W)', '(W, h_states)', 'Section "Hidden states": ValueError: ',
                 marks=pytest.mark.slow),
    pytest.param('', '', '16 passed', marks=pytest.mark.slow)])
def test_copies_are_told_what_is_wrong(grade, handout, right, wrong, message):
    assert message in grade(solve(handout, right, wrong))
