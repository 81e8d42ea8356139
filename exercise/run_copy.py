"""Runs the cells of a student's copy, and tests each place at the end of its section.

usage: python run_copy.py COPY EVENTS TIME_LIMIT

check_file.py starts it, in a process of its own. It appends an event, a line of JSON, to the file
EVENTS: for each section that begins, for each verdict, and at the end.
"""
import json
import os
import re
import signal
import sys
from pathlib import Path

import check  # first: it sets the pins before NumPy is imported
import matplotlib.pyplot  # noqa: F401  if a package is missing, it is not the copy's fault
import six.moves.cPickle  # noqa: F401
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import SList
from traitlets.config import Config

try:
    import resource
except ImportError:  # on Windows
    resource = None

MEMORY = 8 * 2**30  # bytes; the notebook needs an eighth
END = 'Train'  # from this section on, no cell is run
TITLES = {section.title for section in check.SECTIONS} | {END}


class CopyError(Exception):
    """A file that is not a notebook. The message is what is wrong, without the file's name."""


def read(path):
    """Return a copy's cells, [(type, source)]. Raises CopyError where it can't be read.

    What other programs than Jupyter leave out, or set to null, is taken for empty.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')  # sig: Windows editors add a mark
        cells = json.loads(text)['cells']
        return [(cell.get('cell_type'), ''.join(cell.get('source') or '')) for cell in cells]
    except OSError as error:
        raise CopyError('cannot be read: %s' % error.strerror) from None
    except UnicodeDecodeError:
        raise CopyError('is not UTF-8 text: save it in Jupyter again') from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CopyError('is not a notebook of nbformat 4: save it in Jupyter again') from None


def section_begun_by(source):
    """Return the title of the exercise's section that a Markdown cell begins, or None."""
    for line in re.sub(r'(?ms)^(```|~~~).*?^\1', '', source).splitlines():  # without code
        if line.startswith('##') and line.strip('# ') in TITLES:
            return line.strip('# ')
    return None


class Forgetful(dict):
    """Gives an empty list for every key, and keeps none."""

    def __missing__(self, key):
        return []


class Shell(InteractiveShell):
    """IPython as in a kernel, except that nothing is run outside of Python, shown or kept."""

    def __init__(self):
        super().__init__(config=Config({'HistoryManager': {'enabled': False}}))
        self.history_manager.outputs = Forgetful()  # else a copy that prints for ever fills memory
        scripts = self.magics_manager.registry['ScriptMagics'].script_magics
        for name in ['script', *scripts]:  # %%bash and its kin
            self.magics_manager.magics['cell'][name] = lambda line, cell: None

    def system(self, command):
        """Do nothing, in place of running a shell command."""

    def getoutput(self, command, split=True, depth=0):
        return SList() if split else ''

    def enable_matplotlib(self, gui=None):
        return 'agg', 'agg'

    def ask_exit(self):  # exit() calls it
        raise SystemExit

    def showtraceback(self, *args, **kwargs):
        """Show nothing."""

    def showsyntaxerror(self, *args, **kwargs):
        """Show nothing."""


def run(path, tell):
    """Run a copy's cells up to END, and tell the events. tell: a function of keyword arguments."""
    shell = Shell.instance()
    session = check.watch(shell)
    check.place = check.verdict = lambda title: 'right'  # the copy's own cells need not check too
    section = None
    written = set()

    def judge(place):
        verdict = session.verdict(place)
        tell(place=place, verdict=verdict)
        if verdict.kind != check.NOT_WRITTEN:
            written.add(place)

    for cell_type, source in read(path):
        title = section_begun_by(source) if cell_type == 'markdown' else None
        if title:
            if section in check.PLACES:
                judge(section)
            section = title
            tell(section=title)
        if title == END:
            break
        if cell_type == 'code':
            shell.run_cell(source, store_history=False)
    for place in check.PLACES:
        if place not in written:  # perhaps it is further down, or its heading is gone
            judge(place)
    changed = [session.what_changed(each) for each in check.SECTIONS]
    tell(changed=next(filter(None, changed), None))


def limit(seconds):
    """Limit this process, where the system can (not on Windows).

    It ends itself after these seconds, should check_file.py be gone. What needs more than MEMORY
    is a MemoryError, and does not bring down other programs.
    """
    if resource:
        signal.alarm(seconds)
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        if most == resource.RLIM_INFINITY or most > MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, most))


def main():
    path, events, time_limit = sys.argv[1:]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # up to here it had errors of the imports
    limit(int(time_limit) + 1)
    sys.path.insert(0, str(Path(path).parent))  # as in Jupyter
    file = open(events, 'a', encoding='utf-8')

    def tell(**event):
        print(json.dumps(event), file=file, flush=True)

    tell(places=list(check.PLACES))
    try:
        run(path, tell)
    except CopyError as error:
        tell(unreadable=str(error))
    except Exception as error:  # of the check itself
        tell(unreadable='could not be checked: ' + check.describe(error))
    finally:
        os._exit(0)  # does not wait for the copy's threads


if __name__ == '__main__':
    main()
