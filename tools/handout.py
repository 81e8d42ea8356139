"""nbconvert's configuration for make handout: the exercise, without solutions and outputs."""
import re
from pathlib import Path

from nbformat.v4 import new_markdown_cell


def exercise(notebook, resources):
    """Put the task under the picture, and empty the regions from BEGIN to END SOLUTION."""
    for cell in notebook.cells:
        cell.source = re.sub(
            r'( *)### BEGIN SOLUTION: ([^\n]*).*?### END SOLUTION',
            r'\1# YOUR CODE HERE\n\1raise NotImplementedError("\2")', cell.source, flags=re.S)
        cell.source = re.sub(r'\*Original cells? [\d and]+\.\* ', '', cell.source)
    task = Path('tools/task.md').read_text(encoding='utf-8')
    notebook.cells.insert(2, new_markdown_cell(task, id='task'))
    return notebook, resources


c = get_config()  # noqa: F821  nbconvert defines it
c.ClearOutputPreprocessor.enabled = c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_cell_tags = ['beyond']
c.NotebookExporter.preprocessors = [exercise]
