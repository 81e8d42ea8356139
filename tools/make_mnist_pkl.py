"""Make data/mnist.pkl.gz, as the Theano tutorials had it, from MNIST's four unpacked IDX files.

    python tools/make_mnist_pkl.py FOLDER
"""
import gzip
import hashlib
import pickle
import sys
from pathlib import Path

import numpy as np

SHA256 = '275782d07508ec7cf3a97fcd65687ddc0b31f1658e01758410b50188ce15b86c'


def read_idx(folder, kind, n):
    """Return n images, float32 (n, 784), pixels / 256, and their labels, int64 (n,)."""
    images = np.fromfile(str(folder / (kind + '-images-idx3-ubyte')), 'u1', offset=16)
    labels = np.fromfile(str(folder / (kind + '-labels-idx1-ubyte')), 'u1', offset=8)
    return images.reshape(n, 784).astype('<f4') / np.float32(256), labels.astype('<i8')


def main(folder, target=Path('data/mnist.pkl.gz')):
    """Write target: three such pairs, to train, to validate (the first's last 10,000), to test."""
    try:
        (x, y), test = read_idx(folder, 'train', 60000), read_idx(folder, 't10k', 10000)
    except (OSError, ValueError) as error:
        sys.exit('Nothing was written: %s' % error)
    sets = (x[:50000], y[:50000]), (x[50000:], y[50000:]), test
    packed = gzip.compress(pickle.dumps(sets, protocol=4), 9)
    packed = packed[:4] + bytes(4) + packed[8:]  # no time in the header
    if hashlib.sha256(packed).hexdigest() != SHA256:
        sys.exit('Nothing was written: this is not MNIST, or the NumPy or zlib is another.')
    target.write_bytes(packed)


if __name__ == '__main__':
    main(Path(*sys.argv[1:2]))
