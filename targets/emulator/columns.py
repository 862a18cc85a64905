"""Names of the columns of :class:`neurodeploy.targets.emulator.program.Tables`, which says what they hold."""

#: parts
SIZE, OFFSET, HISTORY, CHANNELS, HEIGHT, WIDTH, GRAIN = range(7)
PART_COLUMNS = 7

#: populations
PART, AT, CELLS, UNIFORM, FIRST, END, SHIFT, PIECES, PIECE, UNTIL, LOOPS = range(11)
POPULATION_COLUMNS = 11

#: projections, the first ten of any kind, the others of convolutions
KIND, SOURCE, LAG, BEYOND, BEGIN, NARROW, LENGTH, ROWS, WIDEST, MASS = range(10)
CIN, HIN, WIN, COUT, HOUT, WOUT, KH, KW, SY, SX, PY, PX, DY, GROUPS = range(10, 24)
SPAN, MARGIN, LINE, REACH, TAPS, TAP_LENGTH, TAP_ROWS = range(24, 31)
PROJECTION_COLUMNS = 31

#: Kinds of projection.
DENSE, CONVOLUTION = 0, 1

#: Steps that one population after another is run for.
CHUNK = 16
#: Sums of at most this are kept in 16 bits.
SHORT = (1 << 15) - 1
