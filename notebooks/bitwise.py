"""The same bits from NumPy, SciPy and Theano on Linux, on x86-64 and on 64-bit ARM.

The last bits of a sum depend on the order in which its terms are added, and that order depends on
the processor and on the number of threads. set_pins() fixes it, before NumPy is imported:

- one thread;
- kernels (OpenBLAS's routines for one kind of processor) that add up a short product's terms in
  order, each with one fused multiply-add;
- on x86-64 no AVX-512 in NumPy, whose exp and log round differently there;
- NumPy in place of compiled C for all of Theano's operations.

Then verdict() compares what was computed with what is expected. pin() does both for
mnist_rnn.ipynb. BITWISE.md tells how to use this file for a notebook of your own.
"""
import functools
import hashlib
import logging
import os
import platform
import re
import sys
import warnings
from pathlib import Path

# Environment variables that NumPy and OpenBLAS read when they are imported.
X86_64_PINS = {
    'OPENBLAS_NUM_THREADS': '1',
    'OPENBLAS_CORETYPE': 'Haswell',
    # Without it OpenBLAS 0.3.34 (NumPy 2.5) cuts long sums elsewhere on AMD's Zen 4 and Zen 5,
    # and crashes: its issue 6021.
    'OPENBLAS_L2_SIZE': '256',
    # NumPy up to 2.3 knows the groups AVX512..., from 2.4 on X86_V4, AVX512_ICL and AVX512_SPR.
    'NPY_DISABLE_CPU_FEATURES':
        'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4',
}
AARCH64_PINS = {
    'OPENBLAS_NUM_THREADS': '1',
    'OPENBLAS_CORETYPE': 'ARMV8',
}
# FAST_COMPILE and an empty cxx: no compiled C. Empty blas.ldflags: Theano asks NumPy 1.22 and
# newer for them in a way that fails.
THEANO_FLAGS = 'mode=FAST_COMPILE,cxx=,device=cpu,floatX=float64,blas.ldflags='
# The checksum of canary() where the bits are right, and where they are right but for the mean of a
# whole matrix, which NumPy 2.3 and newer add up in another order.
EXPECTED = 'd21b9b277b7f0064'
EXPECTED_OF_NUMPY_2_3 = 'e8cb55141ed93a8d'
YES = 'bitwise reproducible: yes'
NO = 'bitwise reproducible: no, because %s'


def pins():
    """Return the environment variables that fix this machine's rounding; {} where none do."""
    if sys.platform != 'linux':
        return {}
    if platform.machine() == 'aarch64':
        return AARCH64_PINS
    if platform.machine() == 'x86_64':
        try:
            features = Path('/proc/cpuinfo').read_bytes().split()
        except OSError:
            return {}
        if b'avx2' in features and b'fma' in features:  # without them, the kernels would crash
            return X86_64_PINS
    return {}


def silence():
    """Hide warnings that are harmless here."""
    # NumPy need not know all groups of X86_64_PINS, and a processor need not have them.
    warnings.filterwarnings('ignore', r'(?s).*NPY_DISABLE_CPU_FEATURES', RuntimeWarning)
    # Theano warns that it found no C compiler and no BLAS library to compile against.
    warnings.filterwarnings('ignore', r'DeprecationWarning: there is no c\+\+', UserWarning)
    logging.getLogger('theano.configdefaults').setLevel(logging.ERROR)
    logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
    # Matplotlib builds its list of fonts at its first import.
    logging.getLogger('matplotlib').setLevel(logging.ERROR)


@functools.lru_cache(maxsize=None)
def set_pins():
    """Pin what can be pinned. Return why it was too late for that, or None.

    Other settings of NumPy, OpenBLAS and Theano are replaced. A second call changes nothing and
    returns the same.
    """
    silence()
    for name in list(os.environ):
        if name.startswith('NPY_'):
            del os.environ[name]
    os.environ.update(pins())
    os.environ['THEANO_FLAGS'] = THEANO_FLAGS
    os.environ['THEANORC'] = os.devnull
    for library in ('Theano', 'NumPy'):
        if library.lower() in sys.modules:
            return ('%s was imported before the pins were set (restart the kernel; if that does '
                    'not help, a start-up file imports it)' % library)
    return None


def checksum(arrays):
    """Return a checksum, 16 hexadecimal digits, of a list of arrays of numbers.

    It covers their types, shapes and bits. Raises TypeError for anything else.
    """
    import numpy as np
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise TypeError('bitwise: put the arrays in a list, as in [x, y]')
    total = hashlib.sha256()
    for number, item in enumerate(arrays, start=1):
        try:
            array = np.asarray(item)
        except ValueError:  # several arrays, of several shapes
            array = np.empty(0)
        masked = isinstance(item, np.ma.MaskedArray)  # its mask would not be measured
        if array.size == 0 or array.dtype.kind not in 'biufc' or masked:
            raise TypeError('bitwise: number %d of the list, a %s, is not an array of numbers; for '
                            'a tuple of arrays write *name' % (number, type(item).__name__))
        total.update(('%s %s ' % (array.dtype.str, array.shape)).encode())
        total.update(array.tobytes())
    return total.hexdigest()[:16]


def verdict(arrays, expected=None):
    """Return one line: whether the list of arrays has the expected checksum, or why it has not.

    Without an expected checksum the line tells what it is here. Raises ValueError if expected is
    no checksum, and TypeError for arrays that have none.
    """
    if expected and not re.fullmatch('[0-9a-f]{16}', expected):
        raise ValueError('bitwise: %r is no checksum, 16 digits from 0 to f' % expected)
    too_late = set_pins()
    if too_late:
        return NO % too_late
    found = checksum(arrays)
    if not expected:
        return 'bitwise reproducible: not known yet; the checksum is %s' % found
    if found == expected:
        return YES
    import numpy as np
    return NO % ('NumPy %s rounds differently on this machine' % np.__version__)


def canary():
    """Return small computations like those of mnist_rnn.ipynb, a list of arrays."""
    import numpy as np
    rng = np.random.RandomState(0)
    x = rng.uniform(-1, 1, (100, 28))
    h = rng.uniform(-1, 1, (100, 100))
    scores = rng.uniform(-1, 1, (100, 10))
    U = rng.uniform(-1, 1, (28, 100))
    W = rng.uniform(-1, 1, (100, 100))
    V = rng.uniform(-1, 1, (100, 10))
    return [
        x @ U, h @ W, h @ V,               # forward
        x.T @ h, h.T @ h, h.T @ scores,    # gradients of the weights
        h @ W.T, scores @ V.T,             # gradients of the states
        np.tanh(3 * h), np.exp(3 * h), np.log(abs(h)),
        h.sum(axis=0), h.mean(axis=1), h.mean(),
    ]


def pin():
    """Set the pins and return the verdict on canary(), one line. For mnist_rnn.ipynb alone."""
    too_late = set_pins()
    answer = verdict(canary(), EXPECTED)
    if answer == YES:
        return YES
    if not too_late and checksum(canary()) == EXPECTED_OF_NUMPY_2_3:
        answer = NO % 'NumPy 2.3 and newer add up a matrix in another order'
    return answer + "; the numbers in the text are the saved run's"
