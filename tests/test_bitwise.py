"""Tests of notebooks/bitwise.py: the pins, the verdict, and the bits that they promise."""
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

CPU = Path('/proc/cpuinfo').read_text() if sys.platform == 'linux' else ''
ON_X86 = platform.machine() == 'x86_64' and ' avx2 ' in CPU
PROMISED = ON_X86 or sys.platform == 'linux' and platform.machine() == 'aarch64'
TRAIN = 'import cells; cells.run_cells("fingerprint", iterations=20)'
DROP = 'bitwise.PINS["linux", "x86_64"].pop("%s")'
YES = 'reproducible: yes'
NO = 'reproducible: no, because '
OTHER = NO + 'this machine rounds differently; '


def start(code, *emulator, **environment):
    """Run code, then print the verdict, in a Python of its own; return how that went."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(('THEANO', 'OPENBLAS', 'OMP_', 'NPY_'))}
    kept.update(environment, PYTHONPATH='tools:notebooks')
    code = 'import bitwise; %s; print(bitwise.pin())' % code
    return subprocess.run([*emulator, sys.executable, '-c', code], env=kept,
                          capture_output=True, text=True)


@pytest.mark.parametrize('emulator', [''] + [
    pytest.param('qemu-x86_64 -cpu ' + cpu, marks=pytest.mark.emulate)  # QEMU 10: 7.2 miscomputes
    for cpu in ('Haswell', 'Skylake-Client', 'EPYC-Rome', 'Nehalem')])
def test_twenty_steps_come_out_bit_for_bit_whatever_is_set_outside(tmp_path, emulator):
    (tmp_path / '.theanorc').write_text('[global]\ndevice = cuda\ncompute_test_value = raise\n')
    run = start(TRAIN, *emulator.split(), HOME=str(tmp_path), OPENBLAS_NUM_THREADS='8',
                OPENBLAS_CORETYPE='Prescott', NPY_DISABLE_CPU_FEATURES='AVX2')
    promised = PROMISED and 'Nehalem' not in emulator  # Nehalem has no AVX2
    assert run.stdout.count(YES if promised else OTHER) == 2, run.stderr
    assert 'after step 20: ' + ('4f463ee67014beea\n' if promised else '') in run.stdout
    assert 'Warning' not in run.stderr


@pytest.mark.skipif(not ON_X86, reason='not Linux on x86-64 with AVX2')
@pytest.mark.parametrize('code, environment, verdict', [
    (DROP % 'OPENBLAS_CORETYPE', {'OPENBLAS_CORETYPE': 'Prescott'}, OTHER),
    (DROP % 'OPENBLAS_NUM_THREADS', {}, YES if os.cpu_count() == 1 else OTHER),
    (DROP % 'NPY_DISABLE_CPU_FEATURES', {}, OTHER if 'avx512f' in CPU else YES),
    ('pass', {'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F'}, OTHER),
    ('import numpy', {'OPENBLAS_CORETYPE': 'Prescott'}, NO + 'NumPy was imported before '),
    ('pass', {'THEANO_FLAGS': 'device=cpu'}, NO + 'THEANO_FLAGS is set; ')])
def test_verdict_is_measured_and_names_the_reason(code, environment, verdict):
    assert verdict in start(code, **environment).stdout
