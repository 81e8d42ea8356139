"""Tests of the files in data/: MNIST, the published numbers, and the tables of trainings."""
import csv
import gzip
import hashlib
import os
import re

import bitwise
import cells
import numpy as np
import pytest
import tables

DATA = cells.ROOT / 'data'
README = (DATA / 'README.md').read_text(encoding='utf-8')
EVIL = gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR.")
# What the original printed: iteration, both costs, both accuracies.
PUBLISHED = """
0    2.547661 2.407183 0.060000 0.100000
100  2.052219 1.926936 0.270000 0.320000
200  1.528508 1.455139 0.490000 0.530000
300  1.460726 1.185985 0.520000 0.580000
400  0.873431 0.836338 0.740000 0.720000
500  0.716462 0.600864 0.770000 0.850000
600  0.414815 0.442785 0.910000 0.860000
700  0.384792 0.485726 0.930000 0.820000
800  0.575062 0.478908 0.820000 0.860000
900  0.390463 0.333552 0.920000 0.910000
1000 91.870000
"""


def rows_of(name):
    """Return the rows of a table, each a dict."""
    with (DATA / name).open(newline='') as file:
        return list(csv.DictReader(file))


def row_of(name, **wanted):
    """Return the one row of a table with these values."""
    found = [row for row in rows_of(name) if wanted.items() <= row.items()]
    assert len(found) == 1, 'data/%s has %d rows with %s' % (name, len(found), wanted)
    return found[0]


def saved_cell(notebook, cell_id):
    """Return what the cell with this id of a saved notebook printed."""
    saved = cells.read(cells.NOTEBOOKS / notebook)
    return cells.printed([cell for cell in saved if cell.id == cell_id])


# MNIST.

@pytest.mark.parametrize('make', [
    lambda path: None, os.mkfifo, lambda path: path.write_bytes(EVIL)],
    ids=['missing', 'fifo', 'evil'])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, make):
    (tmp_path / 'data').mkdir()
    make(tmp_path / 'data' / 'mnist.pkl.gz')
    monkeypatch.setattr(bitwise, '__file__', str(tmp_path / 'bitwise.py'))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(cells.NotebookError) as told:
        cells.run_cells('train_set')

    assert str(told.value) == (
        'Section "The data": ValueError: %s is missing or is another file, and was not used: '
        'download it again' % (tmp_path / 'data' / 'mnist.pkl.gz'))
    assert not (tmp_path / 'code-was-run').exists()


def test_checksum_is_in_the_readme():
    checksum = hashlib.sha256((DATA / 'mnist.pkl.gz').read_bytes()).hexdigest()
    assert '| `mnist.pkl.gz` | SHA-256 `%s` |' % checksum in README


@pytest.fixture
def idx_files(tmp_path):
    """The four files in which MNIST is distributed, made from data/mnist.pkl.gz; their folder."""
    nb = cells.run_cells('test_set')
    train = [np.concatenate(both) for both in zip(nb.train_set, nb.valid_set)]
    for kind, (images, labels) in (('train', train), ('t10k', nb.test_set)):
        header = np.array([2051, len(images), 28, 28], '>i4').tobytes()
        pixels = (images * 256).astype('u1').tobytes()
        (tmp_path / (kind + '-images-idx3-ubyte')).write_bytes(header + pixels)
        header = np.array([2049, len(labels)], '>i4').tobytes()
        (tmp_path / (kind + '-labels-idx1-ubyte')).write_bytes(
            header + labels.astype('u1').tobytes())
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('name', ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte',
                                  't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'])
def test_data_is_mnist(idx_files, name):
    checksum = hashlib.md5((idx_files / name).read_bytes()).hexdigest()
    assert '| `%s` | MD5 `%s` |' % (name, checksum) in README


@pytest.mark.slow
def test_recipe_of_the_readme_makes_the_data_again(idx_files, monkeypatch):
    recipe = re.search('```python\n(.*?)```', README, re.DOTALL).group(1)
    monkeypatch.chdir(idx_files)
    exec(recipe, {})
    assert (idx_files / 'mnist.pkl.gz').read_bytes() == (DATA / 'mnist.pkl.gz').read_bytes()


# The published numbers.

def test_published_numbers_are_those_that_the_original_printed():
    rows = [[value for value in row.values() if value] for row in rows_of('published.csv')]
    assert rows == [line.split() for line in PUBLISHED.strip().splitlines()]


# The tables.

@pytest.mark.parametrize('name', tables.TABLES)
def test_table_has_all_its_rows_in_order(name):
    table = tables.TABLES[name]
    keys = [tuple(row[column] for column in table.key) for row in rows_of(name)]
    assert keys == table.keys()


@pytest.mark.parametrize('name', tables.TABLES)
def test_table_has_all_its_columns_and_values(name):
    table = tables.TABLES[name]
    for row in rows_of(name):
        assert list(row) == table.names()
        assert '' not in row.values() and None not in row.values(), row


def limits_of(column):
    """Return the lowest and the highest value that a column can have."""
    if 'cost' in column:
        return 0, 10
    if column.startswith(('training_accuracy', 'validation_accuracy')):
        return 0, 1
    if column.startswith('distance'):
        return 0, 100
    if column.startswith('first_above'):
        return -1, 999
    return 0, 100  # per cent


@pytest.mark.parametrize('name', tables.TABLES)
def test_values_are_in_range(name):
    columns = [column for column in tables.TABLES[name].columns if column != 'fingerprint']
    for row in rows_of(name):
        for column in columns:
            low, high = limits_of(column)
            assert low <= float(row[column]) <= high, (column, row)


@pytest.mark.parametrize('kind, words', [
    ('training_cost', 'Training cost: '), ('validation_cost', 'Validation cost: '),
    ('training_accuracy', 'Training accuracy: '), ('validation_accuracy', 'Validation accuracy: ')])
def test_row_of_the_notebook_has_the_reports_that_it_printed(kind, words):
    row = row_of('runs.csv', draw_seed='1234')
    printed = re.findall(words + ' *([\\d.]+)', saved_cell('mnist_rnn.ipynb', 'train-code'))
    assert [row['%s_%d' % (kind, step)] for step in range(0, 1000, 100)] == printed


def test_row_of_the_notebook_has_its_accuracy():
    row = row_of('runs.csv', draw_seed='1234')
    assert 'Testing accuracy: %s0000 %%' % row['accuracy_1000'] in saved_cell(
        'mnist_rnn.ipynb', 'test-code')


def test_row_of_the_notebook_has_its_fingerprint():
    row = row_of('runs.csv', draw_seed='1234')
    assert row['fingerprint'] in saved_cell('mnist_rnn.ipynb', 'fingerprint-code')


def test_unchanged_run_of_one_bit_is_the_notebook_s():
    here = row_of('runs.csv', draw_seed='1234')['accuracy_1000']
    for row in rows_of('one_bit.csv'):
        if row['learning_rate'] == '0.1':
            assert row['accuracy_unchanged'] == here, row


def test_runs_are_all_different():
    fingerprints = [row['fingerprint'] for row in rows_of('runs.csv')]
    assert len(set(fingerprints)) == len(fingerprints)


# Several tables have the same training: the notebook's network at its rate, 100 images a step.

@pytest.mark.parametrize('name, wanted, column, column_of_runs', [
    ('networks.csv', {'network': 'recurrent', 'learning_rate': '0.1'},
     'test_1000', 'accuracy_1000'),
    ('networks.csv', {'network': 'recurrent', 'learning_rate': '0.1'},
     'test_average', 'tail_average'),
    ('longer.csv', {'network': 'recurrent', 'learning_rate': '0.1'},
     'test_1000', 'accuracy_1000'),
    ('changed.csv', {'network': 'recurrent', 'trained_on': 'upright'},
     'unchanged', 'tail_average')])
def test_tables_agree_where_they_have_the_same_runs(name, wanted, column, column_of_runs):
    whole = {row['draw_seed']: row for row in rows_of('runs.csv')}
    same = [row for row in rows_of(name) if wanted.items() <= row.items()]
    assert same
    for row in same:
        assert row[column] == whole[row['draw_seed']][column_of_runs], row


def test_whole_runs_begin_as_those_of_the_scan():
    key = 'W_sum', 'V_sum', 'draw_seed'
    scan = {tuple(row[column] for column in key): row for row in rows_of('scan.csv')}
    for row in rows_of('whole.csv'):
        early = scan[tuple(row[column] for column in key)]
        assert early.items() <= row.items()
