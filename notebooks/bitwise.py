"""Bitwise reproducibility: the same bits from NumPy and Theano on Linux, x86-64 and 64-bit ARM.

How a result is rounded depends on the CPU's kernels and on the number of threads. pin() fixes both, before
NumPy is imported: one thread; OpenBLAS kernels that add up a product's terms in order, with fused multiply-add;
on x86-64 no AVX-512 in NumPy, whose tanh rounds differently; and NumPy, not compiled C, for every operation of
Theano's graph. `python bitwise.py` prints the verdict on this machine.
"""
import logging
import os
import platform
import sys
import sysconfig
import warnings
from importlib import metadata

PINS = {'x86_64': {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'Haswell',
                   'NPY_DISABLE_CPU_FEATURES': 'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL'},
        'aarch64': {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'ARMV8'}}
FLAGS = 'mode=FAST_COMPILE,cxx=,device=cpu,floatX=float64,blas.ldflags=,'  # the last: NumPy 1.22+ needs it set


def cpu_has(*features):
    """Return whether NumPy finds all of these features on this CPU. Linux only.

    A forked child imports NumPy and reports, so that NumPy stays unimported here. (Under user-mode emulation
    /proc/cpuinfo describes the host, and a newly started program would run on it.)
    """
    child = os.fork()
    if child == 0:
        try:
            warnings.simplefilter('ignore')
            for name in PINS['x86_64']:  # ask for the CPU itself, whatever was set outside
                os.environ.pop(name, None)
            from numpy.core._multiarray_umath import __cpu_features__ as found
            os._exit(0 if all(found[name] for name in features) else 1)
        finally:
            os._exit(2)  # NumPy could not be imported
    return os.waitpid(child, 0)[1] == 0


def this_machine():
    """Return what why_not() judges, as it is in this process: a dictionary of its arguments."""
    here = sys.platform, platform.machine()
    pins = PINS.get(here[1], {})
    return {'system': here[0], 'machine': here[1], 'libc': platform.libc_ver(), 'numpy': metadata.version('numpy'),
            'wheel': any(file.name.startswith('libopenblas64_') for file in metadata.files('numpy') or ()),
            'late': 'numpy' in sys.modules and any(os.environ.get(name) != pins[name] for name in pins),
            'kernels': here[1] == 'aarch64' or here == ('linux', 'x86_64') and cpu_has('AVX2', 'FMA3'),
            'flags': os.environ.get('THEANO_FLAGS', '').replace(FLAGS, '')}


def why_not(system, machine, libc, numpy, wheel, late, kernels, flags):
    """Return why results may differ here from the saved ones in the last bit; None where they may not.

    system, machine, libc: as sys.platform, platform.machine() and platform.libc_ver() name them. numpy: its
    version; wheel: whether it brought its own OpenBLAS; late: whether it was imported before the pins were set.
    kernels: whether the CPU can run the pinned kernels. flags: the user's own THEANO_FLAGS.
    """
    if system != 'linux' or machine not in PINS:
        return 'this is %s on %s, not Linux on x86-64 or 64-bit ARM' % (system, machine)
    if libc[0] != 'glibc' or tuple(map(int, libc[1].split('.')[:2])) < (2, 28):  # exp and log are glibc's
        return 'the C library is not glibc 2.28 or later'
    if numpy != '1.23.5' or not wheel:
        return 'NumPy is not the wheel of 1.23.5 that requirements.txt installs'
    if not kernels:
        return 'this CPU has no AVX2'
    if flags:
        return 'THEANO_FLAGS is set'
    if late:
        return 'NumPy was imported before the pins were set (restart the kernel)'


def pin():
    """Set the pins where they hold, configure Theano, and return the verdict, a line of text.

    Raises ValueError where Theano does not understand the user's own THEANO_FLAGS, which win over ours.
    """
    facts = this_machine()
    reason = why_not(**facts)
    if reason is None:
        os.environ.update(PINS[facts['machine']])
    # A .theanorc left over from another project is not read.
    os.environ.update(THEANO_FLAGS=FLAGS + facts['flags'], THEANORC=os.devnull)
    # For the C backend: a Python that uv fetched keeps its libpython where no loader looks.
    os.environ.setdefault('LD_RUN_PATH', sysconfig.get_config_var('LIBDIR') or '')
    # Harmless, each: a pin names what this CPU lacks; there is no compiler, by choice; NumPy multiplies the
    # matrices; Matplotlib builds its font cache.
    warnings.filterwarnings('ignore', r'(?s).*NPY_DISABLE_CPU_FEATURES', RuntimeWarning)
    warnings.filterwarnings('ignore', r'DeprecationWarning: there is no c\+\+ compiler', UserWarning)
    for name in 'theano.configdefaults', 'theano.tensor.blas', 'matplotlib':
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        import theano  # noqa: F401
    except ValueError as error:
        raise ValueError('THEANO_FLAGS=%s is not understood: %s' % (facts['flags'], error)) from None
    return 'bitwise reproducible: ' + ('yes' if reason is None else 'no, because ' + reason)


if __name__ == '__main__':
    print(pin())
