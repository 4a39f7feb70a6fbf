"""Speed, measured on this machine: `python -m benchmarks [input | training | inference]`."""
