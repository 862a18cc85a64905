"""One compiled pass over a list of events: whether all are where they can be, in order, and no two in one place.

:mod:`neurodeploy.events` says what is wrong with those that are not; NumPy would take eight passes to know that nothing
is, which beside a short run is a tenth of its time.
"""

from __future__ import annotations

import numba


@numba.njit(cache=True, nogil=True)
def rising(t, index, sample, samples, steps, cells):
    """Return whether (sample, t, index) rises from event to event, and all are below samples, steps and cells.

    All columns are int64 [events], ``sample`` of length 0 where there is one sample. Nothing is left early, so that
    many events are looked at at once.
    """
    bad = False
    for e in range(t.size):
        bad |= (t[e] < 0) | (t[e] >= steps) | (index[e] < 0) | (index[e] >= cells)
    for e in range(sample.size):
        bad |= (sample[e] < 0) | (sample[e] >= samples)
    if bad or t.size < 2:
        return not bad
    before, after, cell, next_cell = t[:-1], t[1:], index[:-1], index[1:]
    if sample.size:
        nth, next_nth = sample[:-1], sample[1:]
        for e in range(before.size):
            same = (nth[e] == next_nth[e]) & (
                (after[e] < before[e]) | (after[e] == before[e]) & (next_cell[e] <= cell[e])
            )
            bad |= (next_nth[e] < nth[e]) | same
    else:
        for e in range(before.size):
            bad |= (after[e] < before[e]) | (after[e] == before[e]) & (next_cell[e] <= cell[e])
    return not bad
