"""Make mnist.pkl.gz, in the format of the Theano tutorials, from MNIST's four IDX files.

    python data/make_mnist_pkl.py FOLDER    the four files lie in FOLDER, raw or with .gz
    python data/make_mnist_pkl.py           they are downloaded from public mirrors

Needs NumPy as pinned in requirements.txt. Every input is checked before it is used and the
result before it is written; a run that fails leaves an existing mnist.pkl.gz as it is.
"""
import gzip
import hashlib
import http.client
import os
import pickle
import sys
import urllib.request
import zlib
from pathlib import Path

import numpy as np

MIRRORS = ('https://ossci-datasets.s3.amazonaws.com/mnist/',
           'https://storage.googleapis.com/cvdf-datasets/mnist/')
# SHA-256 of the unpacked files; data/README.md has the MD5 sums they are known by.
IDX_SHA256 = {
    'train-images-idx3-ubyte': 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    'train-labels-idx1-ubyte': '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    't10k-images-idx3-ubyte': '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    't10k-labels-idx1-ubyte': 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'}
# SHA-256 of the unpacked result. The packed bytes may differ from one zlib to another.
PICKLE_SHA256 = 'c2ec354f52db06f6ad61da4dea9888942b671949e18bd09af6c966c52152b5f9'


def read_idx(name, folder=None):
    """Return the bytes of one unpacked IDX file, checked.

    name: a key of IDX_SHA256. folder: a Path where the file lies, raw or as name.gz; None
    downloads it. Exits with what is wrong with each source where none holds the file.
    """
    if folder is None:
        sources = [mirror + name + '.gz' for mirror in MIRRORS]
    else:
        sources = [folder / name, folder / (name + '.gz')]
    problems = []
    for source in sources:
        try:
            if folder is None:
                with urllib.request.urlopen(source, timeout=60) as response:
                    content = response.read()
            else:
                content = source.read_bytes()
            if str(source).endswith('.gz'):
                content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error, http.client.HTTPException) as error:
            problems.append('%s: %s' % (source, error))
            continue
        digest = hashlib.sha256(content).hexdigest()
        if digest == IDX_SHA256[name]:
            return content
        problems.append('%s: its content has SHA-256 %s, not %s, so it is not MNIST\'s file'
                        % (source, digest, IDX_SHA256[name]))
    sys.exit('No usable %s. Nothing was written.\n  %s' % (name, '\n  '.join(problems)))


def make_pickle(folder=None):
    """Return the unpacked mnist.pkl.gz: (training, validation, test), pickled, as bytes.

    Each of the three is a pair: images, float32 (n, 784), pixels / 256; labels, int64 (n,).
    The first 50,000 training images train, the last 10,000 validate; the order is kept.
    """
    train_images, train_labels, test_images, test_labels = (
        np.frombuffer(content, 'u1', offset=16).reshape(-1, 784).astype('<f4') / np.float32(256)
        if 'images' in name else np.frombuffer(content, 'u1', offset=8).astype('<i8')
        for name, content in ((name, read_idx(name, folder)) for name in IDX_SHA256))
    content = pickle.dumps(((train_images[:50000], train_labels[:50000]),
                            (train_images[50000:], train_labels[50000:]),
                            (test_images, test_labels)), protocol=4)
    if hashlib.sha256(content).hexdigest() != PICKLE_SHA256:
        sys.exit('NumPy %s pickles these arrays in other bytes than data/README.md gives. '
                 'Nothing was written: use the NumPy of requirements.txt.' % np.__version__)
    return content


def main(arguments, target=Path(__file__).with_name('mnist.pkl.gz')):
    """Write target, from the folder named in arguments or from the mirrors."""
    if len(arguments) > 1 or arguments and not Path(arguments[0]).is_dir():
        sys.exit('%s\n%s: not one folder' % (__doc__, ' '.join(arguments)))
    content = make_pickle(Path(arguments[0]) if arguments else None)
    part = target.with_name('%s.%d.part' % (target.name, os.getpid()))
    try:
        with open(part, 'xb') as file:
            # No name and no time in the header: the same content packs to the same bytes.
            with gzip.GzipFile('', 'wb', 9, file, mtime=0) as packed:
                packed.write(content)
        os.replace(part, target)
    finally:
        if part.exists():
            part.unlink()
    print('%s: %d bytes, SHA-256 %s' % (target, target.stat().st_size,
                                        hashlib.sha256(target.read_bytes()).hexdigest()))


if __name__ == '__main__':
    main(sys.argv[1:])
