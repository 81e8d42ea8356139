"""Tests of data/: MNIST, the program that makes its file, and the tables of runs."""
import csv
import gzip
import hashlib
import os
import re
from pathlib import Path

import cells
import make_mnist_pkl
import numpy as np
import pytest

DATA = cells.ROOT / 'data'


def test_data_is_mnist_and_the_shuffle_keeps_pairs(nb):
    counts = {'train': [4932, 5678, 4968, 5101, 4859, 4506, 4951, 5175, 4842, 4988],
              'valid': [991, 1064, 990, 1030, 983, 915, 967, 1090, 1009, 961],
              'test': [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}
    for name, count in counts.items():
        images, labels = getattr(nb, name + '_set')
        assert images.shape == (len(labels), 28, 28) and images.dtype == np.float32
        assert images.max() == 255 / 256 and np.bincount(labels).tolist() == count
    order = np.random.RandomState(0).permutation(50000)
    assert np.array_equal(nb.X_train, nb.train_set[0][order])
    for y, labels in ((nb.Y_train, nb.train_set[1][order]), (nb.Y_valid, nb.valid_set[1]),
                      (nb.Y_test, nb.test_set[1])):
        assert y.shape[1] == 10 and np.array_equal(y.argmax(axis=1), labels)


@pytest.mark.parametrize('content', [
    None, 'FIFO', b'not gzip', gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR.")])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, content):
    path = tmp_path / 'data' / 'mnist.pkl.gz'
    path.parent.mkdir()
    if content == 'FIFO':
        os.mkfifo(str(path))
    elif content:
        path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cells.CellError) as caught:
        cells.run_cells('train_set')
    assert str(caught.value) == (
        'Section "The data": ValueError: %s is missing or is not this repository\'s, and was not '
        'used. Restore it: git checkout data/mnist.pkl.gz' % path)
    assert not Path('code-was-run').exists()


@pytest.mark.slow
def test_maker_rebuilds_the_file_or_leaves_it(nb, tmp_path):
    target = tmp_path / 'mnist.pkl.gz'
    train = [np.concatenate(both) for both in zip(nb.train_set, nb.valid_set)]
    for kind, (images, labels) in ('t10k', nb.test_set), ('train', train):
        with pytest.raises(SystemExit, match='Nothing was written: .*-idx.-ubyte'):
            make_mnist_pkl.main(tmp_path, target)
        for name, header, array in (('images-idx3', 16, images * 256), ('labels-idx1', 8, labels)):
            content = bytes(header) + array.astype('u1').tobytes()
            (tmp_path / ('%s-%s-ubyte' % (kind, name))).write_bytes(content)
    make_mnist_pkl.main(tmp_path, target)
    assert target.read_bytes() == (DATA / 'mnist.pkl.gz').read_bytes()


def test_tables_are_complete_and_agree():
    runs, early = ({(row['bounds'], int(row['draw_seed'])): row for row in csv.DictReader(
        (DATA / name).read_text().splitlines())} for name in ('runs.csv', 'early.csv'))
    readings = 'glorot', 'closed', 'output_d'
    assert set(early) == {(name, seed) for name in readings for seed in range(1000)}
    assert set(runs) == {key for key in early if key[1] < 50} | {('glorot', 1234)}
    assert len({row['fingerprint'] for row in runs.values()}) == 151
    assert all(early[key].items() <= runs[key].items() for key in set(runs) & set(early))
    saved = cells.printed()
    ours = [value for kind in ('cost', 'accuracy') for part in ('Training', 'Validation')
            for value in re.findall(r'%s %s: +(\S+)' % (part, kind), saved)]
    ours += re.findall(r'(?:after step 1000|1001 to 1100) +([\d.]+) ', saved)
    ours += re.findall('fingerprint.*: (.{16})', saved)
    assert list(runs['glorot', 1234].values())[2:] == ours


def test_checksums_are_those_of_the_readme():
    readme = (DATA / 'README.md').read_text(encoding='utf-8')
    for name in 'mnist.pkl.gz', 'runs.csv', 'early.csv':
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() in readme
