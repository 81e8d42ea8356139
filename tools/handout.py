"""nbconvert's configuration for make handout: the exercise, without solutions, outputs and what is beyond it."""
import re

from nbconvert.preprocessors import Preprocessor
from nbformat.v4 import new_markdown_cell

TASK = '''**Your task.** Build this network with Theano and train it. Seven sections leave a place open, marked
`# YOUR CODE HERE`: One-hot labels, Weights, Hidden states, Prediction, Cost, Gradients and Compile. Put your lines in
place of the `raise` under the mark; the error that it raises says what is missing, and most sections end with a hint.
Everything else is written. Run the cells from top to bottom; training takes about half a minute.

Save your work in the folder where you found this file, or in `notebooks/`: the first cell looks for `bitwise.py` and
the data from there. To check it, section by section, type in the folder above, with your file's name:

    make test NOTEBOOK=build/mnist_rnn_handout.ipynb

When all is right, the test accuracy at the end is 91.05 % where the first cell prints "yes". Elsewhere expect about
92 %, but do not be surprised by less: half of 50 trainings ended between 91.52 and 92.75 %, one of them at 55.25 %.
'''


class Handout(Preprocessor):
    """Puts the task under the picture and empties the regions between BEGIN and END SOLUTION."""

    def preprocess(self, notebook, resources):
        for cell in notebook.cells:
            cell.source = re.sub(r'( *)### BEGIN SOLUTION: ([^\n]*).*?### END SOLUTION', r'\1# YOUR CODE HERE\n'
                                 r'\1raise NotImplementedError("\2")', cell.source, flags=re.S)
            cell.source = re.sub(r'\*Original cells? [\d and]+\.\* ', '', cell.source)
        notebook.cells.insert(2, new_markdown_cell(TASK, id='task'))
        return notebook, resources


c = get_config()  # noqa: F821  nbconvert defines it
c.ClearOutputPreprocessor.enabled = True
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = ['beyond']
c.NotebookExporter.preprocessors = [Handout]
