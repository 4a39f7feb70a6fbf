"""Run the stages whose key changed, keep their results all at once, and render the report."""

import contextlib
import datetime
import errno
import graphlib
import hashlib
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
import psutil

from realfake_lib import cluster as clusters
from realfake_lib import environment, progress, settings
from realfake_lib.errors import StageFailed, UserError
from realfake_lib.report import failures, kernels, keys, provenance
from realfake_lib.report import plan as planning
from realfake_lib.report.processes import end_family
from realfake_lib.report.stage import VARIABLE, write_json
from realfake_lib.report.terminal import Terminal

SCHEMA = 2
EXECUTE = (sys.executable, "-m", "realfake_lib.report.execute")
_POLL = 0.1  # seconds


@dataclass(frozen=True)
class State:
    """What a run would do with a stage.

    Attributes
    ----------
    name : str
    key : realfake_lib.report.keys.StageKey
    reasons : tuple of str
        Why it would run; empty for a stage that is skipped.
    since : str or None
        When the results that it has were made, to the minute, local time.
    estimate : float
        Seconds that a run is expected to take.
    last_seconds : float or None
        Seconds that the last run took.
    """

    name: str
    key: keys.StageKey
    reasons: tuple
    since: str | None
    estimate: float
    last_seconds: float | None


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
        Stages that may run at once.
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
    Path or None
        The report; None where the chosen stages leave others out of date.

    Raises
    ------
    UserError
        For a mistake in the settings, and if another run uses the same folder.
    StageFailed
        For a stage that failed, or a cell that cannot be shown. The stages that do not read it
        have run, and the report is there without it.
    """
    terminal = terminal or Terminal()
    if jobs < 1:
        raise UserError(f"--jobs {jobs}: at least one stage must run at a time")
    plan = planning.load(root, profile, data, seed, changes)
    if cluster := cluster or settings.env(clusters.VARIABLE):
        clusters.connect(cluster).close()  # a mistake is told before anything runs
    chosen = plan.needed_for(stages)
    tempfile.gettempdir()  # kernels need one; where there is none, that is told at once
    with _locked(plan.build):
        _sweep(plan.build)
        identity = identify(plan.data)
        terminal.data(identity, plan.data)
        if identity.is_demo:  # or every notebook would try in vain to get the real data
            for stage in plan.stages.values():
                stage.parameters["data"] = "demo"
        states = _states(plan, identity)
        if force:
            again = stages or chosen
            states = {
                name: state
                if state.reasons or name not in again
                else _replaced(state, reasons=("asked for with --force",))
                for name, state in states.items()
            }
        for name, state in states.items():
            if not state.reasons:
                failures.clear(plan.build, name)
        if any(states[name].reasons for name in chosen):
            _check_data(plan, chosen, identity)
        try:
            asked = [states[name] for name in chosen]
            failed = _run_stages(plan, identity, asked, jobs, terminal, cluster)
        finally:
            terminal.close()
        left_out = [n for n, state in states.items() if state.reasons and n not in chosen]
        if left_out:
            terminal.say(f"report not rendered, out of date: {', '.join(left_out)}", "yellow")
            report = None
        else:
            report, unshown = _render(plan, terminal)
            failed += unshown
        if identity.is_demo and plan.data != "demo":
            terminal.data(identity, plan.data)
        if report:
            terminal.say(f"report: {report}", "bold")
        if failed:
            terminal.incomplete([failure.stage for failure in failed])
            raise failed[0]
        return report


def status(root=None, profile="standard", data=None, seed=0, changes=()):
    """What a run would do, without doing it.

    Returns
    -------
    (Plan, list of State)
    """
    plan = planning.load(root, profile, data, seed, changes)
    identity = identify(plan.data, allow_download=False)
    return plan, list(_states(plan, identity).values())


def render(root=None, profile="standard", terminal=None):
    """Render the report from the results that there are, whether up to date or not.

    Returns
    -------
    Path of the HTML file

    Raises
    ------
    UserError
        If there are no results, or results from more than one data set.
    StageFailed
        If a cell cannot be shown; the rest of the page is there.
    """
    terminal = terminal or Terminal()
    plan = planning.load(root, profile)
    with _locked(plan.build):
        report, unshown = _render(plan, terminal)
        terminal.say(f"report: {report}", "bold")
        if unshown:
            raise unshown[0]
        return report


def identify(data, allow_download=True):
    """Name and fingerprint of the data: :class:`realfake_lib.data.DataIdentity`."""
    from realfake_lib.data import fingerprint_of

    return fingerprint_of(data, allow_download=allow_download)


LEAST = {"train": 12, "val": 1, "test": 3}
"""Different images of each class that every chapter can work with."""


def _check_data(plan, chosen, identity):
    """Decode the data as the stages will read them; UserError where these could not work with them.

    What is decoded here is what the first stage would decode.
    """
    from realfake_lib import data

    given = (plan.stages[name].parameters for name in chosen)
    for size in {values["image_size"] for values in given if "image_size" in values}:
        dataset = data.load(identity.resolved, image_size=size)
        data.check_enough(
            dataset,
            data.make_splits(dataset),
            LEAST,
            "the report needs at least 20 different ones of each class, of which a test folder, "
            "where there is one, holds 4",
        )


# --- what would run -----------------------------------------------------------------------------


def _states(plan, identity):
    records = {name: _record(plan.folder(name)) for name in plan.stages}
    timings = _timings(plan.build)
    # How much slower than estimated this machine was so far, for stages that never ran on it.
    timed = [stage for stage in plan.stages.values() if stage.name in timings]
    expected = sum(stage.minutes * 60 for stage in timed)
    pace = sum(timings[stage.name] for stage in timed) / expected if expected else 1.0
    states = {}
    for name, key in keys.stage_keys(plan, identity.fingerprint).items():
        record = records[name]
        states[name] = State(
            name=name,
            key=key,
            reasons=tuple(_reasons(plan, plan.stages[name], key, record)),
            since=record and record["finished"][:16].replace("T", " "),
            estimate=timings.get(name, plan.stages[name].minutes * 60 * pace),
            last_seconds=timings.get(name),
        )
    return states


def _reasons(plan, stage, key, record):
    if record is None:
        failed = failures.of(plan.build, stage.name)
        return ["failed last time" if failed else "no results yet"]
    if record["key"] != key.key:
        return keys.reasons(record["parts"], key.parts) or ["its key changed"]
    folder = plan.folder(stage.name)
    return _unkept(stage, folder) or _changed(folder, record.get("files", {}))


def _record(folder):
    """``stage.json`` of a finished stage, or None for none that this version can use."""
    record = _read_json(folder / "stage.json")
    if record and record.get("schema") == SCHEMA and (folder / "notebook.ipynb").is_file():
        return record
    return None


def _unkept(stage, folder):
    """Promises of a stage that its results do not keep, in words."""
    metrics = _read_json(folder / "metrics.json") or {}
    suffixes = {"figures": "png", "tables": "csv", "models": "keras", "arrays": "npz"}
    missing = []
    for kind, names in stage.outputs.items():
        for name in names:
            there = (
                name in metrics
                if kind == "metrics"
                else (folder / kind / f"{name}.{suffixes[kind]}").is_file()
            )
            if not there:
                missing.append(f"the promised {kind.removesuffix('s')} {name!r} is missing")
    return missing


def _files(folder):
    """Hash of every file of a stage's results, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _file_hash(path) for path in paths}


def _file_hash(path):
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _changed(folder, files):
    """Results that are not what the stage left, in words: damaged, emptied, or gone."""
    found = []
    for name, digest in files.items():
        try:
            if _file_hash(folder / name) != digest:
                found.append(f"the result {name} was changed or damaged")
        except OSError:
            found.append(f"the result {name} cannot be read")
    return found


def _replaced(state, **changes):
    return State(**{**vars(state), **changes})


# --- running ------------------------------------------------------------------------------------


def _run_stages(plan, identity, states, jobs, terminal, cluster):
    """Run those of the stages that have a reason, each after its inputs.

    Returns
    -------
    list of StageFailed
        A stage that reads one of these did not run.
    """
    todo = {state.name: state for state in states if state.reasons}
    places = {state.name: f"[{k}/{len(states)}]" for k, state in enumerate(states, start=1)}
    for state in states:
        if not state.reasons:
            terminal.skipped(state, places[state.name])
    sorter = graphlib.TopologicalSorter(
        {name: [i for i in plan.stages[name].inputs if i in todo] for name in todo}
    )
    sorter.prepare()
    ready, running, failed = [], {}, []
    same = set()  # stages that ran again and left the results that they had
    if todo:
        kernels.prepare(plan.build / "jupyter")
    try:
        while sorter.is_active():
            ready = sorted([*ready, *sorter.get_ready()], key=list(todo).index)
            while ready and len(running) < jobs:
                state = todo[ready.pop(0)]
                if _reads_the_same(plan, state, same):
                    same.add(state.name)
                    terminal.skipped(todo.pop(state.name), places[state.name])
                    sorter.done(state.name)
                    ready += sorter.get_ready()
                    continue
                left = sum(one.estimate for one in todo.values()) / jobs
                terminal.started(state, places[state.name], left)
                running[state.name] = _Job(plan, identity, state, cluster)
            if not running:
                break
            time.sleep(_POLL)
            for name, job in list(running.items()):
                # What remains: this stage and those not begun, on as many processes as allowed.
                waiting = sum(todo[n].estimate for n in todo if n not in running)
                begun = sum(max(0.0, j.state.estimate - j.seconds) for j in running.values())
                late = any(j.seconds > j.state.estimate for j in running.values())
                terminal.progress(name, job.newest_line(), (waiting + begun) / jobs, late)
                if job.process.poll() is None:
                    continue
                del running[name]
                before = _results(plan.folder(name))
                try:
                    seconds = job.keep()
                except StageFailed as failure:
                    failed.append(failure)
                    todo.pop(name)
                    terminal.failed(failure)  # those that do not read it go on
                else:
                    terminal.finished(todo.pop(name), places[name], seconds)
                    sorter.done(name)
                    if before == _results(plan.folder(name)):
                        same.add(name)
    finally:
        for job in running.values():
            job.kill()
    lost = {failure.stage for failure in failed}
    for name in todo:  # in the order of the plan: what waits for a stage comes after it
        if missing := [one for one in plan.stages[name].inputs if one in lost]:
            lost.add(name)
            failures.keep_waiting(plan.build, name, missing)
            terminal.waits(places[name], name, missing)
    return failed


def _results(folder):
    """Hash of each result that another stage can read; a notebook's text is not one."""
    read = ("metrics.json", "claims.json", "tables/", "models/", "arrays/")
    return {name: digest for name, digest in _files(folder).items() if name.startswith(read)}


def _reads_the_same(plan, state, same):
    """Whether a stage would run only because inputs ran again, which left the results they had.

    Then its own results stand, and are recorded under the new key.
    """
    record = _record(plan.folder(state.name))
    old, new = (record or {}).get("parts"), state.key.parts
    if record is None or list(state.reasons) != keys.reasons(old, new):
        return False
    if {**old, "inputs": {}} != {**new, "inputs": {}} or old["inputs"].keys() != new[
        "inputs"
    ].keys():
        return False
    if not {name for name, key in new["inputs"].items() if old["inputs"][name] != key} <= same:
        return False
    if _changed(plan.folder(state.name), record["files"]):
        return False
    write_json(
        plan.folder(state.name) / "stage.json", record | {"key": state.key.key, "parts": new}
    )
    return True


class _Job:
    """One stage running in a process of its own, its results in a temporary folder."""

    def __init__(self, plan, identity, state, cluster):
        self.plan, self.identity, self.state = plan, identity, state
        self.stage = plan.stages[state.name]
        self.started = time.monotonic()
        build, name = plan.build, state.name
        self.folder = build / "stages" / f".{name}-{os.getpid()}"
        self.work = build / "work" / name
        self.log = build / "logs" / f"{name}.log"
        for folder in (self.folder, self.work, self.log.parent, build / "checkpoints" / name):
            folder.mkdir(parents=True, exist_ok=True)
        self.result = self.work / "result.json"
        self.lines = self.work / "progress.jsonl"
        for file in (self.result, self.lines):
            file.unlink(missing_ok=True)
        shown = plan.folder(name).relative_to(plan.root).as_posix()
        job = {
            "parent": os.getpid(),
            "notebook": str(self.stage.notebook),
            "output": str(self.folder / "notebook.ipynb"),
            "parameters": {**self.stage.parameters, "output_dir": shown},
            "result": str(self.result),
        }
        write_json(self.work / "job.json", job)
        told = {
            "stage": name,
            "folder": str(self.folder),
            "shown": shown,
            "checkpoints": str(build / "checkpoints" / name),
            "inputs": {i: str(plan.folder(i)) for i in self.stage.inputs},
        }
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*EXECUTE, self.work / "job.json"],
                cwd=plan.root,
                env=_environment(plan, told, self.lines, cluster),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the runner, which then ends the stage
            )

    @property
    def seconds(self):
        return time.monotonic() - self.started

    def newest_line(self):
        """The newest line of the stage's progress, or None."""
        if not self.lines.is_file():
            return None
        with self.lines.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4096))
            lines = stream.read().decode("utf-8", "replace").splitlines()
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                return json.loads(line)
        return None

    def keep(self):
        """Move the results of the finished process to their place; its seconds."""
        seconds = self.seconds
        if not self.result.is_file():
            self._fail(f"its process ended with code {self.process.returncode}")
        failure = _read_json(self.result)
        if failure:
            self._fail(failure["error"], failure["cell"])
        missing = _unkept(self.stage, self.folder)
        if missing:
            self._fail("; ".join(missing))
        self._check_data()
        write_json(
            self.folder / "stage.json",
            {
                "schema": SCHEMA,
                "stage": self.state.name,
                "key": self.state.key.key,
                "parts": self.state.key.parts,
                "data": _facts(self.identity),
                "seconds": round(seconds, 1),
                "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
                "git": provenance.git_state(self.plan.root),
                "environment": provenance.environment(self.plan.root),
                "files": _files(self.folder),
            },
        )
        _replace_folder(self.folder, self.plan.folder(self.state.name))
        failures.clear(self.plan.build, self.state.name)
        timings = _timings(self.plan.build)
        timings[self.state.name] = round(seconds, 1)
        write_json(self.plan.build / "timings.json", timings)
        return seconds

    def _check_data(self):
        """Fail if the data are no longer those of the stage's key: it may have read others."""
        try:
            now = identify(self.identity.resolved, allow_download=False)
        except UserError as error:
            self._fail(f"the data changed while it ran: {error.message}")
        if now.fingerprint != self.identity.fingerprint:
            self._fail("the data changed while it ran")

    def kill(self):
        """End the process, its kernel and their children; leave no results."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            end_family(process)
            process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fail(self, error, cell=None):
        """Keep the notebook with its error, and raise."""
        build, name = self.plan.build, self.state.name
        failures.keep(build, name, error, cell, self.folder)
        notebook = failures.notebook(build, name)
        shutil.rmtree(self.folder, ignore_errors=True)
        raise StageFailed(name, error, cell, notebook if notebook.is_file() else None, self.log)


def _environment(plan, told, lines, cluster):
    """Environment of a stage's process and kernel."""
    build = plan.build
    own = {
        VARIABLE: json.dumps(told),
        progress.VARIABLE: str(lines),
        clusters.VARIABLE: cluster or "",
        **kernels.environment(build / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(build / "jupyter" / "runtime"),
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",  # of the log, whatever the terminal can show
        "MPLBACKEND": "Agg",  # figures are shown by run.figure alone
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return environment.for_child(plan.root, **own)


# --- the output folder --------------------------------------------------------------------------


@contextlib.contextmanager
def _locked(build):
    build.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(build / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(
            f"another run is writing to {build}",
            "Wait until it has finished, or use another profile: each has a folder of its own.",
        ) from None
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space is left for {build}", "Free some and run the same command again."
            ) from error
        raise
    finally:
        lock.release()


def _sweep(build):
    """Remove what a killed run left half done."""
    for left in (build / "stages").glob(".*"):
        shutil.rmtree(left, ignore_errors=True)


def _replace_folder(new, final):
    """Put a complete folder in the place of an older one."""
    old = final.with_name(f".{final.name}-old")
    if final.exists():  # os.replace refuses a folder that is not empty
        os.replace(final, old)
    os.replace(new, final)
    shutil.rmtree(old, ignore_errors=True)


def _timings(build):
    """Seconds that each stage took the last time, as far as that was kept."""
    kept = _read_json(build / "timings.json")
    if not isinstance(kept, dict):
        return {}
    return {name: seconds for name, seconds in kept.items() if type(seconds) in (int, float)}


def _read_json(path):
    """Content of a JSON file, or None where there is none or it is damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


# --- the report ---------------------------------------------------------------------------------


def merged_metrics(plan):
    """Content of the report's ``metrics.json`` from the finished stages.

    Raises
    ------
    UserError
        If no stage has run, or the stages ran on different data.
    """
    # A stage that failed now may have older results, which came from other code or data.
    failed = {name for name in plan.stages if failures.stands(plan.build, name)}
    records = {name: _record(plan.folder(name)) for name in plan.stages if name not in failed}
    records = {name: record for name, record in records.items() if record}
    if not records and not failed:
        raise UserError(
            f"{plan.build} holds no results of any stage",
            "Run make report, or realfake report run.",
        )
    data = list(
        {record["data"]["fingerprint"]: record["data"] for record in records.values()}.values()
    )
    if len(data) > 1:
        raise UserError(
            f"{plan.build} holds results from different data: "
            f"{', '.join(facts['name'] for facts in data)}",
            "Run make report with the data of your choice.",
        )
    kept = {"metrics": {}, "claims": {}}
    for name in records:
        for kind, found in kept.items():
            made = _read_json(plan.folder(name) / f"{kind}.json") or {}
            found |= {f"{name}.{key}": entry for key, entry in made.items()}
    return {
        "schema": SCHEMA,
        "profile": plan.profile,
        "data": data[0] if data else {},
        **kept,
        "provenance": provenance.collect(plan, records),
    }


def _facts(identity):
    """What a report says of its data."""
    return {
        "name": identity.name,
        "n": identity.n,
        "fingerprint": identity.fingerprint,
        "source": _without_folders(identity.source),
        "is_demo": identity.is_demo,
        "notices": list(identity.notices),
    }


def _without_folders(source):
    """A report is for others to read: it names a file, not where its maker keeps it."""
    return source if "://" in source else Path(source).name


def _render(plan, terminal):
    """Write ``metrics.json`` and ``report.html`` where anything in them changed.

    Returns
    -------
    (Path, list of StageFailed)
        The page, and what could not be shown in it.
    """
    metrics = merged_metrics(plan)
    out, mark = plan.build / "report.html", plan.build / "render.json"
    key = _render_key(plan, metrics)
    if out.is_file() and _read_json(mark) == {"key": key}:
        terminal.say("report: unchanged", "dim")
        return out, []
    from realfake_lib.report import html

    mark.unlink(missing_ok=True)
    write_json(plan.build / "metrics.json", metrics)
    problems = html.render(plan.build, plan=list(plan.stages.values()), metrics=metrics, out=out)
    unshown = [StageFailed(stage, f"cannot be shown: {text}", c) for stage, c, text in problems]
    for failure in unshown:
        terminal.failed(failure)
    if not unshown:
        write_json(mark, {"key": key})
    return out, unshown


def _render_key(plan, metrics):
    """Hash of all that the page shows and of the code that makes it."""
    digest = hashlib.sha256(json.dumps(metrics).encode())
    digest.update(json.dumps([stage.title for stage in plan.stages.values()]).encode())
    files = [stage.notebook for stage in plan.stages.values()]
    files += [plan.folder(name) / file for name in plan.stages for file in _RENDERED]
    files += sorted((plan.build / "failed").glob("*.[ij]*"))  # notebooks and records
    own = Path(__file__).parent.rglob("*")
    files += sorted(path for path in own if path.suffix != ".pyc")
    for path in files:
        digest.update(path.read_bytes() if path.is_file() else b"none")
    return digest.hexdigest()


_RENDERED = ("notebook.ipynb", "notes.json")
