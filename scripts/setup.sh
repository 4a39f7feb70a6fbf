#!/bin/sh
# Install the project with its pinned dependencies: setup.sh BIN READY
# BIN is the bin folder of the environment (made here if it is .venv/bin), READY the stamp to leave.
set -eu
bin=$1
ready=$2

suits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

# An environment that a kill left half made, or one of another Python, is made anew.
if [ "$bin" = .venv/bin ] && ! { suits .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=
    for candidate in "${PYTHON3:-python3}" python3.13 python3.12 python3.11; do
        if suits "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "error: no Python 3.11 to 3.13 found (TensorFlow has no wheels for others)." >&2
        echo "Install one, or name it: make PYTHON3=/path/to/python3.12 …" >&2
        exit 2
    fi
    echo "setting up .venv with $("$python" --version) …"
    if ! "$python" -m venv --clear .venv; then
        echo "error: '$python -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2
        exit 2
    fi
fi

suits "$bin/python" || { echo "error: $bin/python is not Python 3.11 to 3.13." >&2; exit 2; }

echo "installing the pinned packages (about 1 GB on first use) …"
"$bin/python" -m pip install --quiet --disable-pip-version-check --retries 5 -r requirements.lock
"$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
touch "$ready"
