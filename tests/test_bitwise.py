"""Tests of notebooks/bitwise.py. It pins for good, so that is tested in other Python processes."""
import os
import subprocess
import sys

import bitwise
import cells
import numpy as np
import pytest

needs_pins = pytest.mark.skipif(not bitwise.pins(), reason='no pins for this machine')
needs_x86_64_pins = pytest.mark.skipif('NPY_DISABLE_CPU_FEATURES' not in bitwise.pins(),
                                       reason='the pins of x86-64 are not for this machine')
YES = 'bitwise reproducible: yes\n'


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
    assert run_python(before + '; print(bitwise.pin())', **settings) == YES


@pytest.mark.slow
def test_theano_s_settings_do_not_count(tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ncast_policy = numpy+floatX\n')
    code = ('bitwise.set_pins(); import theano; '
            'print(theano.config.floatX, theano.config.cast_policy, [theano.config.cxx])')
    found = run_python(code, THEANO_FLAGS='floatX=float32', HOME=str(tmp_path))
    assert found == "float64 custom ['']\n"


@pytest.mark.parametrize('library', ['NumPy', 'Theano'])
def test_no_yes_where_a_library_came_first(library):
    """Not even if the pins were there already and the bits are right."""
    code = 'sys.modules["%s"] = None; print(bitwise.verdict([]))' % library.lower()
    start = 'bitwise reproducible: no, because %s was imported before the pins were set' % library
    assert run_python(code, **bitwise.pins()).startswith(start)


@needs_x86_64_pins
@pytest.mark.parametrize('pin, otherwise', [
    ('OPENBLAS_CORETYPE', 'Prescott'),
    pytest.param('OPENBLAS_NUM_THREADS', '2', marks=pytest.mark.skipif(
        os.cpu_count() == 1, reason='one core')),
    pytest.param('NPY_DISABLE_CPU_FEATURES', '', marks=pytest.mark.skipif(
        not bitwise.pins().get('NPY_DISABLE_CPU_FEATURES'), reason='no AVX-512'))])
def test_no_with_another_pin(pin, otherwise):
    code = 'pins = dict(bitwise.pins(), %s="%s"); bitwise.pins = lambda: pins; print(bitwise.pin())'
    libraries = 'NumPy %s or glibc %s' % (np.__version__, os.confstr('CS_GNU_LIBC_VERSION')[6:])
    assert run_python(code % (pin, otherwise)) == (
        'bitwise reproducible: no, because %s rounds differently on this machine; the numbers in '
        "the text are the saved run's\n" % libraries)


@pytest.mark.parametrize('function, low, high', [
    ('tanh', 3, 10), ('exp', -19, -3), ('log', 3, 9), ('log', 5e-6, 1e-4)])
def test_canary_covers_the_notebook_s_range(function, low, high, monkeypatch):
    """With one other bit in a result of this range, as of another C library, it is another."""
    expected = bitwise.checksum(bitwise.canary())
    right = getattr(np, function)

    def wrong(x):
        result = right(x)
        inside = np.flatnonzero((x > low) & (x < high))[:1]
        result.flat[inside] = np.nextafter(result.flat[inside], 99)
        return result

    monkeypatch.setattr(np, function, wrong)
    assert bitwise.checksum(bitwise.canary()) != expected


# Which pins.

SKYLAKE = b'flags : fpu avx2 fma avx512f avx512cd avx512dq'
ZEN_5 = SKYLAKE + b' avx512_vnni avx512vbmi avx512_vbmi2'
SAPPHIRE = ZEN_5 + b' avx512_fp16'


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that makes this another machine: its system, processor, flags and NumPy."""
    def change(system, name, flags=None, numpy='1.23.5'):
        if flags is not None:
            (tmp_path / 'cpuinfo').write_bytes(flags)
        monkeypatch.setattr(bitwise.sys, 'platform', system)
        monkeypatch.setattr(bitwise.platform, 'machine', lambda: name)
        monkeypatch.setattr(bitwise, 'Path', lambda path: tmp_path / 'cpuinfo')
        monkeypatch.setattr(bitwise.importlib.metadata, 'version', lambda name: numpy)
    return change


@pytest.mark.parametrize('numpy, flags, groups', [
    ('1.23.5', SKYLAKE, 'AVX512F AVX512CD AVX512_SKX'),
    ('1.23.5', SAPPHIRE, 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL'),
    ('2.3.5', SAPPHIRE, 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR'),
    ('2.4.0rc1', SKYLAKE, 'X86_V4'),
    ('2.5.5', ZEN_5, 'AVX512_ICL X86_V4'),
    ('2.5.5', SAPPHIRE, 'AVX512_ICL AVX512_SPR X86_V4'),
    ('2.5.5', b'model name : \xff\nflags : avx2 fma', '')])
def test_pins_of_x86_64(numpy, flags, groups, machine):
    machine('linux', 'x86_64', flags, numpy)
    assert bitwise.pins() == {
        'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'Haswell', 'OPENBLAS_L2_SIZE': '256',
        'NPY_DISABLE_CPU_FEATURES': groups}


def test_pins_of_64_bit_arm(machine):
    machine('linux', 'aarch64')
    assert bitwise.pins() == {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'ARMV8'}


@pytest.mark.parametrize('system, name, flags', [
    ('linux', 'x86_64', b'flags : avx fma'), ('linux', 'x86_64', b'flags : avx2 fma4'),
    ('linux', 'x86_64', None), ('linux', 'riscv64', b''), ('darwin', 'x86_64', SKYLAKE)])
def test_no_pins_where_the_pinned_kernels_could_crash(system, name, flags, machine):
    machine(system, name, flags)
    assert bitwise.pins() == {}


# The verdict on a list of arrays.

X = np.arange(6.).reshape(2, 3)


@pytest.mark.parametrize('arrays, kind', [
    ([X, 0.1], 'yes'), ([X, np.nextafter(0.1, 1)], 'no, '), ([X], 'no, '),
    ([X.ravel(), 0.1], 'no, '), ([X.astype('f4'), 0.1], 'no, ')],
    ids=['same', 'one bit', 'number', 'shape', 'type'])
def test_verdict(arrays, kind, monkeypatch):
    monkeypatch.setattr(bitwise, 'too_late', None)
    learnt = bitwise.verdict([X, 0.1])
    assert learnt.startswith('bitwise reproducible: not known yet; the checksum is ')
    found = bitwise.verdict(arrays, learnt[-16:])
    assert found.startswith('bitwise reproducible: ' + kind)


@pytest.mark.parametrize('expected', ['39541B7EB863BB3B', '39541b7e', ' 39541b7eb863bb3b'])
def test_what_is_no_checksum_is_named(expected):
    with pytest.raises(ValueError, match='is no checksum, 16 digits from 0 to f'):
        bitwise.verdict([X], expected)


@pytest.mark.parametrize('arrays', [[], {0: X}, X, (row for row in X)],
                         ids=['nothing', 'dict', 'array', 'generator'])
def test_only_lists_have_a_checksum(arrays):
    with pytest.raises(TypeError, match=r'^bitwise: put the arrays in a list, as in \[x, y\]$'):
        bitwise.checksum(arrays)


MASKED = np.ma.masked_array([1., 2.], [True, False])


@pytest.mark.parametrize('item', [
    'text', None, np.ones(0), [X, X.T], [X, np.ones((2, 2))], np.array([X, None], object), MASKED,
    [[MASKED]], (X[0, :2], MASKED), [np.ma.masked], np.longdouble(1), [np.longdouble(1), 2],
    np.ones(2, 'clongdouble')])
def test_only_numbers_have_a_checksum(item):
    with pytest.raises(TypeError, match='^bitwise: number 2 of the list, a .*, is not an array '):
        bitwise.checksum([X, item])
