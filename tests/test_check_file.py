"""Tests of the check of a copy: exercise/check_file.py and run_copy.py."""
import os
import sys

import cells
import check
import check_file
import nbformat
import psutil
import pytest
import run_copy
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ALL_RIGHT = {place: ('right', 'right') for place in check.PLACES}


def write_copy(path, sections):
    """Write a notebook with a code cell, or several, in each section: {title: source, or list}."""
    notebook = new_notebook()
    for title, sources in sections.items():
        notebook.cells.append(new_markdown_cell('## ' + title))
        for source in [sources] if isinstance(sources, str) else sources:
            notebook.cells.append(new_code_cell(source))
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def processes_in(folder):
    """Return the processes whose home is in a folder, as a copy's are."""
    return [process for process in psutil.process_iter(['environ'])
            if str(folder) in (process.info['environ'] or {}).get('HOME', '')]


@pytest.mark.parametrize('verdicts, note, said, status', [
    (ALL_RIGHT, None, '6 of 6 places are right', 0),
    (ALL_RIGHT, 'a cell was changed', '6 of 6 places are right, but a cell was changed', 3),
    ({**ALL_RIGHT, 'Cost': ('wrong', 'no')}, None, '5. Cost: no', 3),
    ({}, 'is not a file', None, '/copy.ipynb is not a file')])
def test_what_is_told_of_a_copy(monkeypatch, capsys, verdicts, note, said, status):
    monkeypatch.setattr(sys, 'argv', ['check_file.py', '/copy.ipynb'])
    monkeypatch.setattr(check_file, 'check_copy', lambda path: check_file.Result(verdicts, note))
    with pytest.raises(SystemExit) as ended:
        check_file.main()
    assert ended.value.code == status
    assert said is None or said in capsys.readouterr().out.splitlines()


def test_names_do_nothing_to_the_terminal():
    assert check_file.shown('a\x1b[2J\n\udcff.ipynb') == 'a\\x1b[2J\\x0a\\xdcff.ipynb'


# How a copy is read.

@pytest.mark.parametrize('content, message', [
    (b'', 'is not a notebook of nbformat 4'),
    (b'{"cells": [', 'is not a notebook of nbformat 4'),
    (b'{"worksheets": [], "nbformat": 3}', 'is not a notebook of nbformat 4'),
    (b'[' * 100000, 'is not a notebook of nbformat 4'),
    (b'\xff\xfe{\x00}\x00', 'is not a notebook of nbformat 4'),
    (b' ' * (check_file.LARGEST_COPY + 1), 'is larger than 50 MiB')])
def test_what_is_no_notebook_is_told(tmp_path, content, message):
    (tmp_path / 'copy.ipynb').write_bytes(content)
    assert message in check_file.check_copy(tmp_path / 'copy.ipynb').note


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'copy.ipynb')
    assert check_file.check_copy(tmp_path / 'copy.ipynb').note == 'is not a file'


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

    def verdict(self, place):
        return ('right' if place in self else 'wrong', 'text')

    def what_changed(self):
        return None


@pytest.mark.parametrize('sources, right', [
    (['## Weights', 'Weights', '## Cost', 'Cost'], ['Weights', 'Cost']),
    (['## Weights', '## Cost', 'Weights'], ['Weights']),
    (['## Weights', '## Train', 'Weights'], []),
    (['## Holidays', 'Weights'], None)])
def test_places_that_are_right(monkeypatch, sources, right):
    shell = FakeShell()
    monkeypatch.setattr(check, 'session', shell, raising=False)
    told = []
    pairs = [('markdown' if source[0] == '#' else 'code', source) for source in sources]
    run_copy.run(pairs, shell, check, lambda section, verdicts, **note: told.append(verdicts))
    found = [place for place, (kind, _) in told[-1].items() if kind == 'right']
    assert found == (right or [])


DAEMON = '''\
import os
if os.fork() == 0:
    os.setsid()
    os.execlp(%r, 'python', '-c', 'import time; time.sleep(600)')
os._exit(0)''' % sys.executable


@pytest.fixture(scope='module')
def odd(tmp_path_factory):
    """The folder of a copy that does odd things, and its Result."""
    folder = tmp_path_factory.mktemp('odd') / 'copies'
    onehot, = [cell.source for cell in cells.saved('mnist_rnn').cells
               if cell.id == 'one-hot-labels-code']
    write_copy(folder / 'copy.ipynb', {
        'Imports': '%autosave 60\n%matplotlib inline\nimport check, theano, theano.tensor as T\n'
                   'from helper import np\n'
                   'check.verdict = lambda title: "right"',
        'One-hot labels': onehot,
        'Weights': 'print(1)\nU = bytearray(4 * 2**30)',
        'Hidden states': ['!touch %s/made' % folder, '%%%%bash\ntouch %s/made' % folder,
                          'import glob, os\nfor path in glob.glob("../*.ipynb"): os.remove(path)'],
        'Cost': 'cost = input()',
        'Compile': DAEMON})
    (folder / 'helper.py').write_text('import numpy as np')
    (folder / 'check.py').write_text('raise SystemExit')
    return folder, check_file.check_copy(folder / 'copy.ipynb', folder.parent)


@pytest.mark.parametrize('place, text', [
    ('One-hot labels', 'right'), ('Weights', 'stops with MemoryError'),
    ('Hidden states', 'not written yet'), ('Cost', 'waits for the keyboard'),
    ('Compile', 'not checked')])
def test_verdict_on_a_place_of_an_odd_copy(odd, place, text):
    _, result = odd
    assert text in result.verdicts[place][1]


def test_the_end_of_an_odd_copy_is_told(odd):
    _, result = odd
    assert result.note == 'a cell in section "Compile" ended the Python process'


def test_an_odd_copy_changes_nothing_in_its_folder(odd):
    folder, _ = odd
    assert sorted(path.name for path in folder.iterdir()) == ['check.py', 'copy.ipynb', 'helper.py']


def test_nothing_outlives_an_odd_copy(odd):
    folder, _ = odd
    assert not processes_in(folder.parent)


@pytest.mark.slow
def test_a_copy_that_prints_without_end_keeps_its_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(check_file, 'TIME_LIMIT', 20)
    write_copy(tmp_path / 'copy.ipynb', {
        'One-hot labels': 'onehot = 3', 'Cost': 'while True: print(1000 * "x")'})
    result = check_file.check_copy(tmp_path / 'copy.ipynb')
    assert result.verdicts['One-hot labels'][0] == 'wrong'
    assert result.note == ('a cell in section "Cost" was stopped after 20 seconds: is there an '
                           'endless loop?')
