"""Tests of notebooks/bitwise.py: the pins, the verdict, and the bits that they promise."""
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CPU = Path('/proc/cpuinfo').read_text() if sys.platform == 'linux' else ''
GLIBC = platform.libc_ver()[0] == 'glibc'
ON_X86 = GLIBC and platform.machine() == 'x86_64' and ' avx2 ' in CPU
PROMISED = ON_X86 or GLIBC and platform.machine() == 'aarch64'
TRAIN = 'import cells; cells.run_cells("fingerprint", iterations=20)'
FINGERPRINT = 'after step 20: 4f463ee67014beea\n'
DROP = 'bitwise.PINS["linux", "x86_64"].pop("%s")'
OTHER = 'no, because this machine rounds differently; '


def start(code, *emulator, **environment):
    """Run code, then print the verdict, in a Python of its own; return its output and errors."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('THEANO', 'OPENBLAS', 'NPY_'))}
    kept.update(environment, PYTHONPATH=os.pathsep.join(['tools', 'notebooks']))
    code = 'import bitwise; %s; print(bitwise.pin())' % code
    run = subprocess.run([*emulator, sys.executable, '-c', code], env=kept,
                         capture_output=True, text=True)
    return run.stdout, run.stderr


def test_twenty_steps_come_out_bit_for_bit_whatever_is_set_outside(tmp_path):
    (tmp_path / '.theanorc').write_text('[global]\ndevice = cuda\ncompute_test_value = raise\n')
    out, err = start(TRAIN, HOME=str(tmp_path), OPENBLAS_NUM_THREADS='8',
                     OPENBLAS_CORETYPE='Prescott', NPY_DISABLE_CPU_FEATURES='AVX2')
    assert out.count('bitwise reproducible: ' + ('yes\n' if PROMISED else 'no, because ')) == 2, err
    assert not PROMISED or FINGERPRINT in out and 'Warning' not in err


@pytest.mark.emulate
@pytest.mark.parametrize('cpu', ['Haswell', 'Skylake-Client', 'EPYC-Rome', 'Nehalem'])
def test_emulated_processors(cpu):
    """Nehalem has no AVX2. Needs QEMU's qemu-x86_64, 10 or later: 7.2 miscomputes."""
    out, err = start(TRAIN, 'qemu-x86_64', '-cpu', cpu)
    assert ('yes\n' in out and FINGERPRINT in out) == (cpu != 'Nehalem'), err
    assert 'after step 20:' in out, err


@pytest.mark.skipif(not ON_X86, reason='not Linux on x86-64 with AVX2')
@pytest.mark.parametrize('code, environment, verdict', [
    (DROP % 'OPENBLAS_CORETYPE', {'OPENBLAS_CORETYPE': 'Prescott'}, OTHER),
    (DROP % 'OPENBLAS_NUM_THREADS', {}, 'yes' if os.cpu_count() == 1 else OTHER),
    (DROP % 'NPY_DISABLE_CPU_FEATURES', {}, OTHER if 'avx512f' in CPU else 'yes'),
    ('pass', {'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F'}, OTHER),
    ('import numpy', {'OPENBLAS_CORETYPE': 'Prescott'}, 'no, because NumPy was imported before '),
    ('pass', {'THEANO_FLAGS': 'device=cpu'}, 'no, because THEANO_FLAGS is set; ')])
def test_verdict_is_measured_and_names_the_reason(code, environment, verdict):
    out, err = start(code, **environment)
    assert out.startswith('bitwise reproducible: ' + verdict), err


def test_bad_theano_flags_are_named():
    out, err = start('pass', THEANO_FLAGS='mode=NONSENSE')
    assert '\nValueError: THEANO_FLAGS=mode=NONSENSE is not understood: ' in err
