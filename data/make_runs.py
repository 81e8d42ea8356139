"""Make runs.csv: the notebook's training 102 times, which takes about half an hour on two cores.

    python data/make_runs.py

With Glorot's bounds and with the bounds as the original listed them, each with draw_seed 0 to 49 and 1234: the
reports of the training, the test accuracy after its last step, that of the tail average, and the fingerprint of the
weights. It runs the notebook's own cells, in as many processes as there are cores. What is done is kept in
build/, so that an interrupted run goes on where it was; runs.csv is replaced when all is there.
"""
import contextlib
import csv
import hashlib
import io
import multiprocessing
import os
import re
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tests'))
import cells  # noqa: E402

TARGET = Path(__file__).resolve().with_name('runs.csv')
RUNS = [(as_listed, draw_seed) for as_listed in (False, True) for draw_seed in [*range(50), 1234]]
SKIPPED = 'digits', 'curves-code', 'discussion-code', 'one-bit-code', 'one-bit-figure', 'one-bit-numbers'  # not needed
REPORTS = 'Training cost', 'Validation cost', 'Training accuracy', 'Validation accuracy'


def header():
    """Return the names of the columns."""
    return ['as_listed', 'draw_seed'] + ['%s_%d' % (report.lower().replace(' ', '_'), step) for report in REPORTS
                                         for step in range(0, 1000, 100)] + ['test_accuracy', 'tail_average', 'fingerprint']


def one_run(as_listed, draw_seed, **parameters):
    """Return the row of one run, a list of strings. parameters: other hyper-parameters, for a short run."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        notebook = cells.run_cells('lottery-steps', skip=SKIPPED, as_listed=as_listed, draw_seed=draw_seed, **parameters)
    text = printed.getvalue()
    if 'bitwise reproducible: yes' not in text:
        sys.exit('runs.csv is made only where every bit is reproducible. ' + text.splitlines()[0])
    reports = [value for report in REPORTS for value in re.findall(r'%s: +(\S+)' % report, text)]
    return [str(int(as_listed)), str(draw_seed), *reports, '%.2f' % (100 * notebook.test_accuracy),
            '%.2f' % notebook.accuracy(notebook.tail_average), notebook.fingerprint]


def main(target=TARGET):
    """Make all runs that are not in the kept part yet, then write target."""
    code = ''.join(line for cell in cells.read_cells() for line in cell['source'])
    part = ROOT / 'build' / ('runs-%s.csv' % hashlib.sha256(code.encode()).hexdigest()[:8])  # other code, other part
    part.parent.mkdir(exist_ok=True)
    rows = {}
    if part.exists():
        with open(part, newline='') as file:
            rows = {(row[0] == '1', int(row[1])): row for row in csv.reader(file) if len(row) == len(header())}
    todo = [run for run in RUNS if run not in rows]
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context('spawn')) as pool, open(part, 'a', newline='') as file:
        jobs = {pool.submit(one_run, *run): run for run in todo}
        for job in tqdm(as_completed(jobs), 'runs', initial=len(rows), total=len(RUNS)):
            rows[jobs[job]] = job.result()
            file.write(','.join(rows[jobs[job]]) + '\n')
            file.flush()
    partial = target.with_name('runs.csv.part')
    partial.write_text('\n'.join(','.join(row) for row in [header()] + [rows[run] for run in RUNS]) + '\n')
    os.replace(partial, target)
    part.unlink()


if __name__ == '__main__':
    main()
