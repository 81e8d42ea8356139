"""Tests of the handout, and of its grader, test_mnist_rnn.py, on copies with typical mistakes."""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import cells
import pytest

MAKE = [sys.executable, str(cells.NOTEBOOK.with_name('make_handout.py'))]
MISTAKES = {  # what is written, what should be, the tests that fail
    'no new state': ('unroll', 'h_states = T.tanh(a)\n    h_states_sum = h_states_sum + h_states',
                     'h_states_sum = h_states_sum + T.tanh(a)', {'test_hidden_states', 'test_step'}),
    'sum for mean': ('prediction-code', ' / time_steps', '', {'test_prediction', 'test_step'}),
    'uphill': ('compile-code', '(V, V -', '(V, V +', {'test_step'}),
    'no softmax': ('prediction-code', 'T.nnet.softmax(y_hat)', 'y_hat', {'test_prediction', 'test_step'}),
    'off by one': ('onehot', 'np.arange(num_frames), inp]', 'np.arange(num_frames), inp - 1]', {'test_onehot_encodes'}),
    'no W': ('unroll', ' + T.dot(h_states, W)', '', {'test_hidden_states', 'test_step'}),
    'solved': ('onehot', 'len(inp)', 'len(inp)', set())}


def solve(path, cell_id, old, new):
    """Paste the solutions into the handout at path, with old replaced by new in one of them."""
    solutions = {cell['id']: ''.join(cell['source']) for cell in cells.read_cells()}
    copy = json.loads(path.read_text(encoding='utf-8'))
    for cell in copy['cells']:
        source = ''.join(cell['source'])
        if 'NotImplementedError' in source:
            solution = re.search('### BEGIN SOLUTION.*### END SOLUTION', solutions[cell['id']], re.S).group()
            if cell['id'] == cell_id:
                assert solution.count(old) == 1
                solution = solution.replace(old, new)
            solution = solution.replace(', as_listed)', ')')  # not part of the assignment
            cell['source'] = re.sub(r'raise NotImplementedError\(.*\)', lambda place: solution, source).splitlines(True)
    return copy


def grade(path):
    """Return how many tests the grader ran on a copy, and the names and messages of those that failed."""
    report = path.with_suffix('.xml')
    subprocess.run([sys.executable, '-m', 'pytest', '-q', '--junitxml=%s' % report,
                    str(cells.ROOT / 'tests' / 'test_mnist_rnn.py')], env=dict(os.environ, NOTEBOOK=path.name),
                   cwd=str(path.parent), stdout=subprocess.DEVNULL)
    cases = list(ElementTree.parse(str(report)).iter('testcase'))
    failed = [(case.get('name').partition('[')[0], found.get('message')) for case in cases
              for found in case if found.tag in ('failure', 'error')]
    return len(cases), failed


@pytest.fixture(scope='module')
def graded(tmp_path_factory):
    """The grader's results on the untouched handout, by the name 'handout', and on the copies with a mistake each."""
    folder = tmp_path_factory.mktemp('copies of students')
    subprocess.run(MAKE + [str(folder / 'handout.ipynb')], check=True)
    for name, (cell_id, old, new, expected) in MISTAKES.items():
        copy = solve(folder / 'handout.ipynb', cell_id, old, new)
        (folder / (name + '.ipynb')).write_text(json.dumps(copy), encoding='utf-8')
    paths = sorted(folder.glob('*.ipynb'))
    with ThreadPoolExecutor(2) as pool:
        return {path.stem: result for path, result in zip(paths, pool.map(grade, paths))}


def test_untouched_handout_fails_every_test_by_the_section(graded):
    count, failed = graded['handout']
    assert count == len(failed) > 30
    assert {message.split('”')[0] for name, message in failed} == {
        'Failed: Section “One-hot labels', 'Failed: Section “Weights'}


@pytest.mark.parametrize('name', MISTAKES)
def test_each_mistake_fails_the_fitting_tests(graded, name):
    count, failed = graded[name]
    assert count == graded['handout'][0] and {test for test, message in failed} == MISTAKES[name][-1]


def test_handout_is_the_assignment_and_no_more(tmp_path):
    target = tmp_path / 'new' / 'handout.ipynb'
    subprocess.run(MAKE + [str(target)], check=True)
    text = target.read_text(encoding='utf-8')
    copy = json.loads(text)
    assert not [cell for cell in copy['cells'] if cell.get('outputs') or cell.get('execution_count')]
    assert copy['cells'][0]['attachments'] and ''.join(copy['cells'][-1]['source']) == '## Discussion'
    for word in 'SOLUTION', 'as_listed', 'slip', 'h_all', 'T.tanh', '91.05', 'lottery':
        assert word not in text
    solutions = ''.join(''.join(cell['source']) for cell in cells.read_cells()).count('### BEGIN SOLUTION')
    assert text.count('raise NotImplementedError(') == solutions
    subprocess.run(MAKE + [str(target)], check=True)  # the same again
    target.write_text('work')
    run = subprocess.run(MAKE + [str(target)], stderr=subprocess.PIPE, universal_newlines=True)
    assert run.returncode == 1 and len(run.stderr.splitlines()) == 1 and target.read_text() == 'work'
