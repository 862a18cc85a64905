"""Names of the columns of the kernel's tables; :class:`neurodeploy.targets.emulator.program.Tables` says what they hold."""

#: parts
SIZE, OFFSET, HISTORY, CHANNELS, HEIGHT, WIDTH, GRAIN, EDGES = range(8)
PART_COLUMNS = 8

#: populations
PART, AT, CELLS, UNIFORM, FIRST, END, SHIFT, PIECES, BEFORE, LINES, LINE_CELLS, UNTIL, LOOPS = range(13)
POPULATION_COLUMNS = 13

#: projections, the first ten of any kind, the others of convolutions
KIND, SOURCE, LAG, BEYOND, BEGIN, NARROW, LENGTH, ROWS, WIDEST, MASS = range(10)
CIN, HIN, WIN, COUT, HOUT, WOUT, KH, KW, SY, SX, PY, PX, DY, GROUPS = range(10, 24)
SPAN, MARGIN, LINE, REACH, TAPS, TAP_LENGTH, TAP_ROWS = range(24, 31)
PROJECTION_COLUMNS = 31

#: Kinds of projection.
DENSE, CONVOLUTION = 0, 1

#: Steps that one population after another is run for.
CHUNK = 16
#: Neurons of a piece of a map, unless a line has more.
PIECE = 1024
#: Sums of at most this are kept in 16 bits.
SHORT = (1 << 15) - 1
