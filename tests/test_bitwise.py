"""Tests of notebooks/bitwise.py. It pins for good, so that is tested in other Python processes."""
import os
import subprocess
import sys

import bitwise
import cells
import numpy as np
import pytest

needs_pins = pytest.mark.skipif(not bitwise.pins(), reason='no pins for this machine')


def run_python(code, **more):
    """Return what code prints in another process, with more environment variables."""
    environment = {'PATH': os.environ['PATH'], 'PYTHONPATH': 'notebooks', **more}
    done = subprocess.run([sys.executable, '-c', 'import bitwise, os, sys; ' + code],
                          env=environment, cwd=cells.ROOT, capture_output=True, text=True)
    assert done.stderr == ''
    return done.stdout


SETTINGS = {'OPENBLAS_NUM_THREADS': '8', 'OPENBLAS_CORETYPE': 'Prescott', 'PYTHONWARNINGS': 'error',
            'NPY_DISABLE_CPU_FEATURES': 'AVX2', 'NPY_ENABLE_CPU_FEATURES': 'AVX2'}
CHILD = 'import subprocess; subprocess.run([sys.executable, "-W", "error", "-c", "import numpy"])'


@needs_pins
@pytest.mark.parametrize('before, settings', [
    ('pass', SETTINGS), ('bitwise.set_pins(); ' + CHILD, {}),
    ('bitwise.pin(); import importlib; importlib.reload(bitwise)', {})],
    ids=['settings from outside', 'a child where warnings are errors', 'reload'])
def test_yes_all_the_same(before, settings):
    found = run_python(before + '; print(bitwise.pin())', **settings)
    assert found == 'bitwise reproducible: yes\n'


@pytest.mark.slow
def test_theano_s_settings_do_not_count(tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ncast_policy = numpy+floatX\n')
    code = ('bitwise.set_pins(); import theano; '
            'print(theano.config.floatX, theano.config.cast_policy, [theano.config.cxx])')
    found = run_python(code, THEANO_FLAGS='floatX=float32', HOME=str(tmp_path))
    assert found == "float64 custom ['']\n"


@pytest.mark.parametrize('library', ['NumPy', 'Theano'])
def test_no_yes_where_a_library_came_first(library):
    """Not even if the pins were there already."""
    code = 'sys.modules["%s"] = None; print(bitwise.verdict([]))' % library.lower()
    start = 'bitwise reproducible: no, because %s was imported before the pins were set' % library
    assert run_python(code, **bitwise.pins()).startswith(start)


@pytest.mark.skipif('OPENBLAS_L2_SIZE' not in bitwise.pins(), reason='not x86-64 with AVX2')
def test_no_where_another_kernel_computes():
    code = 'bitwise.X86_64_PINS["OPENBLAS_CORETYPE"] = "Prescott"; print(bitwise.pin())'
    libraries = 'NumPy %s or glibc %s' % (np.__version__, os.confstr('CS_GNU_LIBC_VERSION')[6:])
    assert run_python(code) == (
        'bitwise reproducible: no, because %s rounds differently on this machine; the numbers in '
        "the text are the saved run's\n" % libraries)


# Which pins.

SKYLAKE = b'flags : fpu avx2 fma avx512f avx512cd avx512dq'
SAPPHIRE = SKYLAKE + b' avx512_vnni avx512vbmi avx512_vbmi2 avx512_fp16'
OLD_GROUPS = 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL'


def x86_64(groups):
    return {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'Haswell', 'OPENBLAS_L2_SIZE': '256',
            'NPY_DISABLE_CPU_FEATURES': groups}


@pytest.mark.parametrize('system, name, flags, numpy, pins', [
    ('linux', 'x86_64', SKYLAKE, '1.23.5', x86_64('AVX512F AVX512CD AVX512_SKX')),
    ('linux', 'x86_64', SAPPHIRE, '2.2.6', x86_64(OLD_GROUPS)),
    ('linux', 'x86_64', SAPPHIRE, '2.3.5', x86_64(OLD_GROUPS + ' AVX512_SPR')),
    ('linux', 'x86_64', SAPPHIRE, '2.4.0rc1', x86_64('AVX512_ICL AVX512_SPR X86_V4')),
    ('linux', 'x86_64', b'model name : \xff\nflags : avx2 fma', '2.5.5', x86_64('')),
    ('linux', 'x86_64', b'flags : avx fma', '1.23.5', {}),
    ('linux', 'x86_64', b'flags : avx2 fma4', '1.23.5', {}),
    ('linux', 'aarch64', b'', '1.23.5',
     {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'ARMV8'}),
    ('linux', 'riscv64', b'', '1.23.5', {}),
    ('darwin', 'x86_64', SKYLAKE, '1.23.5', {})])
def test_pins(system, name, flags, numpy, pins, monkeypatch, tmp_path):
    """There are none where the kernels, which they force, could crash."""
    (tmp_path / 'cpuinfo').write_bytes(flags)
    monkeypatch.setattr(bitwise, 'Path', lambda path: tmp_path / 'cpuinfo')
    monkeypatch.setattr(bitwise.sys, 'platform', system)
    monkeypatch.setattr(bitwise.platform, 'machine', lambda: name)
    monkeypatch.setattr(bitwise.importlib.metadata, 'version', lambda package: numpy)
    assert bitwise.pins() == pins


# The verdict on a list of arrays.

X = np.arange(6.).reshape(2, 3)


@pytest.mark.parametrize('arrays, kind', [
    ([X, 0.1], 'yes'), ([X, np.nextafter(0.1, 1)], 'no, '), ([X.ravel(), 0.1], 'no, '),
    ([X.astype('f4'), 0.1], 'no, ')], ids=['same', 'one bit', 'shape', 'type'])
def test_verdict(arrays, kind):
    learnt = bitwise.verdict([X, 0.1])
    assert learnt.startswith('bitwise reproducible: not known yet; the checksum is ')
    found = bitwise.verdict(arrays, learnt[-16:])
    assert found.startswith('bitwise reproducible: ' + kind)


def test_what_is_no_checksum_is_named():
    with pytest.raises(ValueError, match='is no checksum, 16 digits from 0 to f'):
        bitwise.verdict([X], '39541B7EB863BB3B')


MASKED = np.ma.masked_array([1., 2.], [True, False])
NO_LIST = r'^bitwise: put the arrays in a list, as in \[x, y\]$'
NO_NUMBERS = '^bitwise: number 1 of the list, a .*, is not an array '


@pytest.mark.parametrize('arrays, says', [
    ([], NO_LIST), (X, NO_LIST), (['text'], NO_NUMBERS), ([np.ones(0)], NO_NUMBERS),
    ([[X, X.T]], NO_NUMBERS), ([MASKED], NO_NUMBERS), ([[[MASKED]]], NO_NUMBERS),
    ([np.longdouble(1)], NO_NUMBERS)])
def test_only_lists_of_numbers_have_a_checksum(arrays, says):
    with pytest.raises(TypeError, match=says):
        bitwise.checksum(arrays)
