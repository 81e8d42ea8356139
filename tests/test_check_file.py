"""Tests of the check of a copy, and of a class of them."""
import csv
import json
import os
import signal
import subprocess
import sys
import time

import cells
import check
import check_file
import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PLACES = list(check.PLACES)
ALL_RIGHT = {place: ['right', 'right'] for place in PLACES}


def write_copy(path, sections):
    """Write a notebook with a code cell, or several, in each section: {title: source, or list}."""
    notebook = new_notebook()
    for title, sources in sections.items():
        notebook.cells.append(new_markdown_cell('## ' + title))
        for source in [sources] if isinstance(sources, str) else sources:
            notebook.cells.append(new_code_cell(source))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def result_of(path, time_limit=100):
    """Check a copy in a process of its own, as for a class, and return its Result."""
    program = ('import check_file, sys\ncheck_file.TIME_LIMIT = %d\n'
               'sys.argv[1:] = ["--json", %r]\ncheck_file.main()' % (time_limit, str(path)))
    told = subprocess.run([sys.executable, '-c', program], stdout=subprocess.PIPE, check=True,
                          env={**os.environ, 'PYTHONPATH': str(check_file.HERE)}).stdout
    return check_file.Result(*json.loads(told))


def programs_with(text):
    """Return the command lines of all programs that run and have this text in them."""
    lines = [str(process.info['cmdline']) for process in psutil.process_iter(['cmdline'])]
    return [line for line in lines if text in line]


# What is said of a copy.

@pytest.mark.parametrize('verdicts, note, sentence, code', [
    (ALL_RIGHT, None, 'All 6 places are right: this is the network of the assignment', 0),
    (ALL_RIGHT, 'a cell was changed', 'All 6 places are right, but a cell was changed', 1),
    ({**ALL_RIGHT, 'Cost': ['wrong', 'no']}, None, '5. Cost: no', 1),
    ({**ALL_RIGHT, 'Cost': ['wrong', 'right']}, None, '5 of 6 places are right', 1)])
def test_what_is_told_of_one_copy(monkeypatch, capsys, verdicts, note, sentence, code):
    monkeypatch.setattr(check_file, 'check_copy', lambda path: check_file.Result(verdicts, note))
    with pytest.raises(SystemExit) as ended:
        check_file.check_one('copy.ipynb')
    assert sentence in capsys.readouterr().out.splitlines()
    assert ended.value.code == code


def test_names_do_nothing_to_the_terminal():
    assert check_file.shown('a\x1b[2J\n\udcff.ipynb') == 'a\\x1b[2J\\x0a\\xdcff.ipynb'


# How a copy is read.

@pytest.mark.parametrize('content, message', [
    (b'', 'is not a notebook of nbformat 4'),
    (b'{"cells": [', 'is not a notebook of nbformat 4'),
    (b'{"worksheets": [], "nbformat": 3}', 'is not a notebook of nbformat 4'),
    (b'[' * 100000, 'is not a notebook of nbformat 4'),
    (b'\xff\xfe{\x00}\x00', 'is not UTF-8 text'),
    (b' ' * (check_file.LARGEST_COPY + 1), 'is larger than 50 MiB'),
    (b'{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}', 'is a notebook in R')])
def test_what_is_no_notebook_is_told(tmp_path, content, message):
    (tmp_path / 'copy.ipynb').write_bytes(content)
    assert message in check_file.check_copy(tmp_path / 'copy.ipynb').note


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'copy.ipynb')
    assert check_file.check_copy(tmp_path / 'copy.ipynb').note == 'is not a file'


def test_what_other_programs_leave_out_is_empty(tmp_path):
    (tmp_path / 'copy.ipynb').write_bytes(b'\xef\xbb\xbf{"cells": [{"cell_type": "code"}]}')
    assert check_file.read(tmp_path / 'copy.ipynb') == [('code', '')]


def test_cells_for_people_are_not_run(tmp_path):
    notebook = new_notebook(cells=[new_code_cell('1', metadata={'tags': ['skip-execution']})])
    nbformat.write(notebook, tmp_path / 'copy.ipynb')
    assert check_file.read(tmp_path / 'copy.ipynb') == []


@pytest.mark.parametrize('source, title', [
    ('## Weights', 'Weights'), ('text\n\n### Weights ###', 'Weights'), ('# My notes', None),
    ('Weights', None), ('# My notes\n## Cost', 'Cost'), ('```python\n## Cost\n```', None)])
def test_title(source, title):
    assert check_file.section_begun_by(source, PLACES) == title


@pytest.mark.parametrize('others, along', [
    ({'helper.py': b'1'}, ['helper.py']), ({'large': bytes(check_file.SMALL + 1)}, []),
    ({'helper.py': b'1', 'ben.ipynb': b'{}'}, []), ({'.DS_Store': b'1'}, [])])
def test_files_of_its_own_come_along(tmp_path, others, along):
    for name, content in {**others, 'ann.ipynb': b'{}'}.items():
        (tmp_path / name).write_bytes(content)
    assert [path.name for path in check_file.files_along(tmp_path / 'ann.ipynb')] == along


# How a copy is run.

class FakeKernel(list):
    """The sources that were run; a place is right once a cell with its title has."""

    def run(self, source):
        self.append(source)

    def verdict(self, place):
        return ['right', 'right'] if place in self else ['not written yet', 'not written yet']

    def ask(self, expression):
        return ['Weights', 'Cost'] if 'PLACES' in expression else None


@pytest.mark.parametrize('cells, right', [
    (['## Weights', 'Weights', '## Cost', 'Cost'], 2), (['## Weights', '## Cost', 'Weights'], 1),
    (['## Weights', '## Train', 'Weights'], 0), (['check.place(1)', 'Cost'], 1)])
def test_places_are_found_wherever_they_are(cells, right):
    pairs = [('markdown' if cell.startswith('#') else 'code', cell) for cell in cells]
    assert check_file.judge(FakeKernel(), pairs).number_right() == right


def test_another_notebook_is_not_run():
    kernel = FakeKernel()
    with pytest.raises(check_file.NotChecked, match='is it another notebook?'):
        check_file.judge(kernel, [('markdown', '## Holidays'), ('code', '1')])
    assert kernel == []


# The same in a kernel: a copy that does odd things.

DAEMON = '''\
import os
if os.fork() == 0:
    os.setsid()
    os.execlp(%r, 'odd-copy', '-c', 'import time; time.sleep(600)')
os._exit(0)'''


@pytest.fixture(scope='module')
def odd(tmp_path_factory):
    """The Result of a copy that does odd things."""
    folder = tmp_path_factory.mktemp('odd') / 'copies'
    onehot, = [cell.source for cell in cells.saved('mnist_rnn').cells
               if cell.id == 'one-hot-labels-code']
    write_copy(folder / 'copy.ipynb', {
        'Imports': 'import check, theano, theano.tensor as T\nfrom helper import np\n'
                   'check.verdict = lambda title: "right"',
        'One-hot labels': onehot,
        'Weights': 'print(1)\nU = bytearray(4 * 2**30)',
        'Hidden states': ['!touch %s/made' % folder, '%%%%bash\ntouch %s/made' % folder,
                          'import glob, os\nfor path in glob.glob("../*.ipynb"): os.remove(path)'],
        'Cost': 'cost = input()',
        'Compile': DAEMON % sys.executable})
    (folder / 'helper.py').write_text('import numpy as np')
    (folder / 'check.py').write_text('raise SystemExit')
    return folder, result_of(folder / 'copy.ipynb')


@pytest.mark.parametrize('place, text', [
    ('One-hot labels', 'right'), ('Weights', 'stops with MemoryError'),
    ('Hidden states', 'not written yet'), ('Cost', 'waits for the keyboard'),
    ('Compile', 'not checked: a cell in section "Compile" ended the Python process')])
def test_verdict_on_a_place_of_an_odd_copy(odd, place, text):
    _, result = odd
    assert result.verdicts[place][1].startswith(text)


def test_an_odd_copy_changes_nothing_in_its_folder(odd):
    folder, _ = odd
    assert sorted(path.name for path in folder.iterdir()) == ['check.py', 'copy.ipynb', 'helper.py']


def test_nothing_outlives_an_odd_copy(odd):
    assert not programs_with('odd-copy')


@pytest.mark.slow
def test_a_copy_that_prints_without_end_keeps_its_verdicts_and_little_memory(tmp_path):
    write_copy(tmp_path / 'copy.ipynb', {
        'One-hot labels': 'onehot = 3', 'Cost': 'while True: print(1000 * "x")'})
    result = result_of(tmp_path / 'copy.ipynb', time_limit=20)
    assert result.verdicts['One-hot labels'][0] == 'wrong'
    assert result.note == ('a cell in section "Cost" was stopped after 20 seconds: is there an '
                           'endless loop?')


@pytest.mark.slow
def test_the_solved_exercise_is_right(tmp_path):
    nbformat.write(cells.saved('mnist_rnn'), tmp_path / 'copy.ipynb')
    done = subprocess.run([sys.executable, '-O', check_file.__file__, tmp_path / 'copy.ipynb'],
                          env={**os.environ, 'PYTHONSAFEPATH': '1', 'PYTHONWARNINGS': 'error'})
    assert done.returncode == 0


@pytest.mark.slow
def test_an_interruption_leaves_nothing_but_the_rows(tmp_path):
    for name in 'empty.ipynb', 'fast.ipynb':
        write_copy(tmp_path / 'copies' / name, {'Cost': 'pass'})
    write_copy(tmp_path / 'copies' / 'slow.ipynb', {'Cost': 'while True: pass'})
    (tmp_path / 'temporary').mkdir()
    process = subprocess.Popen([sys.executable, check_file.__file__, tmp_path / 'copies'],
                               env={**os.environ, 'TMPDIR': str(tmp_path / 'temporary')},
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    table = tmp_path / 'copies.csv'
    while process.poll() is None and not (table.exists() and 'fast' in table.read_text()):
        time.sleep(.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors.strip().startswith('Interrupted') and errors.count('\n') == 2
    assert not list((tmp_path / 'temporary').iterdir())
    assert not programs_with(str(tmp_path))


# A class.

@pytest.mark.parametrize('name, found', [
    ('carl.IPYNB', True), ('b/ben.ipynb', True), ('._ann.ipynb', False), ('notes.txt', False),
    ('.ipynb_checkpoints/ann.ipynb', False)])
def test_what_is_a_copy(tmp_path, name, found):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert bool(check_file.find_copies(tmp_path)) == found


@pytest.mark.parametrize('folder', [check_file.HERE, check_file.HERE.parent])
def test_a_class_is_not_the_repository(folder):
    """Nobody wants all notebooks below it to be run, those of .venv included."""
    with pytest.raises(check_file.NotChecked, match='has this program in it'):
        check_file.check_class(folder)


@pytest.fixture
def school(tmp_path, monkeypatch):
    """A class of three with a faked check: its folder, and a function that checks it."""
    folder = tmp_path / 'copies'
    folder.mkdir()
    for name in 'ann.ipynb', 'ann.IPYNB', '=ben.ipynb':
        (folder / name).write_text(name)
    results = {'ann.ipynb': check_file.Result({**ALL_RIGHT, 'Cost': ['wrong', 'not the mean'],
                                               'Compile': ['not checked', 'cannot be checked']}),
               'ann.IPYNB': check_file.Result(ALL_RIGHT, 'a given cell was changed'),
               '=ben.ipynb': check_file.Result({}, 'is not UTF-8 text')}

    def run():
        """Check the class; return the names of those checked, and the rows."""
        checked = []

        def check_all(paths, at_once, temporary):
            for name in paths:
                checked.append(name)
                yield name, results[name]

        monkeypatch.setattr(check_file, 'check_all', check_all)
        monkeypatch.setattr(check_file, 'end_children', lambda: None)
        check_file.check_class(folder)
        with open(tmp_path / 'copies.csv', newline='', encoding='utf-8-sig') as file:
            return checked, {row[0]: row[1:-1] for row in csv.reader(file)}
    return folder, run


@pytest.mark.parametrize('name, row', [
    ('copy', [*PLACES, 'right', 'what to mend']),
    ('ann.ipynb', ['right'] * 4 + ['wrong', '-', '4', 'Cost: not the mean']),
    ('ann.IPYNB', ['right'] * 6 + ['6', 'a given cell was changed']),
    ("'=ben.ipynb", ['-'] * 6 + ['0', 'is not UTF-8 text'])])
def test_row(school, name, row):
    _, run = school
    assert run()[1][name] == row


def test_the_screen_counts(school, capsys):
    _, run = school
    run()
    assert '2 of 3  ann.IPYNB  All 6 places are right, but' in capsys.readouterr().out


def test_copies_that_have_a_row_are_not_checked_again(school):
    _, run = school
    run()
    assert run()[0] == []


def test_a_changed_copy_is_checked_again_and_no_row_is_lost(school):
    folder, run = school
    run()
    (folder / 'ann.ipynb').write_text('late')
    (folder / 'ann.IPYNB').unlink()
    checked, rows = run()
    assert checked == ['ann.ipynb'] and len(rows) == 4


def test_a_table_of_somebody_else_s_is_not_changed(school):
    folder, run = school
    folder.with_suffix('.csv').write_text('copy;points')
    with pytest.raises(check_file.NotChecked, match='move it away'):
        run()
    assert folder.with_suffix('.csv').read_text() == 'copy;points'


def test_a_copy_that_changes_meanwhile_is_told(school, monkeypatch):
    _, run = school
    numbers = iter(range(99))
    monkeypatch.setattr(check_file, 'checksum', lambda path: str(next(numbers)))
    assert run()[1]['ann.ipynb'][-1].startswith('was changed while the class was checked')


@pytest.mark.parametrize('text, safe', [('=1', "'=1"), ('+1', "'+1"), ('-1', "'-1"), ('@x', "'@x"),
                                        ('-', '-'), ('x=1', 'x=1')])
def test_a_value_is_no_formula(text, safe):
    assert check_file.for_spreadsheet(text) == safe
