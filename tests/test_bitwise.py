"""Tests of notebooks/bitwise.py, and of the network on Theano's C backend."""
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import cells
import bitwise
import pytest

GOOD = dict(system='linux', machine='x86_64', libc=('glibc', '2.36'), numpy='1.23.5', wheel=True, late=False,
            kernels=True, flags='')
# Whether the README promises equal bits on this machine, found out another way than bitwise does.
PROMISED = sys.platform == 'linux' and platform.libc_ver()[0] == 'glibc' and (
    platform.machine() == 'aarch64'
    or platform.machine() == 'x86_64' and ' avx2 ' in Path('/proc/cpuinfo').read_text())


@pytest.mark.parametrize('changes, reason', [
    ({}, None),
    ({'machine': 'aarch64'}, None),
    ({'libc': ('glibc', '2.28')}, None),
    ({'system': 'darwin', 'machine': 'arm64', 'libc': ('', '')}, 'this is darwin on arm64, not Linux on x86-64 or 64-bit ARM'),
    ({'system': 'win32', 'machine': 'AMD64', 'libc': ('', '')}, 'this is win32 on AMD64, not Linux'),
    ({'machine': 'armv7l'}, 'this is linux on armv7l, not Linux'),
    ({'libc': ('', '')}, 'not glibc 2.28 or later'),  # musl
    ({'libc': ('glibc', '2.17')}, 'not glibc 2.28 or later'),
    ({'numpy': '1.22.0'}, 'not the wheel of 1.23.5'),
    ({'wheel': False}, 'not the wheel of 1.23.5'),
    ({'late': True}, 'NumPy was imported before the pins were set'),
    ({'kernels': False}, 'this CPU has no AVX2'),
    ({'flags': 'device=cpu'}, 'THEANO_FLAGS is set')])
def test_verdict_names_the_reason(changes, reason):
    verdict = bitwise.why_not(**dict(GOOD, **changes))
    assert verdict is None if reason is None else reason in verdict


def start(code, **environment):
    """Run Python on code in notebooks/, with these environment variables; return what it printed, and its errors."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(('THEANO', 'OPENBLAS', 'NPY_'))}
    run = subprocess.run([sys.executable, '-c', code], cwd=str(cells.NOTEBOOK.parent), env={**kept, **environment},
                         universal_newlines=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return run.stdout.splitlines(), run.stderr


def test_pins_win_over_the_machine_and_hold_the_second_time(tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ndevice = cuda\nfloatX = float32\nmode = FAST_RUN\n')
    out, err = start('import bitwise, os, platform; print(bitwise.pin()); print(bitwise.pin())\n'
                     'from theano import config as c; print(c.device, c.floatX, c.mode, repr(c.cxx), repr(c.blas.ldflags))\n'
                     'print(all(os.environ[n] == v for n, v in bitwise.PINS.get(platform.machine(), {}).items()))',
                     HOME=str(tmp_path), USERPROFILE=str(tmp_path), OPENBLAS_NUM_THREADS='8', OPENBLAS_CORETYPE='Prescott',
                     NPY_DISABLE_CPU_FEATURES='AVX2')
    assert out[0] == out[1] and out[2] == "cpu float64 FAST_COMPILE '' ''"
    assert out[0].startswith('bitwise reproducible: ' + ('yes' if PROMISED else 'no, because '))
    if PROMISED:
        assert out[3] == 'True' and err == ''


def test_numpy_that_came_first_is_named():
    out, err = start('import numpy, bitwise; print(bitwise.pin())')
    assert out[0].startswith('bitwise reproducible: no, because ' + ('NumPy was imported before' if PROMISED else ''))


@pytest.mark.parametrize('flags', ['mode=NONSENSE', 'floatX=int7'])
def test_bad_theano_flags_are_named(flags):
    out, err = start('import bitwise; bitwise.pin()', THEANO_FLAGS=flags)
    assert err.splitlines()[-1].startswith('ValueError: THEANO_FLAGS=%s is not understood: ' % flags)


@pytest.mark.skipif(sys.platform != 'linux' or not shutil.which('g++')
                    or not Path(sysconfig.get_paths()['include'], 'Python.h').exists(), reason='no g++ or no Python headers')
def test_step_equals_numpy_on_the_c_backend(tmp_path):
    """On two time steps of the 28: every kind of operation, and short to compile."""
    source = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert source.count('time_steps = 28') == 1
    (tmp_path / 'short.ipynb').write_text(source.replace('time_steps = 28', 'time_steps = 2'), encoding='utf-8')
    code = '\n'.join((
        'import sys; sys.path.insert(0, "../tests"); import cells, test_mnist_rnn as grader',
        'notebook = cells.run_cells("compile-code", %r)' % str(tmp_path / 'short.ipynb'),
        'import theano; weights, x, y = grader.prepare(notebook, 100)',
        'states, cost, pred, expected = grader.numpy_step(weights, x[:, :2], y)',
        'grader.same(notebook.sgd_step(x, y)[0], cost, "cost")',
        'for weight, value in zip(notebook.weights, expected): grader.same(weight.get_value(), value, weight.name)',
        'print(theano.config.mode, theano.config.cxx, "right")'))
    out, err = start(code, THEANO_FLAGS='mode=FAST_RUN,cxx=g++,base_compiledir=%s' % tmp_path)
    assert out and out[-1] == 'FAST_RUN g++ right', err
