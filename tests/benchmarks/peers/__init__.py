"""The programs that benchmarks run in processes of their own, one a contestant; started by path, not imported."""
