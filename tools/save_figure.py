"""Save the README's second figure as the saved notebook shows it."""
import base64

import cells

for cell in cells.read():
    if cell.get('id') == 'early-figure':
        image = base64.b64decode(cell.outputs[0].data['image/png'])
        (cells.NOTEBOOK.parent / 'images' / 'published.png').write_bytes(image)
