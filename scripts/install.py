"""Install the pinned packages and this project beside the Python that runs this file.

pip may be told by files and variables to install elsewhere or otherwise: ``user = true``, a target,
required hashes and so on. Of a user's settings only those count that say where packages come from
and how to get there.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys

SOURCES = {
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert",
    "proxy", "timeout", "default-timeout", "retries", "resume-retries", "keyring-provider",
    "use-feature", "use-deprecated", "cache-dir", "no-cache-dir",
}  # fmt: skip

PIP = (sys.executable, "-I", "-m", "pip")
REQUIREMENTS = ("-r", "requirements.lock")
# Setuptools is among the pins, so nothing has to be fetched to build with.
PROJECT = ("--no-deps", "--no-build-isolation", "-e", ".")


def variable(option):
    """Name of the environment variable by which pip takes an option."""
    return "PIP_" + option.upper().replace("-", "_")


def without_pip(environment):
    """The environment without pip's settings and without a path to foreign packages."""
    return {k: v for k, v in environment.items() if not k.startswith(("PIP_", "PYTHON"))}


def pip_settings():
    """What pip's files and variables say of where packages come from, as variables."""
    # `pip config list` would take `user = true` for its own option and leave the other files out.
    from pip._internal.configuration import Configuration
    from pip._internal.exceptions import ConfigurationError

    configuration = Configuration(isolated=False)
    configuration.load()
    found = {}
    # A command's own section goes before the general one, and the environment before both.
    for section in ("global", "install", ":env:"):
        for option in SOURCES:
            with contextlib.suppress(ConfigurationError, KeyError):
                value = configuration.get_value(f"{section}.{option}")
                found[variable(option)] = " ".join(value.split("\n")).strip()
    return found


def pip_environment():
    """The environment in which pip installs here and nowhere else."""
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "5"}
    return without_pip(os.environ) | own | pip_settings()


def main():
    """Install with pip, or with uv where the environment can have no pip; the exit code."""
    bare = without_pip(os.environ)
    if importlib.util.find_spec("pip") is None:
        done = subprocess.run([sys.executable, "-I", "-m", "ensurepip"], env=bare)
        if done.returncode != 0:
            return with_uv()
    environment = pip_environment()
    for what in (REQUIREMENTS, PROJECT):
        code = subprocess.run([*PIP, "install", "--quiet", *what], env=environment).returncode
        if code:
            return code
    return 0


def with_uv():
    """Install with the uv on the path; it has settings of its own, which stay as they are."""
    uv = shutil.which("uv")
    if uv is None:
        print(f"error: {sys.prefix} has neither pip nor ensurepip.", file=sys.stderr)
        print("Install pip into it, or put uv on the path.", file=sys.stderr)
        return 2
    for what in (REQUIREMENTS, PROJECT):
        command = [uv, "pip", "install", "--quiet", "--python", sys.executable, *what]
        code = subprocess.run(command, env=without_pip(os.environ)).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
