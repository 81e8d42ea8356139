"""Tests of the set-up: the versions of the packages, and tools/setup.sh."""
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cells
import pytest


def packages_of(name):
    """Return {package: version} of a file like requirements.txt; no version is an empty text.

    Not the line "python @", which stops pip on another Python.
    """
    text = (cells.ROOT / name).read_text()
    return dict(re.findall(r'^(?!python @)(\w[\w-]*)(?:==)?([\w.]*)', text, re.MULTILINE))


@pytest.mark.parametrize('name', ['requirements.txt', 'exercise/texts/requirements.txt'])
def test_packages_have_the_versions_of_constraints(name):
    pinned = packages_of('constraints.txt')
    others = [package for package, version in packages_of(name).items()
              if package not in pinned or version not in ('', pinned[package])]
    assert others == [], 'make constraints.txt again: its head says how'


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
    said = set_up(fresh)
    assert imports(fresh), said
    return fresh


@needs_uv
def test_nothing_is_made_where_all_is_there(made):
    """With nowhere to find the package, after a move to a path with a line break and a blank."""
    moved = made.rename(made.parent / 'a\n b')
    assert set_up(moved, UV_FIND_LINKS='') == ''
    assert imports(moved)


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize('damage', [
    'rm .venv/lib/python3.11/site-packages/one.py', 'ln -sf nowhere .venv/bin/python'])
def test_damage_is_mended(made, damage):
    subprocess.run(damage.split(), cwd=made, check=True)
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
    assert set_up(fresh).endswith(': rename or delete it\n')
    assert os.listdir(fresh / '.venv') == []


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize('name, value, file', [
    ('UV_CONSTRAINT', '/nowhere', '.config/uv/uv.toml'), ('CDPATH', 'other', '.config/uv/uv.toml'),
    ('UV_CONFIG_FILE', 'other/uv.toml', 'other/uv.toml')])
def test_settings_do_not_count(fresh, name, value, file):
    for folder in 'other/tools', '.config/uv':
        (fresh / folder).mkdir(parents=True)
    (fresh / file).write_text('[pip]\ntarget = "elsewhere"\n')
    said = set_up(fresh, **{name: value})
    assert imports(fresh), said
    assert not (fresh / 'elsewhere').exists()
