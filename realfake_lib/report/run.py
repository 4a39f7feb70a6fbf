"""Run the stages whose key changed, keep their results all at once, and render the report."""

import contextlib
import datetime
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import filelock

from realfake_lib import cluster as clusters
from realfake_lib import data as datasets
from realfake_lib import environment, progress, settings
from realfake_lib.errors import StageFailed, UserError
from realfake_lib.report import kernels, keys, provenance
from realfake_lib.report import plan as planning
from realfake_lib.report.plan import STAGE_SCHEMA
from realfake_lib.report.stage import VARIABLE, read_json, write_json
from realfake_lib.report.terminal import Terminal, duration

SCHEMA = 2  # of metrics.json
READ = ("metrics.json", "claims.json", "models/", "arrays/")  # results that other stages read
EXECUTE = (sys.executable, "-m", "realfake_lib.report.execute")

_POLL = 0.1  # seconds


@dataclass
class State:
    """What a run would do with a stage, and why."""

    stage: planning.Stage
    parts: dict  # what its key is made of, see keys
    record: dict | None  # stage.json of the results that it has
    reasons: list  # why it would run, in words; empty for a stage that is skipped
    estimate: float  # seconds, those of the last run, else as report.yml says
    since: str  # when its results were made, to the minute, local time


def run(
    root=None,
    profile="standard",
    data=None,
    seed=0,
    jobs=1,
    stages=(),
    force=False,
    changes=(),
    terminal=None,
    cluster=None,
):
    """Bring the stages up to date and render the report.

    Parameters
    ----------
    root, profile, data, seed, changes
        As in :func:`realfake_lib.report.plan.load`.
    jobs : int
        Stages that may run at once, at least 1.
    stages : iterable of str
        Only these and what they read; by default all.
    force : bool
        Run the chosen stages also where nothing changed.
    terminal : Terminal, optional
    cluster : str, optional
        Address of a Dask scheduler for the stages that can use one; by default that in
        ``REALFAKE_CLUSTER``. It is in no stage's key, since results do not depend on it.

    Returns
    -------
    Path of the page, or None where the chosen stages leave others out of date

    Raises
    ------
    UserError
        For a mistake in the settings, and if another run uses the same folder.
    StageFailed
        For a stage that failed, or a cell that cannot be shown; the report is there without it.
    """
    terminal = terminal or Terminal()
    plan = planning.load(root, profile, data, seed, changes)
    if cluster := cluster or settings.env(clusters.VARIABLE):
        clusters.connect(cluster).close()  # a mistake is told before anything runs
    chosen = plan.needed_for(stages)
    tempfile.gettempdir()  # kernels need one; where there is none, that is told at once
    with _locked(plan.build):
        for left in (plan.build / "stages").glob(".*"):  # by a run that was killed
            shutil.rmtree(left, ignore_errors=True)
        identity = identify(plan.data)
        terminal.data(identity, plan.data)
        if identity.is_demo:  # or every notebook would try in vain to get the real data
            for stage in plan.stages.values():
                stage.parameters["data"] = "demo"
        states = _states(plan, identity)
        for state in states.values():
            if not state.reasons:  # whatever failed since was taken back
                state.stage.forget_failure()
        forced = set(stages or chosen) if force else set()
        if forced or any(states[name].reasons for name in chosen):
            _check_data(plan, chosen, identity)
        chosen_states = [states[name] for name in chosen]
        failed = _run_stages(plan, identity, chosen_states, forced, jobs, terminal, cluster)
        if identity.is_demo and plan.data != "demo":
            terminal.data(identity, plan.data)  # again, beside the result
        left_out = [n for n, state in states.items() if state.reasons and n not in chosen]
        if left_out:
            terminal.say(f"report not rendered, out of date: {', '.join(left_out)}", "yellow")
        else:
            failed += _render(plan, terminal)
        if failed:
            names = ", ".join(dict.fromkeys(failure.stage for failure in failed))
            how = "see above. The same command carries on from here."
            terminal.say(f"NOT COMPLETE: {names} failed, {how}", "bold red")
            raise failed[0]
        return None if left_out else plan.page


def status(root=None, profile="standard", data=None, seed=0, changes=()):
    """What a run would do, without doing it: Plan and list of State."""
    plan = planning.load(root, profile, data, seed, changes)
    identity = identify(plan.data, allow_download=False)
    return plan, list(_states(plan, identity).values())


def render(root=None, profile="standard", terminal=None):
    """Render the report from the results that there are, whether up to date or not; its path.

    Raises UserError for no results, or those of two data sets, StageFailed for what can't be shown.
    """
    plan = planning.load(root, profile)
    with _locked(plan.build):
        for failure in _render(plan, terminal or Terminal()):
            raise failure
    return plan.page


def identify(data, allow_download=True):
    """Name and fingerprint of the data: :class:`realfake_lib.data.DataIdentity`."""
    return datasets.fingerprint_of(data, allow_download=allow_download)


def _check_data(plan, chosen, identity):
    """Decode the data as the first stage would; UserError where the stages can't work with them."""
    given = (plan.stages[name].parameters for name in chosen)
    for size in {values["image_size"] for values in given if "image_size" in values}:
        dataset = datasets.load(identity.resolved, image_size=size)
        asked = "the report needs at least 20 different ones of each class, 4 of them for testing"
        enough = {"train": 12, "val": 1, "test": 3}  # images that every chapter can work with
        datasets.check_enough(dataset, datasets.make_splits(dataset), enough, asked)


# --- what would run -----------------------------------------------------------------------------


def _states(plan, identity):
    """State of every stage by name; of one that reads others, as if their results changed."""
    states = {}
    for name, stage in plan.stages.items():
        state = states[name] = _state(plan, stage, identity)
        again = [f"input {one} ran again" for one in stage.inputs if states[one].reasons]
        if state.record:
            state.reasons = list(dict.fromkeys(state.reasons + again))
    return states


def _state(plan, stage, identity):
    """The state of a stage that reads the results which there are by now."""
    read = {one: plan.stages[one].record or {} for one in stage.inputs}
    inputs = {one: record.get("results", "none") for one, record in read.items()}
    parts = keys.parts(plan.root, stage, identity.fingerprint, inputs)
    record = stage.record
    if record is None:
        reasons = ["failed last time" if stage.failure.get("error") else "no results yet"]
    else:
        now = _files(stage.folder)
        changed = [name for name, digest in record["files"].items() if now.get(name) != digest]
        reasons = (
            keys.reasons(record["parts"], parts)
            or unkept(stage, stage.folder)
            or [f"the result {name} is gone or was changed" for name in changed]
        )
    since = record and record["made"]["finished"][:16].replace("T", " ")
    estimate = record["made"]["seconds"] if record else stage.minutes * 60
    return State(stage, parts, record, reasons, estimate, since)


def unkept(stage, folder):
    """Promises of a stage that its results do not keep, in words."""
    metrics = read_json(folder / "metrics.json") or {}
    return [
        f"the promised {kind.removesuffix('s')} {name!r} is missing"
        for kind, names in stage.outputs.items()
        for name in names
        if not (name in metrics if kind == "metrics" else any(folder.glob(f"{kind}/{name}.*")))
    ]


def _files(folder):
    """Hash of every file of a stage's results, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): keys.file_hash(path) for path in paths}


# --- running ------------------------------------------------------------------------------------


def _run_stages(plan, identity, states, forced, jobs, terminal, cluster):
    """Run what has a reason or is forced, each after its inputs; list of StageFailed."""
    places = {s.stage.name: f"[{k}/{len(states)}] {s.stage.name}" for k, s in enumerate(states, 1)}
    todo, running, failed, lost = {}, {}, [], set()

    def skip(state):
        state.stage.forget_failure()
        place = places[state.stage.name]
        terminal.say(f"{place}: unchanged since {state.since}: skipped", "dim")

    def left():
        """Seconds until the end."""
        now = time.monotonic()
        begun = {name: now - job.started for name, job in running.items()}
        seconds = (max(0, todo[name].estimate - begun.get(name, 0)) for name in todo)
        return duration(sum(seconds) / jobs)

    for state in states:
        if state.reasons or state.stage.name in forced:
            todo[state.stage.name] = state
        else:
            skip(state)
    try:
        while todo:
            for name in [name for name in todo if name not in running]:
                stage = plan.stages[name]
                if missing := [one for one in stage.inputs if one in lost]:
                    del todo[name]
                    lost.add(name)
                    stage.fail(waits_for=missing)
                    terminal.say(f"{places[name]}: not run, it reads {', '.join(missing)}", "red")
                elif len(running) < jobs and not todo.keys() & {*stage.inputs}:
                    state = todo[name] = _state(plan, stage, identity)
                    if not state.reasons and name not in forced:  # inputs ran to the same results
                        skip(todo.pop(name))
                        continue
                    why = "; ".join(state.reasons) or "asked for with --force"
                    times = f"(about {duration(state.estimate)}; {left()} in all)"
                    terminal.say(f"{places[name]}: runs, {why} {times}")
                    running[name] = _Job(plan, identity, state, cluster)
            if running:
                lines = {name: job.newest_line() for name, job in running.items()}
                terminal.progress(lines, left())
                time.sleep(_POLL)
            for name in [name for name, job in running.items() if job.process.poll() is not None]:
                job = running.pop(name)
                del todo[name]
                try:
                    terminal.say(f"{places[name]}: done in {duration(job.keep())}", "green")
                except StageFailed as failure:  # those that do not read it go on
                    failed.append(failure)
                    lost.add(name)
                    terminal.say(str(failure), "bold red")
    finally:
        for job in running.values():
            job.kill()
        terminal.close()
    return failed


class _Job:
    """One stage running in a process of its own, its results in a temporary folder."""

    def __init__(self, plan, identity, state, cluster):
        self.plan, self.identity, self.state, self.stage = plan, identity, state, state.stage
        self.started = time.monotonic()
        build, name = plan.build, self.stage.name
        self.folder = build / "stages" / f".{name}-{os.getpid()}"
        self.log, self.lines, self.result = (
            build / "logs" / f"{name}.{suffix}" for suffix in ("log", "progress.jsonl", "json")
        )
        checkpoints = build / "checkpoints" / name
        for folder in (self.folder, self.log.parent, checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        for file in (self.result, self.lines):
            file.unlink(missing_ok=True)
        shown = self.stage.folder.relative_to(plan.root).as_posix()
        told = {
            "parent": os.getpid(),
            "stage": name,
            "notebook": str(self.stage.notebook),
            "parameters": self.stage.parameters | {"output_dir": shown},
            "inputs": {one: str(plan.stages[one].folder) for one in self.stage.inputs},
            "folder": str(self.folder),
            "checkpoints": str(checkpoints),
            "result": str(self.result),
        }
        own = {
            VARIABLE: json.dumps(told),
            progress.VARIABLE: str(self.lines),
            clusters.VARIABLE: cluster or "",
            **kernels.prepare(build / "jupyter"),
            "PYTHONHASHSEED": "0",
            "PYTHONIOENCODING": "utf-8",  # of the log, whatever the terminal can show
            "MPLBACKEND": "Agg",  # figures are shown by run.figure alone
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                EXECUTE,
                cwd=plan.root,
                env=environment.for_child(plan.root, **own),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the runner, which then ends the stage
            )

    def newest_line(self):
        """The newest line of the stage's progress, or None."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return json.loads(self.lines.read_bytes().rsplit(b"\n", 2)[-2])

    def keep(self):
        """Move the results of the finished process to their place; its seconds."""
        seconds, failure = round(time.monotonic() - self.started, 1), read_json(self.result)
        if failure or not self.result.is_file():
            failure = failure or {"error": f"its process ended with code {self.process.returncode}"}
            self._fail(**failure)
        if missing := unkept(self.stage, self.folder):
            self._fail("; ".join(missing))
        data = dict(vars(self.identity))
        try:
            now = identify(data.pop("resolved"), allow_download=False).fingerprint
        except UserError:
            now = None
        if now != data["fingerprint"]:  # it may have read others than its key says
            self._fail("the data changed while it ran")
        if "://" not in data["source"]:  # a report names a file, not where its maker keeps it
            data["source"] = Path(data["source"]).name
        git, files = provenance.git_state(self.plan.root), _files(self.folder)
        read = [name for name in files if name.startswith(READ)]
        made = {
            "seconds": seconds,
            "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "commit": (git["commit"] or "none")[:10],
            "clean": git["clean"],
            "key": keys.key(self.state.parts)[:16],
        }
        record = {
            "schema": STAGE_SCHEMA,
            "stage": self.stage.name,
            "parts": self.state.parts,
            "data": data,
            "made": made,
            "environment": provenance.environment(self.plan.root),
            "files": files,
            "results": keys.key({name: files[name] for name in read}),
        }
        write_json(self.folder / "stage.json", record)
        old = self.folder.with_name(f"{self.folder.name}-old")
        if self.stage.folder.exists():  # os.replace refuses a folder that is not empty
            os.replace(self.stage.folder, old)
        os.replace(self.folder, self.stage.folder)
        shutil.rmtree(old, ignore_errors=True)
        self.stage.forget_failure()
        return seconds

    def kill(self):
        """End the process, its kernel and their children; leave no results."""
        kernels.end_family(self.process.pid)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fail(self, error, cell=None):
        """Keep the notebook with its error, and raise."""
        self.stage.fail(error, cell, executed=self.folder / "notebook.ipynb")
        shutil.rmtree(self.folder, ignore_errors=True)
        notebook = self.stage.failed_notebook
        shown = notebook if notebook.is_file() else None
        raise StageFailed(self.stage.name, error, cell, shown, self.log)


@contextlib.contextmanager
def _locked(build):
    build.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(build / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        how = "Wait until it has finished, or use another profile: each has a folder of its own."
        raise UserError(f"another run is writing to {build}", how) from None


# --- the report ---------------------------------------------------------------------------------


def merged_metrics(plan):
    """Content of the report's ``metrics.json`` from the finished stages, all of the same data."""
    # A stage that failed now may have older results, which came from other code or data.
    failed = [stage for stage in plan.stages.values() if stage.failure]
    there = [stage for stage in plan.stages.values() if stage.record and not stage.failure]
    records = {stage.name: stage.record for stage in there}
    if not records and not failed:
        raise UserError(f"{plan.build} holds no results of any stage", "Run make report.")
    data = {record["data"]["fingerprint"]: record["data"] for record in records.values()}
    if len(data) > 1:
        names = ", ".join(facts["name"] for facts in data.values())
        raise UserError(
            f"{plan.build} holds results from different data: {names}", "Run make report."
        )
    kept = {"metrics": {}, "claims": {}}
    for stage, (kind, found) in itertools.product(there, kept.items()):
        made = read_json(stage.folder / f"{kind}.json") or {}
        found |= {f"{stage.name}.{key}": entry for key, entry in made.items()}
    return {
        "schema": SCHEMA,
        "profile": plan.profile,
        "data": next(iter(data.values()), {}),
        **kept,
        "provenance": provenance.collect(plan, records),
    }


def _render(plan, terminal):
    """Write ``metrics.json`` and the page where anything in them changed; list of StageFailed."""
    metrics, stages = merged_metrics(plan), list(plan.stages.values())
    # All that the page shows, and the code that makes it.
    files = [file for one in stages for file in (one.notebook, one.folder / "notebook.ipynb")]
    files += (plan.build / "failed").glob("*")
    files += [path for path in Path(__file__).parent.rglob("*") if path.suffix != ".pyc"]
    shown = sorted((str(path), keys.file_hash(path)) for path in files if path.is_file())
    key = keys.key([metrics, [stage.title for stage in stages], shown])
    mark = plan.build / "render.json"
    if plan.page.is_file() and read_json(mark) == {"key": key}:
        terminal.say(f"report: unchanged, {plan.page}", "bold")
        return []
    from realfake_lib.report import html

    mark.unlink(missing_ok=True)
    write_json(plan.build / "metrics.json", metrics)
    found = html.render(stages, metrics=metrics, out=plan.page)
    unshown = [StageFailed(name, f"cannot be shown: {text}", cell) for name, cell, text in found]
    for failure in unshown:
        terminal.say(str(failure), "bold red")
    if not unshown:
        write_json(mark, {"key": key})
    terminal.say(f"report: {plan.page}", "bold")
    return unshown
