"""Make data/early.csv and data/runs.csv: 3,000 trainings to iteration 100 and 151 whole ones.

They run on this machine's cores or, where DASK_SCHEDULER_ADDRESS is set, on the cluster of that Dask scheduler.
Finished rows are kept in build/, so that an interrupted call goes on where it was; a file is replaced when all
its rows are there, and has the same bytes whatever the number of workers.
"""
import csv
import hashlib
import os
import sys
from pathlib import Path

import worker  # first: it pins this process, and with it the workers started here
import cells
from distributed import Client, as_completed
from tqdm import tqdm

READINGS = 'glorot', 'closed', 'output_d'


def columns(steps):
    """Return a file's column names, for trainings of so many steps."""
    reports = ['%s_%d' % (name, i) for name in worker.REPORTS for i in range(0, steps, 100)]
    return ['bounds', 'draw_seed', *reports] + ['test_accuracy', 'tail_average', 'fingerprint'] * (steps == 1000)


def make(client, target, runs, steps):
    """Train all runs, (bounds, draw_seed) pairs, that the kept part does not hold yet; then write target, a Path."""
    code = hashlib.sha256(cells.NOTEBOOK.read_bytes()).hexdigest()[:8]  # another notebook, another part
    part = Path(os.environ.get('BUILD', 'build'), '%s-%s.part' % (target.name, code))
    part.parent.mkdir(exist_ok=True)
    names = columns(steps)
    with open(str(part), 'a+', newline='') as file:
        file.seek(0)
        rows = {(row[0], int(row[1])): row for row in csv.reader(file) if len(row) == len(names)}
        futures = [client.submit(worker.train, *run, steps) for run in runs if run not in rows]
        bar = tqdm(desc=target.name, total=len(runs), initial=len(runs) - len(futures))
        for future, row in as_completed(futures, with_results=True):
            row = [row[name] for name in names]
            rows[row[0], int(row[1])] = row
            file.write(','.join(row) + '\n')
            file.flush()
            bar.update()
        bar.close()
    lines = [names] + [rows[run] for run in runs]
    new = target.with_name(target.name + '.part')
    new.write_text(''.join(','.join(line) + '\n' for line in lines))
    os.replace(str(new), str(target))
    part.unlink()


def main():
    """Make both files."""
    seeds = list(range(50))
    with Client(threads_per_worker=1, dashboard_address=None) as client:
        make(client, Path('data/runs.csv'), [(bounds, seed) for bounds in READINGS
                                             for seed in seeds + [1234] * (bounds == 'glorot')], 1000)
        make(client, Path('data/early.csv'), [(bounds, seed) for bounds in READINGS for seed in range(1000)], 101)


if __name__ == '__main__':
    try:
        main()
    except (OSError, RuntimeError, cells.CellError) as error:
        sys.exit('make runs stopped: %s' % error)
