"""Checks a solved exercise, place by place: make check, or python -m pytest --notebook=FILE.

A copy may end its process or never end. So pytest runs it in a process of its own, and this module
reads pytest's report of it.
"""
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import cells

TIME_LIMIT = 120  # seconds for the cells and the tests of a copy
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
ALL_RIGHT = 'All six places are right: this is the network of the assignment'


class Names(SimpleNamespace):
    """Names of a notebook, as attributes."""

    def __getattr__(self, name):  # called for what is not there
        raise NameError("name '%s' is not defined" % name)


def names_set_by(source):
    """Return the names that a cell's source assigns or defines; none if it is not Python."""
    try:
        tree = ast.parse(cells.python_of(source))
    except SyntaxError:
        return set()
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    variables = {node.id for node in ast.walk(tree)
                 if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return functions | variables


class Copy:
    """A notebook's cells up to Compile, run one after another, also after one that failed.

    names: all names. after: for each section's title, the names as they were at its end. errors:
    for each section's title, a list of pairs: the names that a cell sets, and the exception that
    stopped it. unwritten: for each section whose place is still empty, what is to be written.
    """

    def __init__(self, path):
        self.after = {}
        self.errors = {}
        self.unwritten = {}
        titles = [cells.title_of(cell) for cell in cells.read() if cell.cell_type == 'markdown']
        names = {'__name__': '__main__'}
        section = None
        for cell in cells.read(path):
            title = cells.title_of(cell) if cell.cell_type == 'markdown' else None
            if title and title in titles:  # a student's own headings don't end a section
                section = title
                print('Section: %s' % section, flush=True)
            if section == 'Train' or 'sgd_step' in names:
                break
            if cell.cell_type == 'code':
                for text in UNWRITTEN.findall(cell.source):
                    self.unwritten[section] = text
                try:
                    cells.run(cell, names, {})
                except BaseException as error:  # also exit() and KeyboardInterrupt
                    self.errors.setdefault(section, []).append((names_set_by(cell.source), error))
                self.after[section] = Names(**names)
        self.names = Names(**names)

    def at(self, place):
        """Return the names as they were after a place's section; all, where its title is gone."""
        return self.after.get(place, self.names)

    def require(self, place):
        """Return the names after a place's section. Raises what stopped a cell that sets them."""
        if place in self.unwritten:
            raise NotImplementedError(self.unwritten[place])
        wanted, tests = PLACES[place]
        names = self.at(place)
        missing = [name for name in wanted if name not in vars(names)]
        for names_set, error in self.errors.get(place, []):
            if missing or names_set.intersection(wanted):
                raise error
        if missing:
            raise NameError("name '%s' is not defined" % missing[0])
        return names


def explain(message, earlier):
    """Return what to tell a student about the failure of a place.

    message: of pytest's report, the exception's name and text. earlier: the titles of the earlier
    places that are not right.
    """
    if message.startswith('failed on setup with "'):
        message = message.removeprefix('failed on setup with "').removesuffix('"')
    kind, colon, text = message.partition(':')
    text = text.strip().split('\n')[0]
    if kind in ('AssertionError', 'Failed'):
        return text
    if kind == 'NotImplementedError':
        return 'not written yet: ' + text
    if kind == 'SystemExit':
        return 'a cell ends the program: take out exit(), quit() or sys.exit()'
    if kind == 'EOFError':
        return 'a cell reads the keyboard: take out input()'
    if earlier:
        return 'cannot be checked before "%s" is right' % earlier[-1]
    if kind == 'NameError':
        return text + ': is it misspelt, or was a cell that was given deleted?'
    return ('%s: %s' % (kind, text)).removesuffix(': ')


def verdicts(report):
    """Return what pytest's report (JUnit XML, a path) says of each place: {title: text or None}.

    None: it is right. The last item, "One step", is about the network as a whole.
    """
    failures = {}
    tested = set()
    for case in ElementTree.parse(report).iter('testcase'):
        tests = case.get('classname').split('.')[-1]
        tested.add(tests)
        failed = case.find('failure')
        if failed is None:
            failed = case.find('error')
        if failed is not None:
            failures.setdefault(tests, failed.get('message', ''))
    told = {}
    earlier = []
    for place, (names, tests) in PLACES.items():
        told[place] = None if tests in tested else 'was not checked'
        if tests in failures:
            told[place] = explain(failures[tests], earlier)
            earlier.append(place)
    told['One step'] = failures.get('TestOneStep')
    return told


def run_tests(path, report):
    """Test the copy at path in a process of its own, which writes the report.

    Returns None, or why there is no report.
    """
    command = [sys.executable, '-m', 'pytest', '-s', str(cells.ROOT / 'tests/test_mnist_rnn.py'),
               '--rootdir', str(cells.ROOT), '--copy', str(path), '--junitxml', str(report)]
    output = tempfile.TemporaryFile()
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output,
                       stderr=subprocess.STDOUT, cwd=cells.ROOT, timeout=TIME_LIMIT)
        reason = 'ended the Python process'
    except subprocess.TimeoutExpired:
        reason = 'was stopped after %d seconds: does it wait for ever?' % TIME_LIMIT
    if report.exists():
        return None
    output.seek(0)
    sections = re.findall('Section: (.*)', output.read().decode('utf-8', 'replace'))
    where = ' in section "%s"' % sections[-1] if sections else ''
    return 'A cell%s %s' % (where, reason)


def write_report(path, message):
    """Write a JUnit report of one failed test, for a copy that could not be tested."""
    suite = ElementTree.Element('testsuite', name='pytest', tests='1', failures='1')
    case = ElementTree.SubElement(suite, 'testcase', classname='check', name='copy')
    ElementTree.SubElement(case, 'failure', message=message)
    ElementTree.ElementTree(suite).write(path)


def check(path, xmlpath=None):
    """Print a line for each place of the copy at path, and a count. Return the exit status.

    xmlpath: where to write pytest's report, or None.
    """
    path = Path(path).resolve()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.xml')
        try:
            cells.read(path)
            problem = run_tests(path, report)
        except cells.NotebookError as error:
            problem = str(error)
        if problem:
            write_report(report, problem)
        if xmlpath:
            shutil.copyfile(report, xmlpath)
        if problem:
            print(problem)
            return 1
        told = verdicts(report)
    whole = told.pop('One step')
    for number, (place, text) in enumerate(told.items(), 1):
        print('%d. %s: %s' % (number, place, text or 'right'))
    right = list(told.values()).count(None)
    if right < len(PLACES):
        print('%d of %d places are right' % (right, len(PLACES)))
        return 1
    if whole:
        print('The six places are right, but the network is not: was a cell that was given changed?')
        return 1
    print(ALL_RIGHT)
    return 0
