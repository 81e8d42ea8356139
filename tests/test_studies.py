"""Tests of what the studies compute from the tables, on small made-up ones with a known answer."""
import ast

import cells
import numpy as np
import pytest


def functions_of(*cell_ids, **names):
    """Return the functions that these cells of the studies define, with names as their globals."""
    names = {'np': np, **names}
    for cell in cells.saved('studies').cells:
        if cell.id in cell_ids:
            tree = ast.parse(cell.source)
            tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef)]
            exec(compile(tree, cell.id, 'exec'), names)
    return names


def table(**columns):
    """Return a table, as read_table does."""
    return np.rec.fromarrays([np.array(values) for values in columns.values()],
                             names=list(columns))


def test_rows_where_all_wanted_values_stand():
    rows_where = functions_of('tables-code')['rows_where']
    rows = rows_where(table(network=['a', 'a', 'b'], rate=[.1, .2, .1], number=[1, 2, 3]),
                      network='a', rate=.1)
    assert rows['number'].tolist() == [1]


def test_median_and_range():
    text = functions_of('tables-code')['median_and_range'](np.array([3., 1., 2., 9.]))
    assert text == '2.50 (1.00 to 9.00)'


def test_best_rate_is_chosen_on_the_validation_images():
    networks = table(network=['a'] * 4, learning_rate=[.1, .1, .2, .2],
                     validation_1000=[90., 92., 91.5, 91.7], test_1000=[99., 99., 80., 80.])
    best_rate = functions_of('tables-code', 'longer-rates', networks=networks)['best_rate']
    assert best_rate('a') == .2


@pytest.fixture
def scan():
    """What the functions of the scan use: six runs of three sums, with one number each."""
    together = table(W_sum=[128, 128, 134, 134, 134, 138])
    eight = np.array([[0.], [9.], [1.], [1.1], [7.], [2.]])
    return {'together': together, 'sums': np.array([128, 134, 138]), 'eight': eight,
            'scale': np.ones(1)}


def test_shares_count_each_sum_the_same(scan):
    """Of the three runs nearest to 1, two of three have the sum 134 and one of one has 138."""
    shares = functions_of('scan-code', **scan)['shares']
    parts = shares(np.array([1.4]), np.arange(6), count=3)
    assert np.allclose(parts, [0, .4, .6])


def test_share_of_a_run_that_is_left_out_is_none(scan):
    shares = functions_of('scan-code', **scan)['shares']
    assert np.allclose(shares(np.array([2.]), np.array([0, 1, 2, 3, 4]), count=1), [0, 1, 0])


def test_middle_leaves_out_five_per_cent_on_either_side(scan):
    scan['sums'] = np.array([126, 128, 134, 138, 140])
    middle = functions_of('scan-code', **scan)['middle']
    assert middle(np.array([.04, .2, .5, .2, .06])) == (128, 140)
    assert middle(np.array([.04, .2, .5, .22, .04])) == (128, 138)
