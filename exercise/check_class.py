"""Checks all copies of the exercise in a folder: python check_class.py FOLDER

FOLDER.csv gets a row for each. Those that have a row and have not changed are not run again.
"""
import contextlib
import csv
import hashlib
import os
import sys
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path

import check_file
import psutil
import run_copy
from check_file import NotChecked, shown

if __name__ == '__main__':  # before check is imported, which takes seconds
    check_file.clean_up_when_stopped(
        '\nInterrupted. The table has the rows so far; the same command goes on')
import check  # noqa: E402

HEADER = ['copy', *check.PLACES, 'right', 'what to mend', 'checked']
WORDS = {check.RIGHT: 'right', check.EMPTY: 'empty', check.WRONG: 'wrong', check.WAITS: '-'}


def name_in_table(path):
    """Return how the table calls a copy: its file, which no spreadsheet takes for a formula."""
    name = shown(path)
    return "'" + name if name.startswith(('=', '+', '-', '@')) else name


def find_copies(folder):
    """Return the notebooks in a folder and in those below it, {name: path}, sorted."""
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() == '.ipynb')
    return {name_in_table(path.relative_to(folder)): path for path in paths
            if '.ipynb_checkpoints' not in path.parts and not path.name.startswith('._')}  # macOS's


def checksum(path):
    """Return a checksum of a copy, what comes along, and the check; '' if it cannot be read."""
    try:
        total = hashlib.sha256(check_file.content(path))
    except NotChecked:
        return ''
    for file in [*check_file.files_along(path), check.__file__, check.bitwise.__file__,
                 check_file.__file__, run_copy.__file__]:
        total.update(Path(file).read_bytes())
    return 'sha256 ' + total.hexdigest()[:16]


def row_of(name, result, checked):
    """Return a copy's row in the table."""
    verdicts = result.verdicts or dict.fromkeys(check.PLACES, (check.WAITS, ''))
    to_mend = ['%s: %s' % (place, text) for place, (kind, text) in verdicts.items()
               if kind != check.RIGHT and text not in ('', 'not checked')]
    if result.note:
        to_mend.append(result.note)
    return [name, *(WORDS[kind] for kind, _ in verdicts.values()), result.number_right(),
            '; '.join(to_mend), checked]


def read_table(path):
    """Return the rows of a table, {name: row}; {} where there is none. Raises NotChecked."""
    if not os.path.exists(path):
        return {}
    with open(path, newline='', encoding='utf-8-sig', errors='replace') as file:
        rows = [row for row in csv.reader(file) if row]
    if rows[:1] != [HEADER]:
        raise NotChecked('cannot be checked: %s is not as this program writes it: move it away'
                         % path)
    return {row[0]: row for row in rows[1:]}


def write_table(path, rows):
    """Write a table, whole: where that is interrupted, the one before stays."""
    with open(path + '.new', 'w', newline='', encoding='utf-8-sig') as file:  # sig: for Excel
        csv.writer(file).writerows([HEADER, *(rows[name] for name in sorted(rows))])
    os.replace(path + '.new', path)


def check_all(paths):
    """Check copies, {name: path}, several at once; yield (name, Result) when one is done.

    Close this generator to end those that run.
    """
    memory = psutil.virtual_memory().available // run_copy.LIMITS['RLIMIT_AS']
    pool = ThreadPool(max(1, min(os.cpu_count(), memory)))  # they wait for the copies' processes
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield from pool.imap_unordered(
                lambda name: (name, check_file.check_copy(paths[name], folder)), paths)
        finally:
            pool.terminate()
            check_file.end_processes(folder)
            pool.join()


def check_class(folder):
    """Check the copies in a folder that have no row in its table, or have changed since."""
    found = find_copies(folder)
    if not found:
        raise NotChecked('has no notebooks, *.ipynb')
    table = str(folder) + '.csv'
    rows = read_table(table)
    checked = {name: checksum(path) for name, path in found.items()}
    waiting = {name: path for name, path in found.items()
               if not checked[name] or rows.get(name, [''])[-1] != checked[name]}
    done = len(found) - len(waiting)
    print('%d of %d copies have a row and have not changed' % (done, len(found)), flush=True)
    with contextlib.closing(check_all(waiting)) as results:
        for done, (name, result) in enumerate(results, done + 1):
            rows[name] = row_of(name, result, checked[name])
            write_table(table, rows)
            print('%d of %d  %s  %s' % (done, len(found), name, result.sentence()), flush=True)
    print('The table is %s' % table)


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    if len(sys.argv) != 2:
        sys.exit('usage: python check_class.py FOLDER')
    folder = Path(os.path.abspath(sys.argv[1]))
    try:
        check_class(folder)
    except NotChecked as error:
        sys.exit('%s %s' % (shown(folder), error))
    except OSError as error:
        sys.exit('The check stopped: %s' % error)


if __name__ == '__main__':
    main()
