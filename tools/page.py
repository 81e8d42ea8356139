"""Executes the notebook and writes build/mnist_rnn.ipynb, its page and its figures: make run."""
import base64
import re
import sys

import cells
import nbformat
from latex2mathml.converter import convert
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, ExecutePreprocessor
from traitlets.config import Config

BUILD = cells.ROOT / 'build'
# The figures that the README shows, by the ids of the cells that draw them.
README_FIGURES = {'one-bit-figure': 'one_bit.png', 'runs-figure': 'runs.png',
                  'scan-figure': 'scan.png', 'networks-figure': 'networks.png'}


class Execute(ExecutePreprocessor):
    """Executes a notebook's cells and prints what they print, as it comes, under their headings."""

    section = ''

    def preprocess_cell(self, cell, resources, index):
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
                       extra_arguments=['--log-level=ERROR'])  # no warning of unencrypted ports
    try:
        executor.preprocess(notebook, {'metadata': {'path': str(cells.NOTEBOOK.parent)}})
    except CellExecutionError as error:
        sys.exit('\nThe notebook stopped in section "%s": %s: %s'
                 % (executor.section, error.ename, error.evalue))
    except DeadKernelError:
        sys.exit('\nThe notebook stopped in section "%s": its Python process ended, perhaps for '
                 'lack of memory (it needs 1 GiB)' % executor.section)
    CoalesceStreamsPreprocessor().preprocess(notebook, {})


def save_figures(notebook):
    """Write the figures that the README shows to build/images."""
    (BUILD / 'images').mkdir(exist_ok=True)
    for cell_id, name in README_FIGURES.items():
        pictures = [output.data['image/png'] for cell in notebook.cells if cell.id == cell_id
                    for output in cell.outputs if 'image/png' in output.get('data', {})]
        if not pictures:
            sys.exit('No cell with the id %s draws a figure: tools/page.py needs it for %s'
                     % (cell_id, name))
        (BUILD / 'images' / name).write_bytes(base64.b64decode(pictures[0]))


def render(notebook):
    """Return the notebook as an HTML page that needs no network."""
    # Formulas become MathML, which browsers show by themselves.
    IPythonRenderer.inline_math = lambda renderer, tex: convert(tex)
    IPythonRenderer.block_math = lambda renderer, tex: convert(tex, display='block')
    exporter = HTMLExporter(config=Config({'HTMLExporter': {
        'extra_template_basedirs': [str(cells.ROOT / 'tools')],
        'template_name': 'page',
        'mathjax_url': '',
        'require_js_url': '',
    }}))
    page, resources = exporter.from_notebook_node(notebook)
    return page


def main():
    notebook = nbformat.read(cells.NOTEBOOK, 4)
    execute(notebook)
    BUILD.mkdir(exist_ok=True)
    nbformat.write(notebook, BUILD / 'mnist_rnn.ipynb')
    save_figures(notebook)
    print('\nWriting the page', flush=True)
    (BUILD / 'mnist_rnn.html').write_text(render(notebook), encoding='utf-8')
    printed = cells.printed(cells.read(BUILD / 'mnist_rnn.ipynb'))
    accuracies = re.findall('Testing accuracy: .*', printed)
    print('The page is build/mnist_rnn.html. ' + ' '.join(accuracies))


if __name__ == '__main__':
    try:
        main()
    except OSError as error:  # a full disk, for example
        sys.exit('make run stopped: %s' % error)
