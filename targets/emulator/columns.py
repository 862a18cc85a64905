"""Names of the columns of the kernel's tables; :class:`neurodeploy.targets.emulator.program.Tables` says what they hold."""

#: parts
SIZE, OFFSET, HISTORY, CHANNELS, HEIGHT, WIDTH = range(6)
PART_COLUMNS = 6

#: populations
PART, AT, CELLS, UNIFORM, FIRST, END, SHIFT, PIECES = range(8)
POPULATION_COLUMNS = 8

#: projections, the first ten of any kind, the others of convolutions
KIND, SOURCE, LAG, BEYOND, BEGIN, PACKED, LENGTH, ROWS, WIDEST, MASS = range(10)
CIN, HIN, WIN, COUT, HOUT, WOUT, KH, KW, SY, SX, PY, PX, DY, DX, GROUPS, REACH = range(10, 26)
PROJECTION_COLUMNS = 26

#: Kinds of projection.
DENSE, CONVOLUTION = 0, 1
