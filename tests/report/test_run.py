"""Running the report: what runs and why, what is kept, and what failures and kills leave behind."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import filelock
import nbformat
import psutil
import pytest
from rich.console import Console
from tiny_project import TinyProject, identity

from realfake_lib.errors import StageFailed, UserError
from realfake_lib.report import execute, html, run
from realfake_lib.report import kernels as jupyter
from realfake_lib.report.terminal import Terminal, duration

HERE = Path(__file__).parent


class Report(TinyProject):
    """A tiny project with what its runs print and render."""

    def __init__(self, root):
        super().__init__(root)
        self.printed = ""
        self.identity = identity()
        self.rendered, self.unshown = [], []

    def run(self, profile="smoke", live=False, **options):
        """Run it; the lines printed, without blank ends."""
        stream = io.StringIO()
        terminal = Terminal(Console(file=stream, width=300, force_terminal=live, color_system=None))
        try:
            self.result = run.run(self.root, profile, terminal=terminal, **options)
        finally:
            self.printed = stream.getvalue()
        return self.printed

    def states(self):
        return {s.stage.name: s for s in run.status(self.root, "smoke")[1]}

    @property
    def build(self):
        return self.root / "build" / "smoke"


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A project whose notebooks are executed by papermill in kernels, as in a real run."""
    report = Report(tmp_path / "Jürgen's work [2] & more")

    def render(stages, *, metrics, out):
        report.rendered.append(metrics)
        out.write_text("a page", encoding="utf-8")
        return report.unshown

    monkeypatch.setattr(run, "identify", lambda data, allow_download=True: report.identity)
    monkeypatch.setattr(html, "render", render)
    return report


@pytest.fixture
def report(kernels, monkeypatch):
    """Two stages, the second reading the first; cells run in a plain process, which is faster."""
    monkeypatch.setattr(run, "EXECUTE", (sys.executable, str(HERE / "plain_execute.py")))
    monkeypatch.setattr(run, "_POLL", 0.01)
    kernels.add("first", "run.metric('a.b', 3, n=4)")
    kernels.add("second", "run.metric('c', run.input('first').value('a.b') + 1)", inputs=["first"])
    return kernels


def leftovers(report):
    return [path.name for path in (report.build / "stages").glob(".*")]


# --- what runs, and why -------------------------------------------------------------------------


def test_a_first_run_executes_everything_and_merges_the_metrics(report):
    printed = report.run()
    assert "[1/2] first: runs, no results yet" in printed and "[2/2] second: done in" in printed
    assert report.result == report.build / "report.html" and str(report.result) in printed
    content = report.json("metrics.json")
    assert content["metrics"] == {"first.a.b": {"value": 3, "n": 4}, "second.c": {"value": 4}}
    assert list(content) == ["schema", "profile", "data", "metrics", "claims", "provenance"]
    assert content["data"]["fingerprint"] == "f1" and content["profile"] == "smoke"
    assert report.rendered == [content] and leftovers(report) == []


def test_a_second_run_executes_and_renders_nothing_and_says_why(report):
    report.run()
    before = {path: path.stat().st_mtime_ns for path in report.build.rglob("*.json")}
    started = time.monotonic()
    printed = report.run()
    assert time.monotonic() - started < 3
    assert "first: unchanged since 20" in printed and "report: unchanged" in printed
    assert {path: path.stat().st_mtime_ns for path in report.build.rglob("*.json")} == before
    assert len(report.rendered) == 1


def test_edited_prose_renders_and_runs_nothing(report):
    report.run()
    report.add("first", "run.metric('a.b', 3, n=4)", prose="Other words.")
    printed = report.run()
    assert "first: unchanged" in printed and "runs" not in printed
    assert len(report.rendered) == 2


def test_edited_code_runs_the_stage_and_those_that_read_it(report):
    report.run()
    report.add("first", "run.metric('a.b', 5)")
    printed = report.run()
    assert "first: runs, code of the notebook changed" in printed
    assert "second: runs, input first ran again" in printed
    assert report.json("metrics.json")["metrics"]["second.c"]["value"] == 6


def test_other_data_run_everything(report):
    report.run()
    report.identity = identity(fingerprint="f2")
    assert "first: runs, data changed" in report.run()


def test_a_new_promise_runs_the_stage_that_does_not_keep_it(report):
    report.run()
    report.content["stages"]["first"]["outputs"] = {"tables": ["t"]}
    report.save()
    assert report.states()["first"].reasons == ["the promised table 't' is missing"]


def test_damaged_results_count_as_none(report):
    report.run()
    (report.build / "stages/first/stage.json").write_text("{", encoding="utf-8")
    assert report.states()["first"].reasons == ["no results yet"]


@pytest.mark.parametrize("damage", ["emptied", "gone", "other"])
def test_a_result_file_that_is_not_what_the_stage_left_is_made_again(report, damage):
    report.add("first", "run.arrays('p', x=[1, 2])\nrun.metric('a.b', 3)")
    report.run()
    path = report.build / "stages/first/arrays/p.npz"
    path.unlink() if damage == "gone" else path.write_bytes(b"" if damage == "emptied" else b"PK")
    assert "result arrays/p.npz" in report.states()["first"].reasons[0]
    assert "first: done" in report.run() and report.states()["first"].reasons == []


def test_one_stage_brings_its_inputs_and_leaves_the_rest(report):
    report.add("third", "run.metric('d', 1)")
    printed = report.run(stages=["second"])
    assert "first: done" in printed and "third" not in printed.replace("date: third", "")
    assert "report not rendered, out of date: third" in printed
    assert report.result is None and not report.rendered
    report.run(stages=["third"])
    assert report.result is not None


def test_force_runs_the_chosen_stages_although_nothing_changed(report):
    report.run()
    printed = report.run(force=True, stages=["second"])
    assert "second: runs, asked for with --force" in printed and "first: unchanged" in printed


def test_a_parameter_reaches_the_notebook_for_one_run(report):
    report.add("first", "run.metric('a.b', k)", defines="k = 1\n", parameters={"k": 2})
    report.run(changes=["first.k=7"])
    assert report.json("metrics.json")["metrics"]["first.a.b"]["value"] == 7
    assert "first: runs, parameter k changed 7 → 2" in report.run()


def test_stages_that_do_not_wait_for_each_other_run_side_by_side(report):
    meet = """
    import time
    here = run.checkpoints.parent
    (here / f"{run.name} is here").touch()
    end = time.monotonic() + 30
    while not all((here / f"{name} is here").exists() for name in ("left", "right")):
        assert time.monotonic() < end, "the other stage did not come"
        time.sleep(0.02)
    """
    for name in ("left", "right"):
        report.add(name, textwrap.dedent(meet))
    report.run(jobs=2)


def test_estimates_come_from_past_times(report):
    assert report.states()["first"].estimate == pytest.approx(6)
    report.run(stages=["first"])
    record = report.build / "stages/first/stage.json"
    content = json.loads(record.read_text("utf-8"))
    assert content["made"]["commit"] and len(content["made"]["key"]) == 16
    content["made"]["seconds"] = 12.5
    record.write_text(json.dumps(content), encoding="utf-8")
    states = report.states()
    assert states["first"].estimate == 12.5 and states["second"].estimate == pytest.approx(6)


def test_the_status_tells_what_would_run(report):
    report.run(stages=["first"])
    stream = io.StringIO()
    plan, states = run.status(report.root, "smoke")
    Terminal(Console(file=stream, width=200)).status(plan, states)
    assert "no results yet" in stream.getvalue() and "unchanged since" in stream.getvalue()
    assert "A run would take about" in stream.getvalue()
    assert not (report.build / "stages/second").exists()


# --- the data -----------------------------------------------------------------------------------


def test_demo_data_in_place_of_cifake_are_announced_at_both_ends(report):
    report.content["data"] = "auto"
    report.save()
    report.identity = identity(is_demo=True, notices=("No network.",))
    report.add("first", "run.metric('a.b', 1)\nrun.metric('data', data)")
    printed = report.run()
    assert printed.count("THIS RUN DOES NOT USE CIFAKE") == 2 and "No network." in printed
    # Notebooks load the demo set outright rather than each try the download again.
    assert report.json("metrics.json")["metrics"]["first.data"]["value"] == "demo"


def test_demo_data_that_were_asked_for_are_no_alarm(report):
    report.identity = identity(is_demo=True, notices=("Embedded.",))
    printed = report.run(data="demo")
    assert "DOES NOT USE" not in printed and "data: Embedded." in printed


# --- failures -----------------------------------------------------------------------------------


def test_a_failed_stage_keeps_its_notebook_and_the_next_run_starts_there(report):
    report.add("second", "1 / 0", inputs=["first"])
    with pytest.raises(run.StageFailed, match="second, cell 4: ZeroDivisionError") as caught:
        report.run()
    assert caught.value.exit_code == 1
    failed = report.build / "failed/second.ipynb"
    assert failed.is_file() and str(failed) in report.printed
    assert leftovers(report) == []
    assert not (report.build / "stages/second").exists()
    assert report.states()["second"].reasons == ["failed last time"]
    report.add("second", "run.metric('c', 1)", inputs=["first"])
    printed = report.run()
    assert "first: unchanged" in printed and "second: done" in printed
    assert not failed.exists() and not report.states()["second"].stage.failure


def test_a_failure_stops_only_what_reads_it_and_the_report_is_rendered_without(report):
    report.add("third", "run.input('second')", inputs=["second"])
    report.add("other", "run.metric('x', 1)")
    report.run()
    report.add("first", "1 / 0")
    report.add("other", "run.metric('x', 2)")
    with pytest.raises(run.StageFailed, match="first, cell 4"):
        report.run()
    assert "[2/4] second: not run, it reads first" in report.printed
    assert "[3/4] third: not run, it reads second" in report.printed
    assert "other: done" in report.printed
    assert report.rendered[-1]["metrics"] == {"other.x": {"value": 2}}  # nothing of older code
    assert f"report: {report.build / 'report.html'}" in report.printed
    assert "NOT COMPLETE: first failed" in report.printed
    states = report.states()
    assert states["first"].stage.failure["error"].startswith("ZeroDivisionError")
    assert states["third"].stage.failure["waits_for"] == ["second"]
    with pytest.raises(run.StageFailed):
        report.run()  # and again, from there
    assert "other: unchanged" in report.printed


def test_a_mistake_taken_back_finds_the_earlier_results(report):
    report.run()
    report.add("first", "1 / 0")
    with pytest.raises(run.StageFailed):
        report.run()
    assert report.json("stages/first/metrics.json")["a.b"]["value"] == 3
    report.add("first", "run.metric('a.b', 3, n=4)")
    printed = report.run()
    assert "first: unchanged" in printed and "second: unchanged" in printed
    assert report.rendered[-1]["metrics"] == report.rendered[0]["metrics"]
    assert not list((report.build / "failed").iterdir())


def test_a_mistake_taken_back_is_forgotten_although_another_stage_is_asked_for(report):
    report.add("other", "run.metric('x', 1)")
    report.run()
    report.add("first", "1 / 0")
    with pytest.raises(run.StageFailed):
        report.run()
    report.add("first", "run.metric('a.b', 3, n=4)")
    report.run(stages=["other"])
    assert report.rendered[-1]["metrics"] == report.rendered[0]["metrics"]


def test_a_report_of_failures_alone_is_rendered_too(report):
    report.add("first", "1 / 0")
    with pytest.raises(run.StageFailed):
        report.run()
    assert report.rendered[-1]["metrics"] == {} and report.rendered[-1]["provenance"]["python"]


def test_a_cell_that_cannot_be_shown_is_told_and_the_next_run_tries_again(report):
    report.unshown = [("second", 3, "division by zero")]
    for _ in range(2):
        with pytest.raises(run.StageFailed, match="second, cell 3: cannot be shown: division"):
            report.run()
        assert "report.html" in report.printed and "second, cell 3" in report.printed
    report.unshown = []
    assert "unchanged" in report.run() and len(report.rendered) == 3


def test_a_promise_that_is_not_kept_fails_the_stage_by_name(report):
    report.content["stages"]["first"]["outputs"] = {"metrics": ["a.b", "z"], "figures": ["f"]}
    report.save()
    with pytest.raises(run.StageFailed, match="promised metric 'z'.*promised figure 'f'"):
        report.run()
    assert not (report.build / "stages/first").exists()


def test_a_stage_that_reads_what_is_not_declared_fails_by_name(report):
    report.add("second", "run.input('first')")
    with pytest.raises(run.StageFailed, match=r"'first', which report\.yml does not declare"):
        report.run()


def test_a_process_that_dies_is_told_with_its_log(report):
    report.add("first", "import os\nprint('last words', flush=True)\nos._exit(9)")
    with pytest.raises(run.StageFailed, match="ended with code 9") as caught:
        report.run()
    assert "last words" in (report.build / "logs/first.log").read_text("utf-8")
    assert "first.log" in str(caught.value)


def test_two_runs_in_one_folder_are_refused(report):
    report.build.mkdir(parents=True)
    with filelock.FileLock(report.build / ".lock"):
        with pytest.raises(UserError, match="another run is writing to .*smoke"):
            report.run()
    report.run()


def test_a_failed_rendering_is_tried_again(report, monkeypatch):
    def missing(*_, **__):
        raise UserError("unknown metric first.x")

    with monkeypatch.context() as patched:
        patched.setattr(html, "render", missing)
        with pytest.raises(UserError):
            report.run()
    report.run()
    assert len(report.rendered) == 1


def test_rendering_alone_needs_results(report):
    with pytest.raises(UserError, match="holds no results"):
        run.render(report.root, "smoke", terminal=Terminal(Console(file=io.StringIO())))
    report.run(stages=["first"])
    page = run.render(report.root, "smoke", terminal=Terminal(Console(file=io.StringIO())))
    assert page == report.build / "report.html" and len(report.rendered) == 1


def test_what_a_killed_run_left_half_done_is_removed(report):
    half = report.build / "stages/.first-4711"
    half.mkdir(parents=True)
    (half / "metrics.json").write_text("{", encoding="utf-8")
    report.run()
    assert leftovers(report) == []


# --- progress -----------------------------------------------------------------------------------

SLOW = """
import time
from realfake_lib import progress
progress.report("cnn epoch 1/2", 1, 2, "epochs")
time.sleep(.5)
"""


def test_progress_comes_as_lines_where_there_is_no_terminal(report, monkeypatch):
    monkeypatch.setattr("realfake_lib.report.terminal.PLAIN_EVERY", 0.2)
    report.add("first", SLOW)
    report.add("second", "run.metric('c', 1)", inputs=["first"])
    assert "first: cnn epoch 1/2 1/2 epochs" in report.run()


def test_progress_is_drawn_live_on_a_terminal(report):
    report.add("first", SLOW)
    report.add("second", "run.metric('c', 1)", inputs=["first"])
    printed = report.run(live=True)
    assert "cnn epoch 1/2 1/2 epochs" in printed and "left in all" in printed


def test_durations_are_told_as_people_say_them():
    assert [duration(s) for s in (-1, 59, 95, 1500, 7300)] == [
        "0 s",
        "59 s",
        "1 min 35 s",
        "25 min",
        "2 h 02 min",
    ]


# --- kernels, interruptions, kills --------------------------------------------------------------

RUNNER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
sys.path.insert(0, {here!r})
from pathlib import Path
from tiny_project import identity
from realfake_lib.report import html, run
run.identify = lambda data, allow_download=True: identity()
html.render = lambda stages, *, metrics, out: out.write_text("a page") and []
run.run(Path({root!r}), "smoke")
"""


def start_runner(report):
    code = RUNNER.format(here=str(HERE), root=str(report.root))
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


WAITING = """
import os, time
(run.checkpoints / "pid").write_text(str(os.getpid()))
if not (run.checkpoints / "go on").exists():
    time.sleep(300)
run.metric("a", 1)
"""


@pytest.mark.slow
def test_two_executions_leave_the_same_bytes_and_no_log_lines_in_cells(kernels):
    kernels.add(
        "first",
        "run.metric('a', 1)\nimport os\n_ = os.system('echo from a library in C')",
        "print('one')\nprint('two')",
        "import sys\nsys.executable, os.getcwd()",
    )
    kernels.run()
    folder = kernels.build / "stages/first"
    before = (folder / "notebook.ipynb").read_bytes(), (folder / "metrics.json").read_bytes()
    kernels.run(force=True)
    after = (folder / "notebook.ipynb").read_bytes(), (folder / "metrics.json").read_bytes()
    assert before == after
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    outputs = str([cell.get("outputs") for cell in notebook.cells])
    assert "papermill" not in str(notebook.metadata) and "from a library" not in outputs
    assert notebook.cells[2].id == "injected-parameters"
    assert "from a library in C" in (kernels.build / "logs/first.log").read_text("utf-8")
    outputs = notebook.cells[-1].outputs[0].data["text/plain"]
    assert sys.executable in outputs and str(kernels.root / "notebooks") in outputs


@pytest.mark.slow
def test_a_kernel_takes_nothing_of_the_users_own_python(kernels, tmp_path, monkeypatch):
    startup = tmp_path / "startup.py"
    startup.write_text("print('Welcome back!')")
    foreign = tmp_path / "module" / "pandas.py"
    foreign.parent.mkdir()
    for file in (foreign, kernels.root / "notebooks" / "numpy.py"):
        file.write_text("raise ImportError('of another Python')")
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    monkeypatch.setenv("PYTHONPATH", str(foreign.parent))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    kernels.add(
        "first", "import os, numpy, pandas\nrun.metric('a', len(os.environ['KERAS_BACKEND']))"
    )
    kernels.run()
    assert kernels.json("metrics.json")["metrics"]["first.a"]["value"] == len("tensorflow")
    assert "Welcome" not in (kernels.build / "stages/first/notebook.ipynb").read_text("utf-8")


@pytest.mark.slow
def test_an_error_in_a_kernel_is_told_with_its_cell_and_kept_in_the_notebook(kernels, tmp_path):
    cells = "print(k)", "raise RuntimeError('not so')", "print('never')"
    kernels.add("first", *cells, defines="k = 1\n", begin=False)
    output = tmp_path / "executed.ipynb"
    source = kernels.root / "notebooks" / "first.ipynb"
    assert execute.execute(source, output, {"k": 7}) == {"error": "RuntimeError: not so", "cell": 4}
    notebook = nbformat.read(output, as_version=4)
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    assert [out.output_type for out in outputs] == ["stream", "error"]
    assert outputs[0].text == "7\n" and "papermill" not in str(notebook.metadata)


def test_what_a_process_started_ends_with_it(monkeypatch):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ended = threading.Event()
    family = [psutil.Process(child.pid)]
    me = SimpleNamespace(children=lambda recursive: family)
    stub = SimpleNamespace(Process=lambda process_id: me, NoSuchProcess=psutil.NoSuchProcess)
    monkeypatch.setattr(jupyter, "psutil", stub)
    monkeypatch.setattr(execute.os, "_exit", lambda code: ended.set())
    execute.end_with(parent=-1, every=0.01)  # no longer the parent
    assert ended.wait(10) and child.wait(10) == -signal.SIGKILL


def test_stopping_a_run_ends_its_stages_and_leaves_nothing_half_written(report, monkeypatch):
    report.add("first", "import time\ntime.sleep(60)")
    monkeypatch.setattr(Terminal, "progress", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        report.run()
    commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
    assert not any("plain_execute" in command for command in commands)
    assert leftovers(report) == []
    assert not (report.build / "stages/first").exists()


@pytest.mark.slow
def test_a_kernel_that_dies_fails_its_stage(kernels):
    kernels.add("first", "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(run.StageFailed, match="first: DeadKernelError"):
        kernels.run()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_or_ctrl_c_nothing_goes_on_and_the_next_run_carries_on(kernels, how):
    kernels.add("first", "run.metric('b', 1)")
    kernels.add("second", WAITING, inputs=["first"])
    runner = start_runner(kernels)
    marker = kernels.build / "checkpoints/second/pid"
    wait_for(lambda: marker.is_file() and marker.read_text())
    kernel = int(marker.read_text())
    assert kernel in [p.pid for p in psutil.Process(runner.pid).children(recursive=True)]
    os.kill(runner.pid, how)
    runner.wait(30)
    wait_for(lambda: gone(kernel), 20)
    assert not (kernels.build / "stages/second").exists()
    assert (kernels.build / "stages/first").exists()
    (marker.parent / "go on").touch()
    printed = kernels.run()
    assert "first: unchanged" in printed and "second: done" in printed
    assert leftovers(kernels) == []
    assert json.loads((kernels.build / "metrics.json").read_text())["metrics"]["second.a"]


def test_a_kernel_that_lost_its_port_is_started_again(tmp_path, monkeypatch):
    from realfake_lib.report import execute

    notebook = tmp_path / "a.ipynb"
    notebook.write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    starts = []

    def start(*_, **__):
        starts.append(1)
        if len(starts) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(execute.papermill, "execute_notebook", start)
    job = notebook, tmp_path / "out.ipynb", {}
    assert execute.execute(*job) is None and len(starts) == 3

    def never(*_, **__):
        starts.append(1)
        raise RuntimeError("Kernel died before replying to kernel_info")

    starts.clear()
    monkeypatch.setattr(execute.papermill, "execute_notebook", never)
    assert "Kernel died" in execute.execute(*job)["error"] and len(starts) == 3


# --- a cluster ----------------------------------------------------------------------------------


def test_a_cluster_reaches_the_stages_but_not_their_keys(report, monkeypatch):
    told = []
    connection = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(run.clusters, "connect", lambda at: told.append(at) or connection)
    report.add("first", "import os\nrun.metric('at', os.environ['REALFAKE_CLUSTER'] or 'here')")
    report.add("second", "pass")
    report.run(cluster="tcp://127.0.0.1:8786")
    assert told == ["tcp://127.0.0.1:8786"]
    assert report.json("stages/first/metrics.json")["at"]["value"] == "tcp://127.0.0.1:8786"
    assert "first: unchanged" in report.run()


def test_a_cluster_that_is_none_is_told_before_anything_runs(report):
    with pytest.raises(UserError, match="no address"):
        report.run(cluster="127.0.0.1")
    assert not report.build.exists()


def test_a_stage_whose_data_changed_while_it_ran_fails_and_keeps_nothing(report, monkeypatch):
    asked = iter([identity(), identity(), identity(fingerprint="f2")])
    monkeypatch.setattr(run, "identify", lambda data, allow_download=True: next(asked))
    with pytest.raises(StageFailed, match="the data changed while it ran"):
        report.run()
    assert (report.build / "stages/first/stage.json").is_file()
    assert not (report.build / "stages/second").exists()


def test_a_rendering_speaks_of_the_data_that_the_results_come_from(report):
    report.run()
    report.identity = identity(name="other", fingerprint="f2")
    (report.build / "render.json").unlink()
    run.render(report.root, "smoke", terminal=Terminal(Console(file=io.StringIO())))
    assert report.rendered[-1]["data"]["name"] == "tiny"
    report.run(stages=["first"])
    with pytest.raises(UserError, match="different data: other, tiny"):
        run.render(report.root, "smoke", terminal=Terminal(Console(file=io.StringIO())))


def test_an_edit_that_leaves_the_results_as_they_were_runs_no_other_stage(report):
    report.add("third", "run.metric('d', run.input('second').value('c'))", inputs=["second"])
    report.run()
    report.add("first", "run.metric('a.b', 3, n=4)", "print('other words')")
    printed = report.run()
    assert "first: runs, code of the notebook changed" in printed
    assert "second: unchanged" in printed and "third: unchanged" in printed
    assert not [state for state in report.states().values() if state.reasons]
    report.add("first", "run.metric('a.b', 4, n=4)")
    printed = report.run()
    assert "second: runs, input first ran again" in printed
    assert report.rendered[-1]["metrics"]["third.d"]["value"] == 5
