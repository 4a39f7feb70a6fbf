#!/bin/sh
# Install the project with its pinned dependencies: setup.sh [ENVIRONMENT]
# ENVIRONMENT is the folder of an environment of the user's, e.g. of conda. By default it is .venv,
# which is made if there is none.
set -eu
environment=${1:-.venv}
python=$environment/bin/python
ready=$environment/.realfake-ready # left when everything is installed
made=.venv/.made-by-realfake       # marks an environment that was made here
sources="requirements.lock pyproject.toml scripts/setup.sh scripts/install.py"

# shellcheck disable=SC2086 # several names
if [ -x "$python" ] && [ -e "$ready" ] && [ -z "$(find $sources -newer "$ready")" ]; then exit 0; fi

suits() { "$1" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
has_pip() { "$python" -I -m pip --version >/dev/null 2>&1; }

if [ "$environment" = .venv ]; then
    ours=
    if [ -e "$made" ] || [ -z "$(ls -A .venv/ 2>/dev/null)" ]; then ours=yes; fi
    # One that was made here and that a kill left half made, or one of another Python, is made anew.
    # Anybody else's is used as it is, or left alone.
    if [ "$ours" ] && ! { suits "$python" && has_pip; }; then
        base=
        for candidate in "${PYTHON3:-python3}" python3.13 python3.12 python3.11; do
            if suits "$candidate"; then base=$candidate; break; fi
        done
        if [ -z "$base" ]; then
            echo "error: no Python 3.11 to 3.13 found (TensorFlow has no wheels for others)." >&2
            echo "Install one, or name it: make PYTHON3=/path/to/python3.12 …" >&2
            exit 2
        fi
        echo "setting up .venv with $("$base" -I --version) …"
        mkdir -p .venv
        : >"$made"
        find .venv/ -mindepth 1 -maxdepth 1 ! -name "${made#.venv/}" -exec rm -rf {} +
        if ! "$base" -I -m venv .venv; then
            echo "error: '$base -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2
            exit 2
        fi
    fi
fi

if ! suits "$python"; then
    echo "error: $environment is no environment with Python 3.11 to 3.13." >&2
    if [ "$environment" = .venv ]; then
        echo "It was not made here, so it is left as it is. Move it away and run the same command again." >&2
    fi
    exit 2
fi

echo "installing the pinned packages into $environment (about 1 GB on first use) …"
"$python" -I scripts/install.py
touch "$ready"
