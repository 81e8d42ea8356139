"""Tests of make runs: rows, tables, and the cluster."""
import errno
import shutil

import cells
import distributed
import experiments
import numpy as np
import pytest
import runs
import tables
import worker

HEAD = 'network,draw_seed,test\n'


@pytest.fixture
def table():
    """A small table of four rows."""
    return tables.Table(
        key=['network', 'draw_seed'], columns=['test'],
        function=lambda network, draw_seed, accuracy: ['%.2f' % (accuracy + draw_seed)],
        settings={'accuracy': 90},
        rows=[('linear', 0), ('linear', 1), ('recurrent', 0), ('recurrent', 1)])


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'table.csv'


# Rows.

def test_row_is_its_key_and_what_the_function_returns(table):
    assert table.row(('recurrent', '1')) == ['recurrent', '1', '91.00']


def test_no_file_has_no_rows(table, path):
    assert runs.read_rows(table, path) == {}


def test_rows_are_read_back(table, path):
    rows = {('linear', '0'): ['linear', '0', '90.00'],
            ('recurrent', '1'): ['recurrent', '1', '91.00']}
    runs.write_rows(table, path, rows)
    assert runs.read_rows(table, path) == rows


@pytest.mark.parametrize('torn', [
    'linear,1,9',              # the end of a full disk's last write
    'linear,1,91.00',          # without the end of its line, nobody knows whether it is whole
    'linear,1\n',
    'linear,1,91.linear,1,91.00\n',
    'linear,1,\n'])
def test_torn_row_is_left_out(table, path, torn):
    path.write_text(HEAD + 'linear,0,90.00\n' + torn)
    assert list(runs.read_rows(table, path)) == [('linear', '0')]


def test_two_rows_of_one_key_are_refused(table, path):
    path.write_text(HEAD + 'linear,0,90.00\nlinear,0,91.00\n')
    with pytest.raises(ValueError, match='has two rows for linear,0: delete one'):
        runs.read_rows(table, path)


def test_file_of_another_table_is_refused(table, path):
    path.write_text('network,draw_seed,test_1000\nlinear,0,90.00\n')
    with pytest.raises(ValueError, match='has other columns than tools/tables.py'):
        runs.read_rows(table, path)


def test_rows_are_written_in_order(table, path):
    runs.write_rows(table, path, {('recurrent', '0'): ['recurrent', '0', '90.00'],
                                  ('linear', '1'): ['linear', '1', '91.00']})
    assert path.read_text() == HEAD + 'linear,1,91.00\nrecurrent,0,90.00\n'


def test_row_that_the_table_does_not_ask_for_is_kept(table, path):
    runs.write_rows(table, path, {('other', '7'): ['other', '7', '80.00'],
                                  ('linear', '1'): ['linear', '1', '91.00']})
    assert path.read_text() == HEAD + 'linear,1,91.00\nother,7,80.00\n'


def test_full_disk_costs_no_row(table, path, monkeypatch):
    path.write_text(HEAD + 'linear,0,90.00\n')

    def full(file):
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr('os.fsync', full)

    with pytest.raises(OSError, match='No space left'):
        runs.write_rows(table, path, {('linear', '1'): ['linear', '1', '91.00']})
    assert path.read_text() == HEAD + 'linear,0,90.00\n'


def test_two_calls_at_once_are_one_too_many(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, 'LOCK', tmp_path / 'runs.lock')
    with runs.locket.lock_file(str(runs.LOCK)):
        with pytest.raises(SystemExit) as told:
            runs.main()
    assert str(told.value) == 'make runs is running already'


# Experiments.

@pytest.fixture(scope='module')
def digit():
    """One image, (1, 28, 28): a digit 2 by 2 pixels large, left of and above the centre."""
    image = np.zeros((1, 28, 28))
    image[0, 10:12, 8:10] = .5
    return image


def test_shifted_image_is_moved_down_and_right(digit):
    expected = np.zeros((1, 28, 28))
    expected[0, 13:15, 9:11] = .5
    assert np.array_equal(experiments.shifted(digit, down=3, right=1), expected)


def test_image_turned_by_90_degrees_is_turned_counterclockwise(digit):
    assert np.array_equal(experiments.turned(digit, 90), np.rot90(digit, axes=(1, 2)))


def test_image_scaled_by_2_has_four_times_the_ink(digit):
    larger = experiments.scaled(digit, 2)
    assert np.isclose(larger.sum(), 4 * digit.sum(), rtol=.05)


def test_flattened_pixels_have_no_variation():
    images = np.random.RandomState(0).uniform(size=(5, 28, 28))
    flat = experiments.flattened(images, [0, 400]).reshape(5, 784)
    assert np.flatnonzero(flat.std(axis=0) == 0).tolist() == [0, 400]


def test_least_varying_pixels_are_those_without_ink():
    images = experiments.notebook().train_set[0].reshape(-1, 784)
    blank = np.flatnonzero(images.max(axis=0) == 0)
    assert set(experiments.pixels_by_variation()[:len(blank)]) == set(blank)


def test_ink_is_put_on_pixels():
    inked = experiments.with_ink_on(np.zeros((2, 28, 28)), [0, 29])
    assert inked.sum() == 4 * 255 / 256
    assert inked[1, 1, 1] == 255 / 256


@pytest.mark.parametrize('later_from, moves', [(2, False), (3, True)])
def test_later_rate_begins_with_its_step(later_from, moves):
    """Here it is 0, so nothing moves from then on."""
    after_1, after_2, *averages = experiments.long_run(
        'linear', .5, 0, later_from, 0, measured_at=[1, 2], averaged=1, mini_batch_size=5)
    assert (after_1 != after_2) == moves


@pytest.mark.parametrize('place', [(0, 0), (1, 2)])
def test_flipped_bit_is_the_last_one(place):
    value = np.random.RandomState(0).uniform(size=(2, 3))
    before = value.copy()
    experiments.flip_last_bit(value, place)
    changed = before.view('uint64') ^ value.view('uint64')
    assert changed[place] == 1
    assert np.count_nonzero(changed) == 1


@pytest.mark.slow
@pytest.mark.parametrize('name, key', [
    ('scan.csv', ('134', '134', '7')), ('scan.csv', ('134', '228', '3')),
    ('runs.csv', ('17',)),
    ('networks.csv', ('linear', '2', '5')), ('networks.csv', ('without_W', '4', '19')),
    ('networks.csv', ('row_biases', '8', '11')), ('networks.csv', ('recurrent', '0.4', '2')),
    ('networks.csv', ('by_columns', '0.1', '3')), ('networks.csv', ('last_state', '0.1', '4')),
    ('sizes.csv', ('recurrent', '400', '250', '0.2', '1')),
    ('sizes.csv', ('two_layers', '100', '1000', '0.1', '2')),
    ('sizes.csv', ('wide', '100', '1000', '0.2', '3')),
    ('changed.csv', ('recurrent', '0.1', 'scaled', '5')),
    ('changed.csv', ('linear', '0.5', 'upright', '6')),
    ('one_bit.csv', ('W', '0', '0', '0.1', '1234')),
    ('longer.csv', ('linear', '0.5', '0.5', '5001', '7')),
    ('whole.csv', ('138', '138', '8'))])
def test_row_comes_out_again(name, key):
    table = tables.TABLES[name]
    assert table.row(key) == runs.read_rows(table, runs.DATA / name)[key]


# The cluster.

@pytest.fixture
def client():
    """A client of a Dask cluster of one worker."""
    with distributed.Client(n_workers=1, threads_per_worker=1,
                            dashboard_address='localhost:0') as client:
        yield client


@pytest.mark.slow
def test_missing_row_is_made_and_added(client, monkeypatch, tmp_path):
    saved = (runs.DATA / 'scan.csv').read_text()
    lines = saved.splitlines(keepends=True)
    (tmp_path / 'scan.csv').write_text(''.join(lines[:7] + lines[8:]))
    monkeypatch.setattr(runs, 'DATA', tmp_path)
    runs.make_missing_rows(client, 'scan.csv')
    assert (tmp_path / 'scan.csv').read_text() == saved


@pytest.mark.slow
def test_worker_with_other_code_is_named(client):
    future = client.submit(worker.make_row, 'scan.csv', ('134', '134', '0'), 'other')
    with pytest.raises(RuntimeError, match='^the worker at tcp://.* runs other code'):
        future.result()


@pytest.mark.slow
def test_worker_with_other_bits_is_named(client):
    client.run(lambda: setattr(worker.bitwise, 'canary', lambda: [0.5]))
    future = client.submit(worker.make_row, 'scan.csv', ('134', '134', '0'), experiments.CODE)
    with pytest.raises(RuntimeError, match='^the worker at tcp://.* rounds differently'):
        future.result()


@pytest.mark.slow
def test_scheduler_without_workers_is_named(monkeypatch):
    monkeypatch.setattr(runs, 'SECONDS_FOR_A_WORKER', .1)
    with distributed.LocalCluster(n_workers=0, dashboard_address='localhost:0') as cluster:
        monkeypatch.setenv('DASK_SCHEDULER_ADDRESS', cluster.scheduler_address)
        with pytest.raises(RuntimeError, match='has no worker'):
            runs.make_all()


def test_worker_with_too_little_memory_is_named():
    class Client:
        def scheduler_info(self, n_workers):
            return {'workers': {'tcp://here': {'memory_limit': 500 * 2 ** 20}}}
    with pytest.raises(RuntimeError, match='tcp://here may use 0.49 GiB of memory and needs 1 GiB'):
        runs.check_memory(Client())


@pytest.mark.parametrize('changed', ['requirements.txt', 'constraints.txt', 'tools/tables.py'])
def test_checksum_of_code_notices_a_change(monkeypatch, tmp_path, changed):
    before = experiments.checksum_of_code()
    (tmp_path / 'tools').mkdir()
    for name in 'requirements.txt', 'constraints.txt', 'tools/tables.py':
        shutil.copy(cells.ROOT / name, tmp_path / name)
    monkeypatch.setattr(cells, 'ROOT', tmp_path)
    assert experiments.checksum_of_code() == before
    with open(tmp_path / changed, 'a') as file:
        file.write('# other')
    assert experiments.checksum_of_code() != before
