"""`python -m benchmarks`: run the benchmark of the training input pipeline."""

from benchmarks.bench_input import main

main()
