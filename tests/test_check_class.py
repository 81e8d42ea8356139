"""Tests of the check of a class."""
import csv
import sys

import check_class
import check_file
import pytest

VERDICTS = {'One-hot labels': ['right', 'right'], 'Weights': ['wrong', 'U is wrong'],
            'Hidden states': ['not written yet', 'not written yet: make it'],
            'Prediction': ['not checked', 'cannot be checked before "Hidden states" is right'],
            'Cost': ['right', 'right'], 'Compile': ['right', 'right']}


@pytest.fixture
def folder(tmp_path):
    """A folder with two copies, and with what Jupyter leaves there."""
    for name in 'copies/ann.ipynb', 'copies/b/=ben.ipynb', 'copies/.ipynb_checkpoints/ann.ipynb':
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / 'copies'


@pytest.mark.parametrize('name, found', [
    ('carl.IPYNB', True), ('._ann.ipynb', False), ('notes.txt', False)])
def test_what_is_a_copy(tmp_path, name, found):
    (tmp_path / name).touch()
    assert bool(check_class.find_copies(tmp_path)) == found


@pytest.mark.parametrize('folder', ['', str(check_class.check_file.RUN_COPY.parent.parent)])
def test_a_class_is_not_the_repository(monkeypatch, folder):
    """Nobody wants all notebooks below it to be run, those of .venv included."""
    monkeypatch.setattr(sys, 'argv', ['check_class.py', folder])
    with pytest.raises(SystemExit, match='usage|has this program in it'):
        check_class.main()


@pytest.fixture
def rows(folder, monkeypatch):
    """A function that checks the folder and returns the rows of the table."""
    def check_copy(path):
        if path.name == '=ben.ipynb':
            raise check_file.CheckError('ben cannot be read')
        return check_file.Result(VERDICTS, None)

    def run():
        monkeypatch.setattr(check_file, 'check', check_copy)
        monkeypatch.setattr(sys, 'argv', ['check_class.py', str(folder)])
        check_class.main()
        with open(str(folder) + '.csv', encoding='utf-8-sig', newline='') as file:
            return list(csv.reader(file))
    return run


def test_a_copy_is_a_row(rows):
    assert rows()[1] == ['ann'] + [text for kind, text in VERDICTS.values()] + [
        '3 of 6 places are right']


def test_a_place_is_a_column(rows):
    assert rows()[0] == ['copy', *VERDICTS, 'all']


def test_a_copy_that_could_not_be_checked_is_a_row(rows):
    assert rows()[2] == ['b/=ben'] + 6 * ['not checked'] + ['ben cannot be read']


def test_the_screen_has_a_word_for_each_place(rows, capsys):
    rows()
    line, = [line for line in capsys.readouterr().out.splitlines() if line.startswith('ann')]
    assert line.split() == 'ann right wrong empty - right right 3 of 6 places are right'.split()


def test_a_table_is_not_overwritten(rows, folder):
    rows()
    with pytest.raises(SystemExit, match='already exists and was not changed'):
        rows()


@pytest.mark.parametrize('text', ['=1+1', '+1', '-1', '@x'])
def test_a_name_is_no_formula(text):
    assert check_class.for_spreadsheet(text) == "'" + text
