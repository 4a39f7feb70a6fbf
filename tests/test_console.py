"""Standard error while commands work: a bar on a terminal, and nothing of TensorFlow's start."""

import io
import os
import subprocess
import sys
import time

import pytest

from realfake_lib import console, progress


def child(code, **variables):
    """Run code in a fresh interpreter, with the log level of an ordinary user's shell: none."""
    env = {name: value for name, value in os.environ.items() if name != console.LOG_LEVEL}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env | variables, capture_output=True, text=True)


def test_tensorflow_starts_in_silence_and_standard_error_works_afterwards():
    done = child(
        "import sys; from realfake_lib import console; console.import_tensorflow();"
        "import tensorflow as tf; tf.zeros(1) + 1; print('said', file=sys.stderr)"
    )
    assert done.stderr == "said\n" and done.returncode == 0


def fake_tensorflow(folder, code="", says="import os; os.write(2, b'{} starts. ');"):
    for name in ("tensorflow", "keras"):
        settings = "from unittest.mock import Mock; config = Mock(backend=lambda: 'tensorflow');"
        (folder / f"{name}.py").write_text(settings + says.format(name) + code)
    return f"import sys; sys.path.insert(0, {str(folder)!r});" + (
        "from realfake_lib import console; console.import_tensorflow()"
    )


def test_who_sets_the_log_level_sees_the_lines(tmp_path):
    code = fake_tensorflow(tmp_path)
    assert child(code).stderr == ""
    assert "tensorflow starts" in child(code, TF_CPP_MIN_LOG_LEVEL="0").stderr


def test_a_failing_import_lets_the_lines_out(tmp_path):
    done = child(fake_tensorflow(tmp_path, "raise ImportError('no AVX')"))
    assert "keras starts" in done.stderr and "no AVX" in done.stderr


def test_a_closed_standard_error_is_no_hindrance(tmp_path):
    code = "import os; os.close(2);" + fake_tensorflow(tmp_path, says="") + "; print('done')"
    assert child(code).stdout == "done\n"


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def no_stage(monkeypatch):
    monkeypatch.delenv(progress.VARIABLE, raising=False)


def test_a_terminal_gets_a_bar_of_what_is_reported(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress_bar():
        progress.report("Reading the images", 30, 120, "images")
        deadline = time.monotonic() + 10
        while "30/120" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "Reading the images" in screen.getvalue() and "30/120" in screen.getvalue()
    assert progress.VARIABLE not in os.environ


def test_no_bar_without_a_terminal_or_inside_a_stage(monkeypatch, tmp_path, capsys):
    with console.progress_bar():
        progress.report("Reading", 1, 2)
    monkeypatch.setattr(sys, "stderr", Screen())
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "lines"))
    with console.progress_bar():
        progress.report("Reading", 1, 2)
    assert sys.stderr.getvalue() == "" == capsys.readouterr().err
    assert "Reading" in (tmp_path / "lines").read_text()
