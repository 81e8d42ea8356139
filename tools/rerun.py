"""Executes notebooks again, with rounding fixed by bitwise.py, and says what has changed.

Without an option it compares what each notebook prints and draws with what is saved in it: the
text and data of outputs and, on x86-64 Linux, the figures byte by byte (elsewhere only whether
they are there). Counters, times and other metadata are not compared. A notebook runs in its own
folder, with the Python that runs this program; settings of Python, IPython, Jupyter and
Matplotlib do not count. The status is 0 if all is equal, 1 if not, 130 after Ctrl-C.
"""
import argparse
import atexit
import base64
import copy
import itertools
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from pathlib import Path


def stop(signal_number, frame):
    """End at once, where Ctrl-C would show what each library was doing."""
    os.write(2, b'\nInterrupted\n')
    os._exit(128 + signal_number)


def on_interrupt(handler):
    """Let handler, a function of a signal's number and a frame, answer Ctrl-C and kill."""
    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)


if __name__ == '__main__':  # before the imports, which take seconds
    on_interrupt(stop)

WITHOUT_PINS = dict(os.environ)  # before cells sets them
sys.path.append(str(Path(__file__).resolve().parent))  # missing if PYTHONSAFEPATH is set
import cells  # noqa: E402
import bitwise  # noqa: E402  from notebooks/, which cells has made known
import nbformat  # noqa: E402
import page  # noqa: E402
from jupyter_client import AsyncKernelManager  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402

# Where the saved figures were drawn. Elsewhere the same figure may have other pixels.
SAME_FIGURES = sys.platform == 'linux' and platform.machine() == 'x86_64'


# Executing.

def environment(pinned, folder):
    """Return a kernel's environment variables, in which the user's settings do not count.

    pinned: whether rounding is fixed. folder: an empty one, for what IPython keeps.
    """
    variables = dict(os.environ if pinned else WITHOUT_PINS)
    for name in list(variables):
        if name.startswith(('PYTHON', 'IPYTHON', 'JUPYTER', 'MPLBACKEND')):
            del variables[name]
    variables['PYTHONUTF8'] = '1'
    variables['IPYTHONDIR'] = folder
    variables['MATPLOTLIBRC'] = os.devnull
    return variables


class Client(NotebookClient):
    """Executes a notebook and prints its headings, and what its cells print, as it comes."""

    section = 'the beginning'

    def run(self, path, pinned):
        """Execute all cells in the folder of path, the notebook's file. Raises NotebookError."""
        self.path = path
        self.sections = [section for section, cell in cells.with_sections(self.nb.cells)]
        self.folder = tempfile.mkdtemp()
        variables = environment(pinned, self.folder)
        with open(os.path.join(self.folder, 'stderr'), 'w+', encoding='utf-8') as stderr:
            try:
                self.execute(cwd=str(path.absolute().parent), env=variables, stderr=stderr)
            except CellExecutionError as error:
                raise self.stopped('%s: %s' % (error.ename, error.evalue.strip())) from None
            except DeadKernelError:
                raise self.stopped('its Python process ended, perhaps for lack of memory (ours '
                                   'need 1 GiB)') from None
            except RuntimeError as error:  # the kernel dies at its start, or needs ten minutes
                stderr.seek(0)
                said = stderr.read().splitlines() or [str(error)]
                raise self.stopped('its Python process did not start: %s' % said[-1]) from None
            finally:
                on_interrupt(stop)
                atexit.unregister(self._cleanup_kernel)  # nbclient's; it fails in that case
                shutil.rmtree(self.folder, ignore_errors=True)

    def stopped(self, cause):
        """Return the error for a notebook that stopped."""
        return cells.NotebookError('%s stopped in section "%s": %s'
                                   % (self.path, self.section, cause.splitlines()[0]))

    def stop(self, signal_number, frame):
        """End this program at once, and the kernel with it."""
        if self.km and self.km.has_kernel:
            kernel = self.km.provisioner.process
            kernel.kill()
            kernel.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        stop(signal_number, frame)

    def create_kernel_manager(self):
        """Return a manager of this environment's kernel, not of one that the user installed."""
        kernels = KernelSpecManager(kernel_dirs=[])
        self.km = AsyncKernelManager(kernel_name='python3', kernel_spec_manager=kernels,
                                     connection_file=os.path.join(self.folder, 'kernel.json'))
        return self.km

    async def async_start_new_kernel(self, **options):
        on_interrupt(self.stop)  # nbclient has set another handler
        await super().async_start_new_kernel(**options)

    async def async_execute_cell(self, cell, cell_index, **options):
        if self.sections[cell_index] != self.section:
            self.section = self.sections[cell_index]
            print('\n## %s' % self.section, flush=True)
        return await super().async_execute_cell(cell, cell_index, **options)

    def process_message(self, msg, cell, cell_index):
        if msg['msg_type'] == 'stream':
            print(msg['content']['text'], end='', flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(path, pinned):
    """Return the notebook of a file, executed. Raises NotebookError."""
    notebook = cells.read(path)
    cells.clear_outputs(notebook)
    metadata = copy.deepcopy(notebook.metadata)
    print('Executing %s' % path, flush=True)
    client = Client(notebook, record_timing=False, coalesce_streams=True, timeout=None,
                    startup_timeout=600,
                    extra_arguments=['--log-level=ERROR'])  # no warning of unencrypted ports
    client.run(path, pinned)
    notebook.metadata = metadata  # nbclient has added to it
    return notebook


def saved_now(path, executed):
    """Return the notebook of a file. Raises NotebookError if another one was executed."""
    saved = cells.read(path)
    bare = [copy.deepcopy(saved), copy.deepcopy(executed)]
    for notebook in bare:
        cells.clear_outputs(notebook)
    if bare[0] != bare[1]:
        raise cells.NotebookError('%s was changed while it ran: run it again' % path)
    return saved


# Comparing.

def outputs_of(cell):
    """Return a cell's outputs, {what: text}. An example of what: 'output 1, image/png'."""
    found = {}
    number = 0
    for output in cell.get('outputs', []):
        if output.output_type == 'stream':
            found[output.name] = found.get(output.name, '') + output.text
        elif output.output_type == 'error':
            found['error'] = '%s: %s' % (output.ename, output.evalue)
        else:
            number += 1
            for kind, data in output.data.items():
                text = data if isinstance(data, str) else json.dumps(data, sort_keys=True)
                found['output %d, %s' % (number, kind)] = text.rstrip('\n')
    return found


def first_lines(saved, new):
    """Return the first line in which two texts differ, from both."""
    lines = itertools.zip_longest(saved.split('\n'), new.split('\n'), fillvalue='(no such line)')
    for old, here in lines:
        if old != here:
            return '    saved: %.200r\n    here:  %.200r' % (old, here)


def differences(saved, new):
    """Yield a text for each output in which two notebooks with the same cells differ."""
    for (section, cell), executed in zip(cells.with_sections(saved.cells), new.cells):
        old = outputs_of(cell)
        here = outputs_of(executed)
        for what in {**old, **here}:
            place = 'section "%s", %s' % (section, what)
            if old.get(what, '') == here.get(what, ''):
                continue
            if 'image/' not in what:
                yield '%s:\n%s' % (place, first_lines(old.get(what, ''), here.get(what, '')))
            elif SAME_FIGURES or what not in old or what not in here:
                yield '%s: not the saved figure' % place


def verify(paths, pinned):
    """Execute notebooks and print how they differ from what is saved. Return whether none does."""
    well = True
    if pinned and bitwise.pin() != bitwise.YES:
        print(bitwise.pin())
        well = False
    for path in paths:
        executed = execute(path, pinned)
        found = list(differences(saved_now(path, executed), executed))
        if found:
            print('\n%s differs from what is saved in it:' % path, *found, sep='\n')
            well = False
        else:
            count = sum(len(outputs_of(cell)) for cell in executed.cells)
            print('\n%s: its %d outputs are the saved ones' % (path, count))
        if not SAME_FIGURES:
            print('Of figures only their number was compared')
    return well


# Writing.

def replace_all(files):
    """Write files, {path: bytes}: all of them or, if there is no room for all, none.

    A symbolic link stays: what it leads to is replaced.
    """
    written = {}
    on_interrupt(signal.SIG_IGN)  # Ctrl-C would leave some
    try:
        for path, content in files.items():
            path = path.resolve()
            new = path.with_name(path.name + '.new')
            written[new] = path
            new.write_bytes(content)
        for new, path in written.items():
            os.replace(new, path)
    finally:
        for new in written:
            new.unlink(missing_ok=True)
        on_interrupt(stop)


def pictures_of(path, executed):
    """Return the first picture of each cell whose metadata name a file for it, {path: bytes}."""
    found = {}
    for section, cell in cells.with_sections(executed.cells):
        if 'file' in cell.metadata:
            pictures = [output.data['image/png'] for output in cell.outputs
                        if 'image/png' in output.get('data', {})]
            if not pictures:
                raise cells.NotebookError('%s, section "%s": no figure for %s'
                                          % (path, section, cell.metadata.file))
            found[path.parent / cell.metadata.file] = base64.b64decode(pictures[0])
    return found


def save(paths, pinned):
    """Execute notebooks and save them, with the pictures that the README shows: all or none."""
    if pinned and bitwise.pin() != bitwise.YES:
        raise cells.NotebookError('Nothing was executed: %s' % bitwise.pin())
    executed = {path: execute(path, pinned) for path in paths}
    files = {}
    for path, notebook in executed.items():
        saved_now(path, notebook)
        files[path] = (nbformat.writes(notebook) + '\n').encode()
        files.update(pictures_of(path, notebook))
    replace_all(files)
    print('\nSaved: %s' % ', '.join(map(str, files)))
    return True


# Pages.

def page_of(path):
    """Return the page's file of a notebook's file."""
    return page.BUILD / (path.stem + '.html')


def make_pages(paths, pinned):
    """Execute notebooks and write their pages."""
    page.BUILD.mkdir(exist_ok=True)
    if not os.access(page.BUILD, os.W_OK):
        raise cells.NotebookError('%s cannot be written' % page.BUILD)
    for path in paths:
        executed = execute(path, pinned)
        print('\nWriting the page', flush=True)
        replace_all({page_of(path): page.render(path, executed).encode()})
        if path.resolve().parent == cells.NOTEBOOKS:
            for name in cells.NAMES:
                other = cells.NOTEBOOKS / (name + '.ipynb')
                if not page_of(other).exists():  # links lead to it
                    replace_all({page_of(other): page.render(other, cells.saved(name)).encode()})
        print('The page is %s' % os.path.relpath(page_of(path)))
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='+', type=Path, metavar='NOTEBOOK')
    parser.add_argument('--unpinned', action='store_true', help='do not fix rounding')
    parser.add_argument('--page', action='store_const', dest='action', const=make_pages,
                        default=verify, help='write build/NAME.html instead of comparing')
    parser.add_argument('--save', action='store_const', dest='action', const=save,
                        help='save the outputs in the notebooks instead of comparing')
    options = parser.parse_args()
    try:
        well = options.action(options.notebooks, pinned=not options.unpinned)
    except cells.NotebookError as error:
        sys.exit('\n%s' % error)
    except (OSError, MemoryError) as error:  # a full disk, for example
        sys.exit('\nStopped, and nothing was written: %s' % cells.in_one_line(error))
    sys.exit(0 if well else 1)


if __name__ == '__main__':
    main()
