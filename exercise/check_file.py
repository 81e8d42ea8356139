"""Checks a copy of the exercise, or all copies in a folder, place by place.

    python check_file.py FILE      prints the verdict on each place
    python check_file.py FOLDER    checks a class: writes FOLDER.csv, with a row for each copy

A copy is run up to "Train" in a Jupyter kernel of its own, and in an empty folder of its own.
"""
import signal
import sys


def interrupted(*_):
    """End the program; what it started, and its folders, go on the way out."""
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
TIME_LIMIT = 180  # seconds for a copy
MEMORY = 3 * 2**30  # bytes of addresses for a process; the notebook needs half, and uses a fifth
LARGEST_FILE = 100 * 2**20  # bytes of a file that a copy writes
LARGEST_COPY = 50 * 2**20  # bytes of a notebook
SMALL = 2**20  # bytes of a file that comes along with a copy; at most 100 do
END = 'Train'  # from this section on, no cell is run
SKIPPED = 'skip-execution'  # Jupyter's tag for cells that only people run
KEPT = ['PATH', 'LD_LIBRARY_PATH', 'SYSTEMROOT', 'COMSPEC', 'PATHEXT']  # environment variables
# As in check.py, which takes seconds to import; and what the table has for them.
RIGHT, NOT_CHECKED = 'right', 'not checked'
WORDS = {RIGHT: 'right', 'not written yet': 'empty', 'wrong': 'wrong', NOT_CHECKED: '-'}


class CheckError(Exception):
    """A copy, or a class, that could not be checked. The message is one line."""


class Ended(Exception):
    """A copy's kernel has ended, or had to. The message is what happened to it."""


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


# How a copy is read.

def content(path):
    """Return the bytes of a copy. Raises CheckError where it is no file, or cannot be read."""
    try:
        if not path.is_file():
            raise CheckError('is a folder, or no file' if path.exists() else 'does not exist')
        if path.stat().st_size > LARGEST_COPY:
            raise CheckError('is larger than %d MiB: clear its outputs in Jupyter, and save it'
                             % (LARGEST_COPY / 2**20))
        return path.read_bytes()
    except OSError as error:
        raise CheckError('cannot be read: %s' % error.strerror) from None


def read(path):
    """Return a copy's cells, [(type, source)]. Raises CheckError where it is no Python notebook.

    What other programs than Jupyter leave out, or set to null, is taken for empty.
    """
    try:
        notebook = json.loads(content(path).decode('utf-8-sig'))  # sig: some editors add a mark
        cells = [(cell.get('cell_type'), ''.join(cell.get('source') or ''))
                 for cell in notebook['cells'] if SKIPPED not in str(cell.get('metadata'))]
        metadata = notebook.get('metadata') or {}
        languages = [(metadata.get('kernelspec') or {}).get('language'),
                     (metadata.get('language_info') or {}).get('name')]
    except UnicodeDecodeError:
        raise CheckError('is not UTF-8 text: save it in Jupyter again') from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise CheckError('is not a notebook of nbformat 4: save it in Jupyter again') from None
    for language in filter(None, languages):
        if 'python' not in str(language).lower():
            raise CheckError('is a notebook in %s, not in Python' % shown(language))
    return cells


def section_begun_by(source, titles):
    """Return which of the titles a Markdown cell begins a section with, or None."""
    for line in re.sub(r'(?ms)^(```|~~~).*?^\1', '', source).splitlines():  # without code
        if line.startswith('##') and line.strip('# ') in titles:
            return line.strip('# ')
    return None


def files_along(path):
    """Return the small files beside a copy that has a folder of its own."""
    beside = sorted(other for other in path.parent.iterdir()
                    if other.is_file() and not other.name.startswith('.') and other != path)
    if any(other.suffix.lower() == '.ipynb' for other in beside):
        return []
    return [other for other in beside if other.stat().st_size <= SMALL][:100]


# How a copy is run.

def adopt_orphans():
    """Become the parent of what ended processes below this one leave, where the system can."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def limit():
    """Limit this process and those below it, where the system can (not on Windows)."""
    if resource:
        for kind, wanted in (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, LARGEST_FILE):
            _, most = resource.getrlimit(kind)
            if most == resource.RLIM_INFINITY or most > wanted:
                resource.setrlimit(kind, (wanted, most))


def end_children():
    """End all processes below this one, until there are none."""
    children = psutil.Process().children(recursive=True)
    while children:
        for child in children:
            try:
                child.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(children, timeout=5)
        children = psutil.Process().children(recursive=True)


def environment(folder):
    """Return the environment variables of a copy: none of the user's settings, nor secrets."""
    homes = dict.fromkeys(['HOME', 'USERPROFILE', 'APPDATA', 'TMPDIR', 'TEMP', 'TMP'], folder)
    return {**{name: os.environ[name] for name in KEPT if name in os.environ}, **homes,
            'PYTHONPATH': str(HERE), 'PYTHONUTF8': '1', 'LC_ALL': 'C'}


def prepare():
    """Prepare the kernel that this runs in for a copy: a check that watches, and no shell."""
    import check
    check.place = check.verdict = lambda title: 'right'  # the copy's own cells need not check too
    shell = get_ipython()
    shell.history_manager.outputs = Forgetful()  # else a copy that prints for ever fills memory
    shell.system = shell.getoutput = lambda *args, **options: []  # also %pip
    for name in ['script', *shell.magics_manager.registry['ScriptMagics'].script_magics]:
        shell.magics_manager.magics['cell'][name] = lambda line, cell: None  # %%bash and its kin

    def no_keyboard(*args):
        raise EOFError('there is no keyboard')

    shell.kernel.raw_input = shell.kernel.getpass = no_keyboard


class Forgetful(defaultdict):
    """Gives an empty list for every key, and keeps none."""

    def __missing__(self, key):
        return []


class Kernel:
    """A Jupyter kernel for a copy, in a folder of its own. Its outputs are not received."""

    def __init__(self, folder):
        self.work = os.path.join(folder, 'work')
        os.mkdir(self.work)
        self.deadline = time.monotonic() + TIME_LIMIT
        self.manager = KernelManager(
            connection_file=os.path.join(folder, 'kernel.json'),
            transport='tcp' if os.name == 'nt' else 'ipc',  # files: two kernels may get one port
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))  # this Python's own kernel
        self.manager.start_kernel(cwd=self.work, env=environment(self.work),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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
        """Return the value of an expression in the kernel. Raises Ended where it has none."""
        reply = self.run('', expression)['user_expressions']['asked']
        if reply['status'] != 'ok':
            raise Ended('broke the check: %s: %s' % (reply['ename'], reply['evalue']))
        return ast.literal_eval(reply['data']['text/plain'])

    def verdict(self, place):
        return self.ask('[*__import__("check").session.verdict(%r)]' % place)

    def end(self):
        self.manager.shutdown_kernel(now=True)
        self.client.stop_channels()


def check(path):
    """Run a copy and return its Result. Raises CheckError where there is none."""
    path = Path(path).absolute()
    cells = read(path)
    with tempfile.TemporaryDirectory() as folder:
        kernel = Kernel(folder)
        try:
            reply = kernel.run('__import__("check_file").prepare()')
            if reply['status'] != 'ok':
                raise CheckError('was not checked, since the check could not start (is the '
                                 'environment active, and complete?): %s: %s'
                                 % (reply['ename'], ' '.join(reply['evalue'].split())[:300]))
            # Only now: the check is ours, even if the copy brings one along.
            for file in files_along(path):
                shutil.copy(file, kernel.work)
            return judge(kernel, cells)
        finally:
            kernel.end()
            end_children()


def judge(kernel, cells):
    """Return the Result of a copy's cells. Raises CheckError where it is not the exercise."""
    titles = kernel.ask('list(__import__("check").PLACES)')
    sections = [section_begun_by(source, [*titles, END]) if kind == 'markdown' else None
                for kind, source in cells]
    if not set(titles) & set(sections) and not any('check.place' in source for _, source in cells):
        raise CheckError('has no section "%s": is it another notebook?' % '", "'.join(titles))
    verdicts = {}
    section = 'the beginning'
    try:
        for (kind, source), begins in zip(cells, sections):
            if begins:
                if section in titles:
                    verdicts[section] = kernel.verdict(section)
                section = begins
            if begins == END:
                break
            if kind == 'code':
                kernel.run(source)
        for title in titles:  # it may be further down, or its heading may be gone
            if verdicts.get(title, [None])[0] != RIGHT:
                verdicts[title] = kernel.verdict(title)
        changed = kernel.ask('__import__("check").session.what_changed()')
    except Ended as ended:
        changed = 'its last cells were not checked'
        for title in titles:
            verdicts.setdefault(title, [NOT_CHECKED, 'not checked: a cell in section "%s" %s'
                                        % (section, ended)])
    return Result({title: verdicts[title] for title in titles}, changed)


# A class.

def find_copies(folder):
    """Return the notebooks in a folder and in those below it, {name: path}, sorted."""
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() == '.ipynb')
    return {shown(path.relative_to(folder)): path for path in paths
            if '.ipynb_checkpoints' not in path.parts and not path.name.startswith('._')}  # macOS's


def checksum(path):
    """Return a checksum of the check, a copy and what comes along; '' if it cannot be read."""
    import bitwise
    import check as check_itself
    files = [__file__, check_itself.__file__, bitwise.__file__, *files_along(path)]
    try:
        total = hashlib.sha256(content(path))
        for file in files:
            total.update(b'%s %s' % (os.fsencode(os.path.basename(file)), Path(file).read_bytes()))
    except (CheckError, OSError):
        return ''
    return 'sha256 ' + total.hexdigest()[:16]


def for_spreadsheet(value):
    """Return a value of the table as a text that no spreadsheet takes for a formula."""
    text = str(value)
    return "'" + text if text.startswith(('=', '+', '-', '@')) and len(text) > 1 else text


def row_of(name, outcome, titles, checked):
    """Return a copy's row of the table. outcome: its Result, or a CheckError."""
    if isinstance(outcome, CheckError):
        values = ['-' for title in titles] + ['', str(outcome)]
    else:
        texts = ['%s: %s' % (title, text) for title, (kind, text) in outcome.verdicts.items()
                 if kind != RIGHT]
        values = [WORDS[kind] for kind, text in outcome.verdicts.values()]
        values += [outcome.number_right(), '; '.join(texts + [outcome.changed or ''])]
    return [for_spreadsheet(value) for value in [name, *values, checked]]


def read_table(path, header):
    """Return the rows of a table, {name: row}; {} where there is none. Raises CheckError."""
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise CheckError('cannot be read: %s' % error) from None
    if rows[:1] != [header] or any(len(row) != len(header) for row in rows):
        raise CheckError('is not a table as this program writes it, and was not changed: '
                         'move it away')
    return {row[0]: row for row in rows[1:]}


def write_table(path, header, rows):
    """Write a table as a whole: an interruption leaves the one before."""
    with open(path + '.new', 'w', newline='', encoding='utf-8-sig') as file:  # sig: for Excel
        csv.writer(file).writerows([header, *(rows[name] for name in sorted(rows))])
    os.replace(path + '.new', path)


def outcome_of(process):
    """Return the Result, or the CheckError, that the check of a copy in a process has printed."""
    printed, _ = process.communicate()
    try:
        told = json.loads(printed)
    except ValueError:
        return CheckError('was not checked: it ended the check, with status %d'
                          % process.returncode)
    return CheckError(told) if isinstance(told, str) else Result(**told)


def check_all(paths, at_once):
    """Check the copies, {name: path}, each in a process of its own; yield (name, outcome)."""
    waiting = list(paths.items())
    running = {}
    while waiting or running:
        while waiting and len(running) < at_once:
            name, path = waiting.pop(0)
            process = subprocess.Popen([sys.executable, __file__, '--json', str(path)],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            running[name] = process, time.monotonic() + TIME_LIMIT + 60
        time.sleep(.1)
        for name, (process, deadline) in list(running.items()):
            if time.monotonic() > deadline:  # a copy may have stopped its check
                process.kill()
            if process.poll() is not None:
                del running[name]
                yield name, outcome_of(process)


def check_class(folder):
    """Check the copies in a folder that its table has no row for, and write the rows."""
    if folder in HERE.parents or folder == HERE:
        raise CheckError('has this program in it: put the copies into a folder of their own')
    found = find_copies(folder)
    if not found:
        raise CheckError('has no notebooks, *.ipynb')
    sys.path.insert(0, str(HERE))
    import check as check_itself
    titles = list(check_itself.PLACES)
    header = ['copy', *titles, 'right', 'what to mend', 'checked']
    table = str(folder) + '.csv'
    rows = read_table(table, header)
    checked = {name: checksum(path) for name, path in found.items()}
    waiting = {name: path for name, path in found.items() if not checked[name]
               or rows.get(for_spreadsheet(name), [None])[-1] != checked[name]}
    at_once = max(1, min(os.cpu_count(), psutil.virtual_memory().available // MEMORY))
    done = len(found) - len(waiting)
    print('%d copies: %d have a row and have not changed, %d are checked now, %d at once'
          % (len(found), done, len(waiting), at_once), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ['TMPDIR'] = folder
        try:
            for name, outcome in check_all(waiting, at_once):
                if checksum(found[name]) != checked[name]:
                    outcome = CheckError('was changed while the class was checked: is it still '
                                         'what was handed in?')
                row = row_of(name, outcome, titles, checked[name])
                rows[row[0]] = row
                write_table(table, header, rows)
                done += 1
                told = outcome.sentence() if isinstance(outcome, Result) else outcome
                print('%d of %d  %s  %s' % (done, len(found), name, told), flush=True)
        finally:
            end_children()
    print('The table is %s' % table)


def check_one(path):
    """Check one copy and print the verdicts; end with status 0 only if all is right."""
    print('Running %s, for %d seconds at most' % (shown(path), TIME_LIMIT), file=sys.stderr)
    result = check(path)
    for number, (place, (kind, text)) in enumerate(result.verdicts.items(), 1):
        print('%d. %s: %s' % (number, place, text))
    print(result.sentence())
    sys.exit(0 if result.all_right() else 1)


def print_json(path):
    """Check one copy and print its Result, or why there is none, for check_class."""
    try:
        print(json.dumps(check(path)._asdict()))
    except CheckError as error:
        print(json.dumps(str(error)))


def main():
    sys.stdout.reconfigure(errors='backslashreplace')
    for_class = sys.argv[1:2] == ['--json']
    paths = sys.argv[2:] if for_class else sys.argv[1:]
    if len(paths) != 1 or not paths[0]:
        sys.exit('usage: python check_file.py FILE_OR_FOLDER')
    path, = paths
    adopt_orphans()
    try:
        if os.path.isdir(path):
            check_class(Path(os.path.abspath(path)))
        else:
            limit()
            (print_json if for_class else check_one)(path)
    except (CheckError, OSError) as error:
        sys.exit('%s %s' % (shown(path), error))


if __name__ == '__main__':
    main()
