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
        raise NameError('%s is missing: was a cell that was given deleted or changed?' % name)


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

    after: for each section's title, the names as they were at its end. errors: for each section's
    title, a list of pairs, the names that a cell sets and the exception that stopped it.
    unwritten: for the title of each section whose place is still empty, what is to be written.
    """

    def __init__(self, path):
        self.after = {}
        self.errors = {}
        self.unwritten = {}
        names = {'__name__': '__main__'}
        section = 'the beginning'
        for cell in cells.read(path):
            if cell.cell_type == 'markdown':
                section = cells.title_of(cell) or section
                print('Section: %s' % section, flush=True)
            if section == 'Train':
                break
            if cell.cell_type == 'code':
                for text in re.findall(UNWRITTEN, cell.source):
                    self.unwritten[section] = text
                try:
                    cells.run(cell, names, {})
                except BaseException as error:  # also exit() and KeyboardInterrupt
                    self.errors.setdefault(section, []).append((names_set_by(cell.source), error))
                self.after[section] = Names(**names)

    def require(self, place):
        """Return the names after a place's section. Raises what stopped a cell that sets them."""
        if place in self.unwritten:
            raise NotImplementedError(self.unwritten[place])
        wanted, tests = PLACES[place]
        names = self.after.get(place)
        if names is None:
            raise NameError('no section has the title "%s"' % place)
        missing = [name for name in wanted if name not in vars(names)]
        for names_set, error in self.errors.get(place, []):
            if names_set.intersection(wanted) or missing:
                raise error
        if missing:
            raise NameError('%s is not defined' % missing[0])
        return names


def explain(message, earlier):
    """Return what to tell a student about the failure of a place.

    message: of pytest's report, the exception's name and text. earlier: the titles of the earlier
    places that are not right.
    """
    lines = message.removeprefix('failed on setup with "').strip().splitlines()
    kind, colon, text = lines[0].partition(':')
    # Some of Theano's messages begin with an empty line.
    text = text.strip() or (lines[1].strip() if len(lines) > 1 else '')
    if kind in ('AssertionError', 'Failed'):
        return text
    if kind == 'NotImplementedError':
        return 'not written yet: ' + text.rstrip('"')
    if kind == 'SystemExit':
        return 'a cell ends the program: take out exit(), quit() or sys.exit()'
    if kind == 'EOFError':
        return 'a cell reads the keyboard: take out input()'
    if earlier:
        return 'cannot be checked before "%s" is right' % earlier[-1]
    return ('%s: %s' % (kind, text)).rstrip('": ')


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
            failures.setdefault(tests, failed.get('message'))
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
    return 'A cell in section "%s" %s' % (sections[-1] if sections else '', reason)


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
