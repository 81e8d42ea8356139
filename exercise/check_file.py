"""Checks a copy of the exercise, place by place: python check_file.py FILE

A copy is run up to "Train", in a process and an empty folder of its own (see run_copy.py). The exit
status is 0 if all is right, 3 if not, and 1 for what cannot be checked.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

try:
    import psutil
except ImportError:
    sys.exit('The package psutil is missing: activate the environment of the exercise first')

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 180            # seconds for a copy
LARGEST_COPY = 50 * 2**20   # bytes of a notebook
SMALL = 2**20               # bytes of a file that comes along with a copy
SKIPPED = 'skip-execution'  # Jupyter's tag for cells that only people run
RIGHT = 'right'             # as check.RIGHT; importing check takes seconds
# The environment variables that a machine may need to find and start programs.
KEPT = ['PATH', 'LD_LIBRARY_PATH', 'SYSTEMROOT', 'COMSPEC', 'PATHEXT']


class NotChecked(Exception):
    """What cannot be checked. The message is one line, to follow a file's name."""


class Result(NamedTuple):
    """What came of a copy. verdicts: {place: (kind, text)}, or {}. note: what else, or None."""

    verdicts: dict
    note: Optional[str] = None

    def number_right(self):
        return [kind for kind, _ in self.verdicts.values()].count(RIGHT)

    def sentence(self):
        """Return what is to be said of the copy as a whole."""
        if not self.verdicts:
            return self.note
        right = '%d of %d places are right' % (self.number_right(), len(self.verdicts))
        return right + (', but ' + self.note if self.note else '')


def shown(path):
    """Return a file's name with nothing in it that a terminal would act on, or cannot show."""
    return ''.join(character if character.isprintable() else '\\x%02x' % ord(character)
                   for character in str(path))


def content(path):
    """Return the bytes of a copy. Raises NotChecked."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise NotChecked('is not a file')
        if size > LARGEST_COPY:
            raise NotChecked('is larger than %d MiB: clear its outputs in Jupyter, and save it'
                             % (LARGEST_COPY / 2**20))
        return path.read_bytes()
    except OSError as error:
        raise NotChecked('cannot be read: %s' % error.strerror) from None


def read(path):
    """Return a copy's cells, a list of (type, source). Raises NotChecked if it is no notebook."""
    try:
        notebook = json.loads(content(path).decode('utf-8-sig'))  # sig: some editors add a mark
        return [(cell['cell_type'], ''.join(cell['source'])) for cell in notebook['cells']
                if SKIPPED not in cell.get('metadata', {}).get('tags', [])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotChecked('is not a notebook of nbformat 4: save it in Jupyter again') from None


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


def end_processes(folder):
    """End all processes whose home is this folder or one in it, whoever started them."""
    found = True
    while found:
        found = [process for process in psutil.process_iter(['environ'])
                 if (process.info['environ'] or {}).get('HOME', '').startswith(folder)]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)


def run(cells, work, folder):
    """Run cells in the folder work, with folder as home, and return the Result."""
    with tempfile.TemporaryFile() as told:
        try:
            subprocess.run([sys.executable, str(HERE / 'run_copy.py')], cwd=work,
                           env=environment(folder), input=json.dumps(cells).encode(),
                           stdout=told, stderr=subprocess.DEVNULL,
                           timeout=TIME_LIMIT, start_new_session=True)
            what = 'ended the Python process'
        except subprocess.TimeoutExpired:
            what = 'was stopped after %d seconds: is there an endless loop?' % TIME_LIMIT
        finally:
            end_processes(folder)
        told.seek(0)
        lines = told.read().splitlines()
    if not lines:
        return Result({}, 'was not checked, since the check does not start')
    last = json.loads(lines[-1])
    note = last.get('note', 'a cell in section "%s" %s' % (last['section'], what))
    return Result(last['verdicts'], note)


def check_copy(path, temporary=None):
    """Run a copy in a new folder in the folder temporary, and return its Result."""
    try:
        cells = read(path)
    except NotChecked as error:
        return Result({}, str(error))
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        work = os.path.join(folder, 'work')
        os.mkdir(work)
        for file in files_along(path):
            shutil.copy(file, work)
        return run(cells, work, folder)


def clean_up_when_stopped(message):
    """From now on, let Ctrl-C and kill end this program by way of all that cleans up."""
    def stop(*_):
        for number in signal.SIGINT, signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(message)

    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, stop)


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    if len(sys.argv) != 2:
        sys.exit('usage: python check_file.py FILE')
    path = Path(os.path.abspath(sys.argv[1]))
    print('Running %s, for %d seconds at most' % (shown(path), TIME_LIMIT), file=sys.stderr)
    result = check_copy(path)
    if not result.verdicts:
        sys.exit('%s %s' % (shown(path), result.note))
    for number, (place, (_, text)) in enumerate(result.verdicts.items(), 1):
        print('%d. %s: %s' % (number, place, text))
    print(result.sentence())
    all_right = result.number_right() == len(result.verdicts) and not result.note
    sys.exit(0 if all_right else 3)


if __name__ == '__main__':
    clean_up_when_stopped('\nInterrupted')
    main()
