"""Tests of the check of a class: exercise/check_class.py."""
import csv
import os
import signal
import subprocess
import sys
import time

import check
import check_class
import check_file
import pytest
from test_check_file import ALL_RIGHT, processes_in, write_copy


@pytest.mark.parametrize('name, found', [
    ('carl.IPYNB', True), ('b/ben.ipynb', True), ('._ann.ipynb', False), ('notes.txt', False),
    ('.ipynb_checkpoints/ann.ipynb', False)])
def test_what_is_a_copy(tmp_path, name, found):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    assert bool(check_class.find_copies(tmp_path)) == found


@pytest.fixture
def school(tmp_path, monkeypatch):
    """A class of three with a faked check: its folder, and a function that checks it."""
    folder = tmp_path / 'copies'
    folder.mkdir()
    for name in 'ann.ipynb', 'ann.IPYNB', 'ben.ipynb':
        (folder / name).write_text(name)
    results = {'ann.ipynb': check_file.Result({**ALL_RIGHT, 'Cost': ('wrong', 'not the mean'),
                                               'Compile': ('not checked', 'cannot be checked')}),
               'ann.IPYNB': check_file.Result(ALL_RIGHT, 'a given cell was changed'),
               'ben.ipynb': check_file.Result({}, 'is not UTF-8 text')}
    checked = []
    monkeypatch.setattr(check_file, 'check_copy', lambda path, temporary: (
        checked.append(path.name), results[path.name])[1])

    def run():
        """Check the class; return the names of those checked, and the rows."""
        checked.clear()
        check_class.check_class(folder)
        with open(tmp_path / 'copies.csv', newline='', encoding='utf-8-sig') as file:
            return sorted(checked), {row[0]: row[1:-1] for row in csv.reader(file)}
    return folder, run


@pytest.mark.parametrize('name, row', [
    ('copy', [*check.PLACES, 'right', 'what to mend']),
    ('ann.ipynb', ['right'] * 4 + ['wrong', '-', '4',
                   'Cost: not the mean; Compile: cannot be checked']),
    ('ann.IPYNB', ['right'] * 6 + ['6', 'a given cell was changed']),
    ('ben.ipynb', ['-'] * 6 + ['0', 'is not UTF-8 text'])])
def test_row(school, name, row):
    _, run = school
    assert run()[1][name] == row


def test_the_screen_counts(school, capsys):
    _, run = school
    run()
    lines = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in lines] == ['0 of 3', '1 of 3', '2 of 3', '3 of 3', 'The ta']


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
    assert checked == ['ann.ipynb']
    assert set(rows) == {'copy', 'ann.ipynb', 'ann.IPYNB', 'ben.ipynb'}


def test_a_table_of_somebody_else_s_is_not_changed(school):
    folder, run = school
    folder.with_suffix('.csv').write_text('copy;points')
    with pytest.raises(check_file.NotChecked, match='move it away'):
        run()
    assert folder.with_suffix('.csv').read_text() == 'copy;points'


@pytest.mark.slow
def test_an_interruption_leaves_nothing_but_the_rows(tmp_path):
    temporary = tmp_path / 'temporary'
    temporary.mkdir()
    write_copy(tmp_path / 'copies' / 'fast.ipynb', {'Cost': 'pass'})
    write_copy(tmp_path / 'copies' / 'slow.ipynb', {'Cost': 'while True: pass'})
    process = subprocess.Popen([sys.executable, check_class.__file__, tmp_path / 'copies'],
                               env={**os.environ, 'TMPDIR': str(temporary)},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    table = tmp_path / 'copies.csv'
    while process.poll() is None and not (table.exists() and processes_in(temporary)):
        time.sleep(.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert errors.strip() == ('Interrupted. The table has the rows so far; the same command goes '
                              'on')
    assert 'fast.ipynb' in table.read_text()
    assert not list(temporary.iterdir())
    assert not processes_in(temporary)
