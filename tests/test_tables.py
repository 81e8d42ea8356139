"""Tests of the files in data/, and of the trainings that the tables are made from."""
import errno
import gzip
import hashlib
import os
import platform
import re
import subprocess
from types import SimpleNamespace

import bitwise
import cells
import distributed
import experiments
import images
import networks
import numpy as np
import pytest
import runs
import tables
import theano

README = (tables.DATA / 'README.md').read_text(encoding='utf-8')
EVIL = gzip.compress(b"cposix\nsystem\n(S'touch code-was-run'\ntR.")


# MNIST.

@pytest.mark.parametrize('make', [
    lambda path: None, os.mkfifo, lambda path: path.write_bytes(EVIL)],
    ids=['missing', 'fifo', 'evil'])
def test_bad_data_is_named_and_never_unpickled(tmp_path, monkeypatch, make):
    (tmp_path / 'data').mkdir()
    path = tmp_path / 'data' / 'mnist.pkl.gz'
    make(path)
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


def test_row_of_the_notebook_has_what_it_printed():
    row = tables.read('runs.csv')['1234']
    printed = cells.printed(cells.read(cells.NOTEBOOK).cells)
    for kind in 'Training cost', 'Validation cost', 'Training accuracy', 'Validation accuracy':
        column = kind.lower().replace(' ', '_')
        in_table = [row['%s_%d' % (column, step)] for step in range(0, 1000, 100)]
        assert in_table == re.findall(kind + ': +([\\d.]+)', printed), 'row 1234 of data/runs.csv'
    assert 'Testing accuracy: %s0000 %%' % row['accuracy_1000'] in printed
    assert 'step 1000: ' + row['fingerprint'] in printed


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
    (HEAD + 'linear,1,91.00\nlinear,1,91.00\n', 'line 3: a row with the key linear,1 stands above'),
    (HEAD + 'linear,01,91.00\n', 'line 2: tools/tables.py has no row with the key linear,01'),
    (HEAD + 'line\xff,1,91.00\n', 'line 2: tools/tables.py has no row with the key line\ufffd,1'),
    (HEAD + '"linear,0,1\nlinear,1,1\n', 'line 2: tools/tables.py has no row with the key "lin'),
    (HEAD + 'linear,1\n', 'line 2: it has more or fewer values than there are columns'),
    (HEAD + 'linear,1,91.linear,1,91.00\n', 'line 2: it has more or fewer values than there are'),
    (HEAD + 'linear,0,90.00\nlinear,1,9', 'line 3: its end is missing'),
    (HEAD + 'linear,1,nan\n', "line 2: test is 'nan'"),
    (HEAD + 'linear,1,1e300\n', "line 2: test is '1e300'"),
    (HEAD + 'linear,1,\n', "line 2: test is ''"),
    ('network,draw_seed,fingerprint\nlinear,1,da6c\n', "line 2: fingerprint is 'da6c'")])
def test_damaged_row_is_named(small, content, told):
    small.write_text(content, encoding='latin-1')
    with pytest.raises(tables.TableError) as error:
        tables.read('small.csv')
    assert str(error.value).startswith('%s, %s' % (small, told))
    assert str(error.value).endswith('. Delete the line; make runs makes missing rows')


@pytest.mark.parametrize('content, told', [
    ('', 'git checkout brings it back'),
    ('network,draw_seeds,test\nlinear,0,90.00\n', 'git checkout brings it back'),
    ('\xff\xfe\x00', 'git checkout brings it back'),
    (HEAD + 'linear,0,90.00\nlinear,1,91.00\nrecurrent,1,93.00\n',
     r'lacks 1 row\(s\), the first with the key recurrent,0: make runs makes them')])
def test_file_that_is_another_or_lacks_a_row_is_named(small, content, told):
    small.write_text(content, encoding='latin-1')
    with pytest.raises(tables.TableError, match='small.csv .*' + told):
        tables.load('small.csv')


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
    row = experiments.make_row(name, tables.KEYS[name][key])
    assert 'validation_cost_0' in row
    assert row.items() <= tables.read(name)[key].items()


@pytest.mark.parametrize('name, key', [
    ('runs.csv', '0'), ('networks.csv', 'last_state,0.1,4'), ('one_bit.csv', 'W,0,0,0.1,1234'),
    ('sizes.csv', 'two_layers,100,1000,0.1,2'), ('sizes.csv', 'wide,100,1000,0.2,3'),
    ('starts.csv', 'linear,100,1000,0.5,0,0'),
    ('longer.csv', 'recurrent,0.1,0.01,5001,0'), ('changed.csv', 'recurrent,0.1,scaled,5'),
    ('turned.csv', 'linear,0.5,turned,0'), ('curvature.csv', '0.1,0,0'), ('scan.csv', '134,228,3'),
    ('early.csv', '200,110,own,0'), ('whole.csv', '128,128,0')])
def test_row_has_the_columns_of_its_table(monkeypatch, name, key):
    """Without training and measuring, which take minutes. ink.csv measures in another way.

    The functions are replaced where they are looked up: train in networks, too, for its own.
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
    row = experiments.make_row(name, tables.KEYS[name][key])
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


def test_flipped_bit_is_the_last_one():
    before = np.random.RandomState(0).uniform(size=(2, 3))
    after = before.copy()
    experiments.flip_last_bit(after, (1, 2))
    differs = before.view('uint64') ^ after.view('uint64')
    assert differs.tolist() == [[0, 0, 0], [0, 0, 1]]


@pytest.mark.slow
def test_cost_curves_along_the_gradient_as_the_hessian_says_and_less_than_at_most():
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


def test_image_scaled_to_200_per_cent_has_four_times_the_ink():
    assert np.isclose(images.CHANGES['scaled'](DIGIT, 200).sum(), 4 * DIGIT.sum(), rtol=.05)


def test_least_varying_pixels_are_those_without_ink():
    blank = np.flatnonzero(networks.notebook().train_set[0].reshape(-1, 784).max(axis=0) == 0)
    assert set(images.pixels_by_variation()[:len(blank)]) == set(blank)


@pytest.mark.parametrize('change', ['ink_on_least', 'ink_on_most', 'least', 'most'])
def test_pixels_are_set(change):
    before = np.random.RandomState(0).uniform(size=(5, 28, 28))
    found = images.CHANGES[change](before, 2).reshape(5, 784)
    pixels = networks.notebook().train_set[0].reshape(-1, 784)
    by_variation = images.pixels_by_variation()
    places = by_variation[:2] if 'least' in change else by_variation[-2:]
    expected = 255 / 256 if 'ink' in change else pixels[:, places].mean(axis=0, dtype=float)
    assert np.all(found[:, places] == expected)
    assert np.sum(found != before.reshape(5, 784)) == 10


# Rows again: besides the named ones, one of each table, another one after each commit.

def key_of_this_commit(name):
    """Return the key of a row of a table that the current commit chooses."""
    # By a shell, since git may be missing.
    done = subprocess.run('git rev-parse HEAD', shell=True, cwd=cells.ROOT, capture_output=True)
    chosen = hashlib.sha256(done.stdout + name.encode()).hexdigest()
    keys = list(tables.KEYS[name])
    return keys[int(chosen, 16) % len(keys)]


# Rows that are tried for their network, their mini-batches or their change.
NAMED_ROWS = [
    ('networks.csv', 'linear,2,5'), ('networks.csv', 'without_W,4,19'),
    ('networks.csv', 'row_biases,8,11'), ('networks.csv', 'recurrent,0.4,2'),
    ('networks.csv', 'by_columns,0.1,3'), ('networks.csv', 'last_state,0.1,4'),
    ('sizes.csv', 'recurrent,400,250,0.2,1'), ('sizes.csv', 'two_layers,100,1000,0.1,2'),
    ('sizes.csv', 'wide,100,1000,0.2,3'), ('changed.csv', 'recurrent,0.1,scaled,5'),
    ('one_bit.csv', 'W,0,0,0.1,1234'), ('scan.csv', '134,228,3')]
ROWS_OF_THIS_COMMIT = [(name, key_of_this_commit(name)) for name in tables.KEYS]


@pytest.mark.parametrize('network', sorted({
    key['network'] for keys in tables.KEYS.values() for key in keys.values() if 'network' in key}))
def test_network_is_there_and_named_in_the_readme_and_in_named_rows(network):
    assert networks.compiled(network)
    assert '`%s`' % network in README, 'data/README.md does not say what this network is'
    assert network in [key.split(',')[0] for name, key in NAMED_ROWS], 'add a row to NAMED_ROWS'


@pytest.mark.slow
@pytest.mark.parametrize('name, key', NAMED_ROWS + ROWS_OF_THIS_COMMIT)
def test_row_comes_out_again(name, key):
    if bitwise.pin() != bitwise.YES:
        pytest.skip('the bits are other ones on this machine')
    if platform.machine() != 'x86_64' and (',400,' in key or 'wide' in key):
        pytest.skip('the bits are other ones on ARM: see data/README.md')
    row, saved = experiments.make_row(name, tables.KEYS[name][key]), tables.read(name)[key]
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
    key = tables.KEYS['scan.csv']['112,112,0']
    future = client.submit(runs.make_row_here, 'scan.csv', key, 'other')
    with pytest.raises(runs.RunsError, match='^the worker at tcp://.* runs other code'):
        future.result()
    client.run(lambda: setattr(runs.bitwise, 'canary', lambda: [0.5]))
    future = client.submit(runs.make_row_here, 'scan.csv', key, experiments.CODE_CHECKSUM)
    with pytest.raises(runs.RunsError, match='^the worker at tcp://.* rounds differently'):
        future.result()


@pytest.mark.slow
def test_scheduler_without_workers_is_named(monkeypatch):
    monkeypatch.setattr(runs, 'SECONDS_FOR_A_WORKER', .1)
    with distributed.LocalCluster(n_workers=0, dashboard_address='localhost:0') as cluster:
        monkeypatch.setenv('DASK_SCHEDULER_ADDRESS', cluster.scheduler_address)
        with pytest.raises(runs.RunsError, match='has no worker'):
            runs.make_all()


def test_worker_with_too_little_memory_is_named():
    workers = {'tcp://here': {'memory_limit': 500 * 2 ** 20}}
    client = SimpleNamespace(scheduler_info=lambda n_workers: {'workers': workers})
    with pytest.raises(runs.RunsError, match='tcp://here may use less than 1 GiB of memory'):
        runs.check_memory(client)


# What the studies compute, on small tables with a known answer.

def function_of(name, **names):
    """Return a function that a cell of the studies defines. names: its other global names."""
    names['np'] = np
    code = ''.join(cell.source + '\n' for cell in cells.read(cells.STUDIES).cells)
    functions = re.findall(r'(?m)^def .*\n(?:    .*\n|\n)*', code)  # with the indented lines below
    exec(''.join(functions), names)
    return names[name]


def test_best_rate_is_chosen_on_the_validation_images():
    networks = np.rec.fromrecords(
        [('a', .1, 90., 99.), ('a', .1, 92., 99.), ('a', .2, 91.5, 80.), ('a', .2, 91.7, 80.)],
        names='network, learning_rate, validation_1000, test_1000')
    rates, best = function_of('rates_and_best', networks=networks)('a')
    assert best == .2


def test_comparison_counts_the_pairs_in_which_the_first_is_higher(capsys):
    first = np.rec.fromrecords([(0, 90.), (1, 92.), (2, 94.)], names='draw_seed, test')
    second = np.rec.fromrecords([(0, 91.), (1, 91.), (2, 91.)], names='draw_seed, test')
    function_of('compare')('title', first, second, 'test')
    assert capsys.readouterr().out.split() == ['title', '92.00', '91.00', '2', 'of', '3']


@pytest.mark.parametrize('published, share', [(1, 100), (4, 100), (9, 0)])
def test_share_of_runs_as_far_from_their_middle(published, share):
    """The costs 0, 0, 4 and 4 are all as far from their middle as 1 or 4, and none as far as 9."""
    rows = np.rec.fromrecords([(0., ), (0., ), (4., ), (4., )], names='cost_100')
    nb = SimpleNamespace(reports={'cost': [None, published]})
    share_as_far = function_of('share_as_far', nb=nb, kinds_of_report=['cost'])
    assert share_as_far(rows, [100]) == share
