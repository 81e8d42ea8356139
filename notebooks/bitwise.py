"""The same bits from NumPy and Theano on Linux, on x86-64 and on 64-bit ARM.

How a sum is rounded depends on the order of its terms, and so on the CPU's kernels and the number
of threads. pin() fixes both before NumPy is imported: one thread; OpenBLAS kernels that add up a
product's terms in order, with fused multiply-add; on x86-64 no AVX-512 in NumPy, whose exp and log
round differently; and NumPy, not compiled C, for all of Theano's operations. A canary then measures
whether this machine rounds as it must.
"""
import hashlib
import logging
import os
import platform
import sys
import warnings
from multiprocessing import get_context

PINS = {('linux', 'x86_64'): {
            'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'Haswell', 'NPY_DISABLE_CPU_FEATURES':
            'AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL'},
        ('linux', 'aarch64'): {'OPENBLAS_NUM_THREADS': '1', 'OPENBLAS_CORETYPE': 'ARMV8'}}
FLAGS = 'mode=FAST_COMPILE,cxx=,device=cpu,floatX=float64,blas.ldflags=,'  # ldflags: NumPy 1.22+


def canary(**pins):
    """Return whether small computations like the network's give, with pins, the right bits."""
    os.environ.update(pins)
    import numpy as np
    rng = np.random.RandomState(0)
    x, h, scores, U, W, V = (rng.uniform(-1, 1, shape) for shape in (
        (100, 28), (100, 100), (100, 10), (28, 100), (100, 100), (100, 10)))
    results = (x @ U, h @ W, h @ V, x.T @ h, h.T @ h, h.T @ scores, h @ W.T, scores @ V.T,
               np.tanh(3 * h), np.exp(3 * h), np.log(abs(h)),
               h.sum(axis=0), h.mean(axis=1), h.mean())
    bits = b''.join(result.tobytes() for result in results)
    return hashlib.sha256(bits).hexdigest()[:16] == '9a79ef187baa703a'


def pin():
    """Set the pins where they help, configure Theano, and return the verdict, a line of text."""
    # Harmless: a CPU without AVX-512; no compiler; products by NumPy; a font cache being built.
    warnings.filterwarnings('ignore', r'(?s).*NPY_DISABLE_CPU_FEATURES', RuntimeWarning)
    warnings.filterwarnings('ignore', r'DeprecationWarning: there is no c\+\+', UserWarning)
    for name in 'theano.configdefaults', 'theano.tensor.blas', 'matplotlib':
        logging.getLogger(name).setLevel(logging.ERROR)
    pins = PINS.get((sys.platform, platform.machine()), {})
    pinned = os.environ.get('THEANORC') == os.devnull  # by an earlier call, here or in a parent
    early = pins and 'numpy' in sys.modules and not pinned
    if pins and 'numpy' not in sys.modules:
        # In a forked child: if the CPU lacks what the pinned kernels need, only the child dies.
        child = get_context('fork').Process(target=lambda: sys.exit(not canary(**pins)))
        child.start()
        child.join()
        if child.exitcode == 0:
            os.environ.update(pins)
    own_flags = os.environ.get('THEANO_FLAGS', '').replace(FLAGS, '')  # which win over ours
    os.environ.update(THEANO_FLAGS=FLAGS + own_flags, THEANORC=os.devnull)  # no .theanorc is read
    if canary() and not own_flags:
        return 'bitwise reproducible: yes'
    reason = ('THEANO_FLAGS is set' if own_flags else
              'NumPy was imported before the pins were set (restart the kernel)' if early else
              'this machine rounds differently')
    return ('bitwise reproducible: no, because %s; the numbers in the text are the saved run\'s'
            % reason)
