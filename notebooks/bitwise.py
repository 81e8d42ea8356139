"""The same bits from NumPy and Theano on Linux, on x86-64 and on 64-bit ARM.

The last bits of a sum depend on the order in which its terms are added, and that order depends on
the processor and on the number of threads. pin() fixes it, before NumPy is imported:

- one thread;
- kernels (OpenBLAS's routines for one kind of processor) that add up a product's terms in order,
  each with one fused multiply-add;
- on x86-64 no AVX-512 in NumPy, whose exp and log round differently there;
- NumPy in place of compiled C for all of Theano's operations.

Then it measures: a small computation must give the bits that it gave everywhere else.
"""
import functools
import hashlib
import logging
import os
import platform
import sys
import warnings
from pathlib import Path

# Environment variables that NumPy and OpenBLAS read when they are imported.
X86_64_PINS = {
    'OPENBLAS_NUM_THREADS': '1',
    'OPENBLAS_CORETYPE': 'Haswell',
    'NPY_DISABLE_CPU_FEATURES':
        'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL',
}
AARCH64_PINS = {
    'OPENBLAS_NUM_THREADS': '1',
    'OPENBLAS_CORETYPE': 'ARMV8',
}
# FAST_COMPILE and an empty cxx: no compiled C. Empty blas.ldflags: Theano asks NumPy 1.22 and
# newer for them in a way that fails.
THEANO_FLAGS = 'mode=FAST_COMPILE,cxx=,device=cpu,floatX=float64,blas.ldflags='
# What rounding() returns where the bits are right, and what pin() then returns.
EXPECTED = '9a79ef187baa703a'
YES = 'bitwise reproducible: yes'


def pins():
    """Return the environment variables that fix this machine's rounding; {} where none do."""
    if sys.platform != 'linux':
        return {}
    if platform.machine() == 'aarch64':
        return AARCH64_PINS
    if platform.machine() == 'x86_64':
        features = Path('/proc/cpuinfo').read_text().split()
        if 'avx2' in features and 'fma' in features:  # without them, the kernels would crash
            return X86_64_PINS
    return {}


def rounding():
    """Return a checksum, 16 hexadecimal digits, of small computations like the network's."""
    import numpy as np
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (100, 28))
    h = rng.uniform(-1, 1, (100, 100))
    scores = rng.uniform(-1, 1, (100, 10))
    U = rng.uniform(-1, 1, (28, 100))
    W = rng.uniform(-1, 1, (100, 100))
    V = rng.uniform(-1, 1, (100, 10))
    results = [
        x @ U, h @ W, h @ V,               # forward
        x.T @ h, h.T @ h, h.T @ scores,    # gradients of the weights
        h @ W.T, scores @ V.T,             # gradients of the states
        np.tanh(3 * h), np.exp(3 * h), np.log(abs(h)),
        h.sum(axis=0), h.mean(axis=1), h.mean(),
    ]
    checksum = hashlib.sha256()
    for result in results:
        checksum.update(result.tobytes())
    return checksum.hexdigest()[:16]


def silence():
    """Hide warnings that are harmless here."""
    # A processor without AVX-512 has none to switch off.
    warnings.filterwarnings('ignore', r'(?s).*NPY_DISABLE_CPU_FEATURES', RuntimeWarning)
    # Theano warns that it found no C compiler and no BLAS library to compile against.
    warnings.filterwarnings('ignore', r'DeprecationWarning: there is no c\+\+', UserWarning)
    logging.getLogger('theano.configdefaults').setLevel(logging.ERROR)
    logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
    # Matplotlib builds its list of fonts at its first import.
    logging.getLogger('matplotlib').setLevel(logging.ERROR)


@functools.cache
def pin():
    """Pin what can be pinned, and return the verdict, one line. A second call only repeats it.

    Other settings of Theano, in THEANO_FLAGS or in .theanorc, are replaced.
    """
    silence()
    numpy_came_first = 'numpy' in sys.modules
    if not numpy_came_first:
        os.environ.update(pins())
    os.environ['THEANO_FLAGS'] = THEANO_FLAGS
    os.environ['THEANORC'] = os.devnull
    if rounding() == EXPECTED:
        return YES
    if numpy_came_first:
        reason = 'NumPy was imported before the pins were set (restart the kernel)'
    else:
        reason = 'this machine rounds differently'
    return ("bitwise reproducible: no, because %s; the numbers in the text are the saved run's"
            % reason)
