"""Tests of the set-up: the pins, the environment, and tools/setup.sh."""
import importlib.metadata
import re
import shutil
import subprocess

import cells
import pytest
import theano
import theano.tensor as T

REQUIREMENTS = (cells.ROOT / 'requirements.txt').read_text()
CONSTRAINTS = (cells.ROOT / 'constraints.txt').read_text()
PINS = dict(re.findall(r'^([\w.-]+)==([\w.]+)', REQUIREMENTS, re.MULTILINE))


@pytest.mark.parametrize('name', [
    'theano', 'numpy', 'setuptools', 'matplotlib', 'six', 'jupyter', 'latex2mathml', 'papermill',
    'tqdm', 'dask', 'distributed', 'pytest'])
def test_package_is_pinned_and_installed(name):
    assert name in PINS, '%s is missing in requirements.txt' % name
    assert importlib.metadata.version(name) == PINS[name]


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


def test_foreign_environment_is_refused(tmp_path):
    (tmp_path / 'tools').mkdir()
    (tmp_path / '.venv').mkdir()
    shutil.copy(cells.ROOT / 'tools' / 'setup.sh', tmp_path / 'tools')
    shutil.copy(cells.ROOT / 'requirements.txt', tmp_path)
    shutil.copy(cells.ROOT / 'constraints.txt', tmp_path)
    done = subprocess.run(['sh', 'tools/setup.sh'], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == ('.venv exists but was not made by tools/setup.sh: rename or delete it\n')
    assert (tmp_path / '.venv').is_dir()
