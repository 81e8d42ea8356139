"""The tables in data/: which rows they have, and how they are read and written.

A row is a training and what was measured on it, a dict of texts, {column: text}. Its first columns
are its key: they say which training it is. experiments.py makes rows; runs.py, the studies and the
tests read the tables through read() or load().
"""
import csv
import io
import itertools
import os

import cells  # first: it sets the pins before NumPy is imported
import numpy as np

DATA = cells.ROOT / 'data'
# Every number in every table lies between these two.
LOWEST, HIGHEST = -1, 10000


class TableError(Exception):
    """A table that cannot be used as it is. The message is one line: the file, and what to do."""


# Which rows the tables have.

def keys(columns, *groups):
    """Return the keys of a table: in each group all combinations of the values of the columns.

    columns: names, separated by spaces. A group has a list of values for each of them.
    """
    return [dict(zip(columns.split(), values))
            for group in groups for values in itertools.product(*group)]


def keys_with_starts(columns, *groups):
    """Return keys with two more columns, start_seed and draw_seed, which are equal.

    The last list of a group has the seeds.
    """
    found = keys(columns + ' start_seed', *groups)
    return [{**key, 'draw_seed': key['start_seed']} for key in found]


def keys_of_single_bits():
    """Return keys of twenty numbers of the start, drawn at random, and of two chosen ones.

    One of the chosen ones also has other learning rates, and other draws of the mini-batches.
    """
    rng = np.random.RandomState(0)
    groups = []
    for array, rows, columns, count in (('U', 28, 100, 6), ('W', 100, 100, 6), ('V', 100, 10, 4),
                                        ('b_hidden', 1, 100, 2), ('b_V', 1, 10, 2)):
        groups += [([array], [rng.randint(rows)], [rng.randint(columns)], [.1], [1234])
                   for k in range(count)]
    return keys('array row column learning_rate draw_seed', *groups,
                (['U', 'W'], [0], [0], [.1], [1234]),
                (['W'], [0], [0], [.05, .02, .01], [1234]),
                (['W'], [0], [0], [.1], range(5)))


TWENTY = [*range(20), 1234]
KEYS = {
    'early.csv': keys('W_sum V_sum W_mean draw_seed',
                      ([200], [110], ['own', 'of_134'], range(20)),
                      ([134], [134], ['own', 'taken'], range(20)),
                      ([138], [138], ['own'], range(20))),
    'runs.csv': keys('draw_seed', ([*range(50), 1234],)),
    'networks.csv': keys('network learning_rate draw_seed',
                         (['linear'], [.2, .5, 1, 2], TWENTY),
                         (['without_W'], [1, 2, 4], TWENTY),
                         (['row_biases'], [4, 8, 16], TWENTY),
                         (['recurrent'], [.1, .2, .4], TWENTY),
                         (['last_state', 'by_columns'], [.1], TWENTY)),
    'one_bit.csv': keys_of_single_bits(),
    'changed.csv': keys('network learning_rate trained_on draw_seed',
                        (['recurrent'], [.1], ['upright', 'turned', 'scaled'], range(10)),
                        (['linear'], [.5], ['upright'], range(10)),
                        (['row_biases'], [8], ['upright'], range(10)),
                        (['without_W'], [2], ['upright'], range(10)),
                        (['last_state'], [.1], ['upright'], range(10))),
    'turned.csv': keys('network learning_rate trained_on draw_seed',
                       (['recurrent'], [.1], ['upright', 'turned'], range(3)),
                       (['linear'], [.5], ['upright', 'turned'], range(3))),
    'ink.csv': keys_with_starts('network learning_rate steps',
                                (['recurrent'], [.1], [1000, 0], range(10)),
                                (['row_biases'], [8], [1000], range(10)),
                                (['last_state'], [.1], [1000], range(10))),
    'curvature.csv': keys_with_starts('learning_rate', ([.1, .05, .01], range(2))),
    # From step later_from on, the learning rate is later_rate.
    'longer.csv': keys('network learning_rate later_rate later_from draw_seed',
                       (['recurrent'], [.1], [.1], [5001], range(10)),
                       (['linear'], [.5], [.5], [5001], range(10)),
                       (['row_biases'], [8], [8], [5001], range(10)),
                       (['recurrent'], [.1], [.01], [5001, 9001], range(10)),
                       (['recurrent'], [.2], [.2], [5001], range(10)),
                       (['recurrent'], [.05], [.05], [5001], range(10)),
                       (['recurrent'], [.01], [.01], [5001], range(3))),
    'sizes.csv': keys('network mini_batch_size steps learning_rate draw_seed',
                      (['recurrent'], [400], [1000], [.1, .2, .4], range(10)),
                      (['recurrent'], [400], [250], [.1, .2, .4, .8, 1.6], range(10)),
                      (['two_layers', 'wide'], [100], [1000], [.05, .1, .2, .4], range(10))),
    'starts.csv': keys_with_starts('network mini_batch_size steps learning_rate',
                                   (['recurrent'], [100], [1000, 4000], [.1], range(10)),
                                   (['recurrent'], [100], [2000], [.05], range(10)),
                                   (['recurrent'], [100], [1000, 2000], [.2], range(10)),
                                   (['recurrent'], [400], [250], [.8], range(10)),
                                   (['recurrent'], [400], [1000], [.2], range(10)),
                                   (['last_state'], [100], [1000], [.1], range(10)),
                                   (['linear'], [100], [1000, 4000], [.5], range(10)),
                                   (['two_layers', 'wide'], [100], [1000], [.2], range(10))),
    # Most runs have sums that fit the published run; a few have another sum for V alone.
    'scan.csv': [key for total in [*range(112, 162, 2), 200, 228]
                 for key in keys('W_sum V_sum draw_seed',
                                 ([total], [total], range(150 if 126 <= total <= 146 else 40)))]
    + keys('W_sum V_sum draw_seed', ([134], [110, 228], range(60))),
    'whole.csv': [key for total in (128, 134, 138)
                  for key in keys('W_sum V_sum draw_seed', ([total], [total], range(40)))],
}


# Reading and writing.

def key_in_texts(key):
    """Return the values of a key, {column: value}, as they stand in the file: a tuple of texts."""
    return tuple(str(value) for value in key.values())


def is_number(column, text):
    """Say whether a text is a number that a table can have. Fingerprints are hexadecimal."""
    try:
        number = int(text, 16) / 2 ** 64 if column == 'fingerprint' else float(text)
    except ValueError:
        return False
    return LOWEST <= number <= HIGHEST  # which nan is not


def read(name):
    """Return the rows of the table data/name, {key: row}, where a key is a tuple of texts.

    A table that is not there has no rows. Raises TableError for a row that is cut off, appears
    twice, has a key that is none of KEYS[name], or something that is no number.
    """
    path = DATA / name
    if not path.exists():
        return {}
    try:
        text = path.read_text(encoding='utf-8-sig')  # sig: spreadsheets leave a mark
        columns, *lines = list(csv.reader(io.StringIO(text))) or [[]]
    except (UnicodeDecodeError, csv.Error):
        raise TableError('%s is not a table: git checkout brings it back' % path) from None
    key_columns = list(KEYS[name][0])
    if columns[:len(key_columns)] != key_columns:
        raise TableError('%s does not begin with the columns %s: git checkout brings it back'
                         % (path, ', '.join(key_columns)))
    known = {key_in_texts(key) for key in KEYS[name]}
    rows = {}
    for number, values in enumerate(lines, start=2):
        key = tuple(values[:len(key_columns)])
        row = dict(zip(columns, values))
        wrong = [column for column in columns[len(key_columns):]
                 if not is_number(column, row.get(column, ''))]
        fault = None
        if len(values) != len(columns):
            fault = 'it has %d values for %d columns' % (len(values), len(columns))
        elif key not in known:
            fault = 'tools/tables.py has no row with the key %s' % ','.join(key)
        elif key in rows:
            fault = 'a row with the key %s stands above' % ','.join(key)
        elif wrong:
            fault = '%s is %r' % (wrong[0], row[wrong[0]])
        elif number == len(lines) + 1 and not text.endswith('\n'):
            fault = 'its end is missing'
        if fault:
            raise TableError('%s, line %d: %s. Delete the line, and make runs makes its row again'
                             % (path, number, fault))
        rows[key] = row
    return rows


def missing(name, rows):
    """Return the keys, {column: value}, of the rows that are not there yet."""
    return [key for key in KEYS[name] if key_in_texts(key) not in rows]


def load(name):
    """Return the table data/name as a NumPy array of rows whose columns have names.

    The rows are in the order of KEYS[name]. Raises TableError where one is wrong or missing.
    """
    rows = read(name)
    lost = missing(name, rows)
    if lost:
        raise TableError('%s lacks %d row(s), the first with the key %s: make runs makes them'
                         % (DATA / name, len(lost), ','.join(key_in_texts(lost[0]))))
    text = as_text(name, rows)
    return np.genfromtxt(io.StringIO(text), delimiter=',', names=True, dtype=None,
                         encoding='utf-8', deletechars='')


def as_text(name, rows):
    """Return the table as it stands in its file, with the rows in the order of KEYS[name]."""
    in_order = [rows[key_in_texts(key)] for key in KEYS[name] if key_in_texts(key) in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(in_order[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(in_order)
    return text.getvalue()


def add(name, row):
    """Add a row to the file data/name: afterwards it is there as a whole, or as it was before.

    The file is read anew, so that what was changed in it meanwhile is kept.
    """
    rows = read(name)
    key = tuple(row[column] for column in KEYS[name][0])
    rows[key] = row
    new = DATA / (name + '.new')
    with new.open('w', encoding='utf-8', newline='') as file:
        file.write(as_text(name, rows))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, DATA / name)
