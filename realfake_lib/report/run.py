"""Run the stages whose key changed, keep their results all at once, and render the report."""

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from realfake_lib import cluster as clusters
from realfake_lib import environment, progress, settings
from realfake_lib.errors import StageFailed, UserError
from realfake_lib.report import failures, kernels, keys, provenance
from realfake_lib.report import plan as planning
from realfake_lib.report.stage import SUFFIXES, VARIABLE, read_json, write_json
from realfake_lib.report.terminal import Terminal, duration

SCHEMA = 2
EXECUTE = (sys.executable, "-m", "realfake_lib.report.execute")

_POLL = 0.1  # seconds


@dataclass(frozen=True)
class State:
    """What a run would do with a stage."""

    name: str
    parts: dict  # what its key is made of, see keys
    reasons: tuple  # why it would run, in words; empty for a stage that is skipped
    record: dict | None  # stage.json of the results that it has
    estimate: float  # seconds, those of the last run, else as report.yml says

    @property
    def since(self):
        """When its results were made, to the minute, local time."""
        return self.record["finished"][:16].replace("T", " ")


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
    Path or None
        The report; None where the chosen stages leave others out of date.

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
        for name, state in states.items():
            if not state.reasons:
                failures.clear(plan.build, name)
        forced = set(stages or chosen) if force else set()
        if forced or any(states[name].reasons for name in chosen):
            _check_data(plan, chosen, identity)
        try:
            asked = [states[name] for name in chosen]
            failed = _run_stages(plan, identity, asked, forced, jobs, terminal, cluster)
        finally:
            terminal.close()
        if identity.is_demo and plan.data != "demo":
            terminal.data(identity, plan.data)  # again, beside the result
        left_out = [n for n, state in states.items() if state.reasons and n not in chosen]
        if left_out:
            terminal.say(f"report not rendered, out of date: {', '.join(left_out)}", "yellow")
            report = None
        else:
            report, unshown = _render(plan, terminal)
            failed += unshown
        if failed:
            names = ", ".join(dict.fromkeys(failure.stage for failure in failed))
            how = "see above. The same command carries on from here."
            terminal.say(f"NOT COMPLETE: {names} failed, {how}", "bold red")
            raise failed[0]
        return report


def status(root=None, profile="standard", data=None, seed=0, changes=()):
    """What a run would do, without doing it: Plan and list of State."""
    plan = planning.load(root, profile, data, seed, changes)
    identity = identify(plan.data, allow_download=False)
    return plan, list(_states(plan, identity).values())


def render(root=None, profile="standard", terminal=None):
    """Render the report from the results that there are, whether up to date or not.

    Returns the path of the HTML file. Raises UserError if there are no results, or results from
    more than one data set, and StageFailed if a cell cannot be shown; the rest is there.
    """
    plan = planning.load(root, profile)
    with _locked(plan.build):
        report, unshown = _render(plan, terminal or Terminal())
    if unshown:
        raise unshown[0]
    return report


def identify(data, allow_download=True):
    """Name and fingerprint of the data: :class:`realfake_lib.data.DataIdentity`."""
    from realfake_lib.data import fingerprint_of

    return fingerprint_of(data, allow_download=allow_download)


def _check_data(plan, chosen, identity):
    """Decode the data as the first stage would; UserError where the stages can't work with them."""
    from realfake_lib import data

    given = (plan.stages[name].parameters for name in chosen)
    for size in {values["image_size"] for values in given if "image_size" in values}:
        dataset = data.load(identity.resolved, image_size=size)
        data.check_enough(
            dataset,
            data.make_splits(dataset),
            {"train": 12, "val": 1, "test": 3},  # images that every chapter can work with
            "the report needs at least 20 different ones of each class, of which a test folder, "
            "where there is one, holds 4",
        )


# --- what would run -----------------------------------------------------------------------------


def _states(plan, identity):
    """State of every stage by name; of one that reads others, as if their results changed."""
    states = {}
    for name, parts in keys.all_parts(plan, identity.fingerprint).items():
        stage, record = plan.stages[name], _record(plan.folder(name))
        estimate = record["seconds"] if record else stage.minutes * 60
        state = _now(plan, State(name, parts, (), record, estimate))
        again = [f"input {one} ran again" for one in stage.inputs if states[one].reasons]
        if record:
            state = replace(state, reasons=tuple(dict.fromkeys([*state.reasons, *again])))
        states[name] = state
    return states


def _now(plan, state):
    """The state of a stage that reads the results which there are by now."""
    stage, folder = plan.stages[state.name], plan.folder(state.name)
    parts = state.parts | {"inputs": {one: _results(plan.folder(one)) for one in stage.inputs}}
    if state.record is None:
        failed = failures.read(plan.build, state.name).get("error")
        reasons = ["failed last time" if failed else "no results yet"]
    else:
        left, now = state.record["files"], _files(folder)
        changed = [name for name, digest in left.items() if now.get(name) != digest]
        reasons = (
            keys.reasons(state.record["parts"], parts)
            or _unkept(stage, folder)
            or [f"the result {name} is gone or was changed" for name in changed]
        )
    return replace(state, parts=parts, reasons=tuple(reasons))


def _record(folder):
    """``stage.json`` of a finished stage, or None for none that this version can use."""
    record = read_json(folder / "stage.json")
    if record and record.get("schema") == SCHEMA and (folder / "notebook.ipynb").is_file():
        return record
    return None


def _results(folder):
    """Hash of the results that another stage can read; a notebook's text is not one."""
    files = (_record(folder) or {"files": {}})["files"]
    read = ("metrics.json", "claims.json", "models/", "arrays/")
    return keys.key({name: digest for name, digest in files.items() if name.startswith(read)})


def _unkept(stage, folder):
    """Promises of a stage that its results do not keep, in words."""
    there = {("metrics", name) for name in read_json(folder / "metrics.json") or ()}
    for kind, suffix in SUFFIXES.items():
        there |= {(kind, path.stem) for path in (folder / kind).glob(f"*{suffix}")}
    return [
        f"the promised {kind.removesuffix('s')} {name!r} is missing"
        for kind, names in stage.outputs.items()
        for name in names
        if (kind, name) not in there
    ]


def _files(folder):
    """Hash of every file of a stage's results, by its path in the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _file_hash(path) for path in paths}


def _file_hash(path):
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# --- running ------------------------------------------------------------------------------------


def _run_stages(plan, identity, states, forced, jobs, terminal, cluster):
    """Run what has a reason or is forced, each after its inputs; list of StageFailed.

    A stage that reads one that failed does not run. One whose inputs ran and left the results that
    they had is skipped after all.
    """
    todo = {state.name: state for state in states if state.reasons or state.name in forced}
    places = {s.name: f"[{k}/{len(states)}] {s.name}" for k, s in enumerate(states, start=1)}

    def skip(state):
        failures.clear(plan.build, state.name)
        terminal.say(f"{places[state.name]}: unchanged since {state.since}: skipped", "dim")

    def left():
        """Seconds until the end."""
        begun = {name: job.seconds for name, job in running.items()}
        seconds = (max(0, todo[name].estimate - begun.get(name, 0)) for name in todo)
        return duration(sum(seconds) / jobs)

    for state in states:
        if state.name not in todo:
            skip(state)
    running, failed, lost = {}, [], set()
    if todo:
        kernels.prepare(plan.build / "jupyter")
    try:
        while True:
            waited_for = {*todo, *lost}
            ready = [n for n in todo if not waited_for.intersection(plan.stages[n].inputs)]
            ready = [name for name in ready if name not in running]
            if ready and len(running) < jobs:
                name = ready[0]
                state = _now(plan, todo[name])
                if state.reasons or name in forced:
                    why = "; ".join(state.reasons) or "asked for with --force"
                    times = f"(about {duration(state.estimate)}; {left()} in all)"
                    terminal.say(f"{places[name]}: runs, {why} {times}")
                    running[name] = _Job(plan, identity, state, cluster)
                else:
                    skip(todo.pop(name))
                continue
            if not running:
                break
            time.sleep(_POLL)
            terminal.progress({name: job.newest_line() for name, job in running.items()}, left())
            for name, job in list(running.items()):
                if job.process.poll() is None:
                    continue
                del running[name], todo[name]
                try:
                    seconds = job.keep()
                except StageFailed as failure:
                    failed.append(failure)
                    lost.add(name)
                    terminal.say(str(failure), "bold red")  # those that do not read it go on
                else:
                    terminal.say(f"{places[name]}: done in {duration(seconds)}", "green")
    finally:
        for job in running.values():
            job.kill()
    for name in todo:  # in the order of the plan: what waits for a stage comes after it
        missing = [one for one in plan.stages[name].inputs if one in lost]
        lost.add(name)
        failures.keep(plan.build, name, waits_for=missing)
        terminal.say(f"{places[name]}: not run, it reads {', '.join(missing)}", "bold red")
    return failed


class _Job:
    """One stage running in a process of its own, its results in a temporary folder."""

    def __init__(self, plan, identity, state, cluster):
        self.plan, self.identity, self.state = plan, identity, state
        self.stage = plan.stages[state.name]
        self.started = time.monotonic()
        build, name = plan.build, state.name
        self.folder = build / "stages" / f".{name}-{os.getpid()}"
        self.log, self.lines, self.result = (
            build / "logs" / f"{name}.{suffix}" for suffix in ("log", "progress.jsonl", "json")
        )
        checkpoints = build / "checkpoints" / name
        for folder in (self.folder, self.log.parent, checkpoints):
            folder.mkdir(parents=True, exist_ok=True)
        for file in (self.result, self.lines):
            file.unlink(missing_ok=True)
        shown = plan.folder(name).relative_to(plan.root).as_posix()
        told = {
            "parent": os.getpid(),
            "notebook": str(self.stage.notebook),
            "parameters": {**self.stage.parameters, "output_dir": shown},
            "result": str(self.result),
            "stage": name,
            "folder": str(self.folder),
            "shown": shown,
            "checkpoints": str(checkpoints),
            "inputs": {one: str(plan.folder(one)) for one in self.stage.inputs},
        }
        own = {
            VARIABLE: json.dumps(told),
            progress.VARIABLE: str(self.lines),
            clusters.VARIABLE: cluster or "",
            **kernels.environment(build / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(build / "jupyter" / "runtime"),
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

    @property
    def seconds(self):
        return time.monotonic() - self.started

    def newest_line(self):
        """The newest line of the stage's progress, or None."""
        with contextlib.suppress(OSError, ValueError), self.lines.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 4096))
            return json.loads(stream.read().rpartition(b"\n")[0].rpartition(b"\n")[2])

    def keep(self):
        """Move the results of the finished process to their place; its seconds."""
        seconds = round(self.seconds, 1)
        if not self.result.is_file():
            self._fail(f"its process ended with code {self.process.returncode}")
        if failure := read_json(self.result):
            self._fail(failure["error"], failure["cell"])
        if missing := _unkept(self.stage, self.folder):
            self._fail("; ".join(missing))
        try:
            now = identify(self.identity.resolved, allow_download=False).fingerprint
        except UserError:
            now = None
        if now != self.identity.fingerprint:  # it may have read others than its key says
            self._fail("the data changed while it ran")
        data = {k: v for k, v in vars(self.identity).items() if k != "resolved"}
        if "://" not in data["source"]:  # a report names a file, not where its maker keeps it
            data["source"] = Path(data["source"]).name
        record = {
            "schema": SCHEMA,
            "stage": self.state.name,
            "key": keys.key(self.state.parts),
            "parts": self.state.parts,
            "data": data,
            "seconds": seconds,
            "finished": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "git": provenance.git_state(self.plan.root),
            "environment": provenance.environment(self.plan.root),
            "files": _files(self.folder),
        }
        write_json(self.folder / "stage.json", record)
        final = self.plan.folder(self.state.name)
        old = final.with_name(f".{final.name}-old")
        if final.exists():  # os.replace refuses a folder that is not empty
            os.replace(final, old)
        os.replace(self.folder, final)
        shutil.rmtree(old, ignore_errors=True)
        failures.clear(self.plan.build, self.state.name)
        return seconds

    def kill(self):
        """End the process, its kernel and their children; leave no results."""
        kernels.end_family(self.process.pid)
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fail(self, error, cell=None):
        """Keep the notebook with its error, and raise."""
        build, name = self.plan.build, self.state.name
        failures.keep(build, name, error, cell, executed=self.folder / "notebook.ipynb")
        notebook = failures.notebook(build, name)
        shutil.rmtree(self.folder, ignore_errors=True)
        raise StageFailed(name, error, cell, notebook if notebook.is_file() else None, self.log)


@contextlib.contextmanager
def _locked(build):
    build.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(build / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        raise UserError(
            f"another run is writing to {build}",
            "Wait until it has finished, or use another profile: each has a folder of its own.",
        ) from None


# --- the report ---------------------------------------------------------------------------------


def merged_metrics(plan):
    """Content of the report's ``metrics.json`` from the finished stages, all of the same data."""
    # A stage that failed now may have older results, which came from other code or data.
    failed = {name for name in plan.stages if failures.read(plan.build, name)}
    records = {name: _record(plan.folder(name)) for name in plan.stages if name not in failed}
    records = {name: record for name, record in records.items() if record}
    if not records and not failed:
        raise UserError(
            f"{plan.build} holds no results of any stage",
            "Run make report, or realfake report run.",
        )
    data = {record["data"]["fingerprint"]: record["data"] for record in records.values()}
    if len(data) > 1:
        names = ", ".join(facts["name"] for facts in data.values())
        raise UserError(
            f"{plan.build} holds results from different data: {names}",
            "Run make report with the data of your choice.",
        )
    kept = {"metrics": {}, "claims": {}}
    for name in records:
        for kind, found in kept.items():
            made = read_json(plan.folder(name) / f"{kind}.json") or {}
            found |= {f"{name}.{key}": entry for key, entry in made.items()}
    return {
        "schema": SCHEMA,
        "profile": plan.profile,
        "data": next(iter(data.values()), {}),
        **kept,
        "provenance": provenance.collect(plan, records),
    }


def _render(plan, terminal):
    """Write ``metrics.json`` and the page where anything in them changed; what can't be shown."""
    metrics = merged_metrics(plan)
    out, mark = plan.build / "report.html", plan.build / "render.json"
    # All that the page shows, and the code that makes it.
    files = [stage.notebook for stage in plan.stages.values()]
    files += [plan.folder(name) / "notebook.ipynb" for name in plan.stages]
    files += (plan.build / "failed").glob("*")
    files += [path for path in Path(__file__).parent.rglob("*") if path.suffix != ".pyc"]
    shown = sorted((str(path), _file_hash(path)) for path in files if path.is_file())
    key = keys.key([metrics, [stage.title for stage in plan.stages.values()], shown])
    unshown = []
    if out.is_file() and read_json(mark) == {"key": key}:
        terminal.say(f"report: unchanged, {out}", "bold")
    else:
        from realfake_lib.report import html

        mark.unlink(missing_ok=True)
        write_json(plan.build / "metrics.json", metrics)
        found = html.render(plan.build, plan=list(plan.stages.values()), metrics=metrics, out=out)
        unshown = [StageFailed(stage, f"cannot be shown: {text}", c) for stage, c, text in found]
        for failure in unshown:
            terminal.say(str(failure), "bold red")
        if not unshown:
            write_json(mark, {"key": key})
        terminal.say(f"report: {out}", "bold")
    return out, unshown
