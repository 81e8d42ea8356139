"""Tests of the exercise, and of what the check tells about a copy."""
import io
import re

import cells
import check
import handout
import nbformat
import pytest

SOLUTION = re.compile(r'### BEGIN SOLUTION.*?### END SOLUTION', re.DOTALL)
EMPTY_PLACE = re.compile(r'# YOUR CODE HERE\n *raise NotImplementedError\(".*"\)')


@pytest.fixture
def exercise():
    """The exercise, an nbformat notebook."""
    notebook = nbformat.read(cells.NOTEBOOK, 4)
    handout.exercise(notebook)
    return notebook


@pytest.fixture
def solutions():
    """What stands in the six places of the solved notebook, in order."""
    code = [cell.source for cell in cells.read() if cell.cell_type == 'code']
    return SOLUTION.findall('\n'.join(code))


@pytest.fixture
def copy_path(tmp_path, exercise, solutions):
    """A function that fills in the exercise and returns the copy's path.

    Its argument gives changes to the solutions: {number of the place: (old, new)}.
    """
    def write(changes):
        texts = list(solutions)
        for place, (old, new) in changes.items():
            assert old in texts[place], old
            texts[place] = texts[place].replace(old, new)
        for cell in exercise.cells:
            if EMPTY_PLACE.search(cell.source):
                solution = texts.pop(0)
                cell.source = EMPTY_PLACE.sub(lambda match: solution, cell.source)
        path = tmp_path / 'copy.ipynb'
        nbformat.write(exercise, path)
        return path
    return write


def printed_lines(capsys):
    """Return the lines that the check printed."""
    return capsys.readouterr().out.splitlines()


def test_six_places_are_empty(exercise):
    places = [place for cell in exercise.cells for place in EMPTY_PLACE.findall(cell.source)]
    assert len(places) == 6


@pytest.mark.parametrize('title', check.PLACES)
def test_every_place_has_a_hint(exercise, title):
    texts = [cell.source for cell in exercise.cells if cells.title_of(cell) == title]
    assert '*Hint.*' in texts[0]


@pytest.mark.parametrize('secret', ['SOLUTION', 'T.tanh(a)', 'DEVIATIONS', '91.05'])
def test_nothing_of_the_solution_is_left(exercise, secret):
    assert not [cell.id for cell in exercise.cells if secret in cell.source]


def test_no_output_is_left(exercise):
    assert not [cell.id for cell in exercise.cells if cell.get('outputs')]


def test_commands_of_the_task_exist():
    task = handout.TASK.read_text(encoding='utf-8')
    assert '    make check\n' in task
    assert '\ncheck: ' in (cells.ROOT / 'Makefile').read_text()


def test_a_missing_picture_is_named():
    with pytest.raises(ValueError, match='has no cell with the id picture'):
        handout.exercise(nbformat.v4.new_notebook())


@pytest.mark.slow
def test_a_solved_exercise_is_right(copy_path, capsys):
    status = check.check(copy_path({}))
    assert printed_lines(capsys)[-1] == check.ALL_RIGHT
    assert status == 0


def test_a_right_copy_is_praised(capsys):
    messages = {tests: None for names, tests in check.PLACES.values()}
    assert check.print_verdicts({**messages, 'TestOneStep': None})
    assert printed_lines(capsys)[-1] == check.ALL_RIGHT


def test_a_given_cell_that_was_changed_is_mentioned(capsys):
    messages = {tests: None for names, tests in check.PLACES.values()}
    assert not check.print_verdicts({**messages, 'TestOneStep': 'AssertionError'})
    assert printed_lines(capsys)[-1].endswith('did you change a given cell?')


def test_every_mistake_is_named_in_its_own_place(copy_path, capsys):
    """Six mistakes in one copy, since none hides another."""
    status = check.check(copy_path({
        0: ('(num_frames, 10)', '(num_frames, 11)'),
        1: ('glorot_uniform(hidden_d, hidden_d)', 'glorot_uniform(hidden_d, input_d)'),
        2: ('h_states_sum + h_states', 'h_states_sum + a'),
        3: (' / time_steps', ''),
        4: ('T.mean', 'T.sum'),
        5: ('learning_rate * grad_V', 'learning_rate * grad_W'),
    }))
    assert printed_lines(capsys) == [
        '1. One-hot labels: onehot([2]) must be [[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]], and is '
        '[[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]',
        '2. Weights: W must have the shape (100, 100), and has (100, 28)',
        '3. Hidden states: h_states_sum does not depend on h_states: was it left out?',
        '4. Prediction: y_prob is not the softmax of the mean state times V plus b_V',
        '5. Cost: cost must be the mean over the mini-batch, not the sum',
        '6. Compile: the new V must be V - learning_rate * grad_V, and has grad_W',
        '0 of 6 places are right']
    assert status == 1


@pytest.fixture
def one_cell(tmp_path):
    """A function that writes a copy with one cell, in section "Weights", and returns its path."""
    def write(line):
        notebook = nbformat.v4.new_notebook(cells=[
            nbformat.v4.new_markdown_cell('## Weights'), nbformat.v4.new_code_cell(line)])
        nbformat.write(notebook, tmp_path / 'copy.ipynb')
        return tmp_path / 'copy.ipynb'
    return write


def test_a_copy_that_ends_its_process_has_failed(one_cell, tmp_path, capsys):
    report = tmp_path / 'report.xml'
    status = check.check(one_cell('import os; os._exit(0)'), report)
    assert printed_lines(capsys) == ['A cell in section "Weights" ended the Python process']
    assert 'ended the Python process' in report.read_text()
    assert status == 1


def test_a_copy_that_never_ends_has_failed(one_cell, capsys, monkeypatch):
    monkeypatch.setattr(check, 'TIME_LIMIT', 1)
    status = check.check(one_cell('while True: pass'))
    line, = printed_lines(capsys)
    assert line.endswith('was stopped after 1 seconds: is there an endless loop?')
    assert status == 1


@pytest.mark.parametrize('line, reason', [
    ('exit()', 'ends the program: take out exit(), quit() or sys.exit()'),
    ('input()', 'reads the keyboard: take out input()')])
def test_a_cell_that_would_stop_jupyter_is_named(one_cell, monkeypatch, line, reason):
    monkeypatch.setattr('sys.stdin', io.StringIO())
    with pytest.raises(cells.NotebookError) as caught:
        check.Copy(one_cell(line))
    assert str(caught.value) == 'A cell in section "Weights" ' + reason


@pytest.mark.parametrize('message, text', [
    ('AssertionError: W must be square\nassert False', 'W must be square'),
    ('failed on setup with "check.NotWritten: make cost"', 'not written yet: make cost'),
    ('failed on setup with "check.CellFailed: NameError: name \'yprob\' is not defined"',
     "name 'yprob' is not defined: is it misspelt?"),
    ('failed on setup with "NameError: name \'cost\' is not defined"',
     "name 'cost' is not defined: it must be made here"),
    ('failed on setup with "check.CellFailed: NameError: name \'y_prob\' is not defined"',
     'cannot be checked before "Prediction" is right'),
    ('failed on setup with "check.CellFailed: NameError: name \'y\' is not defined"',
     'name \'y\' is not defined: the given cell in section "Inputs" was deleted or failed'),
    ('failed on setup with "check.CellFailed: TypeError: no number"',
     'TypeError: no number (perhaps because "Weights" is not right)'),
    ('ValueError: \nsecond line',
     'ValueError: second line (perhaps because "Weights" is not right)')])
def test_a_failure_of_cost_is_told_in_one_line(message, text):
    assert check.explain(message, 'Cost', earlier=['Weights', 'Prediction']) == text


@pytest.mark.parametrize('content, message', [
    (b'', 'is not a notebook of nbformat 4'),
    (b'[]', 'is not a notebook of nbformat 4'),
    (b'{"cells": [1]}', 'is not a notebook of nbformat 4'),
    (b'\xff\xfe{\x00}\x00', 'is not UTF-8 text')])
def test_a_bad_file_is_named(tmp_path, content, message):
    (tmp_path / 'copy.ipynb').write_bytes(content)
    with pytest.raises(cells.NotebookError, match=message):
        cells.read(tmp_path / 'copy.ipynb')


@pytest.mark.parametrize('source, python', [
    ('x = 1', 'x = 1'),
    ('%matplotlib inline\nx = 1', 'pass\nx = 1'),
    ('!pip install x\n?x\nx?', 'pass\npass\npass'),
    ('%time x = 1', 'x = 1'),
    ('%%time\nx = 1', 'pass\nx = 1'),
    ('%%bash\nx=1', ''),
    ('y = (1\n     % z)\n!ls', 'y = (1\n     % z)\npass')])
def test_magics_and_shell_commands_are_left_out(source, python):
    assert cells.python_of(source) == python
