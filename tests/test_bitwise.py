"""Tests of notebooks/bitwise.py, each in a Python process of its own, since it pins for good."""
import os
import subprocess
import sys
from pathlib import Path

import bitwise
import cells
import pytest

YES = 'bitwise reproducible: yes\n'
OTHER = 'bitwise reproducible: no, because this machine rounds differently; '
CPUINFO = Path('/proc/cpuinfo')
AVX512 = CPUINFO.exists() and 'avx512f' in CPUINFO.read_text().split()
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


@pytest.mark.skipif(not bitwise.pins(), reason='no pins for this machine')
def test_twenty_steps_end_in_the_same_bits(run_python):
    out = run_python('import cells; cells.run_cells("fingerprint", iterations=20)')
    assert 'fingerprint of the weights after step 20: 4f463ee67014beea\n' in out


@pytest.mark.skipif(not bitwise.pins(), reason='no pins for this machine')
@pytest.mark.parametrize('setting', [
    {'OPENBLAS_NUM_THREADS': '8'}, {'OPENBLAS_CORETYPE': 'Prescott'},
    {'NPY_DISABLE_CPU_FEATURES': 'AVX2'}])
def test_numpy_s_settings_from_outside_do_not_count(run_python, setting):
    assert run_python('import bitwise; print(bitwise.pin())', **setting) == YES


def test_theano_s_settings_from_outside_do_not_count(run_python, tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\nfloatX = float32\n')
    out = run_python('import bitwise; bitwise.pin(); import theano; print(theano.config.floatX)',
                     HOME=str(tmp_path), THEANO_FLAGS='device=cuda')
    assert out == 'float64\n'


def test_second_call_repeats_the_verdict(run_python):
    out = run_python('import bitwise; print(bitwise.pin()); print(bitwise.pin())')
    first, second = out.splitlines()
    assert first == second


@needs_x86_64_pins
def test_numpy_that_came_first_is_named(run_python):
    out = run_python('import numpy, bitwise; print(bitwise.pin())', OPENBLAS_CORETYPE='Prescott')
    assert out.startswith('bitwise reproducible: no, because NumPy was imported before ')


@needs_x86_64_pins
@pytest.mark.parametrize('pin, otherwise', [
    ('OPENBLAS_CORETYPE', 'Prescott'),
    pytest.param('OPENBLAS_NUM_THREADS', '2',
                 marks=pytest.mark.skipif(os.cpu_count() == 1, reason='one core')),
    pytest.param('NPY_DISABLE_CPU_FEATURES', '',
                 marks=pytest.mark.skipif(not AVX512, reason='no AVX-512'))])
def test_verdict_is_no_without_a_pin(run_python, pin, otherwise):
    code = 'import bitwise; del bitwise.X86_64_PINS["%s"]; print(bitwise.pin())' % pin
    out = run_python(code, **{pin: otherwise})
    assert out.startswith(OTHER)


@needs_x86_64_pins
def test_no_pins_without_avx2(monkeypatch, tmp_path):
    """Where the processor lacks what the pinned kernels need, nothing is pinned."""
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text('flags : fpu sse sse2 avx fma\n')
    monkeypatch.setattr(bitwise, 'Path', lambda path: cpuinfo)
    assert bitwise.pins() == {}
