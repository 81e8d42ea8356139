"""Tests of data/: MNIST, the program that makes its file, and the tables of runs."""
import csv
import gzip
import hashlib
import os
import pickle
import re
from pathlib import Path

import cells
import make_mnist_pkl as maker
import numpy as np
import pytest

DATA = cells.ROOT / 'data'
REPORTS = 'Training cost', 'Validation cost', 'Training accuracy', 'Validation accuracy'


def test_data_is_mnist_in_the_tutorials_format(nb):
    counts = {'train': [4932, 5678, 4968, 5101, 4859, 4506, 4951, 5175, 4842, 4988],
              'valid': [991, 1064, 990, 1030, 983, 915, 967, 1090, 1009, 961],
              'test': [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}
    for name, n in (('train', 50000), ('valid', 10000), ('test', 10000)):
        images, labels = getattr(nb, name + '_set')
        assert images.shape == (n, 28, 28) and images.dtype == np.float32
        assert labels.shape == (n,) and labels.dtype == np.int64
        assert images.min() == 0 and images.max() == 255 / 256
        assert np.bincount(labels).tolist() == counts[name]
    order = np.random.RandomState(0).permutation(50000)
    assert np.array_equal(nb.X_train, nb.train_set[0][order])
    assert np.array_equal(nb.Y_labels, nb.train_set[1][order])
    for y, labels in ('Y_train', 'Y_labels'), ('Y_valid', 'Yv_labels'), ('Y_test', 'Yt_labels'):
        assert np.array_equal(getattr(nb, y).argmax(axis=1), getattr(nb, labels))


class RunsCode:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('kind', ['missing', 'truncated', 'code', 'FIFO'])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, kind):
    path, trap = tmp_path / 'data' / 'mnist.pkl.gz', tmp_path / 'code-was-run'
    path.parent.mkdir()
    if kind == 'truncated':
        path.write_bytes((DATA / 'mnist.pkl.gz').read_bytes()[:1000000])
    elif kind == 'code':
        path.write_bytes(gzip.compress(pickle.dumps(RunsCode(trap))))
    elif kind == 'FIFO':
        os.mkfifo(str(path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cells.CellError) as caught:
        cells.run_cells('train_set')
    assert str(caught.value) == (
        'Section "The data": ValueError: %s is missing or is not this repository\'s, and was not '
        'used. Restore it: git checkout data/mnist.pkl.gz' % path)
    assert not trap.exists()


def write_idx(nb, folder):
    """Write MNIST's four IDX files, taken back from the notebook's data, the labels gzipped."""
    sets = nb.train_set, nb.valid_set, nb.test_set
    images = [np.round(images * 256).astype('u1') for images, labels in sets]
    labels = [labels.astype('u1') for images, labels in sets]
    for name, x, y in (('train', np.concatenate(images[:2]), np.concatenate(labels[:2])),
                       ('t10k', images[2], labels[2])):
        header = np.array([2051, len(x), 28, 28], '>i4').tobytes()
        (folder / (name + '-images-idx3-ubyte')).write_bytes(header + x.tobytes())
        header = np.array([2049, len(y)], '>i4').tobytes()
        packed = gzip.compress(header + y.tobytes())
        (folder / (name + '-labels-idx1-ubyte.gz')).write_bytes(packed)


def test_maker_rebuilds_the_data(nb, tmp_path):
    write_idx(nb, tmp_path)
    content = maker.make_pickle(tmp_path)
    assert content == gzip.decompress((DATA / 'mnist.pkl.gz').read_bytes())


@pytest.mark.parametrize('from_folder', [True, False])
def test_maker_refuses_bad_input_and_keeps_what_is_there(monkeypatch, tmp_path, from_folder):
    target = tmp_path / 'mnist.pkl.gz'
    target.write_bytes(b'the user\'s')
    (tmp_path / 'train-images-idx3-ubyte').write_bytes(b'something else')
    (tmp_path / 'train-images-idx3-ubyte.gz').write_bytes(b'no gzip')
    monkeypatch.setattr(maker, 'MIRRORS', (tmp_path.as_uri() + '/', 'http://127.0.0.1:9/'))
    with pytest.raises(SystemExit, match='No usable train-images-idx3-ubyte. Nothing was written'):
        maker.main([str(tmp_path)] if from_folder else [], target)
    assert target.read_bytes() == b'the user\'s'


def read_rows(name):
    with open(str(DATA / name), newline='') as file:
        return {(row['bounds'], int(row['draw_seed'])): row for row in csv.DictReader(file)}


def test_tables_are_complete_and_agree():
    runs, early = read_rows('runs.csv'), read_rows('early.csv')
    readings = 'glorot', 'closed', 'output_d'
    assert set(early) == {(bounds, seed) for bounds in readings for seed in range(1000)}
    assert set(runs) == {key for key in early if key[1] < 50} | {('glorot', 1234)}
    assert len({row['fingerprint'] for row in runs.values()}) == 151
    for key in set(runs) & set(early):
        assert early[key].items() <= runs[key].items()
    printed = cells.printed()
    ours = [value for name in REPORTS for value in re.findall(r'%s: +(\S+)' % name, printed)]
    ours += re.findall(r'(?:after step 1000|1001 to 1100) +([\d.]+) ', printed)
    ours += re.findall(r'fingerprint.*: ([0-9a-f]{16})', printed)
    assert list(runs['glorot', 1234].values())[2:] == ours


def test_checksums_are_those_of_the_readme():
    readme = (DATA / 'README.md').read_text(encoding='utf-8')
    for name in 'mnist.pkl.gz', 'runs.csv', 'early.csv':
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() in readme
