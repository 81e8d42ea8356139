"""The tables in data/: which rows they have, and how they are read and written.

A row is a training and what was measured on it, {column: text}. Its first columns are its key: they
say which training it is. experiments.py makes rows; runs.py, the studies and the tests read the
tables through read() or load().
"""
import csv
import io
import itertools
import os
import re

import cells  # first: it sets the pins before NumPy is imported
import numpy as np

DATA = cells.ROOT / 'data'


class TableError(Exception):
    """A table that cannot be used as it is. The message is one line: the file, and what to do."""


# Which rows the tables have.

def keys(columns, *groups):
    """Return the keys of a table: in each group all combinations of the values of the columns.

    They are {key as it stands in the file, as 'recurrent,0.1,3': {column: value}}. columns: names,
    separated by spaces; those joined by = are equal. A group has a value, or a list of values, for
    each.
    """
    found = {}
    for group in groups:
        lists = [each if isinstance(each, (list, range)) else [each] for each in group]
        for combination in itertools.product(*lists):
            values = {}
            for names, value in zip(columns.split(), combination):
                for name in names.split('='):
                    values[name] = value
            key = ','.join(map(str, values.values()))
            found[key] = values
    return found


def groups_of_single_bits():
    """Return groups for one_bit.csv: twenty numbers of the start, drawn at random."""
    rng = np.random.RandomState(0)
    groups = []
    for array, rows, columns, count in (('U', 28, 100, 6), ('W', 100, 100, 6), ('V', 100, 10, 4),
                                        ('b_hidden', 1, 100, 2), ('b_V', 1, 10, 2)):
        for k in range(count):
            groups.append((array, rng.randint(rows), rng.randint(columns), .1, 1234))
    return groups


TEN = range(10)
TWENTY_AND_OWN = [*range(20), 1234]  # the notebook's own was studied once; rows that are made stay
KEYS = {}  # of each table, in the order in which make runs makes them
# 200 and 110 are Glorot's sums. W_mean: W's own, taken away, or that of 134 added.
KEYS['early.csv'] = keys(
    'W_sum V_sum W_mean draw_seed',
    (200, 110, ['own', 'of_134'], range(20)),
    (134, 134, ['own', 'taken'], range(20)),
    (138, 138, 'own', range(20)))
KEYS['runs.csv'] = keys('draw_seed', ([*range(50), 1234],))
KEYS['networks.csv'] = keys(
    'network learning_rate draw_seed',
    ('linear', [.2, .5, 1, 2], TWENTY_AND_OWN),
    ('without_W', [1, 2, 4], TWENTY_AND_OWN),
    ('row_biases', [4, 8, 16], TWENTY_AND_OWN),
    ('recurrent', [.1, .2, .4], TWENTY_AND_OWN),
    (['last_state', 'by_columns'], .1, TWENTY_AND_OWN))
# Two chosen numbers, too; one of them also with other learning rates, and other draws.
KEYS['one_bit.csv'] = keys(
    'array row column learning_rate draw_seed',
    *groups_of_single_bits(),
    (['U', 'W'], 0, 0, .1, 1234),
    ('W', 0, 0, [.05, .02, .01], 1234),
    ('W', 0, 0, .1, range(5)))
KEYS['changed.csv'] = keys(
    'network learning_rate trained_on draw_seed',
    ('recurrent', .1, ['upright', 'turned', 'scaled'], TEN),
    ('linear', .5, 'upright', TEN),
    ('row_biases', 8, 'upright', TEN),
    ('without_W', 2, 'upright', TEN),
    ('last_state', .1, 'upright', TEN))
KEYS['turned.csv'] = keys(
    'network learning_rate trained_on draw_seed',
    ('recurrent', .1, ['upright', 'turned'], range(3)),
    ('linear', .5, ['upright', 'turned'], range(3)))
KEYS['ink.csv'] = keys(
    'network learning_rate steps start_seed=draw_seed',
    ('recurrent', .1, [1000, 0], TEN),
    ('row_biases', 8, 1000, TEN),
    ('last_state', .1, 1000, TEN))
KEYS['curvature.csv'] = keys('learning_rate start_seed=draw_seed', ([.1, .05, .01], range(2)))
# From step later_from on, the learning rate is later_rate. Where the two are equal, 5001 means
# nothing.
KEYS['longer.csv'] = keys(
    'network learning_rate later_rate later_from draw_seed',
    ('recurrent', .1, .1, 5001, TEN),
    ('linear', .5, .5, 5001, TEN),
    ('row_biases', 8, 8, 5001, TEN),
    ('recurrent', .1, .01, [5001, 9001], TEN),
    ('recurrent', .2, .2, 5001, TEN),
    ('recurrent', .05, .05, 5001, TEN),
    ('recurrent', .01, .01, 5001, range(3)))
KEYS['sizes.csv'] = keys(
    'network mini_batch_size steps learning_rate draw_seed',
    ('recurrent', 400, 1000, [.1, .2, .4], TEN),
    ('recurrent', 400, 250, [.1, .2, .4, .8, 1.6], TEN),
    (['two_layers', 'wide'], 100, 1000, [.05, .1, .2, .4], TEN))
KEYS['starts.csv'] = keys(
    'network mini_batch_size steps learning_rate start_seed=draw_seed',
    ('recurrent', 100, [1000, 4000], .1, TEN),
    ('recurrent', 100, 2000, .05, TEN),
    ('recurrent', 100, [1000, 2000], .2, TEN),
    ('recurrent', 400, 250, .8, TEN),
    ('recurrent', 400, 1000, .2, TEN),
    ('last_state', 100, 1000, .1, TEN),
    ('linear', 100, [1000, 4000], .5, TEN),
    (['two_layers', 'wide'], 100, 1000, .2, TEN))
# Sums that may fit the published run have more runs. The last ones, with another sum for V, were
# studied once.
KEYS['scan.csv'] = {
    **keys('W_sum=V_sum draw_seed',
           (range(112, 126, 2), range(40)),
           (range(126, 148, 2), range(150)),
           ([*range(148, 162, 2), 200, 228], range(40))),
    **keys('W_sum V_sum draw_seed', (134, [110, 228], range(60)))}
KEYS['whole.csv'] = keys('W_sum=V_sum draw_seed', ([128, 134, 138], range(40)))


# Reading and writing.

def key_columns(name):
    """Return the names of the first columns of a table, which are the key of a row."""
    values_of_the_first = next(iter(KEYS[name].values()))
    return list(values_of_the_first)


def key_of(name, row):
    """Return the key of a row, as it stands in the file."""
    return ','.join(row[column] for column in key_columns(name))


def is_number(column, text):
    """Say whether a text is a number that a table can have. Fingerprints are hexadecimal."""
    if column == 'fingerprint':
        return re.fullmatch('[0-9a-f]{16}', text) is not None
    try:
        return -1 <= float(text) <= 10000  # no measurement is beyond these, and nan is not between
    except ValueError:
        return False


def fault_of(name, row, rows):
    """Return what is wrong with a row that csv.DictReader made, after these rows; or None."""
    if None in row or None in row.values():
        return 'it has more or fewer values than there are columns'
    key = key_of(name, row)
    if key not in KEYS[name]:
        return 'tools/tables.py has no row with the key %s' % key
    if key in rows:
        return 'a row with the key %s stands above' % key
    for column, text in row.items():
        if column not in KEYS[name][key] and not is_number(column, text):
            return '%s is %r' % (column, text)
    return None


def read(name):
    """Return the rows of the table data/name, {key as it stands in the file: row}.

    A table that is not there has no rows. Raises TableError for a row that is cut off, appears
    twice, has a key that is none of KEYS[name], or something that is no number.
    """
    path = DATA / name
    if not path.exists():
        return {}
    # sig: spreadsheets leave a mark. replace: bytes that are no text are a fault of their row.
    text = path.read_text(encoding='utf-8-sig', errors='replace')
    head = ','.join(key_columns(name))
    if not text.startswith(head + ','):
        raise TableError('%s does not begin with the columns %s: git checkout brings it back'
                         % (path, head))
    whole_lines = text.count('\n')  # the last line may have lost its end
    reader = csv.DictReader(io.StringIO(text), quoting=csv.QUOTE_NONE)
    rows = {}
    for row in reader:
        fault = fault_of(name, row, rows)
        if reader.line_num > whole_lines:
            fault = 'its end is missing'
        if fault:
            raise TableError('%s, line %d: %s. Delete the line; make runs makes missing rows'
                             % (path, reader.line_num, fault))
        rows[key_of(name, row)] = row
    return rows


def load(name):
    """Return the table data/name as a NumPy array of rows whose columns have names.

    The rows are in the order of KEYS[name]. Raises TableError where one is wrong or missing.
    """
    rows = read(name)
    missing = [key for key in KEYS[name] if key not in rows]
    if missing:
        raise TableError('%s lacks %d row(s), the first with the key %s: make runs makes them'
                         % (DATA / name, len(missing), missing[0]))
    text = as_text(name, rows)
    return np.genfromtxt(io.StringIO(text), delimiter=',', names=True, dtype=None,
                         encoding='utf-8', deletechars='')  # keeps - and . in the columns' names


def as_text(name, rows):
    """Return the table as it stands in its file, with the rows in the order of KEYS[name]."""
    in_order = [rows[key] for key in KEYS[name] if key in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, in_order[0], lineterminator='\n')
    writer.writeheader()
    writer.writerows(in_order)
    return text.getvalue()


def add(name, row):
    """Add a row to the file data/name: afterwards it is there as a whole, or as it was before.

    The file is read anew, so that what was changed in it meanwhile is kept.
    """
    path = DATA / name
    rows = read(name)
    if any(list(row) != list(other) for other in rows.values()):
        raise TableError('%s has other columns: delete it, and make runs makes it anew' % path)
    rows[key_of(name, row)] = row
    new = DATA / (name + '.new')
    with new.open('w', encoding='utf-8') as file:
        file.write(as_text(name, rows))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
