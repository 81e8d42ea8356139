"""Tests of the data: MNIST, the program that makes its file, and the runs."""
import csv
import gzip
import hashlib
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import cells
import numpy as np
import pytest

DATA = cells.ROOT / 'data'
sys.path.insert(0, str(DATA))
import make_mnist_pkl as maker  # noqa: E402
import make_runs  # noqa: E402


@pytest.fixture(scope='module')
def notebook():
    """What the notebook defines before the hyper-parameters."""
    return cells.run_cells('onehot-code', skip=['digits'])


def test_data_is_mnist_in_the_tutorials_format(notebook):
    counts = {'train': [4932, 5678, 4968, 5101, 4859, 4506, 4951, 5175, 4842, 4988],
              'valid': [991, 1064, 990, 1030, 983, 915, 967, 1090, 1009, 961],
              'test': [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]}
    first = {'train': [5, 0, 4, 1, 9], 'valid': [3, 8, 6, 9, 6], 'test': [7, 2, 1, 0, 4]}
    for name, n in (('train', 50000), ('valid', 10000), ('test', 10000)):
        images, labels = getattr(notebook, name + '_set')
        assert images.shape == (n, 28, 28) and images.dtype == np.float32
        assert labels.shape == (n,) and labels.dtype == np.int64
        assert images.min() == 0 and images.max() == 255 / 256
        assert np.array_equal(images * 256, np.round(images * 256))
        assert np.bincount(labels).tolist() == counts[name] and labels[:5].tolist() == first[name]


def test_shuffle_keeps_images_and_labels_together_also_when_run_again(notebook):
    order = np.random.RandomState(0).permutation(50000)
    for again in False, True:
        names = vars(notebook)
        if again:
            for cell in cells.read_cells():
                if cell['id'] in ('shuffle-code', 'onehot-code'):
                    exec(''.join(cell['source']), names)
        assert np.array_equal(names['X_train'], notebook.train_set[0][order])
        assert np.array_equal(names['Y_labels'], notebook.train_set[1][order])
        for y, labels in ('Y_train', 'Y_labels'), ('Y_valid', 'Yv_labels'), ('Y_test', 'Yt_labels'):
            assert names[y].shape[1] == 10 and np.array_equal(names[y].argmax(axis=1), names[labels])


class RunsCode:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('kind, complaint', [
    ('missing', 'No such file'), ('truncated', 'ended before'), ('pointer', 'Not a gzipped file'),
    ('other pickle', 'SHA-256 [0-9a-f]{64}'), ('code', 'SHA-256 [0-9a-f]{64}')])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, kind, complaint):
    path, trap = tmp_path / 'data' / 'mnist.pkl.gz', tmp_path / 'code-was-run'
    path.parent.mkdir()
    if kind == 'truncated':
        path.write_bytes((DATA / 'mnist.pkl.gz').read_bytes()[:1000000])
    elif kind == 'pointer':
        path.write_bytes(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 16168846\n')
    elif kind != 'missing':
        path.write_bytes(gzip.compress(pickle.dumps(RunsCode(trap) if kind == 'code' else (1, 2, 3))))
    monkeypatch.setattr('bitwise.__file__', str(tmp_path / 'notebooks' / 'bitwise.py'))  # the data is found from it
    with pytest.raises(ValueError, match=complaint) as caught:
        cells.run_cells('load-data')
    assert str(path) in str(caught.value) and 'git checkout data/mnist.pkl.gz' in str(caught.value)
    assert not trap.exists()


def write_idx(notebook, folder):
    """Write MNIST's four IDX files, taken back from the notebook's data, the labels gzipped."""
    sets = notebook.train_set, notebook.valid_set, notebook.test_set
    images = [np.round(images * 256).astype('u1') for images, labels in sets]
    labels = [labels.astype('u1') for images, labels in sets]
    for name, x, y in (('train', np.concatenate(images[:2]), np.concatenate(labels[:2])),
                       ('t10k', images[2], labels[2])):
        header = np.array([2051, len(x), 28, 28], '>i4').tobytes()
        (folder / (name + '-images-idx3-ubyte')).write_bytes(header + x.tobytes())
        header = np.array([2049, len(y)], '>i4').tobytes()
        (folder / (name + '-labels-idx1-ubyte.gz')).write_bytes(gzip.compress(header + y.tobytes()))


def test_maker_rebuilds_the_committed_data(notebook, tmp_path):
    write_idx(notebook, tmp_path)
    content = maker.make_pickle(tmp_path)
    assert hashlib.sha256(content).hexdigest() == maker.PICKLE_SHA256 == notebook.SHA256
    readme = (DATA / 'README.md').read_text(encoding='utf-8')
    assert notebook.SHA256 in readme and hashlib.sha256((DATA / 'mnist.pkl.gz').read_bytes()).hexdigest() in readme


def test_maker_writes_a_file_that_packs_the_same_everywhere(monkeypatch, tmp_path):
    monkeypatch.setattr(maker, 'make_pickle', lambda folder: b'content')
    target = tmp_path / 'mnist.pkl.gz'
    target.write_bytes(b'an older one')
    maker.main([], target)
    assert gzip.decompress(target.read_bytes()) == b'content'
    assert target.read_bytes()[:10] == b'\x1f\x8b\x08\0\0\0\0\0\x02\xff'  # no name, no time
    assert [path.name for path in tmp_path.iterdir()] == ['mnist.pkl.gz']


@pytest.mark.parametrize('from_folder', [True, False])
def test_maker_refuses_bad_input_and_keeps_what_is_there(monkeypatch, tmp_path, from_folder):
    target = tmp_path / 'mnist.pkl.gz'
    target.write_bytes(b'the user\'s')
    (tmp_path / 'train-images-idx3-ubyte').write_bytes(b'something else')
    (tmp_path / 'train-images-idx3-ubyte.gz').write_bytes(b'no gzip')
    monkeypatch.setattr(maker, 'MIRRORS', (tmp_path.as_uri() + '/', 'http://127.0.0.1:9/'))
    with pytest.raises(SystemExit) as caught:
        maker.main([str(tmp_path)] if from_folder else [], target)
    complaint = str(caught.value)
    assert 'No usable train-images-idx3-ubyte. Nothing was written.' in complaint and 'Not a gzipped file' in complaint
    assert ('SHA-256' if from_folder else '127.0.0.1:9') in complaint
    assert target.read_bytes() == b'the user\'s' and not list(tmp_path.glob('*.part'))


@pytest.fixture(scope='module')
def runs():
    """The rows of runs.csv, dictionaries, by (as_listed, draw_seed)."""
    with open(str(make_runs.TARGET), newline='') as file:
        return {(row['as_listed'] == '1', int(row['draw_seed'])): row for row in csv.DictReader(file)}


def test_runs_are_all_there(runs):
    assert list(runs) == make_runs.RUNS and len(make_runs.RUNS) == 102
    assert list(runs[False, 0]) == make_runs.header() and all(all(row.values()) for row in runs.values())
    assert len({row['fingerprint'] for row in runs.values()}) == 102


def test_run_of_1234_is_the_saved_notebook(runs):
    printed = cells.printed()
    ours = [value for name in make_runs.REPORTS for value in re.findall(r'%s: +(\S+)' % name, printed)]
    ours.append('%.2f' % float(re.search(r'Testing accuracy: (\S+) %', printed).group(1)))
    ours.append(re.search(r'tail average.*test accuracy: (\S+) %', printed).group(1))
    ours.append(re.search(r'fingerprint.*: ([0-9a-f]{16})', printed).group(1))
    assert list(runs[False, 1234].values())[2:] == ours


@pytest.mark.parametrize('run', [(False, 3), (True, 3)])
def test_run_comes_out_again(runs, run):
    """Its first 101 steps: the reports at 0 and 100 are those of the whole run."""
    code = 'import json, make_runs; print(json.dumps(make_runs.one_run(*%r, iterations=101)))' % (run,)
    again = subprocess.run([sys.executable, '-c', code], cwd=str(DATA), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b'every bit is reproducible' in again.stderr:
        pytest.skip(again.stderr.decode())
    first = [runs[run][column] for column in make_runs.header() if re.search('(cost|accuracy)_1?00?$', column)]
    assert json.loads(again.stdout)[2:10] == first, again.stderr.decode()
