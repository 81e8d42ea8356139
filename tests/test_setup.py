"""Tests of the set-up: the packages, tools/setup.sh, and that make's targets start."""
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cells
import nbformat
import pytest
import theano
import theano.tensor as T

REQUIREMENTS = (cells.ROOT / 'requirements.txt').read_text()
CONSTRAINTS = (cells.ROOT / 'constraints.txt').read_text()
NAMES = re.findall(r'^(?!python @)\w[\w-]*', REQUIREMENTS, re.MULTILINE)


@pytest.mark.parametrize('name', NAMES)
def test_package_is_pinned_and_installed(name):
    pin = '%s==%s' % (name, importlib.metadata.version(name))
    assert '\n%s ' % pin in REQUIREMENTS
    assert '\n%s\n' % pin in CONSTRAINTS, 'make constraints.txt again: its head says how'


@pytest.mark.parametrize('name, words', [
    ('environment.yml', '- python=3.11\n'), ('requirements.txt', 'python_version != "3.11"'),
    ('tools/setup.sh', 'cpython@3.11'), ('.github/workflows/ci.yml', "python-version: '3.11'")])
def test_python_is_the_same_everywhere(name, words):
    assert words in (cells.ROOT / name).read_text()


def test_scan_works():
    """theano.scan needs pkg_resources, which Theano's own metadata does not ask for."""
    powers, updates = theano.scan(lambda power: 2 * power, outputs_info=T.ones(()), n_steps=3)
    assert powers.eval().tolist() == [2, 4, 8]


# tools/setup.sh, with uv, and one small package in place of ours. No network is needed.

PACKAGE = {'one.py': 'one = 1\n', 'one-1.dist-info/METADATA': 'Name: one\nVersion: 1\n',
           'one-1.dist-info/WHEEL': 'Wheel-Version: 1.0\nTag: py3-none-any\n',
           'one-1.dist-info/RECORD': 'one.py,,8\none-1.dist-info/RECORD,,\n'}
UV = shutil.which('uv') or next(map(str, cells.ROOT.glob('.uv/uv-*/scripts/uv')), '')
PYTHON = Path(sys.executable).resolve()  # 3.11, for uv to find
PATH = '%s:%s:%s' % (os.path.dirname(UV), PYTHON.parent, os.environ['PATH'])
needs_uv = pytest.mark.skipif(not UV, reason='no uv')


def set_up(folder, **more):
    """Run tools/setup.sh in this folder; return what it says."""
    variables = {'PATH': PATH, 'HOME': str(folder), 'UV_OFFLINE': '1', 'UV_FIND_LINKS': '.', **more}
    return subprocess.run(['sh', 'tools/setup.sh'], cwd=folder, env=variables, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def imports(folder):
    """Return whether the package can be imported in this folder's environment."""
    return subprocess.run([folder / '.venv' / 'bin' / 'python', '-c', 'import one']).returncode == 0


@pytest.fixture
def fresh(tmp_path):
    """A folder with tools/setup.sh and what it installs."""
    (tmp_path / 'tools').mkdir()
    shutil.copy(cells.ROOT / 'tools' / 'setup.sh', tmp_path / 'tools')
    for name in 'requirements.txt', 'constraints.txt':
        (tmp_path / name).write_text('one==1\n')
    with zipfile.ZipFile(tmp_path / 'one-1-py3-none-any.whl', 'w') as wheel:
        for name, text in PACKAGE.items():
            wheel.writestr(name, text)
    return tmp_path


@pytest.fixture
def made(fresh):
    """The same, set up."""
    set_up(fresh)
    return fresh


@needs_uv
def test_nothing_is_made_where_all_is_there(made):
    """Without the package's file and after a move, to a path with a line break and a blank."""
    moved = made.rename(made.parent / 'a\n b')
    assert set_up(moved, UV_FIND_LINKS='') == ''
    assert imports(moved)


SITE = '.venv/lib/python3.11/site-packages/'


@needs_uv
@pytest.mark.parametrize('damage', [
    'rm %sone.py' % SITE,
    *[pytest.param(damage, marks=pytest.mark.slow) for damage in (
        'echo one = 100 >%sone.py' % SITE, 'rm -r %s*' % SITE,
        'rm %sone-1.dist-info/RECORD' % SITE, 'ln -sf nowhere .venv/bin/python', 'rm -r .venv')]])
def test_damage_is_mended(made, damage):
    subprocess.run(['sh', '-c', damage], cwd=made, check=True)
    assert 'Installing ' in set_up(made)
    assert imports(made)
    assert os.listdir(made / '.uv') == ['home']


@pytest.mark.slow
@needs_uv
def test_what_fails_leaves_the_environment_as_it_was(made):
    (made / 'requirements.txt').write_text('one==2\n')
    assert 'Not all packages could be installed, for the reason above\n' in set_up(made)
    assert imports(made)


@needs_uv
def test_foreign_environment_is_refused(fresh):
    (fresh / '.venv').mkdir()
    (fresh / '.venv' / 'pyvenv.cfg').write_text('home = /usr/bin\n')
    assert set_up(fresh).endswith(': rename or delete it\n')
    assert os.listdir(fresh / '.venv') == ['pyvenv.cfg']


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize('more, settings', [
    ({'PYTHONPLATLIBDIR': 'x', 'PYTHONHOME': '/nowhere', 'UV_CONSTRAINT': '/nowhere'}, ''),
    ({'CDPATH': 'other'}, ''), ({}, 'target = "elsewhere"')])
def test_settings_do_not_count(fresh, more, settings):
    (fresh / '.config' / 'uv').mkdir(parents=True)
    (fresh / 'other' / 'tools').mkdir(parents=True)
    (fresh / '.config' / 'uv' / 'uv.toml').write_text('[pip]\n%s\n' % settings)
    set_up(fresh, **more)
    assert imports(fresh)
    assert not (fresh / 'elsewhere').exists()


# make's targets, in a copy of the repository.

MAKEFILE = (cells.ROOT / 'Makefile').read_text()


@pytest.mark.parametrize('program', sorted(set(re.findall(r'\w+/\w+\.(?:py|sh)', MAKEFILE))))
def test_make_s_program_is_there(program):
    assert (cells.ROOT / program).is_file()


@pytest.fixture
def make(tmp_path):
    """A function that returns what make says, in a copy of the repository."""
    ignored = shutil.ignore_patterns('.git', '.venv*', '.uv', 'build', 'copies*')
    copy = shutil.copytree(cells.ROOT, tmp_path / 'a b', ignore=ignored)
    shutil.rmtree(copy / 'handout', ignore_errors=True)
    (copy / '.venv').symlink_to(cells.ROOT / '.venv')

    def run(target, one_line_each=False):
        for name in cells.NAMES if one_line_each else []:
            notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('print(1)')])
            nbformat.write(notebook, copy / 'notebooks' / (name + '.ipynb'))
        return subprocess.run(['make', *target.split()], cwd=copy, text=True, timeout=100,
                              env={'PATH': PATH, 'HOME': os.environ['HOME']},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    return run


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize('target, says', [
    ('help', 'make setup: '), ('setup', '^$'), ('test ARGS=--version', '^pytest'),
    ('handout check', 'Compile: not written yet'), ('class', 'copies'),
    ('lab ARGS=--version', r'^\d+\.\d+\.\d+\n$'), ('worker', 'DASK_SCHEDULER_ADDRESS')])
def test_target_starts(make, target, says):
    assert re.search(says, make(target), re.MULTILINE)


@pytest.mark.slow
@needs_uv
def test_targets_with_notebooks_start(make):
    said = make('save verify run studies clean', one_line_each=True)
    assert 'Saved: ' in said
    assert said.endswith('The page is build/studies.html\n')  # make stops at what fails
