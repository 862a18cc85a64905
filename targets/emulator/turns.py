"""Who runs what next where several threads share a sample: any of them takes whatever waits for nothing.

A task is a chunk of steps of a group: of the ports, or of populations that loops tie together. It can run once what
the group hears of that chunk is listed, and while no list is overwritten that a reader still needs. No thread is told
what to do, so that none waits for one that the system has stopped, and nothing has to be measured before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.program import Tables

#: How many chunks a group may be ahead of any that reads from it; the lists of events have room for no more.
_AHEAD = 2
#: Cells of a group's counters: no two groups' are in the same cache line.
APART = 16


class Turns(NamedTuple):
    """The groups of a network and how far each of them is.

    groups : int64 [groups, 2], their populations [first, end); the first group is the ports.
    first, waits : int64 [groups + 1] and [rules, 2]: group g can run its chunk k once, for every rule (other, offset)
        from ``first[g]`` to before ``first[g + 1]``, the other one has done at least ``k + offset`` chunks.
    done, claimed : int64 [groups, APART], of which the first column counts the chunks that are done, and says whether
        a thread is at work. No rows as long as nobody shares them.
    """

    groups: Any
    first: Any
    waits: Any
    done: Any
    claimed: Any

    @property
    def number(self) -> int:
        """How many groups take turns."""
        return 0 if self.done is None else len(self.done)


#: What one thread is told, which runs all.
ALONE = Turns(None, None, None, None, None)


def turns(tables: Tables) -> Turns:
    """Return the groups of a network, which nobody shares yet."""
    rows, projections = tables.populations, tables.projections
    ports, spans = len(tables.parts) - len(rows), [(0, 0)]
    while spans[-1][1] < len(rows):
        first = spans[-1][1]
        spans.append((first, int(rows[first, c.UNTIL]) if rows[first, c.LOOPS] else first + 1))
    writer = dict.fromkeys(range(ports), 0)
    writer |= {int(rows[p, c.PART]): nth for nth, span in enumerate(spans) for p in range(*span)}
    rules: list[set[tuple[int, int]]] = [set() for _ in spans]
    for nth, (first, end) in enumerate(spans[1:], 1):
        heard = projections[rows[first, c.FIRST] : rows[end - 1, c.END], c.SOURCE].tolist()
        for other in {writer[part] for part in heard} - {nth}:
            rules[nth].add((other, 1))
            rules[other].add((nth, 1 - _AHEAD))
    flat = [rule for each in rules for rule in sorted(each)]
    return Turns(
        groups=np.array(spans, dtype=np.int64),
        first=np.cumsum([0, *map(len, rules)]).astype(np.int64),
        waits=np.array(flat, dtype=np.int64).reshape(-1, 2),
        done=np.zeros((0, APART), dtype=np.int64),
        claimed=np.zeros((0, APART), dtype=np.int64),
    )


def shared(alone: Turns) -> Turns:
    """Return turns that several threads take, of which none is taken yet."""
    size = (len(alone.groups), APART)
    return alone._replace(done=np.zeros(size, dtype=np.int64), claimed=np.zeros(size, dtype=np.int64))
