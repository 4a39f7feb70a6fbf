"""`python -m benchmarks [NAME [OPTION …]]`: run one benchmark with its options, or all of them."""

import importlib
import subprocess
import sys
from importlib.util import find_spec

MODULES = {
    "input": "benchmarks.bench_input",
    "training": "benchmarks.bench_training_time",
    "inference": "benchmarks.bench_inference",
    "predict": "benchmarks.bench_predict",
    "attacks": "benchmarks.bench_attacks",
}


def main(arguments):
    """Run what is asked for; the exit code."""
    known = [name for name, module in MODULES.items() if find_spec(module)]
    if not arguments:
        # Each in a process of its own: threads and cores are set once in the life of a process.
        for name in known:
            print(f"\n--- {name} ---\n", flush=True)
            code = subprocess.run([sys.executable, "-m", "benchmarks", name]).returncode
            if code:
                return code
        return 0
    name, *options = arguments
    if name not in known:
        print(f"benchmarks: no benchmark {name!r}. Known: {', '.join(known)}", file=sys.stderr)
        return 2
    importlib.import_module(MODULES[name]).main(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
