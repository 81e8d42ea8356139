"""Tests of notebooks/bitwise.py: the pins, the verdict, and the bits that they promise."""
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import cells
import pytest

CPU = Path('/proc/cpuinfo').read_text() if sys.platform == 'linux' else ''
PROMISED = platform.libc_ver()[0] == 'glibc' and (
    platform.machine() == 'aarch64' or platform.machine() == 'x86_64' and ' avx2 ' in CPU)
PINS = {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'Haswell', 'NPY_DISABLE_CPU_FEATURES':
        'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL'}
on_x86 = pytest.mark.skipif(not PROMISED or platform.machine() != 'x86_64', reason='not on x86-64 with AVX2')


def start(code, **environment):
    """Run Python on code, with bitwise imported and this environment; return what it printed, and its errors."""
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(('THEANO', 'OPENBLAS', 'NPY_'))}
    kept['PYTHONPATH'] = str(cells.ROOT / 'tools')
    run = subprocess.run([sys.executable, '-c', 'import bitwise; ' + code], cwd=str(cells.NOTEBOOK.parent),
                         env={**kept, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return run.stdout.decode(), run.stderr.decode()


def test_twenty_steps_come_out_bit_for_bit_whatever_is_set_outside(tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ndevice = cuda\nfloatX = float32\nmode = FAST_RUN\n')
    out, err = start('import cells; cells.run_cells("fingerprint", iterations=20); print(bitwise.pin())',
                     HOME=str(tmp_path), OPENBLAS_NUM_THREADS='8', OPENBLAS_CORETYPE='Prescott',
                     NPY_DISABLE_CPU_FEATURES='AVX2')
    assert out.count('bitwise reproducible: ' + ('yes\n' if PROMISED else 'no, because ')) == 2, err
    assert not PROMISED or 'after step 20: 4f463ee67014beea\n' in out and 'Warning' not in err


@on_x86
@pytest.mark.parametrize('change, right', [
    ({}, True), ({'OPENBLAS_NUM_THREADS': '2'}, os.cpu_count() == 1), ({'OPENBLAS_CORETYPE': 'Prescott'}, False),
    ({'NPY_DISABLE_CPU_FEATURES': ''}, 'avx512f' not in CPU),
    ({'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F'}, False)])
def test_canary_tells_other_bits(change, right):
    assert start('print(bitwise.canary())', **{**PINS, **change})[0] == '%s\n' % right


@on_x86
@pytest.mark.parametrize('code, environment, reason', [
    ('import numpy', {}, 'NumPy was imported before the pins were set (restart the kernel)'),
    ('pass', {'THEANO_FLAGS': 'device=cpu'}, 'THEANO_FLAGS is set'),
    ('pass', {'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F'}, 'this machine rounds differently'),
    ('bitwise.canary_in_child = lambda pins: False', {}, 'this machine rounds differently')])
def test_verdict_names_the_reason(code, environment, reason):
    out, err = start(code + '; print(bitwise.pin())', **environment)
    assert out.startswith('bitwise reproducible: no, because %s; ' % reason), err


def test_bad_theano_flags_are_named():
    err = start('bitwise.pin()', THEANO_FLAGS='mode=NONSENSE')[1]
    assert err.splitlines()[-1].startswith('ValueError: THEANO_FLAGS=mode=NONSENSE is not understood: ')


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux' or not shutil.which('g++')
                    or not Path(sysconfig.get_paths()['include'], 'Python.h').exists(), reason='no g++')
def test_c_backend_takes_the_same_steps(tmp_path):
    """On two time steps of the 28: every kind of operation, and short to compile. Bits may differ."""
    source = cells.NOTEBOOK.read_text(encoding='utf-8')
    assert source.count('time_steps = 28') == 1
    (tmp_path / 'short.ipynb').write_text(source.replace('time_steps = 28', 'time_steps = 2'), encoding='utf-8')
    code = ('import cells; nb = cells.run_cells("fingerprint", %r, iterations=3); '
            'print(nb.theano.config.cxx, nb.cost_valid_arr.round(9))' % str(tmp_path / 'short.ipynb'))
    flags = 'mode=FAST_RUN,cxx=g++,base_compiledir=%s' % tmp_path
    library = sysconfig.get_config_var('LIBDIR') or ''  # a Python from uv has libpython where no loader looks
    c_out, err = start(code, THEANO_FLAGS=flags, LD_RUN_PATH=library)
    assert c_out.splitlines()[-1] == 'g++' + start(code)[0].splitlines()[-1], err
