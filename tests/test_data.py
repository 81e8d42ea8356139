"""Tests of data/: MNIST, the tables of runs, and the program that makes them."""
import csv
import gzip
import hashlib
import os
import re

import cells
import distributed
import numpy as np
import pytest
import runs

DATA = cells.ROOT / 'data'
README = (DATA / 'README.md').read_text(encoding='utf-8')
EVIL = gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR.")


def rows_of(name):
    """Return the rows of a table, each a dict."""
    with (DATA / name).open(newline='') as file:
        return list(csv.DictReader(file))


def row_of(name, **wanted):
    """Return the one row of a table with these values."""
    found = [row for row in rows_of(name) if wanted.items() <= row.items()]
    assert len(found) == 1, 'data/%s has %d rows with %s' % (name, len(found), wanted)
    return found[0]


def saved_cell(cell_id):
    """Return what the saved notebook's cell with this id printed."""
    return cells.printed([cell for cell in cells.read() if cell.id == cell_id])


# MNIST.

@pytest.mark.parametrize('make', [
    lambda path: None, os.mkfifo, lambda path: path.write_bytes(EVIL)],
    ids=['missing', 'fifo', 'evil'])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, make):
    (tmp_path / 'data').mkdir()
    make(tmp_path / 'data' / 'mnist.pkl.gz')
    monkeypatch.chdir(tmp_path)

    with pytest.raises(cells.NotebookError) as told:
        cells.run_cells('train_set')

    assert str(told.value) == (
        "Section \"The data\": ValueError: %s is missing or is not this repository's, and was not "
        'used. Restore it: git checkout data/mnist.pkl.gz' % (tmp_path / 'data' / 'mnist.pkl.gz'))
    assert not (tmp_path / 'code-was-run').exists()


@pytest.mark.parametrize('name', ['mnist.pkl.gz', *runs.TABLES])
def test_checksum_is_in_the_readme(name):
    checksum = hashlib.sha256((DATA / name).read_bytes()).hexdigest()
    assert '| `%s` | SHA-256 `%s` |' % (name, checksum) in README


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


# The tables.

@pytest.mark.parametrize('name', runs.TABLES)
def test_table_has_all_its_rows_in_order(name):
    columns, function, arguments = runs.TABLES[name]()
    keys = columns[:len(arguments[0])]
    expected = [tuple(map(str, these)) for these in arguments]
    assert [tuple(row[key] for key in keys) for row in rows_of(name)] == expected


@pytest.mark.parametrize('name', runs.TABLES)
def test_table_has_all_its_columns_and_values(name):
    columns, function, arguments = runs.TABLES[name]()
    for row in rows_of(name):
        assert list(row) == columns
        assert '' not in row.values() and None not in row.values(), row


@pytest.mark.parametrize('kind, words', [
    ('training_cost', 'Training cost: '), ('validation_cost', 'Validation cost: '),
    ('training_accuracy', 'Training accuracy: '), ('validation_accuracy', 'Validation accuracy: ')])
def test_row_of_the_notebook_has_the_reports_that_it_printed(kind, words):
    row = row_of('runs.csv', draw_seed='1234')
    printed = re.findall(words + ' *([\\d.]+)', saved_cell('train-code'))
    assert [row['%s_%d' % (kind, step)] for step in range(0, 1000, 100)] == printed


@pytest.mark.parametrize('column, words', [
    ('accuracy_1000', 'after step 1000'), ('accuracy_1100', 'after 100 more steps'),
    ('accuracy_slower', 'after 100 slower steps'), ('tail_average', 'average of 100 more steps')])
def test_row_of_the_notebook_has_the_accuracies_that_it_printed(column, words):
    row = row_of('runs.csv', draw_seed='1234')
    printed = re.search(words + ' +([\\d.]+)', saved_cell('lottery-numbers')).group(1)
    assert row[column] == printed


def test_row_of_the_notebook_has_its_fingerprint():
    row = row_of('runs.csv', draw_seed='1234')
    assert row['fingerprint'] in saved_cell('fingerprint-code')


def test_row_of_the_linear_classifier_has_the_accuracy_that_the_notebook_printed():
    row = row_of('networks.csv', network='linear', learning_rate='0.5', draw_seed='1234')
    assert row['test_1000'] + ' %' in saved_cell('linear-code')


def test_runs_are_all_different():
    fingerprints = [row['fingerprint'] for row in rows_of('runs.csv')]
    assert len(set(fingerprints)) == len(fingerprints)


def test_networks_and_runs_agree_where_they_have_the_same_runs():
    whole = {row['draw_seed']: row for row in rows_of('runs.csv')}
    same = [row for row in rows_of('networks.csv')
            if row['network'] == 'recurrent' and row['learning_rate'] == '0.1']
    assert len(same) == 21
    for row in same:
        assert row['test_1000'] == whole[row['draw_seed']]['accuracy_1000'], row
        assert row['test_average'] == whole[row['draw_seed']]['tail_average'], row


# tools/runs.py.

ROWS = [('scan.csv', (134, 134, 7)), ('scan.csv', (134, 228, 3)), ('scan.csv', (160, 160, 39)),
        ('runs.csv', (17,)),
        ('networks.csv', ('linear', 2, 5)), ('networks.csv', ('without_W', 4, 19)),
        ('networks.csv', ('row_biases', 8, 11)), ('networks.csv', ('recurrent', .4, 2))]


@pytest.mark.slow
@pytest.mark.parametrize('name, arguments', ROWS)
def test_row_comes_out_again(name, arguments):
    columns, function, all_arguments = runs.TABLES[name]()
    assert arguments in all_arguments
    row = [str(value) for value in function(*arguments)]
    assert row in [list(saved.values()) for saved in rows_of(name)]


@pytest.fixture
def short_scan(monkeypatch):
    """A table of two runs in place of scan.csv."""
    columns = ['W_sum', 'V_sum', 'draw_seed'] + runs.columns_of_reports([0, 100])
    arguments = [(134, 134, 0), (134, 134, 1)]
    monkeypatch.setitem(runs.TABLES, 'scan.csv', lambda: (columns, runs.early_run, arguments))


@pytest.fixture
def client():
    """A client of a Dask cluster of one worker."""
    with distributed.Client(n_workers=1, threads_per_worker=1,
                            dashboard_address='localhost:0') as client:
        yield client


@pytest.mark.slow
def test_an_interrupted_call_goes_on(client, short_scan, tmp_path):
    part = tmp_path / 'part.csv'
    part.write_text('134,134,0,from,an,earlier,call,,,,\n')
    runs.make_table(client, 'scan.csv', tmp_path / 'scan.csv', part)
    lines = (tmp_path / 'scan.csv').read_text().splitlines()
    assert lines[1] == '134,134,0,from,an,earlier,call,,,,'
    assert lines[2] in (DATA / 'scan.csv').read_text()


@pytest.mark.slow
def test_a_worker_with_other_code_is_named(client):
    future = client.submit(runs.on_worker, runs.early_run, (134, 134, 0), 'other')
    with pytest.raises(RuntimeError, match='^the worker at tcp://.* runs other code'):
        future.result()


@pytest.mark.slow
def test_a_worker_with_other_bits_is_named(client):
    client.run(lambda: setattr(runs.bitwise, 'pin', lambda: 'bitwise reproducible: no'))
    future = client.submit(runs.on_worker, runs.early_run, (134, 134, 0), runs.code_version())
    with pytest.raises(RuntimeError, match='^the worker at tcp://.*: bitwise reproducible: no'):
        future.result()


@pytest.mark.slow
def test_a_worker_with_too_little_memory_is_named():
    with distributed.Client(n_workers=1, threads_per_worker=1, memory_limit='500 MiB',
                            dashboard_address='localhost:0') as client:
        with pytest.raises(RuntimeError, match='may use 0.49 GiB of memory and needs 1 GiB'):
            runs.check_memory(client)
