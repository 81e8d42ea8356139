"""Checks a copy of the exercise, place by place: make check, or python check_file.py FILE.

A copy may end its Python process, never end, or print without end. So run_copy.py runs it in a
process of its own, whose output is thrown away, and writes what comes of it to a file.
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

RUN_COPY = Path(__file__).resolve().parent / 'run_copy.py'
TIME_LIMIT = 180  # seconds for the cells and the tests of a copy
RIGHT, NOT_CHECKED = 'right', 'not checked'  # as in check.py, which takes seconds to import


class CheckError(Exception):
    """A copy that could not be checked. The message is one line."""


class Result(NamedTuple):
    """What came of a copy. verdicts: {place: [kind, text]}. changed: of a given cell, or None."""

    verdicts: dict
    changed: Optional[str]

    def number_right(self):
        return [kind for kind, text in self.verdicts.values()].count(RIGHT)

    def all_right(self):
        return self.number_right() == len(self.verdicts) and self.changed is None

    def sentence(self):
        """Return what is to be said of the copy as a whole."""
        if self.number_right() < len(self.verdicts):
            return '%d of %d places are right' % (self.number_right(), len(self.verdicts))
        if self.changed:
            return 'All %d places are right, but %s' % (len(self.verdicts), self.changed)
        return 'All %d places are right: this is the network of the assignment' % len(self.verdicts)


def shown(path):
    """Return a file's name with nothing in it that a terminal would act on."""
    return ''.join(character if character.isprintable() else '\\x%02x' % ord(character)
                   for character in str(path))


def environment(folder):
    """Return the environment variables for a copy. folder: for what IPython stores."""
    variables = {**os.environ, 'IPYTHONDIR': folder, 'MPLBACKEND': 'agg', 'PYTHONUTF8': '1'}
    for name in 'PYTHONOPTIMIZE', 'PYTHONWARNINGS':  # the first leaves out the tests
        variables.pop(name, None)
    return variables


def end(process):
    """End a copy's process and, but on Windows, those that it started."""
    if hasattr(os, 'killpg'):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all have ended
    else:
        process.kill()
    process.wait()


def run(path, time_limit):
    """Run the copy at path, and return its events, a list, and how its process ended.

    Raises CheckError where it can't be read, or the check can't start.
    """
    path = os.path.abspath(path)
    try:
        open(path, 'rb').close()
    except OSError as error:
        raise CheckError('%s cannot be read: %s' % (shown(path), error.strerror)) from None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        events, errors = Path(folder, 'events'), Path(folder, 'errors')
        events.touch()
        with errors.open('wb') as stderr:
            process = subprocess.Popen(
                [sys.executable, str(RUN_COPY), path, str(events), str(time_limit)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                cwd=os.path.dirname(path), env=environment(folder), start_new_session=True)
        try:
            process.wait(time_limit)
            ending = 'ended the Python process'
        except subprocess.TimeoutExpired:
            ending = 'was stopped after %d seconds: is there an endless loop?' % time_limit
        finally:
            end(process)
        lines = events.read_text(encoding='utf-8').splitlines()
        if not lines:
            told = errors.read_text(encoding='utf-8', errors='replace').splitlines()
            raise CheckError('Nothing was checked (is the environment active, and complete?): %s'
                             % (told[-1] if told else 'the check ' + ending))
    return [json.loads(line) for line in lines], ending


def check(path, time_limit=TIME_LIMIT):
    """Return the Result of the copy at path. Raises CheckError where there is none."""
    events, ending = run(path, time_limit)
    verdicts, changed, section = {}, 'its last cells were not checked', 'the beginning'
    for event in events:
        if 'unreadable' in event:
            raise CheckError('%s %s' % (shown(path), event['unreadable']))
        section = event.get('section', section)
        if 'verdict' in event:
            verdicts[event['place']] = event['verdict']
        changed = event.get('changed', changed)
    reason = 'not checked: a cell in section "%s" %s' % (section, ending)
    return Result({place: verdicts.get(place, [NOT_CHECKED, reason])
                   for place in events[0]['places']}, changed)


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    if len(sys.argv) != 2:
        sys.exit('usage: python check_file.py FILE')
    path = sys.argv[1]
    print('Running %s, for %d seconds at most' % (shown(path), TIME_LIMIT), file=sys.stderr)
    try:
        result = check(path)
    except CheckError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit('\nInterrupted: nothing was checked')
    for number, (place, (kind, text)) in enumerate(result.verdicts.items(), 1):
        print('%d. %s: %s' % (number, place, text))
    print(result.sentence())
    sys.exit(0 if result.all_right() else 1)


if __name__ == '__main__':
    main()
