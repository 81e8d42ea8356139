#!/bin/sh
# Trains 20 steps on this CPU and on emulated ones, and prints the fingerprints of the weights: the first four
# must be the same; the last CPU has no AVX2, where the notebook must run and say that it is not exact.
# For contributors, after make test: tests/emulate.sh [PYTHON]. Needs QEMU's user mode, version 10 or later (7.2
# miscomputes AVX2); on Debian 12 it comes from the backports: apt-get install -t bookworm-backports qemu-user
cd "$(dirname "$0")/.." || exit 1
python=${1:-.venv/bin/python}
export MPLBACKEND=Agg PYTHONDONTWRITEBYTECODE=1
code='import sys; sys.path.insert(0, "tests"); import conftest; conftest.run_cells("fingerprint-code", iterations=20)'
for cpu in "this CPU" Haswell Skylake-Client EPYC-Rome Nehalem; do
    emulator="qemu-x86_64 -cpu $cpu"
    test "$cpu" = "this CPU" && emulator=
    echo "$cpu: $($emulator "$python" -c "$code" 2>/dev/null | grep -E '^exact|^fingerprint' | paste -sd ' ')"
done
