"""Save the README's figures, as the saved notebook shows them."""
import base64

import cells

FIGURES = {'lottery.png': 'lottery-figure', 'published.png': 'published-figure'}


def figures():
    """Return the figures, PNG bytes by their path."""
    outputs = {cell['id']: cell['outputs'] for cell in cells.read_cells()}
    return {cells.NOTEBOOK.parent / 'images' / name: base64.b64decode(next(
        output['data']['image/png'] for output in outputs[cell] if 'data' in output)) for name, cell in FIGURES.items()}


if __name__ == '__main__':
    for path, content in figures().items():
        path.write_bytes(content)
