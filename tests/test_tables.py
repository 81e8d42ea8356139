"""Tests of the files in data/, and of the trainings that the tables are made from."""
import errno
import gzip
import hashlib
import platform
import re
import subprocess
from types import SimpleNamespace

import bitwise
import cells
import experiments
import images
import networks
import numpy as np
import pytest
import runs
import tables
import theano

README = (tables.DATA / 'README.md').read_text(encoding='utf-8')


# MNIST.

def test_another_file_is_named_and_never_unpickled(tmp_path, monkeypatch):
    (tmp_path / 'data').mkdir()
    path = tmp_path / 'data' / 'mnist.pkl.gz'
    path.write_bytes(gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR."))
    monkeypatch.setattr(bitwise, '__file__', str(tmp_path / 'bitwise.py'))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(cells.NotebookError) as told:
        cells.run_cells('train_set')
    assert str(told.value).startswith('Section "The data": ValueError: %s' % path)
    assert not (tmp_path / 'code-was-run').exists()


@pytest.mark.parametrize('name', ['mnist.pkl.gz', 'published.csv'])
def test_checksum_is_in_the_readme(name):
    checksum = hashlib.sha256((tables.DATA / name).read_bytes()).hexdigest()
    assert '| `%s` | SHA-256 `%s` |' % (name, checksum) in README


@pytest.mark.slow
def test_data_comes_from_the_files_of_mnist_by_the_recipe_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nb = cells.run_cells('test_set')
    train = [np.concatenate(both) for both in zip(nb.train_set, nb.valid_set)]
    for kind, (pixels, labels) in (('train', train), ('t10k', nb.test_set)):
        for name, head, numbers in (
                (kind + '-images-idx3-ubyte', [2051, len(pixels), 28, 28], pixels * 256),
                (kind + '-labels-idx1-ubyte', [2049, len(labels)], labels)):
            content = np.array(head, '>i4').tobytes() + numbers.astype('u1').tobytes()
            (tmp_path / name).write_bytes(content)
            assert '| `%s` | MD5 `%s` |' % (name, hashlib.md5(content).hexdigest()) in README
    exec(re.search('```python\n(.*?)```', README, re.DOTALL).group(1), {})
    assert (tmp_path / 'mnist.pkl.gz').read_bytes() == (tables.DATA / 'mnist.pkl.gz').read_bytes()


# The numbers in the files.

@pytest.mark.parametrize('name', tables.KEYS)
def test_table_is_as_make_runs_writes_it_and_the_readme_says(name):
    tables.load(name)  # all rows are there
    saved = (tables.DATA / name).read_text(encoding='utf-8')
    assert saved == tables.as_text(name, tables.read(name))
    checksum = hashlib.sha256(saved.encode()).hexdigest()[:16]
    words = '**%s** (%s rows, `%s`)' % (name, format(len(tables.KEYS[name]), ','), checksum)
    assert words in README, 'another number was changed; or write this into data/README.md'


# Reading and writing a table.

HEAD = 'network,draw_seed,test\n'


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The path of a table, which is not there yet; it is to have four rows."""
    monkeypatch.setattr(tables, 'DATA', tmp_path)
    keys = tables.keys('network draw_seed', (['linear', 'recurrent'], [0, 1]))
    monkeypatch.setitem(tables.KEYS, 'small.csv', keys)
    return tmp_path / 'small.csv'


@pytest.mark.parametrize('content, told', [
    (HEAD + 'linear,1,91.00\nlinear,1,91.00\n',
     ', line 3: a row with the key linear,1 stands above. Delete the line; make runs makes missing '
     'rows'),
    (HEAD + 'line\xff,1,91.00\n', ', line 2: tools/tables.py has no row with the key line\ufffd,1'),
    (HEAD + '"linear,0,1\nlinear,1,1\n', ', line 2: tools/tables.py has no row with the key "lin'),
    (HEAD + 'linear,1\n', ', line 2: it has more or fewer values than there are columns. '),
    (HEAD + 'linear,1,91.linear,1,91.00\n', ', line 2: it has more or fewer values than there are'),
    (HEAD + 'linear,0,90.00\nlinear,1,9', ', line 3: its end is missing. '),
    (HEAD + 'linear,1,nan\n', ", line 2: test is 'nan'. "),
    (HEAD + 'linear,1,\n', ", line 2: test is ''. "),
    ('network,draw_seed,fingerprint\nlinear,1,da6c\n', ", line 2: fingerprint is 'da6c'. "),
    ('network,draw_seeds,test\nlinear,0,90.00\n',
     ' does not begin with the columns network,draw_seed: git checkout brings it back'),
    (HEAD + 'linear,0,90.00\nlinear,1,91.00\nrecurrent,1,93.00\n',
     ' lacks 1 row(s), the first with the key recurrent,0: make runs makes them')])
def test_damage_is_named(small, content, told):
    small.write_text(content, encoding='latin-1')
    with pytest.raises(tables.TableError) as error:
        tables.load('small.csv')
    assert str(error.value).startswith('%s%s' % (small, told))


def test_rows_are_loaded_in_the_order_of_their_keys(small):
    small.write_text('\ufeff' + HEAD + 'recurrent,1,93.00\nlinear,1,91.00\n'
                     'recurrent,0,92.00\nlinear,0,90.00\n', encoding='utf-8')
    assert tables.load('small.csv')['test'].tolist() == [90, 91, 92, 93]


def test_added_row_stands_in_its_place_beside_what_was_edited_meanwhile(small):
    small.write_text(HEAD + 'linear,0,89.99\nrecurrent,1,93.00\n')
    tables.add('small.csv', {'network': 'linear', 'draw_seed': '1', 'test': '91.00'})
    assert small.read_text() == HEAD + 'linear,0,89.99\nlinear,1,91.00\nrecurrent,1,93.00\n'


def test_full_disk_costs_no_row(small, monkeypatch):
    small.write_text(HEAD + 'linear,0,90.00\n')

    def full(file):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('os.fsync', full)
    with pytest.raises(OSError, match='No space left'):
        tables.add('small.csv', {'network': 'linear', 'draw_seed': '1', 'test': '91.00'})
    assert small.read_text() == HEAD + 'linear,0,90.00\n'


# Trainings.

def test_training_is_the_notebook_s_own(short_run):
    network = networks.at_start('recurrent')
    batches = networks.draw_batches(short_run.draw_seed, 20)
    row = networks.train_with_reports(network, batches, short_run.learning_rate, every=10)
    assert row == {'%s_%d' % (kind, i): '%f' % values[i]
                   for kind, values in short_run.quantities.items() for i in (0, 10)}
    assert networks.fingerprint(network.get_values()) == short_run.fingerprint
    labels = short_run.Yt_labels[:600]
    accuracy = networks.accuracy(network, network.get_values(), short_run.X_test[:600], labels)
    assert accuracy == '%.2f' % (100 * np.mean(short_run.test_pred[:600] == labels))


def test_states_are_the_notebook_s_own(short_run):
    nb, network = networks.notebook(), networks.at_start('recurrent')
    given = {nb.x: short_run.X_test[:3]}
    assert np.array_equal(network.states[-1].eval(given), nb.h_states.eval(given))


@pytest.mark.parametrize('name, key', [
    ('scan.csv', '134,228,3'), ('early.csv', '200,110,of_134,0'), ('early.csv', '134,134,taken,0')])
def test_row_begins_as_saved(monkeypatch, name, key):
    """After a single step. The slow tests train rows to the end."""
    draw = networks.draw_batches
    monkeypatch.setattr(experiments, 'draw_batches', lambda seed, steps: draw(seed, steps)[:1])
    row = experiments.make_row(name, key)
    assert 'validation_cost_0' in row
    assert row.items() <= tables.read(name)[key].items()


@pytest.mark.parametrize('name', [name for name in tables.KEYS if name != 'ink.csv'])
def test_last_row_has_the_columns_of_its_table(monkeypatch, name):
    """Without training and measuring, which take minutes.

    train is also replaced in networks, where train_with_reports calls it. ink.csv is left out: it
    also evaluates the states of a thousand images, 29 times.
    """
    def not_training(net, batches, learning_rate, change=None):
        return ((0, 0) for batch in batches)
    for module in experiments, networks:
        monkeypatch.setattr(module, 'train', not_training)
    monkeypatch.setattr(experiments, 'evaluated', lambda *args: (0, 0))
    for change in 'transform', 'with_pixels', 'with_means':
        monkeypatch.setattr(images, change, lambda images, *args: images)
    for measurement in 'accuracy', 'test_accuracy', 'largest_curvature':
        monkeypatch.setattr(experiments, measurement, lambda *args: 0)
    key = list(tables.KEYS[name])[-1]
    row = experiments.make_row(name, key)
    assert list(row) == list(tables.read(name)[key])


def test_values_and_averages_of_a_run():
    """Of a network whose one weight is the number of steps taken, as its costs are."""
    network = SimpleNamespace(steps=0)
    network.get_values = lambda: [np.array([float(network.steps)])]

    def training():
        for k in range(4):
            network.steps += 1
            yield network.steps, None
    found = networks.run(network, training(), measured_at=[0, 1, 4], averaged=2)
    assert found.costs == [1, 2, 3, 4]
    assert found.values == {0: [0], 1: [1], 4: [4]}
    assert found.averages == {0: [0], 1: [.5], 4: [3.5]}


@pytest.mark.slow
def test_curvature_along_the_gradient_is_the_hessian_s_and_below_the_largest():
    nb, network = networks.notebook(), networks.at_start('recurrent')
    first_300 = nb.X_train[:300], nb.Y_train[:300]
    start = network.get_values()
    largest = experiments.largest_curvature(network)
    gradients = theano.function([nb.x, nb.y], network.gradients)(*first_300)
    vector = np.concatenate([part.ravel() for part in gradients])
    length = np.linalg.norm(vector)
    product = experiments.hessian_product()(*first_300, vector / length)

    def cost_at(step):
        network.set_values([value + step * part / length for value, part in zip(start, gradients)])
        return network.evaluate(*first_300)[0]
    along = (cost_at(1e-3) - 2 * cost_at(0) + cost_at(-1e-3)) / 1e-6
    assert np.isclose(along, product @ vector / length, rtol=1e-3)
    assert along < largest < 10 * along  # the gradient points to where the cost is most curved


# Changed images.

# One image: a digit 2 by 2 pixels large, left of and above the centre.
DIGIT = np.zeros((1, 28, 28))
DIGIT[0, 10:12, 8:10] = .5


@pytest.mark.parametrize('change, amount, rows, columns', [
    ('down', 3, slice(13, 15), slice(8, 10)), ('right', 1, slice(10, 12), slice(9, 11)),
    ('turned', 90, slice(18, 20), slice(10, 12))])  # to the left, about the centre
def test_image_is_moved(change, amount, rows, columns):
    expected = np.zeros((1, 28, 28))
    expected[0, rows, columns] = .5
    assert np.array_equal(images.CHANGES[change](DIGIT, amount), expected)


def test_most_varying_pixels_get_their_means():
    before = np.random.RandomState(0).uniform(size=(5, 28, 28))
    found = images.CHANGES['most'](before, 2).reshape(5, 784)
    places = images.pixels_by_variation()[-2:]
    pixels = networks.notebook().train_set[0].reshape(-1, 784)
    assert np.all(found[:, places] == pixels[:, places].mean(axis=0, dtype=float))
    assert np.sum(found != before.reshape(5, 784)) == 10


# Rows again: the first one of each network and, of each table, another one after each commit.

def first_rows():
    """Return a row for each network, {network: (table, key)}: if possible, one of 1,000 steps."""
    found = {}
    for name in ['networks.csv', 'sizes.csv', *tables.KEYS]:
        for key, values in tables.KEYS[name].items():
            if 'network' in values:
                found.setdefault(values['network'], (name, key))
    return found


def key_of_this_commit(name):
    """Return the key of a row of a table that the current commit chooses."""
    # By a shell, since git may be missing.
    done = subprocess.run('git rev-parse HEAD', shell=True, cwd=cells.ROOT, capture_output=True)
    chosen = hashlib.sha256(done.stdout + name.encode()).hexdigest()
    keys = list(tables.KEYS[name])
    return keys[int(chosen, 16) % len(keys)]


FIRST_ROWS = first_rows()
ROWS_OF_THIS_COMMIT = [(name, key_of_this_commit(name)) for name in tables.KEYS]


@pytest.mark.parametrize('network', FIRST_ROWS)
def test_network_is_named_in_the_readme(network):
    assert '`%s`' % network in README, 'data/README.md does not say what this network is'


@pytest.mark.parametrize('network', FIRST_ROWS)
def test_network_computes_from_its_start(network):
    nb, net = networks.notebook(), networks.at_start(network)
    cost, predicted = net.evaluate(nb.X_train[:3], nb.Y_train[:3])
    assert predicted.shape == (3,)


@pytest.mark.slow
@pytest.mark.parametrize('name, key', [*FIRST_ROWS.values(), *ROWS_OF_THIS_COMMIT])
def test_row_comes_out_again(name, key):
    if bitwise.pin() != bitwise.YES:
        pytest.skip('the bits are other ones on this machine')
    if platform.machine() != 'x86_64' and (',400,' in key or 'wide' in key):
        pytest.skip('the bits are other ones on ARM: see data/README.md')
    row, saved = experiments.make_row(name, key), tables.read(name)[key]
    assert row == saved
    assert list(row) == list(saved)


# make runs.

@pytest.fixture
def client(monkeypatch):
    """A client of a Dask cluster of one worker, as make runs makes it."""
    monkeypatch.delenv('DASK_SCHEDULER_ADDRESS', raising=False)
    monkeypatch.setattr(runs, 'number_of_workers', lambda: 1)
    with runs.connect() as client:
        yield client


@pytest.mark.slow
def test_missing_row_is_made_and_added(client, monkeypatch, tmp_path):
    saved = (tables.DATA / 'scan.csv').read_text()
    lines = saved.splitlines(keepends=True)
    (tmp_path / 'scan.csv').write_text(''.join(lines[:7] + lines[8:]))
    monkeypatch.setattr(tables, 'DATA', tmp_path)
    runs.make_missing_rows(client, 'scan.csv')
    assert (tmp_path / 'scan.csv').read_text() == saved


@pytest.mark.slow
def test_worker_that_would_make_other_rows_is_named(client):
    future = client.submit(runs.make_row_here, 'scan.csv', '112,112,0', 'other')
    with pytest.raises(runs.RunsError, match='^the worker at tcp://.* runs other code'):
        future.result()
    client.run(lambda: setattr(runs.bitwise, 'canary', lambda: [0.5]))
    future = client.submit(runs.make_row_here, 'scan.csv', '112,112,0', experiments.CODE_CHECKSUM)
    with pytest.raises(runs.RunsError, match='^the worker at tcp://.* rounds differently'):
        future.result()


def test_worker_with_too_little_memory_is_named():
    workers = {'tcp://here': {'memory_limit': 500 * 2 ** 20}}
    client = SimpleNamespace(scheduler_info=lambda n_workers: {'workers': workers})
    with pytest.raises(runs.RunsError, match='tcp://here may use less than 1 GiB of memory'):
        runs.check_memory(client)
