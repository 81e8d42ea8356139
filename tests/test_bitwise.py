"""Tests of notebooks/bitwise.py. It pins for good, so that is tested in other Python processes."""
import os
import subprocess
import sys
from pathlib import Path

import bitwise
import cells
import numpy as np
import pytest

YES = 'bitwise reproducible: yes\n'
PIN = 'import bitwise; print(bitwise.pin())'
SILENCE = 'import bitwise; bitwise.silence(); '
CPUINFO = Path('/proc/cpuinfo')
AVX512 = CPUINFO.exists() and b'avx512f' in CPUINFO.read_bytes().split()
needs_pins = pytest.mark.skipif(not bitwise.pins(), reason='no pins for this machine')
needs_x86_64_pins = pytest.mark.skipif(bitwise.pins() != bitwise.X86_64_PINS,
                                       reason='the pins of x86-64 are not for this machine')


@pytest.fixture
def run_python():
    """A function that runs code, with more environment variables, and returns what it printed."""
    def run(code, **more):
        ours = ('THEANO', 'OPENBLAS', 'NPY_')
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        clean['PYTHONPATH'] = 'tools:notebooks'
        done = subprocess.run([sys.executable, '-c', code], env={**clean, **more}, cwd=cells.ROOT,
                              capture_output=True, text=True)
        assert done.stderr == '', done.stderr
        return done.stdout
    return run


@needs_pins
def test_twenty_steps_end_in_the_same_bits(run_python):
    out = run_python('import cells; cells.run_cells("fingerprint", iterations=20)')
    assert 'fingerprint of the weights after step 20: 4f463ee67014beea\n' in out


# Settings from outside.

@needs_pins
@pytest.mark.parametrize('setting', [
    {'OPENBLAS_NUM_THREADS': '8'}, {'OPENBLAS_CORETYPE': 'Prescott'},
    {'NPY_DISABLE_CPU_FEATURES': 'AVX2'}])
def test_numpy_s_settings_from_outside_do_not_count(run_python, setting):
    assert run_python(PIN, **setting) == YES


def test_a_setting_that_fails_newer_numpys_is_removed(run_python):
    code = 'import bitwise, os; bitwise.pin(); print("NPY_ENABLE_CPU_FEATURES" in os.environ)'
    assert run_python(code, NPY_ENABLE_CPU_FEATURES='AVX2') == 'False\n'


def test_theano_flags_from_outside_do_not_count(run_python):
    code = 'import bitwise; bitwise.pin(); import theano; print(theano.config.floatX)'
    assert run_python(code, THEANO_FLAGS='floatX=float32') == 'float64\n'


def test_a_theanorc_does_not_count(run_python, tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ncast_policy = numpy+floatX\n')
    code = 'import bitwise; bitwise.pin(); import theano; print(theano.config.cast_policy)'
    assert run_python(code, HOME=str(tmp_path)) == 'custom\n'


# What was imported before.

def test_no_yes_where_numpy_came_first(run_python):
    """Not even if the pins were there already and the bits are right."""
    out = run_python(SILENCE + 'import numpy; print(bitwise.pin())', **bitwise.pins())
    assert out.startswith('bitwise reproducible: no, because NumPy was imported before ')


def test_no_yes_where_theano_came_first(run_python):
    """Its flags are never measured."""
    code = SILENCE + 'import theano; print(bitwise.pin())'
    out = run_python(code, THEANO_FLAGS=bitwise.THEANO_FLAGS, **bitwise.pins())
    assert out.startswith('bitwise reproducible: no, because Theano was imported before ')


def test_no_yes_for_others_where_numpy_came_first(run_python):
    code = 'import numpy, bitwise; found = bitwise.checksum([numpy.ones(3)]); '
    out = run_python(code + 'print(bitwise.verdict([numpy.ones(3)], found))')
    assert out.startswith('bitwise reproducible: no, because NumPy was imported before ')


@needs_pins
def test_a_second_call_does_not_take_the_first_one_s_numpy_for_an_early_one(run_python):
    assert run_python('import bitwise; bitwise.pin(); print(bitwise.pin())') == YES


# Pins.

@needs_x86_64_pins
@pytest.mark.parametrize('pin, otherwise', [
    ('OPENBLAS_CORETYPE', 'Prescott'),
    pytest.param('OPENBLAS_NUM_THREADS', '2',
                 marks=pytest.mark.skipif(os.cpu_count() == 1, reason='one core')),
    pytest.param('NPY_DISABLE_CPU_FEATURES', '',
                 marks=pytest.mark.skipif(not AVX512, reason='no AVX-512'))])
def test_verdict_is_no_with_another_pin(run_python, pin, otherwise):
    out = run_python('import bitwise; bitwise.X86_64_PINS["%s"] = "%s"; print(bitwise.pin())'
                     % (pin, otherwise))
    assert out == ("bitwise reproducible: no, because NumPy %s rounds differently on this machine; "
                   "the numbers in the text are the saved run's\n" % np.__version__)


def test_pins_of_64_bit_arm(monkeypatch):
    monkeypatch.setattr(bitwise.sys, 'platform', 'linux')
    monkeypatch.setattr(bitwise.platform, 'machine', lambda: 'aarch64')
    assert bitwise.pins() == {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'ARMV8'}


@pytest.mark.parametrize('group', ['AVX512_SKX', 'AVX512_ICL', 'AVX512_SPR', 'X86_V4'])
def test_no_group_of_avx_512_is_left(group):
    """The last two are names of newer NumPys, in which the first one means nothing."""
    assert group in bitwise.X86_64_PINS['NPY_DISABLE_CPU_FEATURES'].split()


def test_openblas_is_not_asked_for_the_size_of_the_cache():
    """OpenBLAS 0.3.34, which NumPy 1.23.5 has not yet, would cut long sums by it."""
    assert bitwise.X86_64_PINS['OPENBLAS_L2_SIZE'] == '256'


@pytest.fixture
def x86_64_with(monkeypatch, tmp_path):
    """A function that makes this an x86-64 Linux with this text, bytes, in /proc/cpuinfo."""
    def make(text):
        (tmp_path / 'cpuinfo').write_bytes(text)
        monkeypatch.setattr(bitwise.sys, 'platform', 'linux')
        monkeypatch.setattr(bitwise.platform, 'machine', lambda: 'x86_64')
        monkeypatch.setattr(bitwise, 'Path', lambda path: tmp_path / 'cpuinfo')
    return make


@pytest.mark.parametrize('text', [b'flags : fpu avx2 fma\n', b'model name : \xff\navx2 fma\n'])
def test_pins_where_the_processor_has_avx2_and_fma(x86_64_with, text):
    x86_64_with(text)
    assert bitwise.pins() == bitwise.X86_64_PINS


@pytest.mark.parametrize('flags', [b'fpu avx fma', b'fpu avx2 fma4'])
def test_no_pins_where_the_pinned_kernels_would_crash(x86_64_with, flags):
    x86_64_with(b'flags : %s\n' % flags)
    assert bitwise.pins() == {}


def test_no_pins_where_cpuinfo_is_missing(x86_64_with, tmp_path):
    x86_64_with(b'')
    (tmp_path / 'cpuinfo').unlink()
    assert bitwise.pins() == {}


def test_no_pins_where_cpuinfo_cannot_be_read(x86_64_with, tmp_path):
    x86_64_with(b'')
    (tmp_path / 'cpuinfo').unlink()
    (tmp_path / 'cpuinfo').mkdir()
    assert bitwise.pins() == {}


# The verdict.

def test_newer_numpys_are_named(run_python):
    """A stand-in for NumPy 2.3, with which Theano does not run."""
    code = 'import bitwise as b; b.EXPECTED, b.EXPECTED_OF_NUMPY_2_3 = "0" * 16, b.EXPECTED; '
    out = run_python(code + 'print(b.pin())')
    assert out.startswith('bitwise reproducible: no, because NumPy 2.3 and newer add up ')


@pytest.fixture
def pinned(monkeypatch):
    """As if set_pins() had come in time."""
    monkeypatch.setattr(bitwise, 'set_pins', lambda: None)


def test_yes_for_the_expected_bits(pinned):
    assert bitwise.verdict([np.ones(3), 0.1], bitwise.checksum([np.ones(3), 0.1])) == bitwise.YES


def test_no_for_one_other_bit(pinned):
    expected = bitwise.checksum([np.ones(3), 0.1])
    assert bitwise.verdict([np.ones(3), np.nextafter(0.1, 1)], expected) == (
        'bitwise reproducible: no, because NumPy %s rounds differently on this machine'
        % np.__version__)


@pytest.mark.parametrize('array', [np.zeros((3, 2)), np.zeros(6), np.zeros((2, 3), 'int64')])
def test_no_for_another_shape_or_type_with_the_same_bits(pinned, array):
    expected = bitwise.checksum([np.zeros((2, 3))])
    assert bitwise.verdict([array], expected).startswith('bitwise reproducible: no, because ')


@pytest.mark.parametrize('expected', ['39541B7EB863BB3B', '39541b7e', ' 39541b7eb863bb3b'])
def test_what_is_no_checksum_is_named(pinned, expected):
    with pytest.raises(ValueError, match='is no checksum, 16 digits from 0 to f'):
        bitwise.verdict([np.ones(3)], expected)


@pytest.mark.parametrize('expected', [None, ''])
def test_no_yes_before_a_checksum_is_expected(pinned, expected):
    assert bitwise.verdict([np.ones(3)], expected) == (
        'bitwise reproducible: not known yet; the checksum is %s' % bitwise.checksum([np.ones(3)]))


@pytest.mark.parametrize('arrays', [
    [], {0: np.ones(3)}, np.ones(3), (row for row in np.ones((3, 3)))],
    ids=['nothing', 'dict', 'array', 'generator'])
def test_only_lists_have_a_checksum(arrays):
    with pytest.raises(TypeError, match=r'^bitwise: put the arrays in a list, as in \[x, y\]$'):
        bitwise.checksum(arrays)


@pytest.mark.parametrize('item', [
    'text', None, np.ones(0), [np.ones(3), np.ones((2, 2))], [np.ones((2, 3)), np.ones((2, 2))],
    np.ma.masked_array([1., 2.], [True, False])],
    ids=['text', 'None', 'empty', 'objects', 'shapes', 'masked'])
def test_only_numbers_have_a_checksum(item):
    with pytest.raises(TypeError, match='^bitwise: number 2 of the list, a .*, is not an array '):
        bitwise.checksum([np.ones(3), item])
