"""The columns of the kernel's tables by name."""

# Parts: cells, where they begin among the cells of ports or of populations, slots of event history (a power of two),
# extents C, H, W, which are 1, 1, size for a part of another shape; and for the source of a convolution, else 0: after
# how many cells (of a position or of a line) the kernel notes how far its list of events is, and the notes that makes.
SIZE, OFFSET, HISTORY, CHANNELS, HEIGHT, WIDTH, GRAIN, EDGES = range(8)
PART_COLUMNS = 8

# Populations: part, first cell, cells, whether all neurons share their parameters, projections from FIRST to before
# END, the shift from a sum of weights to state units, the pieces it is updated in, where its pieces stand, lines of a
# piece, cells of a line; how far apart the sums of its lines are kept in 16 bits, 0 where they are not; before which
# population those end that a loop ties to it, and whether one does.
PART, AT, CELLS, UNIFORM, FIRST, END, SHIFT, PIECES, BEFORE, LINES, LINE_CELLS, PITCH, UNTIL, LOOPS = range(14)
POPULATION_COLUMNS = 14

# Projections: kind, source part, steps after which it acts, exponent beyond the population's shift; where its rows
# begin, whether in the narrow table of its kind (packed or short) or in the wide one, cells of a row, rows; the largest
# |weight|, and the largest sum of |weight| at one target cell.
KIND, SOURCE, LAG, BEYOND, BEGIN, NARROW, LENGTH, ROWS, WIDEST, MASS = range(10)
# Convolutions: extents of source and target; kernel, stride and padding along both axes, dilation along the first;
# groups; the sweep of a spike over a line (positions, margin, positions of a line with margins); where it begins in
# ``landings``; and where its packed rows tap by tap begin, -1 where it has none, their cells and number.
CIN, HIN, WIN, COUT, HOUT, WOUT, KH, KW, SY, SX, PY, PX, DY, GROUPS = range(10, 24)
SPAN, MARGIN, LINE, LANDING, TAPS, TAP_LENGTH, TAP_ROWS = range(24, 31)
PROJECTION_COLUMNS = 31

#: Kinds of projection.
DENSE, CONVOLUTION = 0, 1

#: Steps that one population after another is run for.
CHUNK = 8
#: Neurons of a piece of a map, unless a line has more.
PIECE = 2048
#: Sums of at most this are kept in 16 bits.
SHORT = (1 << 15) - 1
