"""Tests of the set-up: the pins, the environment, and tools/setup.sh."""
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys

import cells
import pytest
import theano
import theano.tensor as T

REQUIREMENTS = (cells.ROOT / 'requirements.txt').read_text()
CONSTRAINTS = (cells.ROOT / 'constraints.txt').read_text()
PINS = dict(re.findall(r'^([\w.-]+)==([\w.]+)', REQUIREMENTS, re.MULTILINE))


@pytest.mark.parametrize('name', PINS)
def test_package_is_installed_as_pinned(name):
    assert importlib.metadata.version(name) == PINS[name]


@pytest.mark.parametrize('name', ['theano', 'numpy', 'matplotlib', 'six', 'jupyter', 'pytest'])
def test_package_of_the_assignment_is_pinned(name):
    assert name in PINS


@pytest.mark.parametrize('name', PINS)
def test_constraints_agree(name):
    assert '\n%s==%s\n' % (name, PINS[name]) in CONSTRAINTS, 'make constraints.txt again: its head'


def test_conda_has_the_same_python():
    environment = (cells.ROOT / 'environment.yml').read_text()
    assert '- python=3.11\n' in environment
    assert 'cpython@3.11' in (cells.ROOT / 'tools' / 'setup.sh').read_text()


def test_theano_uses_no_compiler():
    assert theano.config.cxx == ''


def test_scan_works():
    """theano.scan needs pkg_resources, which Theano's own metadata does not ask for."""
    powers, updates = theano.scan(lambda power: 2 * power, outputs_info=T.ones(()), n_steps=3)
    assert powers.eval().tolist() == [2, 4, 8]


# tools/setup.sh, with a uv that makes an empty environment and writes down that it was called.

UV = """#!/bin/sh
case "$*" in
    *--help*) echo --build-constraint ;;
    venv*) mkdir -p .venv/lib/site .venv/bin; touch .venv/lib/site/one.py .venv/lib/site/two.py
           cp fake_python .venv/bin/python; echo made >>calls ;;
esac
"""


@pytest.fixture
def folder(tmp_path):
    """A copy of what tools/setup.sh needs, with the uv above."""
    (tmp_path / 'tools').mkdir()
    for name in 'tools/setup.sh', 'requirements.txt', 'constraints.txt':
        shutil.copy(cells.ROOT / name, tmp_path / name)
    for name, content in ('uv', UV), ('fake_python', '#!/bin/sh\n'):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def set_up(folder):
    """Run tools/setup.sh in this folder and return how many environments it has made by then."""
    path = '%s:%s' % (folder, os.environ['PATH'])
    subprocess.run(['sh', 'tools/setup.sh'], cwd=folder, check=True, capture_output=True,
                   env={'PATH': path, 'HOME': str(folder)})
    return (folder / 'calls').read_text().count('made')


def test_second_set_up_makes_nothing(folder):
    assert set_up(folder) == 1
    assert set_up(folder) == 1


def test_other_pins_make_the_environment_again(folder):
    set_up(folder)
    (folder / 'requirements.txt').write_text('six==1.16.0\n')
    assert set_up(folder) == 2


def test_missing_file_makes_the_environment_again(folder):
    set_up(folder)
    (folder / '.venv' / 'lib' / 'site' / 'two.py').unlink()
    assert set_up(folder) == 2


def test_dangling_file_makes_the_environment_again(folder):
    """As uv leaves them that links files from its cache, after the cache is cleaned."""
    set_up(folder)
    (folder / '.venv' / 'lib' / 'site' / 'two.py').unlink()
    (folder / '.venv' / 'lib' / 'site' / 'two.py').symlink_to('nowhere')
    assert set_up(folder) == 2


def test_missing_python_makes_the_environment_again(folder):
    set_up(folder)
    (folder / '.venv' / 'bin' / 'python').unlink()
    assert set_up(folder) == 2


def test_interrupted_set_up_makes_the_environment_again(folder):
    set_up(folder)
    (folder / '.venv' / 'made-from').write_text('')
    assert set_up(folder) == 2


def test_foreign_environment_is_refused(folder):
    (folder / '.venv').mkdir()
    done = subprocess.run(['sh', 'tools/setup.sh'], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == '.venv exists but was not made by tools/setup.sh: rename or delete it\n'
    assert (folder / '.venv').is_dir()


TOOLS = sorted(path.stem for path in (cells.ROOT / 'tools').glob('*.py'))


@pytest.mark.slow
@pytest.mark.parametrize('name', TOOLS)
def test_every_tool_starts_by_itself(name):
    """As a program: only its own folder is on Python's path."""
    started = subprocess.run([sys.executable, '-c', 'import ' + name], cwd=cells.ROOT / 'tools',
                             capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
