"""Tests of the notebook's code, run from its own cells, and of the files around it."""
import ast
import gzip
import hashlib
import importlib.util
import json
import os
import pickle
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import yaml

from conftest import NOTEBOOK, figures, read_cells, source

ROOT = NOTEBOOK.parent.parent


def start(code, **environment):
    """Start Python on code, in the notebook's folder, with these environment variables set."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('THEANO', 'OPENBLAS', 'NPY_'))}
    return subprocess.Popen([sys.executable, '-c', code], cwd=NOTEBOOK.parent, env={**kept, **environment},
                            universal_newlines=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture(scope='session', autouse=True)
def c_backend(tmp_path_factory):
    """check_step on the C backend, started first, as its compiler takes half a minute; None without one.

    Two time steps of the 28 go through every kind of operation and keep the compilation short.
    """
    if not shutil.which('g++') or not Path(sysconfig.get_paths()['include'], 'Python.h').exists():
        yield None
        return
    code = '\n'.join((
        'import sys', 'sys.path.insert(0, "../tests")', 'import conftest',
        'notebook = conftest.run_cells("compile-code", time_steps=2)',
        'import test_mnist_rnn', 'test_mnist_rnn.check_step(notebook)', 'print("the step is right")'))
    process = start(code, MPLBACKEND='Agg', THEANO_FLAGS='mode=FAST_RUN,cxx=g++,base_compiledir=%s'
                    % tmp_path_factory.mktemp('compiled'))
    yield process
    process.kill()
    process.communicate()


# One-hot labels

@pytest.mark.parametrize('dtype', ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'])
@pytest.mark.parametrize('shape', [(10,), (10, 1)])
def test_onehot_encodes_every_integer_dtype_and_both_shapes(notebook, dtype, shape):
    labels = np.array([3, 1, 4, 0, 5, 9, 2, 6, 8, 7], dtype=dtype)
    encoded = notebook.onehot(labels.reshape(shape))
    assert encoded.shape == (10, 10) and encoded.dtype == np.float64
    for row, label in zip(encoded, labels):
        assert row.tolist() == [float(k == label) for k in range(10)]


@pytest.mark.parametrize('labels, classes', [([2], [2]), ([[7], [0]], [7, 0]), ([], []), (np.zeros((0, 1), int), [])])
def test_onehot_encodes_lists_and_nothing(notebook, labels, classes):
    encoded = notebook.onehot(labels)
    assert encoded.shape == (len(classes), 10)
    assert np.flatnonzero(encoded).tolist() == [10 * i + k for i, k in enumerate(classes)]


@pytest.mark.parametrize('labels, complaint', [
    ([3, -1], 'label -1, at position 1'), ([10], 'label 10, at position 0'), ([2.5], 'float64'),
    ([np.nan], 'float64'), (['3'], '<U1'), ([True], 'bool'), ([None], 'object'), (3, r'shape \(\)'),
    ([[1, 2], [3, 4]], r'shape \(2, 2\)'), (np.zeros((2, 1, 1), int), r'shape \(2, 1, 1\)')])
def test_onehot_refuses_what_it_cannot_encode(notebook, labels, complaint):
    with pytest.raises(ValueError, match=complaint):
        notebook.onehot(labels)


# The data

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
        assert np.bincount(labels).tolist() == counts[name]
        assert labels[:5].tolist() == first[name]


def test_shuffle_keeps_images_and_labels_together(notebook):
    images, labels = notebook.train_set
    order = np.random.RandomState(0).permutation(50000)
    assert np.array_equal(notebook.X_train, images[order])
    assert np.array_equal(notebook.Y_labels, labels[order])
    assert np.array_equal(notebook.Y_train.argmax(axis=1), notebook.Y_labels)
    assert notebook.Y_valid.shape == notebook.Y_test.shape == (10000, 10)


class RunsCode:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def damage(path, kind):
    """Write, at path, what may lie there in place of the data; return a trap that must stay shut."""
    trap = path.with_name('code-was-run')
    if kind == 'truncated':
        path.write_bytes((ROOT / 'data' / 'mnist.pkl.gz').read_bytes()[:1000000])
    elif kind == 'pointer':
        path.write_bytes(b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 16168846\n')
    elif kind != 'missing':
        path.write_bytes(gzip.compress(pickle.dumps(RunsCode(trap) if kind == 'code' else (1, 2, 3))))
    return trap


@pytest.mark.parametrize('kind, error, complaint', [
    ('missing', FileNotFoundError, 'is missing'), ('truncated', ValueError, 'is damaged'),
    ('pointer', ValueError, 'no gzip file'), ('other pickle', ValueError, 'does not hold the MNIST'),
    ('code', ValueError, 'does not hold the MNIST')])
def test_bad_data_is_named_and_never_unpickled(notebook, tmp_path, kind, error, complaint):
    trap = damage(tmp_path / 'mnist.pkl.gz', kind)
    with pytest.raises(error, match=complaint) as caught:
        notebook.load_data([tmp_path])
    assert str(tmp_path) in str(caught.value) and 'data/README.md' in str(caught.value)
    assert not trap.exists()


@pytest.fixture
def maker():
    """data/make_mnist_pkl.py as a module."""
    spec = importlib.util.spec_from_file_location('make_mnist_pkl', ROOT / 'data' / 'make_mnist_pkl.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_idx(notebook, folder):
    """Write MNIST's four IDX files, taken back from the notebook's data, the labels gzipped."""
    images = [np.round(s[0] * 256).astype('u1') for s in (notebook.train_set, notebook.valid_set, notebook.test_set)]
    labels = [s[1].astype('u1') for s in (notebook.train_set, notebook.valid_set, notebook.test_set)]
    for name, x, y in (('train', np.concatenate(images[:2]), np.concatenate(labels[:2])),
                       ('t10k', images[2], labels[2])):
        header = np.array([2051, len(x), 28, 28], '>i4').tobytes()
        (folder / (name + '-images-idx3-ubyte')).write_bytes(header + x.tobytes())
        header = np.array([2049, len(y)], '>i4').tobytes()
        (folder / (name + '-labels-idx1-ubyte.gz')).write_bytes(gzip.compress(header + y.tobytes()))


def test_maker_rebuilds_the_committed_data(notebook, maker, tmp_path):
    write_idx(notebook, tmp_path)
    content = maker.make_pickle(tmp_path)
    assert hashlib.sha256(content).hexdigest() == maker.PICKLE_SHA256 == notebook.SHA256
    readme = (ROOT / 'data' / 'README.md').read_text(encoding='utf-8')
    committed = (ROOT / 'data' / 'mnist.pkl.gz').read_bytes()
    assert notebook.SHA256 in readme and hashlib.sha256(committed).hexdigest() in readme


def test_maker_writes_a_file_that_packs_the_same_everywhere(maker, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(maker, 'make_pickle', lambda folder: b'content')
    target = tmp_path / 'mnist.pkl.gz'
    target.write_bytes(b'an older one')
    maker.main([], target)
    assert gzip.decompress(target.read_bytes()) == b'content'
    assert target.read_bytes()[:10] == b'\x1f\x8b\x08\0\0\0\0\0\x02\xff'  # no name, no time
    assert [path.name for path in tmp_path.iterdir()] == ['mnist.pkl.gz']


@pytest.mark.parametrize('from_folder', [True, False])
def test_maker_refuses_bad_input_and_keeps_what_is_there(maker, monkeypatch, tmp_path, from_folder):
    target = tmp_path / 'mnist.pkl.gz'
    target.write_bytes(b'the user\'s')
    (tmp_path / 'train-images-idx3-ubyte').write_bytes(b'something else')
    (tmp_path / 'train-images-idx3-ubyte.gz').write_bytes(b'no gzip')
    monkeypatch.setattr(maker, 'MIRRORS', (tmp_path.as_uri() + '/', 'http://127.0.0.1:9/'))
    with pytest.raises(SystemExit) as caught:
        maker.main([str(tmp_path)] if from_folder else [], target)
    complaint = str(caught.value)
    assert 'No usable train-images-idx3-ubyte. Nothing was written.' in complaint
    assert 'Not a gzipped file' in complaint
    assert ('SHA-256' if from_folder else '127.0.0.1:9') in complaint
    assert target.read_bytes() == b'the user\'s'
    assert not list(tmp_path.glob('*.part'))


# The network

def test_weights_have_their_shapes_and_glorots_bounds(notebook):
    rng = np.random.RandomState(1234)
    for weight, shape in ((notebook.U, (28, 100)), (notebook.W, (100, 100)), (notebook.V, (100, 10))):
        bound = (6 / sum(shape)) ** .5
        assert np.array_equal(weight.get_value(), rng.uniform(-bound, bound, shape))
    assert notebook.b_hidden.get_value().tolist() == [0] * 100
    assert notebook.b_V.get_value().tolist() == [0] * 10


@pytest.mark.parametrize('n', [1, 100, 137])
def test_outputs_have_their_shapes(notebook, n):
    before = [weight.get_value() for weight in notebook.weights]
    for function in (notebook.cost_pred, notebook.sgd_step):
        cost, pred = function(notebook.X_valid[:n], notebook.Y_valid[:n])
        assert cost.shape == () and np.isfinite(cost)
        assert pred.shape == (n,) and set(pred) <= set(range(10))
    for weight, value in zip(notebook.weights, before):
        assert not np.array_equal(weight.get_value(), value)  # the step moved all five
        weight.set_value(value)


def test_probabilities_sum_to_one(notebook):
    prob = notebook.y_prob.eval({notebook.x: notebook.X_valid[:137]})
    assert prob.shape == (137, 10) and (prob > 0).all()
    assert np.allclose(prob.sum(axis=1), 1, rtol=0, atol=1e-12)


def numpy_step(weights, x, y, rate=0.1):
    """One step of SGD by back-propagation through time, written from the equations.

    weights: U, W, V, b_hidden, b_V. x: (n, 28, 28). y: one-hot (n, 10).
    Returns the cost before the step, the predictions, and the five weights after it.
    """
    U, W, V, b_hidden, b_V = weights
    n, steps = x.shape[:2]
    h = [np.zeros((n, 100))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ U + h[-1] @ W + b_hidden))
    mean = sum(h[1:]) / steps
    scores = mean @ V + b_V
    prob = np.exp(scores - scores.max(axis=1, keepdims=True))
    prob /= prob.sum(axis=1, keepdims=True)
    cost = -np.log(prob[y == 1]).mean()
    d_scores = (prob - y) / n
    d_mean = d_scores @ V.T
    d_U, d_W, d_b = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b_hidden)
    d_h = np.zeros_like(mean)
    for t in reversed(range(steps)):
        d_a = (d_h + d_mean / steps) * (1 - h[t + 1] ** 2)
        d_U += x[:, t].T @ d_a
        d_W += h[t].T @ d_a
        d_b += d_a.sum(axis=0)
        d_h = d_a @ W.T
    gradients = d_U, d_W, mean.T @ d_scores, d_b, d_scores.sum(axis=0)
    return cost, prob.argmax(axis=1), [w - rate * d for w, d in zip(weights, gradients)]


def check_step(notebook):
    """Compare one sgd_step on a real mini-batch, from weights with biases, with numpy_step."""
    rng = np.random.RandomState(5)
    start = [w.get_value() for w in notebook.weights]
    weights = start[:3] + [rng.normal(size=100) / 10, rng.normal(size=10) / 10]
    for weight, value in zip(notebook.weights, weights):
        weight.set_value(value)
    x, y = notebook.X_train[:100], notebook.Y_train[:100]
    expected_cost, expected_pred, expected = numpy_step(weights, x[:, :notebook.time_steps].astype(float), y)
    cost, pred = notebook.sgd_step(x, y)
    stepped = [w.get_value() for w in notebook.weights]
    for weight, value in zip(notebook.weights, start):
        weight.set_value(value)
    assert abs(cost - expected_cost) < 1e-10
    assert np.array_equal(pred, expected_pred)
    for ours, theirs in zip(stepped, expected):
        assert np.abs(ours - theirs).max() < 1e-10


def test_step_equals_back_propagation_in_numpy(notebook):
    check_step(notebook)


# Whether the arithmetic is exact

def why_inexact(notebook, monkeypatch, **changes):
    """Return the notebook's why_inexact() on a machine where all is well but for the changes."""
    machine = dict(platform='linux', machine='x86_64', libc=('glibc', '2.36'), numpy='1.23.5', avx2=True,
                   flags='', exact=True, **notebook.pins)
    machine.update(changes)
    names = notebook.why_inexact.__globals__
    monkeypatch.setattr(sys, 'platform', machine['platform'])
    monkeypatch.setattr('platform.machine', lambda: machine['machine'])
    monkeypatch.setattr('platform.libc_ver', lambda: machine['libc'])
    monkeypatch.setattr(notebook.metadata, 'version', lambda name: machine['numpy'])
    monkeypatch.setattr(notebook.metadata, 'files', lambda name: [Path('libopenblas64_p-r0-742d56dc.3.20.so')])
    monkeypatch.setitem(names, 'cpu_has', lambda *features: machine['avx2'])
    monkeypatch.setitem(names, 'own_flags', machine['flags'])
    monkeypatch.setitem(names, 'exact', machine['exact'])
    for name in notebook.pins:
        monkeypatch.setenv(name, machine[name])
    return notebook.why_inexact()


@pytest.mark.parametrize('changes, reason', [
    ({}, None),
    ({'exact': False}, 'exact is set to False'),
    ({'platform': 'darwin'}, 'not Linux on x86-64'),
    ({'platform': 'win32', 'machine': 'AMD64'}, 'not Linux on x86-64'),
    ({'machine': 'aarch64'}, 'on aarch64, not Linux on x86-64'),
    ({'libc': ('glibc', '2.17')}, 'not glibc 2.28 or later'),
    ({'libc': ('', '')}, 'not glibc 2.28 or later'),
    ({'numpy': '1.22.0'}, 'not the wheel of 1.23.5'),
    ({'avx2': False}, 'no AVX2'),
    ({'OPENBLAS_NUM_THREADS': '8'}, 'NumPy was imported before this cell'),
    ({'flags': 'device=cpu'}, 'THEANO_FLAGS is set')])
def test_notebook_says_why_its_arithmetic_is_not_exact(notebook, monkeypatch, changes, reason):
    verdict = why_inexact(notebook, monkeypatch, **changes)
    assert verdict is None if reason is None else reason in verdict


def test_configuration_wins_over_the_machine(notebook, tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ndevice = cuda\nfloatX = float32\nmode = FAST_RUN\n')
    code = source('theano-flags-code') + '\n'.join((
        '', 'c = theano.config', 'import numpy',
        'print(c.device, c.floatX, c.mode, [os.environ.get(name) == pins[name] for name in pins])'))
    out, err = start(code, HOME=str(tmp_path), USERPROFILE=str(tmp_path), OPENBLAS_NUM_THREADS='8',
                     OPENBLAS_CORETYPE='Prescott', NPY_DISABLE_CPU_FEATURES='AVX2').communicate()
    pinned = [out.startswith('exact arithmetic: yes')] * len(notebook.pins)
    assert out.splitlines()[-1] == 'cpu float64 FAST_COMPILE %s' % pinned
    assert err == ''


def test_configuration_says_that_numpy_came_first():
    out, err = start('import numpy\n' + source('exact')).communicate()
    here = sys.platform, platform.machine()
    reason = 'NumPy was imported before' if here == ('linux', 'x86_64') else 'this is'
    assert out.startswith('exact arithmetic: no, because ' + reason) and err == ''


@pytest.mark.parametrize('flags', ['mode=NONSENSE', 'floatX=int7'])
def test_bad_theano_flags_are_named(flags):
    out, err = start(source('theano-flags-code'), THEANO_FLAGS=flags).communicate()
    assert err.splitlines()[-1].startswith('ValueError: THEANO_FLAGS=%s is not understood: ' % flags)


def test_papermill_runs_it_from_the_root_in_a_hostile_place(tmp_path):
    """A folder with spaces and umlauts, a .theanorc, a backend without a display, other hyper-parameters."""
    root = tmp_path / 'Käse und Brot'
    (root / 'notebooks').mkdir(parents=True)
    (root / 'data').mkdir()
    shutil.copy(str(ROOT / 'data' / 'mnist.pkl.gz'), str(root / 'data'))
    saved = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    ids = [cell['id'] for cell in saved['cells']]
    saved['cells'] = saved['cells'][:ids.index('test-code') + 1]
    (root / 'notebooks' / 'short.ipynb').write_text(json.dumps(saved), encoding='utf-8')
    (root / '.theanorc').write_text('[global]\ndevice = cuda\nfloatX = float32\n')
    environment = dict(os.environ, HOME=str(root), USERPROFILE=str(root), MPLBACKEND='TkAgg', PYTHONIOENCODING='utf-8')
    environment.pop('DISPLAY', None)
    run = subprocess.run([sys.executable, '-m', 'papermill', '-k', 'python3', '-p', 'iterations', '2',
                          '-p', 'hidden_d', '30', 'notebooks/short.ipynb', 'out.ipynb'],
                         cwd=str(root), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout.decode('utf-8', 'replace')
    printed = [''.join(output.get('text', '')) for cell in json.loads(
        (root / 'out.ipynb').read_text(encoding='utf-8'))['cells'] for output in cell.get('outputs', [])]
    assert 'Iteration:           0' in ''.join(printed) and 'W        (30, 30)' in ''.join(printed)
    assert not [output for cell in saved['cells'] for output in cell.get('outputs', []) if output.get('name') == 'stderr']


# What is saved and written down

@pytest.fixture(scope='module')
def printed():
    """What the saved notebook printed, as one text."""
    return ''.join(''.join(output.get('text', '')) for cell in read_cells() for output in cell['outputs'])


def test_notebook_is_saved_as_run(printed):
    cells = read_cells()
    assert [cell['execution_count'] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(set(cell['metadata']) <= {'tags'} for cell in cells)  # no timings
    outputs = [output for cell in cells for output in cell['outputs']]
    assert not [output for output in outputs if output['output_type'] == 'error' or output.get('name') == 'stderr']
    assert not re.search('Warning|WARNING|Traceback', printed)
    assert not re.search(r'/(home|root|tmp|Users)/', json.dumps(read_cells() + read_cells('markdown')))
    assert printed.startswith('exact arithmetic: yes')
    assert len(set(re.findall('fingerprint.* ([0-9a-f]{16})', printed))) == 1


def test_readme_gives_the_saved_numbers_and_figures(printed):
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    flat = re.sub(r'[ *|]+', ' ', readme)
    names = 'Training cost', 'Validation cost', 'Training accuracy', 'Validation accuracy'
    ours = [re.findall(r'%s: +([0-9.]+)' % name, printed) for name in names]
    published = ast.literal_eval(re.search(r'published = (\{.*?\})', source('published-code'), re.S).group(1))
    for k in range(10):
        row = ' '.join('%s %s' % ('%.6f' % published[name][k], ours[j][k]) for j, name in enumerate(names))
        assert ' %d %s ' % (100 * k, row) in flat
    for number in re.findall('accuracy: ([0-9.]+) %', printed) + re.findall('[0-9a-f]{16}', printed):
        assert re.sub(r'0000$', '', number) in readme
    for path, figure in figures().items():
        assert path.read_bytes() == figure, '%s is not the notebook\'s figure: make save' % path


def test_environments_agree():
    pins = dict(re.findall(r'^([a-z]+)==(\S+)', (ROOT / 'requirements.txt').read_text(), re.M))
    constraints = (ROOT / 'constraints.txt').read_text()
    for name, version in pins.items():
        assert re.search(r'^%s==%s$' % (name, re.escape(version)), constraints, re.M)
    assert "'%s'" % pins['numpy'] in source('exact')
    low, high = re.search(r'\(3, (\d+)\) <= sys.version_info\[:2\] <= \(3, (\d+)\)', (ROOT / 'Makefile').read_text()).groups()
    supported = ['3.%d' % minor for minor in range(int(low), int(high) + 1)]
    *conda, pip = yaml.safe_load((ROOT / 'environment.yml').read_text())['dependencies']
    assert conda[0].split('=')[1] in supported and conda[1:] == ['pip'] and pip == {'pip': ['-r requirements.txt']}
    workflow = yaml.safe_load((ROOT / '.github' / 'workflows' / 'ci.yml').read_text())
    assert workflow['jobs']['linux']['strategy']['matrix']['python'] == supported


# Last, as it waits for the compiler that the fixture c_backend started

def test_step_equals_back_propagation_in_numpy_on_the_c_backend(c_backend):
    if c_backend is None:
        pytest.skip('no g++ or no Python headers')
    out, err = c_backend.communicate()
    assert 'mode FAST_RUN, C compiler: g++' in out
    assert 'the step is right' in out, err
