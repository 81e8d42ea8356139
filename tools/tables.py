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


def keys_of(columns, *lists):
    """Return a key, {column: value}, for each combination of these values.

    columns: names, parted by blanks. lists: for each of them, its values.
    """
    return [dict(zip(columns.split(), values)) for values in itertools.product(*lists)]


# Which rows the tables have.

def keys_of_runs():
    """The notebook's network, with other mini-batches."""
    return keys_of('draw_seed', [*range(50), 1234])


def keys_of_networks():
    """Other networks, each at several learning rates."""
    learning_rates = {'linear': [.2, .5, 1, 2],
                      'without_W': [1, 2, 4],
                      'row_biases': [4, 8, 16],
                      'recurrent': [.1, .2, .4],
                      'last_state': [.1],
                      'by_columns': [.1]}
    keys = []
    for network, rates in learning_rates.items():
        keys += keys_of('network learning_rate draw_seed', [network], rates, [*range(20), 1234])
    return keys


def keys_of_single_bits():
    """Twenty numbers of the start, drawn at random; two chosen ones; one of these in other runs."""
    columns = 'array row column learning_rate draw_seed'
    rng = np.random.RandomState(0)
    keys = []
    for array, rows, columns_of_array, count in (('U', 28, 100, 6), ('W', 100, 100, 6),
                                                 ('V', 100, 10, 4), ('b_hidden', 1, 100, 2),
                                                 ('b_V', 1, 10, 2)):
        for k in range(count):
            row, column = rng.randint(rows), rng.randint(columns_of_array)
            keys += keys_of(columns, [array], [row], [column], [.1], [1234])
    keys += keys_of(columns, ['U', 'W'], [0], [0], [.1], [1234])
    keys += keys_of(columns, ['W'], [0], [0], [.05, .02, .01], [1234])
    keys += keys_of(columns, ['W'], [0], [0], [.1], range(10))
    return keys


def keys_of_changed_images():
    """Trained networks on test images that are shifted, turned, scaled, or lose pixels."""
    keys = []
    for network, rate, trained_on in (('recurrent', .1, 'upright'),
                                      ('recurrent', .1, 'turned'),
                                      ('recurrent', .1, 'scaled'),
                                      ('linear', .5, 'upright'),
                                      ('row_biases', 8, 'upright'),
                                      ('without_W', 2, 'upright'),
                                      ('last_state', .1, 'upright')):
        keys += keys_of('network learning_rate trained_on draw_seed',
                        [network], [rate], [trained_on], range(10))
    return keys


def keys_of_turned_images():
    """Longer training on upright and on turned images."""
    keys = []
    for network, rate in ('recurrent', .1), ('linear', .5):
        keys += keys_of('network learning_rate trained_on draw_seed',
                        [network], [rate], ['upright', 'turned'], range(5))
    return keys


def keys_of_ink():
    """Ink on one row of the test images, for networks with memory and without."""
    keys = []
    for network, rate, steps in (('recurrent', .1, 1000),
                                 ('recurrent', .1, 0),
                                 ('row_biases', 8, 1000),
                                 ('last_state', .1, 1000)):
        for seed in range(10):
            keys += keys_of('network learning_rate steps start_seed draw_seed',
                            [network], [rate], [steps], [seed], [seed])
    return keys


def keys_of_longer_runs():
    """Ten times as many steps. From step later_from on, the learning rate is later_rate."""
    keys = []
    for network, rate, later_rate, later_from, draws in (('recurrent', .1, .1, 5001, 10),
                                                         ('linear', .5, .5, 5001, 10),
                                                         ('row_biases', 8, 8, 5001, 10),
                                                         ('recurrent', .1, .01, 5001, 10),
                                                         ('recurrent', .1, .01, 9001, 10),
                                                         ('recurrent', .2, .2, 5001, 10),
                                                         ('recurrent', .05, .05, 5001, 10),
                                                         ('recurrent', .01, .01, 5001, 3)):
        keys += keys_of('network learning_rate later_rate later_from draw_seed',
                        [network], [rate], [later_rate], [later_from], range(draws))
    return keys


def keys_of_sizes():
    """Larger mini-batches and larger networks."""
    keys = []
    for network, size, steps, rates in (('recurrent', 400, 1000, [.1, .2, .4]),
                                        ('recurrent', 400, 250, [.1, .2, .4, .8, 1.6]),
                                        ('two_layers', 100, 1000, [.05, .1, .2, .4]),
                                        ('wide', 100, 1000, [.05, .1, .2, .4])):
        keys += keys_of('network mini_batch_size steps learning_rate draw_seed',
                        [network], [size], [steps], rates, range(10))
    return keys


def keys_of_starts():
    """The comparisons of the studies, from ten other draws of the initial weights."""
    keys = []
    for network, size, steps, rate in (('recurrent', 100, 1000, .1),
                                       ('last_state', 100, 1000, .1),
                                       ('linear', 100, 1000, .5),
                                       ('recurrent', 100, 1000, .2),
                                       ('recurrent', 100, 2000, .05),
                                       ('recurrent', 100, 2000, .2),
                                       ('two_layers', 100, 1000, .2),
                                       ('wide', 100, 1000, .2),
                                       ('recurrent', 400, 1000, .2),
                                       ('recurrent', 400, 250, .8),
                                       ('recurrent', 100, 4000, .2),
                                       ('linear', 100, 4000, .5),
                                       ('recurrent', 100, 4000, .1)):
        for seed in range(10):
            keys += keys_of('network mini_batch_size steps learning_rate start_seed draw_seed',
                            [network], [size], [steps], [rate], [seed], [seed])
    return keys


def keys_of_early_steps():
    """The first 111 steps from five kinds of initial weights.

    W_mean: own, as drawn; taken, the mean of W is taken away; of_134, the mean that W has where
    W_sum is 134 is added.
    """
    keys = []
    for W_sum, V_sum, W_mean in ((200, 110, 'own'), (200, 110, 'of_134'), (134, 134, 'own'),
                                 (134, 134, 'taken'), (138, 138, 'own')):
        keys += keys_of('W_sum V_sum W_mean draw_seed', [W_sum], [V_sum], [W_mean], range(20))
    return keys


def keys_of_curvatures():
    """The largest curvature of the cost, beside the growth of one bit, at three learning rates."""
    keys = []
    for seed in range(3):
        keys += keys_of('learning_rate start_seed draw_seed', [.1, .05, .01], [seed], [seed])
    return keys


def keys_of_scan():
    """The notebook's network from other starts: where did the published run start?

    Most runs have sums that fit it; a few have another sum for V alone, 110 being Glorot's.
    """
    columns = 'W_sum V_sum draw_seed'
    keys = []
    for total in [*range(112, 162, 2), 200, 228]:
        runs = 150 if 126 <= total <= 146 else 40
        keys += keys_of(columns, [total], [total], range(runs))
    return keys + keys_of(columns, [134], [110, 228], range(60))


def keys_of_whole_runs():
    """The same from three starts, to the end."""
    keys = []
    for total in 128, 134, 138:
        keys += keys_of('W_sum V_sum draw_seed', [total], [total], range(40))
    return keys


KEYS = {'early.csv': keys_of_early_steps(),
        'runs.csv': keys_of_runs(),
        'networks.csv': keys_of_networks(),
        'one_bit.csv': keys_of_single_bits(),
        'changed.csv': keys_of_changed_images(),
        'ink.csv': keys_of_ink(),
        'curvature.csv': keys_of_curvatures(),
        'turned.csv': keys_of_turned_images(),
        'longer.csv': keys_of_longer_runs(),
        'sizes.csv': keys_of_sizes(),
        'scan.csv': keys_of_scan(),
        'whole.csv': keys_of_whole_runs(),
        'starts.csv': keys_of_starts()}


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

    A table that is not there has no rows. Raises TableError for a row that is cut, stands twice,
    has a key that is none of KEYS[name], or something that is no number.
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
        raise TableError('%s lacks %d rows, the first with the key %s: make runs makes them'
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
