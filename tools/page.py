"""Executes a notebook and writes its page: make run and make studies.

usage: python tools/page.py [studies]

It writes build/NAME.ipynb, build/NAME.html, and the figures that the README shows, where NAME is
mnist_rnn or studies.
"""
import base64
import copy
import os
import signal
import sys


def stop(signal_number, frame):
    """End at once, where Ctrl-C would show what each library was doing. The kernel ends with us."""
    print('\nInterrupted: no page was written', file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == '__main__':  # before the imports, which take seconds
    signal.signal(signal.SIGINT, stop)

import cells  # noqa: E402
import nbformat  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402
from nbclient.exceptions import CellExecutionError, DeadKernelError  # noqa: E402
from nbconvert import HTMLExporter  # noqa: E402
from nbconvert.filters.markdown_mistune import IPythonRenderer  # noqa: E402
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor  # noqa: E402
from traitlets.config import Config  # noqa: E402

BUILD = cells.ROOT / 'build'
# The figures that the README shows: of each notebook, the files and the cells that draw them.
README_FIGURES = {
    'mnist_rnn': {'curves.png': 'curves-code'},
    'studies': {'longer.png': 'longer-figure', 'one_bit.png': 'one-bit-figure'},
}


class Execute(ExecutePreprocessor):
    """Executes a notebook's cells and prints what they print, as it comes, under their headings."""

    section = ''

    def preprocess_cell(self, cell, resources, index):
        signal.signal(signal.SIGINT, stop)  # nbclient has set another handler
        if cell.cell_type == 'markdown':
            title = cells.title_of(cell)
            if title:
                self.section = title
                print('\n## %s' % title, flush=True)
        return super().preprocess_cell(cell, resources, index)

    def process_message(self, msg, cell, cell_index):
        if msg['msg_type'] == 'stream':
            print(msg['content']['text'], end='', flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(notebook):
    """Execute an nbformat notebook in place. Ends the program, in one line, where a cell fails."""
    # This environment's kernel, whichever one the notebook was saved with.
    executor = Execute(kernel_name='python3', record_timing=False, timeout=None,
                       startup_timeout=600,
                       extra_arguments=['--log-level=ERROR'])  # no warning of unencrypted ports
    try:
        executor.preprocess(notebook, {'metadata': {'path': str(cells.NOTEBOOKS)}})
    except CellExecutionError as error:
        sys.exit('\nThe notebook stopped in section "%s": %s: %s'
                 % (executor.section, error.ename, error.evalue))
    except DeadKernelError:
        sys.exit('\nThe notebook stopped in section "%s": its Python process ended, perhaps for '
                 'lack of memory (it needs 1 GiB)' % executor.section)
    except RuntimeError as error:  # the kernel dies at its start, or needs over ten minutes
        sys.exit("\nThe notebook's Python process did not start: %s" % error)
    CoalesceStreamsPreprocessor().preprocess(notebook, {})


def save_figures(notebook, figures):
    """Write the first picture of each of these cells to build/images."""
    (BUILD / 'images').mkdir(exist_ok=True)
    for name, cell_id in figures.items():
        pictures = [output.data['image/png'] for cell in notebook.cells if cell.id == cell_id
                    for output in cell.outputs if 'image/png' in output.get('data', {})]
        if not pictures:
            sys.exit('No cell with the id %s draws a figure: tools/page.py needs it for %s'
                     % (cell_id, name))
        (BUILD / 'images' / name).write_bytes(base64.b64decode(pictures[0]))


def render(notebook):
    """Return the notebook as an HTML page that needs no network and no other file."""
    notebook = copy.deepcopy(notebook)
    # Formulas become MathML, which browsers show by themselves.
    IPythonRenderer.inline_math = lambda renderer, tex: convert(tex)
    IPythonRenderer.block_math = lambda renderer, tex: convert(tex, display='block')
    exporter = HTMLExporter(embed_images=True, config=Config({'HTMLExporter': {
        'extra_template_basedirs': [str(cells.ROOT / 'tools')],
        'template_name': 'template',
        'mathjax_url': '',
        'require_js_url': '',
    }}))
    for cell in notebook.cells:
        if cell.cell_type == 'markdown':  # links as from build/, and from page to page
            cell.source = (cell.source.replace('.ipynb)', '.html)').replace('.ipynb#', '.html#')
                           .replace('(DEVIATIONS.md', '(../notebooks/DEVIATIONS.md'))
    page, resources = exporter.from_notebook_node(
        notebook, {'metadata': {'path': str(cells.NOTEBOOKS)}})
    return page


def write_page(name, notebook):
    """Write build/NAME.html."""
    (BUILD / (name + '.html')).write_text(render(notebook), encoding='utf-8')


def main():
    if sys.argv[1:] not in ([], ['studies']):
        sys.exit('usage: python tools/page.py [studies]')
    name = 'studies' if sys.argv[1:] else 'mnist_rnn'
    BUILD.mkdir(exist_ok=True)
    if not os.access(BUILD, os.W_OK):
        sys.exit('%s cannot be written' % BUILD)
    notebook = cells.saved(name)
    execute(notebook)
    nbformat.write(notebook, BUILD / (name + '.ipynb'))
    save_figures(notebook, README_FIGURES[name])
    print('\nWriting the page', flush=True)
    write_page(name, notebook)
    for other in cells.NAMES:
        if not (BUILD / (other + '.html')).exists():  # links lead to it
            write_page(other, cells.saved(other))
    print('The page is build/%s.html' % name)


if __name__ == '__main__':
    try:
        main()
    except OSError as error:  # a full disk, for example
        sys.exit('The page was not written: %s' % error)
