"""Checks a copy of the exercise, or all copies in a folder, place by place.

    python check_file.py FILE      prints the verdict on each place
    python check_file.py FOLDER    checks a class: FOLDER.csv gets a row for each copy

A copy is run up to "Train", in a Jupyter kernel and an empty folder of its own.
"""
import signal
import sys


def interrupted(*_):
    """End this program, by way of all that cleans up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit('\nInterrupted. The table of a class has the rows so far; the same command goes on')


SIGNALS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP')
           if hasattr(signal, name)]
if __name__ == '__main__':  # before the imports, which take a second
    for each in SIGNALS:
        signal.signal(each, interrupted)

import ast  # noqa: E402
import csv  # noqa: E402
import ctypes  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import queue  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import defaultdict  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NamedTuple, Optional  # noqa: E402

import psutil  # noqa: E402
from IPython import get_ipython  # noqa: E402
from jupyter_client import KernelManager  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402

try:
    import resource
except ImportError:  # on Windows
    resource = None

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 180           # seconds for a copy
MEMORY = 3 * 2**30         # bytes of addresses for a copy's process; the notebook needs half
LARGEST_FILE = 100 * 2**20  # bytes of a file that a copy writes
LARGEST_COPY = 50 * 2**20   # bytes of a notebook
SMALL = 2**20              # bytes of a file that comes along with a copy
END = 'Train'              # from this section on, no cell is run
SKIPPED = 'skip-execution'  # Jupyter's tag for cells that only people run
# The environment variables that a machine may need to find and start programs.
KEPT = ['PATH', 'LD_LIBRARY_PATH', 'SYSTEMROOT', 'COMSPEC', 'PATHEXT']
# As in check.py, which takes seconds to import.
RIGHT, EMPTY, WRONG, WAITS = 'right', 'not written yet', 'wrong', 'not checked'
WORDS = {RIGHT: 'right', EMPTY: 'empty', WRONG: 'wrong', WAITS: '-'}  # in a table


class NotChecked(Exception):
    """What cannot be checked. The message is one line, to follow a file's name."""


class Ended(Exception):
    """A copy's kernel has ended, or had to. The message is what became of the cell."""


class Result(NamedTuple):
    """What came of a copy. verdicts: {place: [kind, text]}, or {}. note: what else, or None."""

    verdicts: dict
    note: Optional[str] = None

    def number_right(self):
        return [kind for kind, text in self.verdicts.values()].count(RIGHT)

    def all_right(self):
        return 0 < self.number_right() == len(self.verdicts) and not self.note

    def sentence(self):
        """Return what is to be said of the copy as a whole."""
        if not self.verdicts:
            return self.note
        if self.number_right() < len(self.verdicts):
            return '%d of %d places are right' % (self.number_right(), len(self.verdicts))
        return 'All %d places are right%s' % (
            len(self.verdicts),
            ', but ' + self.note if self.note else ': this is the network of the assignment')


def shown(path):
    """Return a file's name with nothing in it that a terminal would act on."""
    return ''.join(character if character.isprintable() else '\\x%02x' % ord(character)
                   for character in str(path))


# How a copy is read.

def content(path):
    """Return the bytes of a copy. Raises NotChecked."""
    try:
        status = path.stat()
        if not path.is_file():
            raise NotChecked('is not a file')
        if status.st_size > LARGEST_COPY:
            raise NotChecked('is larger than %d MiB: clear its outputs in Jupyter, and save it'
                             % (LARGEST_COPY / 2**20))
        return path.read_bytes()
    except OSError as error:
        raise NotChecked('cannot be read: %s' % error.strerror) from None


def read(path):
    """Return a copy's cells, [(type, source)]. Raises NotChecked where it is no Python notebook.

    What other programs than Jupyter leave out, or set to null, is taken for empty.
    """
    try:
        notebook = json.loads(content(path).decode('utf-8-sig'))  # sig: some editors add a mark
        cells = [(cell.get('cell_type'), ''.join(cell.get('source') or ''))
                 for cell in notebook['cells'] if SKIPPED not in str(cell.get('metadata'))]
        metadata = notebook.get('metadata') or {}
        language = (metadata.get('kernelspec') or {}).get('language') or 'python'
    except UnicodeDecodeError:
        raise NotChecked('is not UTF-8 text: save it in Jupyter again') from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotChecked('is not a notebook of nbformat 4: save it in Jupyter again') from None
    if language != 'python':
        raise NotChecked('is a notebook in %s, not in Python' % shown(language))
    return cells


def section_begun_by(source, titles):
    """Return which of these titles is a heading in a Markdown text, or None."""
    for line in re.sub(r'(?ms)^(```|~~~).*?^\1', '', source).splitlines():  # without code
        if line.startswith('##') and line.strip('# ') in titles:
            return line.strip('# ')
    return None


def files_along(path):
    """Return the small files beside a copy that has a folder of its own, at most 100."""
    beside = [other for other in sorted(path.parent.iterdir()) if other != path
              and other.is_file() and not other.name.startswith('.')]
    if any(other.suffix.lower() == '.ipynb' for other in beside):
        return []
    return [other for other in beside if other.stat().st_size <= SMALL][:100]


# How a copy is run.

def adopt_orphans():
    """Become the parent of those whose parent, a process below this one, ends (on Linux)."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_children():
    """End all processes below this one."""
    children = psutil.Process().children(recursive=True)
    while children:
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(children, timeout=5)
        children = psutil.Process().children(recursive=True)


def limit():
    """Limit this process, and with it those that it starts, where the system can."""
    if resource:
        for kind, wanted in (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, LARGEST_FILE):
            _, most = resource.getrlimit(kind)
            if most == resource.RLIM_INFINITY or most > wanted:
                resource.setrlimit(kind, (wanted, most))


def environment(folder):
    """Return a copy's environment variables: none of the user's settings, nor secrets."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    homes = dict.fromkeys(['HOME', 'USERPROFILE', 'APPDATA', 'TMPDIR', 'TEMP', 'TMP'], folder)
    return {**kept, **homes, 'PYTHONPATH': str(HERE), 'PYTHONUTF8': '1', 'LC_ALL': 'C'}


class Forgetful(defaultdict):
    """Gives an empty list for every key, and keeps none."""

    def __missing__(self, key):
        return []


def prepare():
    """Prepare the kernel that this runs in: a check that watches, and no shell."""
    import check
    check.place = check.verdict = lambda title: RIGHT  # the copy's own cells need not check too
    shell = get_ipython()
    shell.history_manager.outputs = Forgetful()  # else a copy that prints for ever fills memory
    shell.system = shell.getoutput = lambda *args, **options: []  # !ls and %pip
    for name in ['script', *shell.magics_manager.registry['ScriptMagics'].script_magics]:
        shell.magics_manager.magics['cell'][name] = lambda line, cell: None  # %%bash and its kin


class Kernel:
    """A Jupyter kernel that works in this folder. What it puts out is not received."""

    def __init__(self, folder):
        self.deadline = time.monotonic() + TIME_LIMIT
        self.manager = KernelManager(
            connection_file=os.path.join(os.path.dirname(folder), 'kernel.json'),
            transport='tcp' if os.name == 'nt' else 'ipc',  # two kernels may find the same port
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # of this Python, no other
        self.manager.start_kernel(
            cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, extra_arguments=['--IPKernelApp.capture_fd_output=False'])
        self.client = self.manager.client()
        self.client.start_channels(iopub=False, stdin=False, hb=False, control=False)

    def run(self, source, expression='None'):
        """Run a cell, and return the kernel's reply, a dict. Raises Ended."""
        sent = self.client.execute(source, store_history=False, allow_stdin=False,
                                   stop_on_error=False, user_expressions={'asked': expression})
        while time.monotonic() < self.deadline:
            try:
                reply = self.client.get_shell_msg(timeout=1)
            except queue.Empty:
                if not self.manager.is_alive():
                    raise Ended('ended the Python process') from None
                continue
            if reply['parent_header'].get('msg_id') == sent:
                return reply['content']
        raise Ended('was stopped after %d seconds: is there an endless loop?' % TIME_LIMIT)

    def ask(self, expression):
        """Return the value of an expression, written as Python writes it. Raises Ended."""
        reply = self.run('', expression)['user_expressions']['asked']
        if reply['status'] != 'ok':
            raise Ended('broke the check: %s: %s' % (reply['ename'], reply['evalue'][:300]))
        return ast.literal_eval(reply['data']['text/plain'])

    def verdict(self, place):
        return self.ask('[*__import__("check").session.verdict(%r)]' % place)

    def end(self):
        self.manager.shutdown_kernel(now=True)
        self.client.stop_channels()


def check_copy(path):
    """Run a copy and return its Result."""
    try:
        cells = read(path)
        with tempfile.TemporaryDirectory() as folder:
            work = os.path.join(folder, 'work')
            os.mkdir(work)
            kernel = Kernel(work)
            try:
                reply = kernel.run('__import__("check_file").prepare()')
                if reply['status'] != 'ok':
                    raise NotChecked('was not checked, since the check does not start (is the '
                                     'environment active, and complete?): %s: %s'
                                     % (reply['ename'], ' '.join(reply['evalue'].split())[:300]))
                for file in files_along(path):  # now, so that a check among them is not used
                    shutil.copy(file, work)
                return judge(kernel, cells)
            finally:
                kernel.end()
                end_children()
    except NotChecked as error:
        return Result({}, str(error))


def judge(kernel, cells):
    """Run a copy's cells and return its Result. Raises NotChecked where it is not the exercise."""
    titles = kernel.ask('list(__import__("check").PLACES)')
    begins = [section_begun_by(source, [*titles, END]) if kind == 'markdown' else None
              for kind, source in cells]
    if not set(titles) & set(begins) and not any('check.place' in source for _, source in cells):
        raise NotChecked("has none of the places' sections: is it another notebook?")
    verdicts = {}
    section = 'the beginning'
    try:
        for title, (kind, source) in zip(begins, cells):
            if title:
                if section in titles:
                    verdicts[section] = kernel.verdict(section)
                section = title
            if title == END:
                break
            if kind == 'code':
                kernel.run(source)
        for title in titles:  # it may be further down, or its heading may be gone
            if verdicts.get(title, [None])[0] != RIGHT:
                verdicts[title] = kernel.verdict(title)
        note = None
        if all(kind == RIGHT for kind, text in verdicts.values()):
            note = kernel.ask('__import__("check").session.what_changed()')
    except Ended as ended:
        note = 'a cell in section "%s" %s' % (section, ended)
        for title in titles:
            verdicts.setdefault(title, [WAITS, 'not checked: ' + note])
    return Result({title: verdicts[title] for title in titles}, note)


# A class.

def find_copies(folder):
    """Return the notebooks in a folder and in those below it, {name: path}, sorted."""
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() == '.ipynb')
    return {shown(path.relative_to(folder)): path for path in paths
            if '.ipynb_checkpoints' not in path.parts and not path.name.startswith('._')}  # macOS's


def checksum(path):
    """Return a checksum of a copy, what comes along, and the check; '' if it cannot be read."""
    import bitwise
    import check
    try:
        total = hashlib.sha256(content(path))
        for file in [__file__, check.__file__, bitwise.__file__, *files_along(path)]:
            total.update(Path(file).read_bytes())
    except (NotChecked, OSError):
        return ''
    return 'sha256 ' + total.hexdigest()[:16]


def for_spreadsheet(value):
    """Return a value as a text that no spreadsheet takes for a formula."""
    return re.sub('^(?=[=+@]|-.)', "'", str(value))


def row_of(name, result, places, checked):
    """Return a copy's row in the table."""
    words = [WORDS[result.verdicts[place][0]] if result.verdicts else '-' for place in places]
    to_mend = ['%s: %s' % (place, text) for place, (kind, text) in result.verdicts.items()
               if kind in (EMPTY, WRONG)]
    if result.note:
        to_mend.append(result.note)
    values = [name, *words, result.number_right(), '; '.join(to_mend), checked]
    return [for_spreadsheet(value) for value in values]


def read_table(path, header):
    """Return the rows of a table, {name: row}; {} where there is none. Raises NotChecked."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise NotChecked('cannot be checked: %s cannot be read: %s' % (path, error)) from None
    if rows[:1] != [header] or any(len(row) != len(header) for row in rows):
        raise NotChecked('cannot be checked: %s is not as this program writes it: move it away'
                         % path)
    return {row[0]: row for row in rows[1:]}


def write_table(path, header, rows):
    """Write a table, whole: where that is interrupted, the one before stays."""
    with open(path + '.new', 'w', newline='', encoding='utf-8-sig') as file:  # sig: for Excel
        csv.writer(file).writerows([header, *(rows[name] for name in sorted(rows))])
    os.replace(path + '.new', path)


def check_all(paths, at_once, folder):
    """Check the copies, {name: path}, each in a process of its own; yield (name, Result).

    folder: for their temporary files, which they may leave.
    """
    waiting = list(paths.items())
    running = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name, path = waiting.pop(0)
            process = subprocess.Popen([sys.executable, __file__, '--json', str(path)],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env={**os.environ, 'TMPDIR': folder})
            running[name] = process, time.monotonic() + TIME_LIMIT + 60
        time.sleep(.1)
        for name, (process, deadline) in list(running.items()):
            if time.monotonic() > deadline:  # its copy has stopped it
                process.kill()
            if process.poll() is not None:
                del running[name]
                yield name, printed_by(process)


def printed_by(process):
    """Return the Result that a process with --json has printed."""
    printed, _ = process.communicate()
    try:
        return Result(*json.loads(printed))
    except ValueError:
        return Result({}, 'was not checked: its check ended with status %d' % process.returncode)


def check_class(folder):
    """Check the copies in a folder that have no row in its table, or have changed since."""
    if folder in HERE.parents or folder == HERE:
        raise NotChecked('has this program in it: put the copies into a folder of their own')
    found = find_copies(folder)
    if not found:
        raise NotChecked('has no notebooks, *.ipynb')
    sys.path.insert(0, str(HERE))
    import check
    header = ['copy', *check.PLACES, 'right', 'what to mend', 'checked']
    table = str(folder) + '.csv'
    rows = read_table(table, header)
    checked = {name: checksum(path) for name, path in found.items()}
    waiting = {name: path for name, path in found.items() if not checked[name]
               or rows.get(for_spreadsheet(name), [''])[-1] != checked[name]}
    at_once = int(max(1, min(os.cpu_count(), psutil.virtual_memory().available // MEMORY)))
    done = len(found) - len(waiting)
    print('%d of %d copies have a row and have not changed; the others are checked, %d at once'
          % (done, len(found), at_once), flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        try:
            for done, (name, result) in enumerate(check_all(waiting, at_once, temporary), done + 1):
                if checksum(found[name]) != checked[name]:
                    result = Result({}, 'was changed while the class was checked: is it what was '
                                        'handed in?')
                row = row_of(name, result, check.PLACES, checked[name])
                rows[row[0]] = row
                write_table(table, header, rows)
                print('%d of %d  %s  %s' % (done, len(found), name, result.sentence()), flush=True)
        finally:
            end_children()
    print('The table is %s' % table)


def check_one(path):
    """Check a copy and print the verdicts; end with status 0 only if all is right."""
    print('Running %s, for %d seconds at most' % (shown(path), TIME_LIMIT), file=sys.stderr)
    result = check_copy(path)
    if not result.verdicts:
        raise NotChecked(result.note)
    for number, (place, (kind, text)) in enumerate(result.verdicts.items(), 1):
        print('%d. %s: %s' % (number, place, text))
    print(result.sentence())
    sys.exit(0 if result.all_right() else 1)


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    for_class = sys.argv[1:2] == ['--json']
    paths = sys.argv[1 + for_class:]
    if len(paths) != 1 or not paths[0]:
        sys.exit('usage: python check_file.py FILE_OR_FOLDER')
    path = Path(os.path.abspath(paths[0]))
    adopt_orphans()
    try:
        if for_class:
            limit()
            print(json.dumps(check_copy(path)))
        elif path.is_dir():
            check_class(path)
        else:
            limit()
            check_one(path)
    except NotChecked as error:
        sys.exit('%s %s' % (shown(paths[0]), error))
    except (OSError, ImportError) as error:
        sys.exit('The check stopped: %s' % error)


if __name__ == '__main__':
    main()
