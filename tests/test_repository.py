"""Tests of the notebook as it is saved, of running it as people do, and of what is written about it."""
import ast
import base64
import csv
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import cells
import pytest
import save_figures


def read(path):
    return (cells.ROOT / path).read_text(encoding='utf-8')


def sources():
    """Return the lines of each code cell, by its id."""
    return {cell['id']: ''.join(cell['source']).splitlines() for cell in cells.read_cells()}


def test_notebook_is_saved_as_run():
    saved, printed = cells.read_cells(), cells.printed()
    assert [cell['execution_count'] for cell in saved] == list(range(1, len(saved) + 1))
    assert all(set(cell['metadata']) <= {'tags'} for cell in saved)  # no timings
    for cell in saved:
        streams = [output.get('name') for output in cell['outputs']]
        assert 'stderr' not in streams and 'error' not in [output['output_type'] for output in cell['outputs']]
        assert ('stdout', 'stdout') not in zip(streams, streams[1:]), 'streams are not merged, as JupyterLab does'
    assert not re.search('Warning|WARNING|Traceback', printed)
    assert not re.search(r'/(home|root|tmp|Users|work)/', json.dumps(cells.read_cells(None)))
    assert printed.startswith('bitwise reproducible: yes\n')
    assert len(set(re.findall('fingerprint.* ([0-9a-f]{16})', printed))) == 1


def test_notebook_is_made_of_short_cells():
    lengths = {cell: len(lines) for cell, lines in sources().items()}
    assert statistics.median(lengths.values()) <= 8
    assert [cell for cell, length in lengths.items() if length > 20] == ['train-code']
    code = [line for lines in sources().values() for line in lines if line.strip()]
    assert next(k for k, line in enumerate(code) if 'theano.shared' in line) <= 90


def test_figures_are_those_of_the_notebook():
    title = cells.read_cells(None)[0]
    attached = base64.b64decode(''.join(title['attachments']['unrolled_rnn.svg']['image/svg+xml']))
    assert attached == (cells.ROOT / 'notebooks' / 'images' / 'unrolled_rnn.svg').read_bytes()
    for path, figure in save_figures.figures().items():
        assert path.read_bytes() == figure, '%s is not the notebook\'s figure: make save' % path


def numbers_with_a_source():
    """Return the numbers that the README may give, and those that it may give in a line on one iteration's reports."""
    with open(str(cells.ROOT / 'data' / 'runs.csv'), newline='') as file:
        rows = [row for row in csv.DictReader(file) if row['draw_seed'] != '1234']
    code = '\n'.join(sources()['published-code'])
    printed = cells.printed()
    numbers = {float(number) for number in re.findall(r'\d*\.\d+|\d+', printed + code)}
    for kind, column in itertools.product('01', ('test_accuracy', 'tail_average')):
        values = [float(row[column]) for row in rows if row['as_listed'] == kind]
        for statistic in statistics.mean, statistics.stdev, min, max, statistics.median:
            numbers.update(round(statistic(values), digits) for digits in (1, 2))
    published = ast.literal_eval(re.search(r'published = (\{.*?\})', code, re.S).group(1))
    steps = {int(step): {float(number) for number in re.findall(r'[\d.]+\n', reports)} for step, reports in re.findall(
        r'Iteration: +(\d+)\n((?:\w+ (?:cost|accuracy): +[\d.]+\n){4})', printed)}
    for step in steps:
        steps[step].update(reports[step // 100] for reports in published.values())
    return numbers, steps


CLAIM = (r'(?<![\d.-])(?:\d+\.\d{4,}|\d\d\.\d+|\d+(?:\.\d+)?(?=\s?[%±])|(?<=± )\d+\.\d+|(?<=sd )\d+\.\d+)'
         r'(?!\.?\d)')


def test_every_number_in_the_readme_has_a_source():
    """Each accuracy (two digits before the point), percentage, deviation, number with four decimals, and fingerprint."""
    numbers, steps = numbers_with_a_source()
    assert len(steps) == 10
    claims = []
    for line in read('README.md').replace('*', '').splitlines():
        step = re.match(r'\| *(\d+00|0) *\|', line)
        sources = steps[int(step.group(1))] if step else numbers
        for claim in re.findall(CLAIM, line):
            claims.append(claim)
            assert float(claim) in sources, '%s has no source: %s' % (claim, line)
    fingerprints = set(re.findall(r'\b[0-9a-f]{16}\b', read('README.md')))
    assert claims and fingerprints and fingerprints <= set(re.findall(r'\b[0-9a-f]{16}\b', cells.printed()))


def test_environments_agree():
    pins = dict(re.findall(r'^([a-z]+)==(\S+)', read('requirements.txt'), re.M))
    assert len(pins) > 5 and pins.items() <= dict(re.findall(r'^([a-z]+)==([^\s;]+)', read('constraints.txt'), re.M)).items()
    assert "numpy != '%s'" % pins['numpy'] in read('notebooks/bitwise.py')
    supported = re.search(r'^((3\.\d+ \| )+3\.\d+)\) ;;', read('setup_venv.sh'), re.M).group(1).split(' | ')
    assert re.search(r'- python=(\S+)', read('environment.yml')).group(1) in supported
    assert '- -r requirements.txt' in read('environment.yml')
    workflow = read('.github/workflows/ci.yml')
    assert re.findall(r"'(3\.\d+)'", re.search(r'python: \[(.*)\]', workflow).group(1)) == supported


def test_papermill_runs_it_from_the_root_in_a_hostile_place(tmp_path):
    """A folder with spaces and umlauts, a .theanorc, a backend without a display, other hyper-parameters."""
    root = tmp_path / 'Käse und Brot'
    for name in 'notebooks/bitwise.py', 'data/mnist.pkl.gz':
        (root / name).parent.mkdir(parents=True)
        shutil.copy(str(cells.ROOT / name), str(root / name))
    short = json.loads(read('notebooks/mnist_rnn.ipynb'))
    ids = [cell['id'] for cell in short['cells']]
    short['cells'] = short['cells'][:ids.index('test-code') + 1]
    (root / 'notebooks' / 'short.ipynb').write_text(json.dumps(short), encoding='utf-8')
    (root / '.theanorc').write_text('[global]\ndevice = cuda\nfloatX = float32\n')
    environment = dict(os.environ, HOME=str(root), USERPROFILE=str(root), MPLBACKEND='TkAgg', PYTHONIOENCODING='utf-8')
    environment.pop('DISPLAY', None)
    run = subprocess.run([sys.executable, '-m', 'papermill', '-k', 'python3', '-p', 'iterations', '2',
                          '-p', 'hidden_d', '30', 'notebooks/short.ipynb', 'out.ipynb'],
                         cwd=str(root), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout.decode('utf-8', 'replace')
    outputs = [output for cell in cells.read_cells(notebook=root / 'out.ipynb') for output in cell['outputs']]
    printed = ''.join(''.join(output.get('text', '')) for output in outputs)
    assert 'Iteration:           0' in printed and 'after step 2:' in printed and re.search(r'^W +\(30, 30\)', printed, re.M)
    assert 'stderr' not in [output.get('name') for output in outputs]


def test_running_all_cells_again_gives_the_same_numbers():
    notebook = cells.run_cells('test-code', skip=['digits'], iterations=2)
    again = cells.run_cells('test-code', skip=['digits'], names=dict(vars(notebook)), iterations=2)
    assert again.fingerprint == notebook.fingerprint and again.test_accuracy == notebook.test_accuracy


def test_misspelt_parameter_is_an_error():
    with pytest.raises(NameError, match='does not set iteration$'):
        cells.run_cells('sizes-code', iteration=2)
