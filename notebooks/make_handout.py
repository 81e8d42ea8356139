"""Write the exercise as it is handed out: the notebook to the Discussion, without solutions and outputs.

    python notebooks/make_handout.py TARGET.ipynb
"""
import json
import re
import sys
from pathlib import Path

TO_DO = {'onehot': 'make the array onehot, (len(inp), 10), from inp',
         'weights-code': 'draw U, W and V from rng within Glorot\'s bounds',
         'unroll': 'make the next h_states, and add it to h_states_sum',
         'prediction-code': 'make y_prob from h_states_sum, V and b_V',
         'cost-code': 'make cost from y_prob and y',
         'gradients-code': 'make grad_W, grad_U, grad_V, grad_bh and grad_bV from cost',
         'compile-code': 'make updates, a list of five pairs'}
BEYOND = {'parameters': r'as_listed = .*', 'unroll': r' *h_all.*\n?'}  # lines to drop


def handout():
    """Return the exercise, JSON text."""
    notebook = json.loads(Path(__file__).with_name('mnist_rnn.ipynb').read_text(encoding='utf-8'))
    end = [cell['id'] for cell in notebook['cells']].index('discussion') + 1
    notebook['cells'] = notebook['cells'][:end]
    heading = ''
    for cell in notebook['cells']:
        source = ''.join(cell['source'])
        if cell['cell_type'] == 'code':
            cell.update(outputs=[], execution_count=None)
            source = re.sub(r'^%s' % BEYOND.get(cell['id'], '(?!)'), '', source, flags=re.M)
            source = re.sub(r'( *)### BEGIN SOLUTION.*?### END SOLUTION', lambda region: '%sraise NotImplementedError(%r)' % (
                region.group(1), '%s: %s' % (heading, TO_DO[cell['id']])), source, flags=re.S)
        elif cell['id'] == 'title':
            blocks = source.split('\n\n')
            source = '\n\n'.join(blocks[:2] + [block for block in blocks if block.startswith('![')])
        elif source.startswith('## '):
            heading = source.splitlines()[0][3:]
            source = '## Discussion' if cell['id'] == 'discussion' else source
        cell['source'] = source.strip().splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + '\n'


def main(target):
    """Write the exercise to target; keep what is there if it is not the same."""
    text = handout()
    if target.exists() and target.read_bytes() != text.encode():
        sys.exit('%s is there, is not the untouched handout, and was kept: move it away, or name another file' % target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode())


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
