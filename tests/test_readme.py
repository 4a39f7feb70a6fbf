"""Every command and program of the README and docs/ runs, and their figures are the report's."""

import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from project import environment

from realfake_lib.report import values

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}
TOOL = runpy.run_path(str(ROOT / "scripts" / "update_readme.py"))
METRICS = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))


def blocks(page, language):
    """Contents of a page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.S)


def commands(page):
    lines = (line for block in blocks(page, "console") for line in block.splitlines())
    return [line for line in lines if line.strip()]


# Two pages need something around their commands, and have tests of their own.
OWN_TEST = ("docs/cluster.md", "docs/new-chapter.md")
COMMANDS = [c for page in PAGES if page not in OWN_TEST for c in commands(page)]
PROGRAMS = [
    pytest.param(program, id=page)
    for page in PAGES
    if page not in OWN_TEST
    for program in blocks(page, "python")
]

# What a command needs beyond a copy of the project, so that it ends in seconds.
SMALL = "PROFILE=smoke DATA=demo"
SETTINGS = {
    "make test": "PYTEST='-q --no-cov tests/test_packaging.py -k lock'",
    "make bench": "BENCH='input --images 256 --rounds 1'",
    "make report DATA=path/to/folder SET=image_size=32": "PROFILE=smoke STAGE=preprocessing",
    "pip install .": "--no-deps --no-build-isolation --no-index --quiet --target installed",
}
SETTINGS['make test PYTEST="-q --no-cov tests/models"'] = SETTINGS["make test"]

pytestmark = pytest.mark.slow


def settings_for(command):
    """What to add to a command for the test."""
    if command in SETTINGS:
        return SETTINGS[command]
    if command.startswith("realfake train"):
        return "--model tiny_cnn --recipe baseline --epochs 1"
    return SMALL if command.startswith("make ") else ""


@pytest.fixture(scope="module")
def place(smoke, tmp_path_factory):
    """A copy of the project with a finished smoke report, images and a folder of own data."""
    project = tmp_path_factory.mktemp("readme") / "project"
    shutil.copytree(smoke.project, project, symlinks=True)
    rng = np.random.default_rng(0)
    (project / "photos").mkdir()
    for name, sides in {
        "photo.jpg": (240, 300),
        "photos/a.png": (32, 32),
        "photos/b.jpg": (40, 48),
    }.items():
        pixels = rng.normal(90, 30, (*sides, 3)) + np.linspace(0, 90, sides[0])[:, None, None]
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(project / name)
    for label, level in (("REAL", 60), ("FAKE", 180)):
        folder = project / "path" / "to" / "folder" / label
        folder.mkdir(parents=True)
        for number in range(240):
            pixels = rng.normal(level, 40, (32, 32, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return project


def run(command, place, **more):
    """Run a line of a page in a shell, where ``realfake`` and ``python`` are the project's."""
    variables = environment(place, **more)
    variables["PATH"] = f"{place / '.venv' / 'bin'}{os.pathsep}{variables['PATH']}"
    line = f"{command} {settings_for(command)}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=place, env=variables, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("command", list(dict.fromkeys(COMMANDS)))
def test_command_runs(command, place, tmp_path):
    if "DATA=" in command:  # another report in the same folder would undo the finished one
        place = shutil.copytree(place, tmp_path / "own", symlinks=True)
    if command == "make pdf" and not any(map(shutil.which, ("chromium", "google-chrome"))):
        pytest.skip("needs an installed Chromium")
    if command.endswith("data verify") and not os.environ.get("REALFAKE_DATA"):
        pytest.skip("needs CIFAKE: set REALFAKE_DATA to its archive or folder")
    if command == "make notebooks":
        _starts_a_server(place)
        return
    data = {k: v for k, v in os.environ.items() if k == "REALFAKE_DATA" and " data " in command}
    run(command, place, **data)


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_runs(program, place):
    python = place / ".venv" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", program],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0 and done.stdout, done.stderr


def _starts_a_server(place):
    """``make notebooks`` runs until it is stopped: wait for its address, then stop it."""
    log, config = place / "jupyter.log", place / "jupyter"
    config.mkdir()
    settings = "c.ServerApp.open_browser = False\nc.ServerApp.allow_root = True\n"
    (config / "jupyter_lab_config.py").write_text(settings)
    with log.open("w") as stream:
        process = subprocess.Popen(
            ["make", "notebooks"],
            cwd=place,
            env=environment(place, JUPYTER_CONFIG_DIR=str(config), BROWSER="true"),
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


def test_report_runs_with_the_cluster_of_its_page(place):
    # The page's other commands run in test_cluster_prediction.py.
    import distributed

    (command,) = (line for line in commands("docs/cluster.md") if line.startswith("make"))
    with distributed.LocalCluster(n_workers=1, dashboard_address=None) as cluster:
        run(command.replace("tcp://scheduler:8786", cluster.scheduler_address), place)


def test_new_chapter_of_its_page_becomes_part_of_the_report(place, tmp_path):
    page = "docs/new-chapter.md"
    project = shutil.copytree(place, tmp_path / "own", symlinks=True)
    plan = project / "report.yml"
    (entry,) = blocks(page, "yaml")
    plan.write_text(f"{plan.read_text()}\n{entry}")
    (title,) = blocks(page, "markdown")
    parameters, *code = blocks(page, "python")
    cells = [
        new_markdown_cell(title.strip()),
        new_code_cell(parameters.strip(), metadata={"tags": ["parameters"]}),
        *(new_code_cell(source.strip()) for source in code),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    (file,) = re.findall(r"notebook: (\S+)", entry)
    nbformat.write(new_notebook(cells=cells, metadata=kernel), project / file)
    (command,) = commands(page)
    run(command, project)
    found = json.loads((project / "build" / "smoke" / "metrics.json").read_text())["metrics"]
    assert 0 <= found["colours.mean_difference"]["value"] <= 1


# --- what the README says ------------------------------------------------------------------------


def test_readme_shows_how_to_make_the_report_and_how_to_use_the_detector():
    assert {"make report", "pip install ."} < {*commands("README.md")}
    assert any("realfake predict" in command for command in commands("README.md"))


def test_readme_has_at_most_700_visible_words():
    visible = re.sub(r"<!--.*?-->|\]\([^)]*\)", "", README, flags=re.S)
    assert len([word for word in visible.split() if re.search(r"\w", word)]) <= 700


def test_figures_in_the_readme_are_those_of_the_reference_report():
    assert TOOL["filled"](README, METRICS) == README


def test_conclusions_in_the_readme_hold_in_the_reference_report():
    def value(name):
        return values.read(METRICS["metrics"][f"beyond_cifake.{name}"])

    auroc = value("native32.detector.mean_auroc")  # "do not carry over"
    assert auroc.low <= 0.5 <= auroc.high
    assert value("real_size.coverage").high < 0.5  # "can't tell for most images"
    assert value("real_size.false_positive_rate") <= 0.05  # docs/your-own-images.md


def test_output_in_the_readme_is_what_the_command_prints():
    assert TOOL["with_output"](README) == README


def test_every_chapter_is_linked_in_the_readme():
    for notebook in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        assert f"](reports/chapters/{notebook.stem}.md)" in README


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_links_exist(page):
    for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
        if not re.match(r"https?://|reports/chapters/", target):
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_chapters_that_the_readme_links_to_exist():
    for target in re.findall(r"\]\((reports/chapters/[^)#]+)\)", README):
        assert (ROOT / target).exists(), target
