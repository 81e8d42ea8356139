#!/bin/sh
# Trains 20 steps on this CPU and on emulated ones and compares the fingerprints of the weights: those of CPUs with
# AVX2 must be this one's. Nehalem has none: there the notebook must say so, and run. QEMU emulates no AVX-512, so
# that case is tested only where the CPU underneath has it. For contributors, after make test:
#     tests/emulate.sh [PYTHON]
# Needs QEMU's user mode, version 10 or later (7.2 miscomputes AVX2); on Debian 12 from the backports:
# apt-get install -t bookworm-backports qemu-user
cd "$(dirname "$0")/.." || exit 1
export PYTHONDONTWRITEBYTECODE=1
code='import sys; sys.path.insert(0, "tests"); import cells; cells.run_cells("fingerprint-code", iterations=20)'

train() { "$@" -c "$code" 2>/dev/null | grep -E '^bitwise|^fingerprint' | paste -sd ' ' -; }

python=${1:-.venv/bin/python}
here=$(train "$python")
echo "this CPU: $here"
case $here in "bitwise reproducible: yes fingerprint"*) failed=0 ;; *) failed=1 ;; esac
for cpu in Haswell Skylake-Client EPYC-Rome Nehalem; do
    found=$(train qemu-x86_64 -cpu $cpu "$python")
    echo "$cpu: $found"
    case $cpu:$found in
        "Nehalem:bitwise reproducible: no, because this CPU has no AVX2 fingerprint"*) ;;
        Nehalem:*) failed=1 ;;
        *) test "$found" = "$here" || failed=1 ;;
    esac
done
test $failed = 0 || echo "Not the same, or not as it must be" >&2
exit $failed
