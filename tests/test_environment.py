"""What a user's shell, home folder and terminal hold for other programs changes nothing here."""

import ast
import io
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image
from project import ROOT
from report.tiny_project import TinyProject

from realfake_lib import console, environment
from realfake_lib.report import kernels, run

SOURCES = [
    path
    for folder in ("realfake_lib", "scripts", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
]


def program(code, *arguments, **variables):
    """Run Python code in a fresh interpreter; the finished process."""
    env = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | variables
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, encoding="utf-8")


# --- variables of other programs ----------------------------------------------------------------

FOREIGN = {
    "PYTHONHOME": "/foreign",
    "PYTHONPATH": "/foreign",
    "PYTHONSTARTUP": "/foreign/start.py",
    "PYTHONWARNINGS": "error",
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "TF_USE_LEGACY_KERAS": "1",
    "MATPLOTLIBRC": "/foreign/matplotlibrc",
}


def test_stages_and_kernels_get_no_variable_that_is_meant_for_other_programs(monkeypatch):
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    env = environment.for_child("/checkout", REALFAKE_RUN="{}")
    assert not {name: value for name, value in FOREIGN.items() if env.get(name) == value}
    assert env["PYTHONPATH"] == "/checkout" and env["PYTHONNOUSERSITE"] == "1"
    assert env["KERAS_BACKEND"] == "tensorflow" and env["REALFAKE_RUN"] == "{}"
    assert env["PATH"] == os.environ["PATH"]


def test_relative_paths_in_variables_are_meant_from_where_the_command_was_given(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("REALFAKE_DATA", "REALFAKE_CACHE", "REALFAKE_WEIGHTS", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "my/folder")
    monkeypatch.setenv("REALFAKE_GENERATORS", "~/grids")
    monkeypatch.setenv("REALFAKE_CLUSTER", "tcp://here:8786")
    env = environment.for_child("/checkout")
    for name in ("REALFAKE_DATA", "REALFAKE_CACHE", "REALFAKE_WEIGHTS", "MPLCONFIGDIR"):
        assert env[name] == str(tmp_path / "my" / "folder")
    assert env["REALFAKE_GENERATORS"] == str(tmp_path / "home" / "grids")
    assert env["REALFAKE_CLUSTER"] == "tcp://here:8786"


@pytest.fixture
def foreign_packages(tmp_path):
    """A folder as cluster modules put it into PYTHONPATH, with packages of another Python."""
    folder = tmp_path / "module" / "site-packages"
    for name in ("numpy", "typer", "PIL", "onnxruntime"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise ImportError('of another Python')")
    (folder / "only_there.py").touch()
    return folder


def test_realfake_uses_what_is_installed_beside_it_before_what_pythonpath_names(
    foreign_packages, tmp_path
):
    Image.new("RGB", (40, 30), "white").save(tmp_path / "photo.png")
    code = "import sys; from realfake_lib.__main__ import main; main()"
    paths = os.pathsep.join([str(foreign_packages), str(ROOT)])
    done = program(code, "predict", tmp_path / "photo.png", PYTHONPATH=paths)
    assert done.returncode == 0, done.stderr
    assert "photo.png" in done.stdout


def test_what_is_only_on_pythonpath_can_still_be_imported(foreign_packages, tmp_path):
    code = (
        "from realfake_lib import environment; environment.own_packages_first()\n"
        "import numpy, only_there"
    )
    paths = os.pathsep.join([str(foreign_packages), str(ROOT)])
    assert program(code, PYTHONPATH=paths).returncode == 0


def test_the_installed_command_settles_where_packages_come_from():
    assert 'realfake = "realfake_lib.__main__:main"' in (ROOT / "pyproject.toml").read_text("utf-8")


# --- Keras --------------------------------------------------------------------------------------

OTHER_KERAS = {
    "floatx": "float16",
    "epsilon": 1e-3,
    "backend": "jax",
    "image_data_format": "channels_first",
}


def test_keras_is_tensorflows_with_its_defaults_whatever_a_user_has_set(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(OTHER_KERAS))
    code = (
        "from realfake_lib import models\n"
        "import keras, json\n"
        "made = models.build('compact_cnn', image_size=32)\n"
        "c = keras.config\n"
        "print(json.dumps([c.backend(), c.floatx(), c.epsilon(), c.image_data_format(),"
        " made.dtype_policy.name, c.max_epochs(), made.input_shape]))"
    )
    done = program(
        code,
        HOME=str(tmp_path),
        KERAS_BACKEND="torch",
        KERAS_MAX_EPOCHS="1",
        TF_USE_LEGACY_KERAS="1",
    )
    assert done.returncode == 0, done.stderr
    expected = ["tensorflow", "float32", 1e-7, "channels_last", "float32", None]
    assert json.loads(done.stdout) == [*expected, [None, 32, 32, 3]]


def test_keras_that_already_runs_on_something_else_is_refused_in_words(tmp_path):
    (tmp_path / "keras.py").write_text(
        "class config:\n    backend = staticmethod(lambda: 'jax')\n    set_floatx = None\n"
    )
    (tmp_path / "tensorflow.py").touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import keras\n"
        "from realfake_lib.errors import UserError\n"
        "try: from realfake_lib import keras_setup\n"
        "except UserError as error: print(error)"
    )
    assert program(code).stdout.startswith("Keras runs on jax here, and this library needs Tensor")


def imports(path):
    """Modules that a file imports, at its top or in its functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_module_imports_keras_before_it_is_set_up():
    for path in (ROOT / "realfake_lib").rglob("*.py"):
        uses = any(name.partition(".")[0] == "keras" for name in imports(path))
        if uses and path.name != "keras_setup.py":
            assert "realfake_lib.keras_setup" in imports(path.parent / "__init__.py"), path


# --- terminals and files ------------------------------------------------------------------------


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "Jürgen … 東京.png"
    Image.new("RGB", (40, 30), "white").save(path)
    return path


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_verdicts_are_readable_on_a_terminal_with_few_signs(photo, encoding):
    code = "import sys; from realfake_lib.__main__ import main; main()"
    for form in ((), ("--json",)):
        env = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", str(photo), *form], env=env, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode(encoding)
        if form:
            assert json.loads(text)["results"][0]["path"] == str(photo)
        else:
            start = "Jürgen" if encoding == "latin-1" else "J\\xfcrgen"
            assert f"{start} ... \\u6771\\u4eac.png" in text
            assert ("40×30" if encoding == "latin-1" else "40x30") in text


def test_signs_of_messages_have_a_plainer_form(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    console.use_signs_of_the_terminal()
    print("3×4 – 5 … ≥ 6 → ☃ \udcff")
    assert out.buffer.getvalue() == b"3x4 - 5 ... >= 6 -> \\u2603 \\udcff\n"


def test_text_is_read_and_written_as_utf_8_whatever_the_locale():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                assert not says_no_encoding(node), f"{path}:{node.lineno}"


def says_no_encoding(call):
    """Whether a call opens text, or a program's output, in the encoding of the locale."""
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    words = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in words or None in words:
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name == "open" and isinstance(call.func, ast.Name):
        mode = call.args[1] if len(call.args) > 1 else words.get("mode", ast.Constant("r"))
        return isinstance(mode, ast.Constant) and "b" not in mode.value
    return name in ("run", "Popen", "check_output") and bool(
        {"text", "universal_newlines"} & {*words}
    )


def test_a_run_without_a_place_for_temporary_files_ends_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: ["/no/such/folder"])
    TinyProject(tmp_path).add("first")
    with pytest.raises(FileNotFoundError):  # which the command line says in a sentence
        run.run(root=tmp_path, profile="smoke")
    assert not (tmp_path / "build").exists()


# --- JupyterLab ---------------------------------------------------------------------------------


def test_jupyterlab_is_told_to_ask_nobody_for_news_versions_or_extensions(monkeypatch):
    from jupyterlab.handlers.announcements import NeverCheckForUpdate
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(os, "execve", lambda *call: started.append(call))
    kernels.main(["notebooks", "--allow-root"])
    ((_, command, env),) = started
    assert env["KERAS_BACKEND"] == "tensorflow" and command[-2:] == ["notebooks", "--allow-root"]
    kernel = json.loads((Path(env["JUPYTER_PATH"]) / "kernels/python3/kernel.json").read_text())
    assert kernel["argv"][0] == sys.executable  # and no other Python's
    assert "--IPKernelApp.capture_fd_output=False" in kernel["argv"]
    app = LabApp()
    app.parse_command_line([word for word in command if word.startswith("--LabApp")])
    app.update_config(app.cli_config)
    assert app.news_url is None and app.check_for_updates_class is NeverCheckForUpdate
    assert app.extension_manager == "readonly"


# --- calls home ---------------------------------------------------------------------------------

ALIVE = 12  # seconds; ONNX Runtime's first report came after 9


class Proxy:
    """Listens where programs would ask for the outside, and notes what they ask."""

    def __init__(self):
        self.heard = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            caller, _ = self._socket.accept()
            with caller:
                caller.settimeout(3)
                try:
                    self.heard.append(caller.recv(300))
                except OSError:
                    self.heard.append(b"nothing was said")


def test_a_verdict_tells_nobody_and_leaves_nothing_in_the_home_folder(tmp_path):
    home, photo = tmp_path / "home", tmp_path / "photo.png"
    home.mkdir()
    Image.new("RGB", (40, 30), "white").save(photo)
    code = (
        "import sys, time, realfake_lib\n"
        f"end = time.time() + {ALIVE}\n"
        "detector = realfake_lib.load_detector()\n"
        "while time.time() < end:\n"
        "    assert realfake_lib.predict([sys.argv[1]], detector)[0].verdict\n"
        "    time.sleep(1)"
    )
    proxy = Proxy()
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy")
    kept = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    env = kept | dict.fromkeys(names, proxy.address) | {"HOME": str(home), "no_proxy": ""}
    command = [sys.executable, "-c", code, str(photo)]
    done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert proxy.heard == []
    assert [path for path in home.rglob("*") if path.is_file()] == []
