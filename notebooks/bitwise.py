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
import hashlib
import importlib.metadata
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
}
# The groups of AVX-512 instructions that NumPy can leave out: the first NumPy that knows the group,
# the first that does not any more ((9, 9): there is none yet), and a flag of /proc/cpuinfo where a
# processor has it. NumPy warns, at its import, of a group that it does not know or the processor
# does not have.
AVX512_GROUPS = {
    'AVX512F': ((0, 0), (2, 4), b'avx512f'),
    'AVX512CD': ((0, 0), (2, 4), b'avx512cd'),
    'AVX512_SKX': ((0, 0), (2, 4), b'avx512dq'),
    'AVX512_CLX': ((0, 0), (2, 4), b'avx512_vnni'),
    'AVX512_CNL': ((0, 0), (2, 4), b'avx512vbmi'),
    'AVX512_ICL': ((0, 0), (9, 9), b'avx512_vbmi2'),
    'AVX512_SPR': ((2, 3), (9, 9), b'avx512_fp16'),
    'X86_V4': ((2, 4), (9, 9), b'avx512dq'),
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
EXPECTED = '84716b8f3c4e35b6'
EXPECTED_OF_NUMPY_2_3 = '435d8e4e576179f7'
YES = 'bitwise reproducible: yes'
NO = 'bitwise reproducible: no, because %s'


def groups_to_disable(features):
    """Return the names of AVX512_GROUPS that NumPy and a processor with these features know."""
    try:
        words = importlib.metadata.version('numpy').split('.')
    except importlib.metadata.PackageNotFoundError:
        return []
    numpy = int(words[0]), int(words[1])
    return [name for name, (first, end, feature) in AVX512_GROUPS.items()
            if first <= numpy < end and feature in features]


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
            groups = ' '.join(groups_to_disable(features))
            return dict(X86_64_PINS, NPY_DISABLE_CPU_FEATURES=groups)
    return {}


def silence():
    """Hide warnings that are harmless here."""
    # Theano warns that it found no C compiler and no BLAS library to compile against.
    warnings.filterwarnings('ignore', r'DeprecationWarning: there is no c\+\+', UserWarning)
    logging.getLogger('theano.configdefaults').setLevel(logging.ERROR)
    logging.getLogger('theano.tensor.blas').setLevel(logging.ERROR)
    # Matplotlib builds its list of fonts at its first import.
    logging.getLogger('matplotlib.font_manager').setLevel(logging.ERROR)


def set_pins():
    """Pin what can be pinned. Return why it was too late for that, or None.

    Other settings of NumPy, OpenBLAS and Theano are replaced. A second call changes nothing and
    returns the same. If threads are raised later, as by threadpoolctl, nothing notices.
    """
    global too_late
    if 'too_late' not in globals():  # the first call; importlib.reload would reset a variable
        silence()
        for name in list(os.environ):
            if name.startswith('NPY_'):
                del os.environ[name]
        os.environ.update(pins())
        os.environ['THEANO_FLAGS'] = THEANO_FLAGS
        os.environ['THEANORC'] = os.devnull
        too_late = None
        for library in 'NumPy', 'Theano':
            if library.lower() in sys.modules:
                too_late = ('%s was imported before the pins were set (restart the kernel; if that '
                            'does not help, a start-up file imports it)' % library)
    return too_late


def has_masks(item):
    """Return whether a masked array is in this item, or in a list in it."""
    import numpy as np
    if isinstance(item, (list, tuple)):
        return any(has_masks(part) for part in item)
    return isinstance(item, np.ma.MaskedArray)


def checksum(arrays):
    """Return a checksum, 16 hexadecimal digits, of a list of arrays of numbers.

    It covers their types, shapes and bits. Raises TypeError for anything else, also for masked
    arrays, whose masks would not count, and for long doubles, which have bits without a meaning.
    """
    import numpy as np
    if not isinstance(arrays, (list, tuple)) or not arrays:
        raise TypeError('bitwise: put the arrays in a list, as in [x, y]')
    total = hashlib.sha256()
    for number, item in enumerate(arrays, start=1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                array = np.asarray(item)
        except ValueError:  # several arrays, of several shapes
            array = np.empty(0)  # refused below
        is_sound = array.dtype.kind in 'biufc' and array.dtype.char not in 'gG'
        if array.size == 0 or not is_sound or has_masks(item):
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
    libraries = 'NumPy ' + np.__version__
    if sys.platform == 'linux':  # exp, log and others are the C library's
        libraries += ' or ' + ' '.join(platform.libc_ver())
    return NO % (libraries + ' rounds differently on this machine')


def canary():
    """Return small computations like those of mnist_rnn.ipynb, a list of arrays.

    In the notebook tanh, exp and log get arguments in -10 to 8, -19 to 0 and 4e-6 to 9; here they
    get these and more.
    """
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
        np.tanh(h), np.tanh(20 * h), np.exp(h), np.exp(30 * h),
        np.log(abs(30 * h)), np.log(np.square(np.square(h))),
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
