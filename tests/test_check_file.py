"""Tests of the check of a copy, and of a class: exercise/check_file.py and run_copy.py."""
import csv
import os
import signal
import subprocess
import sys
import time

import cells  # first: it sets the pins before NumPy is imported
import check
import check_file
import handout
import nbformat
import pytest
import run_copy
from check_file import Result, processes_in
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SOLVED = dict(handout.with_solutions(cells.read(cells.NOTEBOOK)))  # cells, by title
ALL_RIGHT = {place: (check.RIGHT, 'right') for place in check.PLACES}
SENTENCE = '%d of %d places are right' % (len(ALL_RIGHT), len(ALL_RIGHT))


def write_copy(path, sections):
    """Write a notebook with a code cell, or several, in each section: {title: source, or list}."""
    notebook = new_notebook()
    for title, sources in sections.items():
        notebook.cells.append(new_markdown_cell('## ' + title))
        for source in [sources] if isinstance(sources, str) else sources:
            notebook.cells.append(new_code_cell(source))
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def started(*arguments, **options):
    """Return check_file.py, just started with these arguments."""
    return subprocess.Popen([sys.executable, check_file.__file__, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


# How a copy is read.

@pytest.mark.parametrize('content, message', [
    (b'{"cells": [', 'is not a notebook of nbformat 4'),
    (b'{"worksheets": [], "nbformat": 3}', 'is not a notebook of nbformat 4'),
    (b'[' * 100000, 'is not a notebook of nbformat 4'),
    ('{}'.encode('utf-16'), 'is not a notebook of nbformat 4'),
    (b' ' * (check_file.LARGEST_COPY + 1), 'is larger than 50 MiB')])
def test_what_is_no_notebook_is_told(tmp_path, content, message):
    (tmp_path / 'copy.ipynb').write_bytes(content)
    assert message in check_file.check_copy(tmp_path / 'copy.ipynb').note


def test_what_cannot_be_read_is_told_and_has_no_checksum(tmp_path):
    assert 'No such file or directory' in check_file.check_copy(tmp_path / 'x').note
    assert check_file.checksum(tmp_path / 'x') == ''


def test_cells_that_only_people_run_are_left_out(tmp_path):
    others = new_code_cell('2', metadata={'tags': [check.SKIPPED]})
    nbformat.write(new_notebook(cells=[new_code_cell('1'), others]), tmp_path / 'copy.ipynb')
    assert check_file.read(tmp_path / 'copy.ipynb') == [('code', '1')]


@pytest.mark.parametrize('others, along', [
    ({'helper.py': b'1'}, ['helper.py']), ({'large': bytes(check_file.SMALL + 1)}, []),
    ({'helper.py': b'1', 'ben.ipynb': b'{}'}, []), ({'.DS_Store': b'1'}, [])])
def test_files_of_its_own_come_along(tmp_path, others, along):
    for name, content in {**others, 'ann.ipynb': b'{}'}.items():
        (tmp_path / name).write_bytes(content)
    assert [path.name for path in check_file.files_along(tmp_path / 'ann.ipynb')] == along


# How its cells are run.

class FakeShell(list):
    """The cells that were run, and a session in which a place is right if its title was run."""

    def run_cell(self, source):
        self.append(source)

    def judge(self, place):
        return (check.RIGHT if place in self else check.WRONG, 'text')

    def what_changed(self):
        return None


@pytest.mark.parametrize('sources, right, section', [
    (['## Weights', 'Weights', '## Cost', 'Cost'], ['Weights', 'Cost'], 'Cost'),
    (['## Weights', '## Cost', 'Weights'], ['Weights'], 'Cost'),  # in another section
    (['## Weights', '## Inputs', 'Weights'], ['Weights'], 'Inputs'),  # in one without a place
    (['## Weights', '## Train', 'Weights'], [], 'Train'),  # too late
    (['## Weights', '## Train\n## Cost', 'Weights'], [], 'Train'),
    (['## Holidays', 'Weights'], [], None)])  # another notebook
def test_places_that_are_right_and_the_section_that_is_told(sources, right, section):
    shell = FakeShell()
    told = []

    def tell(section, verdicts, note=None):
        told.append((section, [place for place in verdicts if verdicts[place][0] == check.RIGHT]))
    pairs = [('markdown' if source[0] == '#' else 'code', source) for source in sources]
    run_copy.run(pairs, shell, shell, tell)
    assert told[-1] == (section, right)


DAEMON = '''\
import os
if os.fork() == 0:
    os.setsid()
    os.execlp(%r, 'python', '-c', 'import time; time.sleep(600)')
os._exit(0)''' % sys.executable


def test_an_odd_copy_ends_alone_and_keeps_its_verdicts(tmp_path):
    folder = tmp_path / 'copies'
    touch = 'touch %s/made' % folder
    write_copy(folder / 'copy.ipynb', {
        'Imports': ['%autosave 60\n%matplotlib inline',  # magics of notebooks
                    'import check, theano, theano.tensor as T\nfrom helper import np',
                    'check.verdict = lambda title: "right"'],  # in vain
        'One-hot labels': SOLVED['One-hot labels'].source,
        'Weights': 'print(1)\nU = bytearray(4 * 2**30)',  # more memory than it may have
        'Hidden states': ['!' + touch, '%%bash\n' + touch,  # do nothing
                          'import glob, os\nfor path in glob.glob("*"): os.remove(path)'],
        'Cost': 'cost = input()',
        'Compile': DAEMON})  # leaves a process and ends its own
    (folder / 'helper.py').write_text('import numpy as np')
    (folder / 'check.py').write_text('raise SystemExit')  # not imported in place of ours
    result = check_file.check_copy(folder / 'copy.ipynb', tmp_path)
    for place, text in {
            'One-hot labels': 'right', 'Weights': 'stops with MemoryError',
            'Hidden states': 'not written yet', 'Cost': 'waits for the keyboard',
            'Compile': 'not checked'}.items():
        assert text in result.verdicts[place][1]
    assert result.note == 'a cell in section "Compile" ended the Python process'
    assert sorted(path.name for path in folder.iterdir()) == ['check.py', 'copy.ipynb', 'helper.py']
    assert not processes_in(str(tmp_path))


@pytest.mark.slow
def test_a_copy_that_prints_without_end_keeps_its_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(check_file, 'TIME_LIMIT', 20)
    write_copy(tmp_path / 'copy.ipynb', {
        'Weights': 'U = 1 / 0', 'Cost': 'while True: print(1000 * "x")'})
    result = check_file.check_copy(tmp_path / 'copy.ipynb')
    assert result.verdicts['Weights'][0] == check.WRONG
    assert result.note == ('a cell in section "Cost" was stopped after 20 seconds: is there an '
                           'endless loop?')


# What is told of it.

@pytest.mark.parametrize('verdicts, note, said, status', [
    (ALL_RIGHT, None, SENTENCE, 0),
    (ALL_RIGHT, 'a cell was changed', SENTENCE + ', but a cell was changed', 3),
    ({**ALL_RIGHT, 'Cost': (check.WRONG, 'no')}, None, '5. Cost: no', 3),
    ({}, 'it is odd', '', '/a\\x1b.ipynb cannot be checked: it is odd')])
def test_what_is_told_of_a_copy(monkeypatch, capsys, verdicts, note, said, status):
    monkeypatch.setattr(sys, 'argv', ['check_file.py', '/a\x1b.ipynb'])
    monkeypatch.setattr(check_file, 'check_copy', lambda path: Result(verdicts, note))
    with pytest.raises(SystemExit) as ended:
        check_file.main()
    assert ended.value.code == status
    assert said in capsys.readouterr().out


# A class.

def test_what_is_a_copy(tmp_path):
    for name in ['carl.IPYNB', 'ann/a.ipynb', '._ann.ipynb', 'a.txt', '.ipynb_checkpoints/a.ipynb']:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(check_file.find_copies(tmp_path)) == ['ann/a.ipynb', 'carl.IPYNB']


@pytest.fixture
def school(tmp_path, monkeypatch):
    """A class of three with a faked check: its folder, and a function that checks it."""
    folder = tmp_path / 'copies'
    folder.mkdir()
    results = {'ann.ipynb': Result({**ALL_RIGHT, 'Cost': (check.WRONG, 'not the mean'),
                                    'Compile': check.NOT_CHECKED}, 'a cell stopped'),
               'ann.IPYNB': Result(ALL_RIGHT), 'ben.ipynb': Result({}, 'it is not a notebook')}
    checked = []

    def check_copy(path, temporary):
        checked.append(path.name)
        return results[path.name]

    def run():
        """Check the class; return the names of those checked, and the rows."""
        checked.clear()
        assert check_file.check_class(folder) == 0
        with open(tmp_path / 'copies.csv', newline='', encoding='utf-8-sig') as file:
            return sorted(checked), {row[0]: row[1:-1] for row in csv.reader(file)}

    for name in results:
        (folder / name).write_text(name)
    monkeypatch.setattr(check_file, 'check_copy', check_copy)
    return folder, run


def test_table_and_screen(school, capsys):
    _, run = school
    number = len(check.PLACES)
    of_ann = {**dict.fromkeys(check.PLACES, 'right'), 'Cost': 'wrong', 'Compile': '-'}
    assert run()[1] == {
        'copy': [*check.PLACES, 'right', 'what to mend'],
        'ann.ipynb': [*of_ann.values(), str(number - 2), 'Cost: not the mean; a cell stopped'],
        'ann.IPYNB': ['right'] * number + [str(number), ''],
        'ben.ipynb': ['-'] * number + ['0', 'it is not a notebook']}
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ['0 of 3', '1 of 3', '2 of 3', '3 of 3', 'The ta']


def test_only_a_changed_copy_is_checked_again_and_no_row_is_lost(school):
    folder, run = school
    run()
    assert run()[0] == []
    (folder / 'ann.ipynb').write_text('late')
    (folder / 'ann.IPYNB').unlink()
    checked, rows = run()
    assert checked == ['ann.ipynb']
    assert set(rows) == {'copy', 'ann.ipynb', 'ann.IPYNB', 'ben.ipynb'}


def test_a_table_of_somebody_else_s_is_not_changed(school):
    folder, run = school
    folder.with_suffix('.csv').write_text('copy;points')
    with pytest.raises(check_file.CannotCheck, match='move it away'):
        run()
    assert folder.with_suffix('.csv').read_text() == 'copy;points'


@pytest.mark.slow
def test_an_interruption_leaves_nothing_but_the_rows(tmp_path):
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    write_copy(tmp_path / 'copies' / 'fast.ipynb', {'Cost': 'pass'})
    write_copy(tmp_path / 'copies' / 'slow.ipynb', {'Cost': 'while True: pass'})
    process = started(tmp_path / 'copies', env={**os.environ, 'TMPDIR': str(temporary)})
    table = tmp_path / 'copies.csv'
    while process.poll() is None and not (table.exists() and processes_in(str(temporary))):
        time.sleep(.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors.strip().startswith('Interrupted. The table')
    assert 'fast.ipynb' in table.read_text()
    assert not list(temporary.iterdir())
    assert not processes_in(str(temporary))


@pytest.mark.slow
def test_an_interruption_of_the_start_shows_no_traceback():
    process = started('missing')
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert 'Traceback' not in process.communicate()[1]


def test_a_missing_package_is_told_in_one_line(tmp_path):
    (tmp_path / 'theano.py').write_text('raise ImportError("No module named theano")')
    process = started('x', env={**os.environ, 'PYTHONPATH': str(tmp_path)})
    _, errors = process.communicate()
    assert errors == 'No module named theano: activate the environment of the exercise first\n'
