"""Every command and program of the README runs, and its figures are the reference report's."""

import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from project import environment

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip()
]
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.S)

# What a command needs beyond a copy of the project, so that it ends in seconds.
SMALL = {"PROFILE": "smoke"}
SETTINGS = {
    "make report": {"PROFILE": "smoke", "DATA": "demo"},
    "make test": {"PYTEST": "-q --no-cov tests/test_packaging.py -k lock"},
    "make status": {"PROFILE": "smoke", "DATA": "demo"},
    "make pdf": {"PROFILE": "smoke", "DATA": "demo"},
    "make bench": {"BENCH": "input --images 1024 --rounds 1"},
}

pytestmark = pytest.mark.slow


def test_readme_has_commands():
    assert {"make report", "make test", "make demo"} <= {*COMMANDS}
    assert any("realfake predict" in command for command in COMMANDS)


@pytest.fixture(scope="module")
def place(smoke, tmp_path_factory):
    """A copy of the project with a finished smoke report, pictures and a folder of own data."""
    project = tmp_path_factory.mktemp("readme") / "project"
    shutil.copytree(smoke.project, project, symlinks=True)
    rng = np.random.default_rng(0)
    (project / "pictures").mkdir()
    for name in ("photo.jpg", "pictures/a.png", "pictures/b.jpg"):
        pixels = rng.integers(0, 255, (40, 48, 3), "uint8")
        Image.fromarray(pixels).save(project / name)
    for number in range(240):
        for label, level in (("REAL", 60), ("FAKE", 180)):
            folder = project / "path" / "to" / "folder" / label
            folder.mkdir(parents=True, exist_ok=True)
            pixels = rng.normal(level, 40, (32, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return project


@pytest.mark.parametrize("command", list(dict.fromkeys(COMMANDS)))
def test_command_of_the_readme_runs(command, place, tmp_path):
    if "DATA=" in command:  # another report in the same folder would undo the finished one
        place = shutil.copytree(place, tmp_path / "own", symlinks=True)
    if command == "make pdf" and not any(map(shutil.which, ("chromium", "google-chrome"))):
        pytest.skip("needs an installed Chromium")
    if command.endswith("data verify") and not os.environ.get("REALFAKE_DATA"):
        pytest.skip("needs CIFAKE: set REALFAKE_DATA to its archive or folder")
    more = {}
    if " data " in command:
        more = {k: v for k, v in os.environ.items() if k == "REALFAKE_DATA"}
    variables = environment(place, **more)
    if command == "make notebooks":
        _starts_a_server(place, variables)
        return
    if command.startswith("make "):
        settings = SETTINGS.get(command, SMALL)
        command += "".join(f" {name}={shlex.quote(value)}" for name, value in settings.items())
    outcome = subprocess.run(
        ["sh", "-c", command],
        cwd=place,
        env=variables,
        capture_output=True,
        text=True,
        timeout=2400,
    )
    assert outcome.returncode == 0, f"{outcome.stdout[-3000:]}\n{outcome.stderr[-3000:]}"


@pytest.mark.parametrize("program", PROGRAMS)
def test_python_of_the_readme_runs(program, place):
    done = subprocess.run(
        [place / ".venv" / "bin" / "python", "-c", program],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0 and done.stdout, done.stderr


def _starts_a_server(place, variables):
    """``make notebooks`` runs until it is stopped: wait for its address, then stop it."""
    variables |= {"JUPYTER_ALLOW_ROOT": "1", "BROWSER": "true"}
    log = place / "jupyter.log"
    config = place / "jupyter"
    config.mkdir()
    settings = "c.ServerApp.open_browser = False\nc.ServerApp.allow_root = True\n"
    (config / "jupyter_lab_config.py").write_text(settings)
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["make", "notebooks"],
            cwd=place,
            env=variables | {"JUPYTER_CONFIG_DIR": str(config)},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 90
        while not re.search(r"http://(localhost|127\.0\.0\.1):\d+/lab", log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_figures_in_the_readme_are_those_of_the_reference_report():
    filled = runpy.run_path(str(ROOT / "scripts" / "update_readme.py"))["filled"]
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert filled(README, metrics) == README
    assert "–<!--/-->" not in README


def test_pictures_and_links_of_the_readme_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert re.match(r"https?://", target) or (ROOT / target).exists(), target
