"""Checks a solved exercise, place by place: make check, or python -m pytest --notebook=FILE.

A copy may end its process or never end. So pytest runs it in a process of its own, and this module
reads pytest's report of it.
"""
import re
import shutil
import subprocess
import symtable
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import cells

TIME_LIMIT = 180  # seconds for the cells and the tests of a copy
# The places to fill in, by their sections' titles: what each must define, and the tests of it in
# tests/test_mnist_rnn.py.
PLACES = {
    'One-hot labels': (['onehot'], 'TestOneHotLabels'),
    'Weights': (['U', 'W', 'V'], 'TestWeights'),
    'Hidden states': (['h_states', 'h_states_sum'], 'TestHiddenStates'),
    'Prediction': (['y_prob'], 'TestPrediction'),
    'Cost': (['cost'], 'TestCost'),
    'Compile': (['updates'], 'TestCompile'),
}
# The line that the exercise has in an empty place, with what is to be written.
UNWRITTEN = re.compile(r'^ *raise NotImplementedError\("(.*)"\)', re.MULTILINE)
# What ends a copy as it would end Jupyter's Python, or would wait for an answer there.
ENDS = {SystemExit: 'ends the program: take out exit(), quit() or sys.exit()',
        EOFError: 'reads the keyboard: take out input()',
        KeyboardInterrupt: 'raises KeyboardInterrupt'}
ALL_RIGHT = 'All six places are right: this is the network of the assignment'


class NotWritten(Exception):
    """A place is still empty. The message is what is to be written."""


class CellFailed(Exception):
    """A cell with a place failed. The message is the error in one line."""


class Names(SimpleNamespace):
    """Names of a notebook, as attributes. One that is missing is a NameError, as in a cell."""

    def __getattr__(self, name):  # Python calls it for what is not there
        raise NameError("name '%s' is not defined" % name)


def names_set_by(source):
    """Return the global names that a cell's source sets; none if it is not Python."""
    try:
        table = symtable.symtable(cells.python_of(source), 'cell', 'exec')
    except SyntaxError:
        return set()
    return {symbol.get_name() for symbol in table.get_symbols()
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}


class Copy:
    """A notebook's cells up to Compile, run one after another, also after one that failed.

    names: all names. after: for each section's title, the names as they were at its end. starting:
    the values that shared variables were given, by name. errors: for each section's title, a list
    of pairs: the names that a cell sets, and the exception that stopped it. unwritten: for each
    section whose place is still empty, what is to be written.

    Raises cells.NotebookError for a notebook that can't be read, or that ends the program.
    """

    def __init__(self, path):
        self.after = {}
        self.starting = {}
        self.errors = {}
        self.unwritten = {}
        titles = {cells.title_of(cell) for cell in cells.read() if cell.cell_type == 'markdown'}
        names = {'__name__': '__main__'}
        section = None
        for cell in cells.read(path):
            title = cells.title_of(cell) if cell.cell_type == 'markdown' else None
            if title and title in titles:  # a student's own headings don't end a section
                section = title
                print('Section: %s' % section, flush=True)  # for run_tests
            if section == 'Train' or 'sgd_step' in names:
                break
            if cell.cell_type == 'code':
                self.run(cell, names, section)
                self.after[section] = Names(**names)
        self.names = Names(**names)

    def run(self, cell, names, section):
        """Run a code cell, and keep what goes wrong and what values it gives."""
        for text in UNWRITTEN.findall(cell.source):
            self.unwritten[section] = text
        names_set = names_set_by(cell.source)
        try:
            cells.run(cell, names, {})
        except BaseException as error:  # also those that are not for catching, as SystemExit
            for kind, reason in ENDS.items():
                if isinstance(error, kind):
                    raise cells.NotebookError('A cell in section "%s" %s'
                                              % (section, reason)) from None
            self.errors.setdefault(section, []).append((names_set, error))
        for name in names_set:
            if hasattr(names.get(name), 'get_value'):
                self.starting[name] = names[name].get_value()

    def at(self, place):
        """Return the names as they were after a place's section; all, where its title is gone."""
        return self.after.get(place, self.names)

    def require(self, place):
        """Return the names after a place's section.

        Raises NotWritten where the place is empty, CellFailed where a cell that sets its names
        failed, and NameError where one of them is missing.
        """
        if place in self.unwritten:
            raise NotWritten(self.unwritten[place])
        wanted, tests = PLACES[place]
        names = self.at(place)
        missing = [name for name in wanted if name not in vars(names)]
        # A cell that only prints may fail because of an earlier place: no mistake in this one.
        for names_set, error in self.errors.get(place, []):
            if missing or names_set.intersection(wanted):
                raise CellFailed(cells.in_one_line(error))
        if missing:
            raise NameError("name '%s' is not defined" % missing[0])
        return names


def home_of(name):
    """Return the title of the section of the solved notebook, up to Train, that sets a name.

    None: no section does.
    """
    for section, cell in cells.with_sections(cells.read()):
        if section == 'Train':
            break
        if cell.cell_type == 'code' and name in names_set_by(cell.source):
            return section
    return None


def explain_name(name, place, earlier):
    """Return what to tell a student about a name that is missing in a place."""
    home = home_of(name)
    if home is None:
        return "name '%s' is not defined: is it misspelt?" % name
    if home == place:
        return "name '%s' is not defined: it must be made here" % name
    if home in earlier:
        return 'cannot be checked before "%s" is right' % home
    if home == 'Gradients' and earlier:  # these are given, and fail where an earlier place does
        return 'cannot be checked before "%s" is right' % earlier[-1]
    return ('name \'%s\' is not defined: the given cell in section "%s" was deleted or failed'
            % (name, home))


def explain(message, place, earlier):
    """Return what to tell a student about the failure of a place, in one line.

    message: of pytest's report, the exception's name and text. earlier: the titles of the earlier
    places that are not right.
    """
    if message.startswith('failed on setup with "'):
        message = message.removeprefix('failed on setup with "').removesuffix('"')
    kind, colon, text = message.partition(':')
    kind = kind.split('.')[-1]
    text = text.strip().split('\n')[0]
    if kind in ('AssertionError', 'Failed'):
        return text
    if kind == 'NotWritten':
        return 'not written yet: ' + text
    error = text if kind == 'CellFailed' else '%s: %s' % (kind, text)
    name = re.match(r"NameError: name '(\w+)'", error)
    if name:
        return explain_name(name.group(1), place, earlier)
    if earlier:
        return '%s (perhaps because "%s" is not right)' % (error, earlier[0])
    return error


def read_report(path):
    """Return what pytest's report (JUnit XML) says of each class of tests: {class: message}.

    The message is the first failure's; None: all tests of the class passed.
    """
    messages = {}
    for case in ElementTree.parse(path).iter('testcase'):
        tests = case.get('classname').split('.')[-1]
        messages.setdefault(tests, None)
        for kind in 'failure', 'error':
            failed = case.find(kind)
            if failed is not None and messages[tests] is None:
                messages[tests] = failed.get('message', '')
    return messages


def verdicts(messages):
    """Return the verdict on each place, {title: text}, from what read_report returns.

    None: it is right.
    """
    texts = {}
    wrong = []
    for place, (names, tests) in PLACES.items():
        message = messages.get(tests, 'Failed: was not checked')
        if message is None:
            texts[place] = None
        else:
            texts[place] = explain(message, place, earlier=wrong)
            wrong.append(place)
    return texts


def run_tests(path, report):
    """Test the copy at path in a process of its own, which writes the report.

    Raises cells.NotebookError where the copy keeps it from doing so.
    """
    command = [sys.executable, '-m', 'pytest', '-s', '--tb=no', 'tests/test_mnist_rnn.py',
               '--copy=%s' % path, '--junitxml=%s' % report]
    output = tempfile.TemporaryFile()
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output,
                       stderr=subprocess.STDOUT, cwd=cells.ROOT, timeout=TIME_LIMIT)
        reason = 'ended the Python process'
    except subprocess.TimeoutExpired:
        reason = 'was stopped after %d seconds: is there an endless loop?' % TIME_LIMIT
    if not report.exists():
        output.seek(0)
        sections = re.findall('Section: (.*)', output.read().decode('utf-8', 'replace'))
        where = ' in section "%s"' % sections[-1] if sections else ''
        raise cells.NotebookError('A cell%s %s' % (where, reason))


def test(path, report):
    """Test the copy at path and return what read_report returns. Raises cells.NotebookError."""
    cells.read(path)  # fails early, and in this process
    run_tests(path, report)
    messages = read_report(report)
    for message in messages.values():
        if message and 'NotebookError: ' in message:
            raise cells.NotebookError(message.split('NotebookError: ')[1].removesuffix('"'))
    return messages


def write_report(path, message):
    """Write a JUnit report of one failed test, for a copy that could not be tested."""
    suite = ElementTree.Element('testsuite', name='pytest', tests='1', failures='1')
    case = ElementTree.SubElement(suite, 'testcase', classname='check', name='copy')
    ElementTree.SubElement(case, 'failure', message=message)
    ElementTree.ElementTree(suite).write(path)


def print_verdicts(messages):
    """Print a line for each place, and a sentence. Return whether all is right."""
    texts = verdicts(messages)
    for number, (place, text) in enumerate(texts.items(), 1):
        print('%d. %s: %s' % (number, place, text or 'right'))
    right = list(texts.values()).count(None)
    if right < len(PLACES):
        print('%d of %d places are right' % (right, len(PLACES)))
        return False
    if messages['TestOneStep']:
        print('All six places are right, but the network is not: did you change a given cell?')
        return False
    print(ALL_RIGHT)
    return True


def check(path, xmlpath=None):
    """Print a line for each place of the copy at path, and a sentence. Return the exit status.

    xmlpath: where to write pytest's report, or None.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.xml')
        try:
            right = print_verdicts(test(Path(path).resolve(), report))
        except cells.NotebookError as error:
            print(error)
            write_report(report, str(error))
            right = False
        if xmlpath:
            shutil.copyfile(report, xmlpath)
    return 0 if right else 1
