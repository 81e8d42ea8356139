"""Checks a copy of the exercise, or a folder of them: python check_file.py FILE_OR_FOLDER

A copy is run up to "Train", in a process and a new folder of its own (see run_copy.py). The small
files beside it come along, if there is no other notebook among them.

For a file, the verdicts are printed. The exit status is 0 if all is right, 3 if not, and 1 for what
cannot be checked. For a folder, the table FOLDER.csv gets a row for each copy. Those that have a
row and have not changed are not run again.
"""
import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import NamedTuple, Optional

if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback from imports that take seconds
try:
    import check
    import psutil
    import run_copy
except ImportError as error:
    sys.exit('%s: activate the environment of the exercise first' % error)

TIME_LIMIT = 180            # seconds for a copy
LARGEST_COPY = 50 * 2**20   # bytes of a notebook
SMALL = 2**20               # bytes of a file that comes along with a copy
# The environment variables that a machine may need to find and start programs.
KEPT = ['PATH', 'LD_LIBRARY_PATH', 'SYSTEMROOT', 'COMSPEC', 'PATHEXT']
HEADER = ['copy', *check.PLACES, 'right', 'what to mend', 'checked']  # the last: see checksum()


class CannotCheck(Exception):
    """A copy or a class that cannot be checked. The message is one line: why."""


class Result(NamedTuple):
    """What came of a copy. verdicts: {title: (kind, text)}, or {}. note: what else, or None."""

    verdicts: dict
    note: Optional[str] = None

    def number_right(self):
        return [kind for kind, _ in self.verdicts.values()].count(check.RIGHT)

    def sentence(self):
        """Return what is to be said of the copy as a whole."""
        if not self.verdicts:
            return 'cannot be checked: ' + self.note
        right = '%d of %d places are right' % (self.number_right(), len(self.verdicts))
        return right + (', but ' + self.note if self.note else '')


# One copy.

def read(path):
    """Return a copy's cells, a list of (type, source). Raises CannotCheck if it is no notebook."""
    if path.stat().st_size > LARGEST_COPY:
        raise CannotCheck('it is larger than %d MiB: clear its outputs in Jupyter, and save it'
                         % (LARGEST_COPY / 2**20))
    try:
        notebook = json.loads(path.read_text(encoding='utf-8-sig'))  # sig: some editors add a mark
        return [(cell['cell_type'], ''.join(cell['source'])) for cell in notebook['cells']
                if check.SKIPPED not in cell.get('metadata', {}).get('tags', [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CannotCheck('it is not a notebook of nbformat 4: save it in Jupyter again') from None


def files_along(path):
    """Return the small files beside a copy that has a folder of its own, at most 100."""
    beside = [other for other in sorted(path.parent.iterdir()) if other != path
              and other.is_file() and not other.name.startswith('.')]
    if any(other.suffix.lower() == '.ipynb' for other in beside):
        return []
    return [other for other in beside if other.stat().st_size <= SMALL][:100]


def environment(folder):
    """Return a copy's environment variables: none of the user's settings, nor secrets."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    homes = dict.fromkeys(['HOME', 'USERPROFILE', 'APPDATA', 'TMPDIR', 'TEMP', 'TMP'], folder)
    return {**kept, **homes, 'PYTHONUTF8': '1', 'LC_ALL': 'C', 'MPLBACKEND': 'agg'}


def processes_in(folder):
    """Return the processes whose home is this folder or one in it, whoever started them."""
    return [process for process in psutil.process_iter(['environ'])
            if (process.info['environ'] or {}).get('HOME', '').startswith(folder)]


def end_processes(folder):
    """End the processes in a folder, as processes_in() finds them."""
    scans = 0
    while scans < 3:  # a process that starts another program has no environment for a moment
        found = processes_in(folder)
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)
        scans = 0 if found else scans + 1
        time.sleep(.02)


def run(cells, work, folder):
    """Run cells in the folder work, with folder as home, and return the Result."""
    with tempfile.TemporaryFile() as told:
        try:
            subprocess.run([sys.executable, run_copy.__file__], cwd=work,
                           env=environment(folder), input=json.dumps(cells).encode(),
                           stdout=told, stderr=subprocess.DEVNULL,
                           timeout=TIME_LIMIT, start_new_session=True)
            how = 'ended the Python process'  # if it did not come to the end
        except subprocess.TimeoutExpired:
            how = 'was stopped after %d seconds: is there an endless loop?' % TIME_LIMIT
        finally:
            end_processes(folder)
        told.seek(0)
        *lines, _ = told.read().split(b'\n')  # the last line may be cut off
    if not lines:
        return Result({}, 'the check does not start')
    last = json.loads(lines[-1])
    if 'note' in last:
        return Result(last['verdicts'], last['note'])
    return Result(last['verdicts'], 'a cell in section "%s" %s' % (last['section'], how))


def check_copy(path, temporary=None):
    """Run a copy in a new folder in the folder temporary, and return its Result."""
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        work = os.path.join(folder, 'work')  # not its home, which IPython also writes to
        os.mkdir(work)
        try:
            cells = read(path)
            for file in files_along(path):
                shutil.copy(file, work)
        except (CannotCheck, OSError) as error:
            return Result({}, str(error))
        return run(cells, work, folder)


def check_file(path):
    """Check a copy and print the verdicts; return the exit status. Raises CannotCheck."""
    print('Running %s, for %d seconds at most' % (check.printable(path), TIME_LIMIT),
          file=sys.stderr)
    result = check_copy(path)
    if not result.verdicts:
        raise CannotCheck(result.note)
    for number, (title, (_, text)) in enumerate(result.verdicts.items(), 1):
        print('%d. %s: %s' % (number, title, text))
    print(result.sentence())
    all_right = result.number_right() == len(result.verdicts) and not result.note
    return 0 if all_right else 3


# A class.

def find_copies(folder):
    """Return the notebooks in a folder and in those below it, {name in the table: path}."""
    names = {path.relative_to(folder): path for path in sorted(folder.rglob('*'))
             if path.suffix.lower() == '.ipynb' and path.is_file()}
    return {check.printable(name): path for name, path in names.items()
            if not any(part.startswith('.') for part in name.parts)}  # Jupyter's, and macOS's


def checksum(path):
    """Return a checksum of a copy, what comes along, and the check; '' if one cannot be read."""
    total = hashlib.sha256()
    programs = [__file__, run_copy.__file__, check.__file__, check.bitwise.__file__]
    try:
        for file in [path, *files_along(path), *programs]:
            total.update(Path(file).read_bytes())
    except OSError:
        return ''
    return 'sha256 ' + total.hexdigest()[:16]


def row_of(name, result, copy_sum):
    """Return a copy's row in the table."""
    verdicts = result.verdicts or dict.fromkeys(check.PLACES, check.NOT_CHECKED)
    to_mend = ['%s: %s' % (title, text) for title, (kind, text) in verdicts.items()
               if kind != check.RIGHT and (kind, text) != check.NOT_CHECKED]
    if result.note:
        to_mend.append(result.note)
    return [name, *(kind for kind, _ in verdicts.values()), result.number_right(),
            '; '.join(to_mend), copy_sum]


def read_table(path):
    """Return the rows of a table, {name: row}; {} where there is none. Raises CannotCheck."""
    if not os.path.exists(path):
        return {}
    with open(path, newline='', encoding='utf-8-sig', errors='replace') as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if header != HEADER:
        raise CannotCheck('%s is not as this program writes it: move it away' % path)
    return {row[0]: row for row in rows if row}


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
                lambda name: (name, check_copy(paths[name], folder)), paths)
        finally:
            pool.terminate()  # no thread begins another copy
            end_processes(folder)
            pool.join()  # the threads end now that their copies' processes have ended


def check_class(folder):
    """Check the copies in a folder that have no row in its table, or have changed since.

    Return the exit status. Raises CannotCheck.
    """
    found = find_copies(folder)
    if not found:
        raise CannotCheck('it has no notebooks, *.ipynb')
    table = str(folder) + '.csv'
    rows = read_table(table)
    sums = {name: checksum(path) for name, path in found.items()}
    waiting = {name: path for name, path in found.items()
               if sums[name] == '' or rows.get(name, [''])[-1] != sums[name]}
    done = len(found) - len(waiting)
    print('%d of %d copies have a row and have not changed' % (done, len(found)), flush=True)
    with contextlib.closing(check_all(waiting)) as results:
        for done, (name, result) in enumerate(results, done + 1):
            rows[name] = row_of(name, result, sums[name])
            write_table(table, rows)
            print('%d of %d  %s  %s' % (done, len(found), name, result.sentence()), flush=True)
    print('The table is %s' % table)
    return 0


def stop(*_):
    """End this program by way of all that cleans up."""
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)
    sys.exit('\nInterrupted. The table of a class has the rows so far; the same command goes on')


def main():
    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, stop)
    sys.stdout.reconfigure(errors='backslashreplace')
    if len(sys.argv) != 2:
        sys.exit('usage: python check_file.py FILE_OR_FOLDER')
    path = Path(os.path.abspath(sys.argv[1]))
    try:
        sys.exit(check_class(path) if path.is_dir() else check_file(path))
    except CannotCheck as error:
        sys.exit('%s cannot be checked: %s' % (check.printable(path), error))
    except OSError as error:
        sys.exit('The check stopped: %s' % error)


if __name__ == '__main__':
    main()
