"""Tests of data/: MNIST, the tables of trainings, and the program that makes them."""
import csv
import gzip
import hashlib
import os
import re
import sqlite3
from pathlib import Path

import cells
import numpy as np
import pytest
import runs
from distributed import Client

DATA = Path('data').resolve()
README = (DATA / 'README.md').read_text(encoding='utf-8')
EVIL = gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR.")


@pytest.mark.parametrize('make', [
    lambda path: None, os.mkfifo, lambda path: path.write_bytes(EVIL)])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'data' / 'mnist.pkl.gz'
    path.parent.mkdir()
    make(path)
    message = ('^Section "The data": ValueError: %s is missing or is not this repository\'s, and '
               'was not used. Restore it: git checkout data/mnist.pkl.gz$' % path)
    with pytest.raises(RuntimeError, match=message):
        cells.run_cells('train_set')
    assert not Path('code-was-run').exists()


@pytest.mark.slow
def test_data_is_mnist_and_the_readme_s_recipe_makes_it_again(nb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = [np.concatenate(both) for both in zip(nb.train_set, nb.valid_set)]
    for kind, (images, labels) in ('train', train), ('t10k', nb.test_set):
        for name, magic, array in (('%s-images-idx3-ubyte' % kind, 2051, images * 256),
                                   ('%s-labels-idx1-ubyte' % kind, 2049, labels)):
            header = np.array([magic, *array.shape], '>i4').tobytes()
            Path(name).write_bytes(header + array.astype('u1').tobytes())
            md5 = hashlib.md5(Path(name).read_bytes()).hexdigest()
            assert '| `%s` | MD5 `%s` |' % (name, md5) in README
    exec(re.search('```python\n(.*?)```', README, re.S).group(1), {})
    assert Path('mnist.pkl.gz').read_bytes() == (DATA / 'mnist.pkl.gz').read_bytes()


def test_tables_are_complete_and_agree_and_all_sums_are_in_the_readme():
    for name in 'mnist.pkl.gz', 'runs.csv', 'early.csv':
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() in README
    whole, early = ({(row['bounds'], int(row['draw_seed'])): row for row in csv.DictReader(
        (DATA / name).read_text().splitlines())} for name in ('runs.csv', 'early.csv'))
    assert set(early) == {(name, seed) for name in runs.READINGS for seed in range(1000)}
    assert set(whole) == {key for key in early if key[1] < 50} | {('glorot', 1234)}
    assert len({row['fingerprint'] for row in whole.values()}) == 151
    assert all(early[key].items() <= whole[key].items() for key in set(whole) & set(early))
    assert {*whole['glorot', 1234].values()} - {'1234'} <= {*cells.printed(cells.read()).split()}


@pytest.mark.slow
def test_rows_come_out_again_and_a_bad_worker_is_named(tmp_path):
    database = sqlite3.connect(':memory:', isolation_level=None)
    options = {'threads_per_worker': 1, 'dashboard_address': 'localhost:0'}
    with Client(n_workers=1, env={'THEANO_FLAGS': 'device=cpu'}, **options) as client:
        with pytest.raises(RuntimeError, match='worker at tcp://127.*THEANO_FLAGS is set'):
            runs.make(client, database, tmp_path / 'early.csv', [('glorot', 0)], 101)
    with Client(n_workers=2, **options) as client:
        early = [(bounds, seed) for seed in (1, 7, 600) for bounds in runs.READINGS]
        for name, pairs, steps in ('early.csv', early, 101), ('runs.csv', [('closed', 3)], 1000):
            runs.make(client, database, tmp_path / name, pairs, steps)
            again, saved = (set((folder / name).read_text().splitlines())
                            for folder in (tmp_path, DATA))
            assert len(again) == len(pairs) + 1 and again <= saved
