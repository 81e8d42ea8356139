"""Tests of the handout, and of what a student's copy is told."""
import contextlib
import json
import re

import cells
import pytest
import test_mnist_rnn
from nbconvert import NotebookExporter
from traitlets.config import PyFileConfigLoader

EXPORTER = NotebookExporter(config=PyFileConfigLoader('tools/handout.py').load_config())
HANDOUT = EXPORTER.from_filename(str(cells.NOTEBOOK))[0]
SOLUTIONS = [solution for cell in cells.read() for solution in
             re.findall('### BEGIN SOLUTION.*### END SOLUTION', cell.source, re.S)]


def test_handout_is_the_assignment_and_says_what_is_missing(tmp_path):
    assert HANDOUT.count('# YOUR CODE HERE') == len(SOLUTIONS) + 1 == 8  # one in the task
    assert not re.search('SOLUTION|Original cell|T.tanh.a|## Discussion|lottery|"stream"', HANDOUT)
    (tmp_path / 'copy.ipynb').write_text(HANDOUT, encoding='utf-8')
    with pytest.raises(RuntimeError, match='^Section "One-hot labels": not written yet: make'):
        cells.run_cells('sgd_step', tmp_path / 'copy.ipynb')


@pytest.mark.parametrize('right, wrong, message', [
    ('V', 'V', None),
    ('(V, V -', '(V, V +', 'V must become V - learning_rate'),
    (' / time_steps', '', 'y_prob is not as its equation says'),
    ('(h_states, W)', '(W, h_states)', '^Section "Hidden states": ValueError: .*$')])
def test_solved_handout_passes_and_mistakes_are_named(tmp_path, right, wrong, message):
    notebook, solutions = json.loads(HANDOUT), iter(SOLUTIONS)
    notebook['nbformat_minor'] = 0  # no ids, and each source one string: as other programs save it
    for cell in notebook['cells']:
        del cell['id']
        cell['source'] = re.sub('# YOUR CODE HERE\n.*',
                                lambda place: next(solutions).replace(right, wrong),
                                ''.join(cell['source']))
    (tmp_path / 'copy.ipynb').write_text(json.dumps(notebook))
    error = pytest.raises((AssertionError, RuntimeError), match=message)
    with error if message else contextlib.nullcontext():
        copy = cells.run_cells('sgd_step', tmp_path / 'copy.ipynb')
        test_mnist_rnn.test_forward_pass_and_step(copy, 7)
