"""Tells whether a place of the exercise is right: check.place('Weights'), in a cell below it.

The tests are pytest's, in test_mnist_rnn.py; its classes say what the places are. They run on the
names in the kernel, and leave weights and random numbers as they were.
"""
import contextlib
import os
import random
import re
import symtable
import sys
import types
from pathlib import Path
from typing import NamedTuple
from unittest import mock

if not __debug__:
    raise ImportError('nothing can be checked, since Python was started with -O or '
                      'PYTHONOPTIMIZE: it leaves out what the tests assert')

# In the repository, bitwise and the tests lie in folders of their own; in handout/ all is in one.
HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / 'notebooks'), str(HERE.parent / 'tests')]
import bitwise  # noqa: E402

bitwise.set_pins()  # before NumPy is imported
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import test_given  # noqa: E402
import test_mnist_rnn  # noqa: E402
from IPython import get_ipython  # noqa: E402

MODULES = [test_mnist_rnn, test_given]
SECTIONS = [value for module in MODULES for name, value in vars(module).items()
            if name.startswith('Test')]
PLACES = {section.title: section for section in SECTIONS if hasattr(section, 'task')}
RIGHT, NOT_WRITTEN, WRONG, NOT_CHECKED = 'right', 'not written yet', 'wrong', 'not checked'
# What a cell must not do, by the exception that it ends in.
FORBIDDEN = {SystemExit: 'ends the program: take out exit(), quit() or sys.exit()',
             EOFError: 'waits for the keyboard: take out input()'}
# pytest in a kernel: without settings of the user's, and without what writes or takes long.
PYTEST = ['--import-mode=append', '--noconftest', '-c', os.devnull, '--assert=plain', '-x', '-s',
          '-p', 'no:terminal', '-p', 'no:cacheprovider', '-p', 'no:faulthandler',
          '-p', 'no:threadexception', '-p', 'no:unraisableexception']
NO_SETTINGS = {'PYTEST_ADDOPTS': '', 'PYTEST_PLUGINS': '', 'PYTEST_DISABLE_PLUGIN_AUTOLOAD': '1'}


class Verdict(NamedTuple):
    """What is told of a place. kind: RIGHT, NOT_WRITTEN, WRONG or NOT_CHECKED. text: one line."""

    kind: str
    text: str


def shortened(text):
    """Return the first line of a text, its first 300 characters that can be printed."""
    line = str(text).strip().partition('\n')[0]
    shown = ''.join(character if character.isprintable() else ' ' for character in line[:300])
    return shown if len(line) <= 300 else shown + ' ...'


def describe(error):
    """Return an exception's name and the first line of what it says."""
    text = str(error)
    if isinstance(error, SyntaxError):
        text = '%s, in line %s of its cell' % (error.msg, error.lineno)
    return shortened(': '.join([type(error).__name__] + text.strip().splitlines()[:1]))


def names_set_by(source):
    """Return the global names that a cell sets; where it is no Python, the first words of lines."""
    try:
        symbols = symtable.symtable(source, 'cell', 'exec').get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set(re.findall(r'^\s*(?:def\s+)?(\w+)', source, re.MULTILINE))
    return {symbol.get_name() for symbol in symbols
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()}


class Names(types.SimpleNamespace):
    """The notebook's names, as attributes. One that is missing is a NameError, as in a cell."""

    def __getattr__(self, name):  # Python calls it for what is not there
        if name.startswith('__'):
            raise AttributeError(name)
        raise NameError("name '%s' is not defined" % name, name=name)

    def __repr__(self):  # pytest asks for it after a failure, and there are many arrays
        return 'nb'


class Outcomes:
    """A plugin of pytest: it gives the notebook's names to the tests, and keeps what comes of it.

    passed, collected: numbers of tests. error: the first exception, or None. by_test: whether a
    test's own assertion raised it. A test that skips itself, say, has raised an exception, too.
    """

    def __init__(self, names):
        self.names = Names(**names)
        self.passed = 0
        self.collected = 0
        self.error = None
        self.by_test = False

    @pytest.fixture(scope='session')
    def nb(self):
        return self.names

    def pytest_collection_finish(self, session):
        self.collected = len(session.items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is None:
            self.passed += call.when == 'call'
        elif self.error is None:
            self.error = call.excinfo.value
            raised_in = call.excinfo.traceback[-1].frame.f_globals
            self.by_test = (isinstance(self.error, AssertionError)
                            and any(raised_in is vars(module) for module in MODULES))
        return (yield)

    def are_right(self):
        return self.error is None and self.passed == self.collected > 0


@contextlib.contextmanager
def nothing_changed():
    """Throw away what is printed, and put back the random states."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with open(os.devnull, 'w', encoding='utf-8') as nowhere:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            try:
                yield
            finally:
                np.random.set_state(of_numpy)
                random.setstate(of_python)


def run_tests(section, names):
    """Run the tests of a section, a class, on a notebook's names, and return the Outcomes."""
    outcomes = Outcomes(names)
    tests = '%s::%s' % (section.__module__, section.__name__)
    with nothing_changed(), mock.patch.dict(os.environ, NO_SETTINGS):
        pytest.main(PYTEST + ['--pyargs', tests], plugins=[outcomes])
    return outcomes


def titles_below(section):
    """Return the titles of all sections that a section builds on, directly or not."""
    titles = set(section.builds_on)
    for lower in SECTIONS:
        if lower.title in section.builds_on:
            titles |= titles_below(lower)
    return titles


class Session:
    """The names of a notebook that runs, and how its cells ended.

    endings: for each name that a cell sets, the exception that the last such cell ended in, or
    None, and what the name stood for then.
    """

    def __init__(self, names):
        self.names = names
        self.endings = {}

    def after_cell(self, source, error):
        """Note what became of a cell. source: Python. error: an exception, or None."""
        for name in names_set_by(source):
            if type(error) is NameError and error.name == name:
                continue  # it was to be changed, and an earlier cell did not make it
            self.endings[name] = error, self.names.get(name)
        updates = self.names.get('updates')
        if hasattr(updates, '__next__'):
            # theano.function would use up an iterator, as zip(...), and leave nothing to test.
            self.names['updates'] = list(updates)

    def error_of(self, name):
        """Return the exception of the cell that was to set a name, or None."""
        error, value = self.endings.get(name, (None, None))
        return error if value is self.names.get(name) else None  # it was set elsewhere since

    def verdict(self, title):
        """Return the Verdict on a place."""
        place = PLACES[title]
        for name in place.makes:
            error = self.error_of(name)
            if error:
                return self.explain(error, place)
        if not set(place.makes) <= set(self.names):
            return Verdict(NOT_WRITTEN, 'not written yet: ' + place.task)
        outcomes = run_tests(place, self.names)
        if outcomes.are_right():
            return Verdict(RIGHT, 'right')
        if outcomes.error is None:
            return Verdict(NOT_CHECKED, 'not checked: the tests were stopped')
        if outcomes.by_test:
            return Verdict(WRONG, shortened(outcomes.error))
        return self.explain(outcomes.error, place)

    def what_changed(self, section):
        """Return what is wrong with the given cells of a section, a sentence, or None."""
        for name in section.given:
            if name not in self.names:
                return self.text_of_missing(name, section)
        if hasattr(section, 'task'):
            return None
        outcomes = run_tests(section, self.names)
        if outcomes.are_right():
            return None
        text = shortened(outcomes.error) if outcomes.by_test else describe(outcomes.error)
        return 'a given cell in section "%s" was changed: %s' % (section.title, text)

    def text_of_missing(self, name, section):
        """Return what to tell of a name that a given cell of a section was to set."""
        error = self.error_of(name)
        if error:
            return 'a given cell in section "%s" stopped with %s' % (section.title, describe(error))
        return ("'%s' is not defined: the cell of section \"%s\" that makes it comes later, was "
                'deleted, or was not run' % (name, section.title))

    def obstacle(self, section):
        """Return a Verdict for what builds on a section that is not right; None if it is right."""
        if hasattr(section, 'task'):
            if self.verdict(section.title).kind != RIGHT:
                return Verdict(NOT_CHECKED,
                               'cannot be checked before "%s" is right' % section.title)
            return None
        text = self.what_changed(section)
        return Verdict(WRONG, text) if text else None

    def obstacle_below(self, section):
        """Return the Verdict for the first section below one that is not right, or None."""
        for lower in SECTIONS:
            if lower.title in section.builds_on:
                found = self.obstacle_below(lower) or self.obstacle(lower)
                if found:
                    return found
        return None

    def explain(self, error, place):
        """Return the Verdict on a place where something other than a test's assertion failed."""
        if isinstance(error, NotImplementedError):
            return Verdict(NOT_WRITTEN, 'not written yet, or the line with raise was left in: '
                           + place.task)
        if type(error) is NameError:
            return self.explain_name(error.name, place)
        stops = FORBIDDEN.get(type(error), 'stops with ' + describe(error))
        if 'for @' in stops:
            stops += ': use T.dot'
        of_module = isinstance(getattr(error, 'obj', None), types.ModuleType)  # as T.softmax
        if isinstance(error, (SyntaxError, ImportError, MemoryError, *FORBIDDEN)) or of_module:
            return Verdict(WRONG, stops)
        return self.obstacle_below(place) or Verdict(WRONG, stops)

    def explain_name(self, name, place):
        """Return the Verdict on a place that lacks a name."""
        for home in SECTIONS:
            if name not in home.given + getattr(home, 'makes', []):
                continue
            if place.title in titles_below(home):
                return Verdict(WRONG, "'%s' is made further down, in section \"%s\""
                               % (name, home.title))
            if home is not place:
                found = self.obstacle_below(home)
                if hasattr(home, 'task'):  # of given cells, what lacks is told below
                    found = found or self.obstacle(home)
                if found:
                    return found
            if name in self.names:
                return Verdict(WRONG, "'%s' was not there yet: this section comes after \"%s\""
                               % (name, home.title))
            if name in home.given:
                return Verdict(WRONG, self.text_of_missing(name, home))
        error = self.error_of(name)  # of a helper that the student makes
        if error and type(error) is not NameError:
            return self.explain(error, place)
        return Verdict(WRONG, "'%s' is not defined: is it misspelt?" % name)


def watch(shell):
    """Return the Session of an IPython shell, which notes the cells that run from now on."""
    session = Session(shell.user_ns)

    def after_cell(result):
        source = result.info.transformed_cell or result.info.raw_cell
        session.after_cell(source, result.error_before_exec or result.error_in_exec)

    shell.events.register('post_run_cell', after_cell)
    return session


if get_ipython():
    session_here = watch(get_ipython())


def verdict(title):
    """Return the verdict on a place of this notebook, one line: 'right', or what is wrong."""
    return session_here.verdict(title).text


def place(title):
    """Print the verdict on a place of this notebook, one line: right, or what is wrong."""
    print(verdict(title))
