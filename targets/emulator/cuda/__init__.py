"""The emulator on an NVIDIA GPU: the golden model bit for bit, all steps of a layer at once.

======================  ================================================================================================
module                  what it does
======================  ================================================================================================
``plan``                orders a network into groups, and writes its weights as 8-bit digits (NumPy alone)
``kernels``             Triton: sums of synapses on the int8 tensor cores; neurons with their loop over the steps inside
``synapses``, ``lif``   launch them; beside the kernel, two more ways to the same sums
``selftest``            holds every way against NumPy on this very device; one that fails is not used again
``session``             the buffers of some samples and steps, and how a window of steps runs through them
``run``                 the backend: cuts samples and steps to the memory there is, copies in and out
======================  ================================================================================================

No sum is ever a rounded one. Weights and payloads are split into signed 8-bit digits, whose products the tensor cores
add in 32-bit integers. A number's digits are together at most 2.02 times as large as it, so where the sum of |weight x
payload| stays below 2^25, as is checked before a run, no partial sum of any order reaches 2^28. No float32, TF32 or
bfloat16 result is involved, so neither their 24 bits nor Winograd's transforms can lose one.
"""
