"""What make starts, and how the environment is set up, on other people's machines."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project import environment

ROOT = Path(__file__).resolve().parent.parent

RECORDER = f"""#!{sys.executable} -IS
import json, os, sys
with open(os.environ["RECORD"], "a") as stream:
    stream.write(json.dumps([sys.argv[1:], dict(os.environ)]) + "\\n")
"""


class Checkout:
    """The files of set-up in a folder, with a Python that only notes how it is called."""

    def __init__(self, folder, recorder=True):
        self.folder = folder
        (folder / "scripts").mkdir(parents=True)
        for name in ("Makefile", "requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        for name in ("setup.sh", "install.py"):
            shutil.copy(ROOT / "scripts" / name, folder / "scripts")
        self.record = folder / "record"
        if recorder:
            self.install_recorder(folder / ".venv")

    def install_recorder(self, environment):
        (environment / "bin").mkdir(parents=True)
        program = environment / "bin" / "python"
        program.write_text(RECORDER)
        program.chmod(0o755)
        (environment / ".realfake-ready").touch()

    def make(self, *arguments, **variables):
        """Arguments and environment of the last program that make started."""
        done = self.run("make", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(self.record.read_text().splitlines()[-1])

    def run(self, *command, **variables):
        env = environment(self.folder, RECORD=str(self.record)) | variables
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True)


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "project")


# --- the variables of make ----------------------------------------------------------------------


def test_names_that_shells_export_for_other_things_are_no_settings(checkout):
    foreign = ["PROFILE", "DATA", "JOBS", "SEED", "STAGE", "SET", "CLUSTER", "JUPYTER"]
    foreign += ["BENCH", "TRAININGS", "PYTEST", "PYTEST_ADDOPTS"]
    variables = {name: "`touch run-by-a-shell`" for name in foreign}
    for target in ("report", "demo", "status", "bench", "trainings", "test", "notebooks"):
        arguments, _ = checkout.make(target)
        same, env = checkout.make(target, **variables)
        assert same == arguments and "touch" not in " ".join(same), target
        assert "PYTEST_ADDOPTS" not in env
    assert not (checkout.folder / "run-by-a-shell").exists()


@pytest.mark.parametrize(
    "value",
    [
        "`touch run`", "$(touch run)", "$(shell touch run)", "$$HOME", '"; touch run; "', "it's",
        "my photos/*", "a\\b", "$(DATA)", "--help",
    ],
)  # fmt: skip
def test_what_is_given_to_make_reaches_the_program_as_it_was_typed(checkout, value):
    arguments, _ = checkout.make("report", f"DATA={value}")
    assert arguments[arguments.index("--data") + 1] == value
    arguments, _ = checkout.make("status", f"DATA={value}")
    assert arguments[arguments.index("--data") + 1] == value
    assert not (checkout.folder / "run").exists()


def test_every_variable_of_make_becomes_an_option(checkout):
    given = ["PROFILE=full", "DATA=x", "JOBS=2", "SEED=3", "CLUSTER=tcp://a:1"]
    given += ["SET=a=1 training.b='*'", "STAGE=training grad_cam"]
    arguments, _ = checkout.make("report", *given)
    expected = "-m realfake_lib.cli report run --profile full --data x --seed 3 --set a=1"
    expected += " --set training.b='*' --jobs 2 --stage training --stage grad_cam"
    assert arguments == [*expected.split(), "--cluster", "tcp://a:1"]
    assert checkout.make("bench", "BENCH=input --n 5")[0][2:] == ["input", "--n", "5"]


def test_make_keeps_a_users_python_settings_out_of_what_it_starts(checkout):
    names = ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS"]
    names += ["PYTHONOPTIMIZE", "PYTHONINSPECT", "PYTHONSAFEPATH"]
    _, env = checkout.make("report", **dict.fromkeys(names, "/foreign"), PYTHONUNBUFFERED="1")
    assert env["PYTHONPATH"] == str(checkout.folder)
    assert env["PYTHONNOUSERSITE"] == env["PYTHONUNBUFFERED"] == "1"
    assert not set(names[1:]) & set(env)


@pytest.mark.parametrize("place", ["envs/realfake", "Jane Doe's $x `y`/envs/realfake"])
def test_the_active_conda_environment_is_used_wherever_it_lies(tmp_path, place):
    checkout = Checkout(tmp_path / "project", recorder=False)
    conda = tmp_path / place
    checkout.install_recorder(conda)
    arguments, _ = checkout.make("status", CONDA_DEFAULT_ENV="realfake", CONDA_PREFIX=str(conda))
    assert "status" in arguments
    assert not (checkout.folder / ".venv").exists()


# --- setting up ---------------------------------------------------------------------------------


def python_of(environment, **options):
    """Make an environment without pip, but with a pip that notes how it is called."""
    import venv

    venv.create(environment, with_pip=False, **options)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "pip").mkdir()
    (site / "pip" / "__main__.py").write_text(
        "import json, os, sys\n"
        "if '--version' not in sys.argv:\n"
        "    with open(os.environ['RECORD'], 'a') as stream:\n"
        "        stream.write(json.dumps([sys.argv[1:], dict(os.environ)]) + '\\n')\n"
    )
    internal = Path(pytest.importorskip("pip").__file__).parent
    for name in ("__init__.py", "_internal", "_vendor"):
        (site / "pip" / name).symlink_to(internal / name)
    return site


@pytest.fixture
def fresh(tmp_path):
    return Checkout(tmp_path / "project", recorder=False)


def test_an_environment_of_the_users_own_is_used_and_nothing_in_it_is_lost(fresh):
    site = python_of(fresh.folder / ".venv")
    (site / "my_work.txt").write_text("mine")
    done = fresh.run("make", "setup")
    assert done.returncode == 0, done.stderr
    assert (site / "my_work.txt").read_text() == "mine"
    calls = [json.loads(line)[0] for line in fresh.record.read_text().splitlines()]
    assert [call[0] for call in calls] == ["install", "install"]
    assert fresh.run("make", "setup").stdout == ""  # it is ready


def test_an_environment_of_the_users_own_that_does_not_suit_is_left_as_it_is(fresh):
    work = fresh.folder / ".venv" / "lib" / "my_work.txt"
    work.parent.mkdir(parents=True)
    work.write_text("mine")
    done = fresh.run("make", "setup")
    assert done.returncode == 2
    assert ".venv is no environment with Python 3.11 to 3.13" in done.stderr
    assert "Move it away" in done.stderr
    assert work.read_text() == "mine"


def test_an_environment_that_a_kill_left_half_made_is_made_anew(fresh):
    folder = fresh.folder / ".venv"
    folder.mkdir()
    (folder / ".made-by-realfake").touch()
    (folder / "half").touch()
    stub = fresh.folder / "python"  # a Python whose venv is quick
    stub.write_text(
        f'#!/bin/sh\nif [ "$3" = venv ]; then exec {sys.executable} -I -m venv --without-pip "$4";'
        f' fi\nexec {sys.executable} "$@"\n'
    )
    stub.chmod(0o755)
    sh = ["sh", "-c", "sed -i 's/^\"$python\" -I scripts.install.py$/:/' scripts/setup.sh"]
    assert fresh.run(*sh).returncode == 0
    done = fresh.run("make", "setup", PYTHON3=str(stub))
    assert done.returncode == 0, done.stderr
    assert not (folder / "half").exists()
    assert (folder / "bin" / "python").exists() and (folder / ".made-by-realfake").exists()


@pytest.fixture
def pip_file(tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nuser = true\nquiet = 3\nindex-url = https://pypi.example.org/simple\n"
        "extra-index-url = https://a.example.org\n  https://b.example.org\n"
        "[install]\nrequire-hashes = true\ntarget = /elsewhere\ntimeout = 33\n"
    )
    return str(file)


def test_of_pips_settings_only_where_packages_come_from_counts(fresh, pip_file):
    python_of(fresh.folder / ".venv")
    harmful = ["PIP_USER", "PIP_REQUIRE_HASHES", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV"]
    harmful += ["PIP_PREFIX", "PIP_NO_DEPS", "PIP_ROOT", "PIP_PYTHON", "PIP_NO_BINARY"]
    done = fresh.run(
        "make",
        "setup",
        **dict.fromkeys(harmful, "1"),
        PIP_CONFIG_FILE=pip_file,
        PIP_FIND_LINKS="/wheels",
    )
    assert done.returncode == 0, done.stderr
    for line in fresh.record.read_text().splitlines():
        arguments, env = json.loads(line)
        assert arguments[:2] == ["install", "--quiet"]
        assert not set(harmful) & set(env) and "PYTHONPATH" not in env
        assert env["PIP_CONFIG_FILE"] == os.devnull
        assert env["PIP_INDEX_URL"] == "https://pypi.example.org/simple"
        assert env["PIP_EXTRA_INDEX_URL"] == "https://a.example.org https://b.example.org"
        assert env["PIP_TIMEOUT"] == "33" and env["PIP_FIND_LINKS"] == "/wheels"


def test_an_environment_without_pip_is_filled_by_uv_where_it_cannot_have_one(tmp_path, monkeypatch):
    install = runpy.run_path(str(ROOT / "scripts" / "install.py"))
    uv = tmp_path / "uv"
    uv.write_text(RECORDER)
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    assert install["with_uv"]() == 0
    arguments, _ = json.loads((tmp_path / "record").read_text().splitlines()[0])
    assert arguments[:5] == ["pip", "install", "--quiet", "--python", sys.executable]
    uv.unlink()
    assert install["with_uv"]() == 2


def test_a_checkout_by_git_for_windows_has_no_carriage_returns(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listing = subprocess.run(
        ["git", "-c", "core.autocrlf=true", "ls-files", "-z", "--eol"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in filter(None, listing.split("\0")):
        facts, name = line.split("\t")
        stored, _, attributes = facts.split(maxsplit=2)
        assert stored in ("i/lf", "i/none", "i/-text"), name
        assert attributes.strip() == "attr/text=auto eol=lf", name
