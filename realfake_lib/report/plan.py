"""The stages of the report, as ``report.yml`` declares them, checked before anything runs."""

import ast
import json
import shutil
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import yaml

from realfake_lib import settings
from realfake_lib.data import layout
from realfake_lib.errors import UserError
from realfake_lib.report.stage import SUFFIXES, read_json, write_json

STAGE_SCHEMA = 3  # of stage.json
PROFILES = ("smoke", "standard", "full")
COMMON_PARAMETERS = ("profile", "data", "seed", "output_dir")
FILES = ("weights", "generators", "panel")
PROMISED = ("metrics", *SUFFIXES)


@dataclass(frozen=True)
class Stage:
    """One stage, its fields as ``report.yml`` describes them, and what is there of it."""

    name: str
    title: str
    notebook: Path
    inputs: tuple = ()
    parameters: dict = field(default_factory=dict)  # all that is injected but ``output_dir``
    minutes: float = 1
    outputs: dict = field(default_factory=dict)
    files: tuple = ()
    folder: Path | None = None  # of its finished results
    failed_notebook: Path | None = None  # as far as it ran; beside it, why there are no results

    @property
    def record(self):
        """``stage.json`` of its finished results, or None for none that this version can use."""
        record = read_json(self.folder / "stage.json")
        return record if record and record.get("schema") == STAGE_SCHEMA else None

    @property
    def failure(self):
        """Its ``error``, the ``cell`` and the stages it ``waits_for``; empty if results count."""
        return read_json(self.failed_notebook.with_suffix(".json")) or {}

    def fail(self, error=None, cell=None, waits_for=(), executed=None):
        """Note why there are no results; ``executed`` is the notebook as far as it ran."""
        self.forget_failure()
        record = {"error": error, "cell": cell, "waits_for": list(waits_for)}
        write_json(self.failed_notebook.with_suffix(".json"), record)
        if executed and executed.is_file():
            shutil.copyfile(executed, self.failed_notebook)

    def forget_failure(self):
        for suffix in (".json", ".ipynb"):
            self.failed_notebook.with_suffix(suffix).unlink(missing_ok=True)


@dataclass(frozen=True)
class Plan:
    """The stages of one profile; ``root`` is the folder that holds ``report.yml``."""

    root: Path
    profile: str
    data: str
    seed: int
    stages: dict  # name to Stage, each after its inputs
    build: Path  # folder for everything that this profile makes
    page: Path

    def needed_for(self, names):
        """The stages ``names`` and all that they read, in order; all of them for no names."""
        wanted = list(names or self.stages)
        for name in wanted:
            _check_known("stage", name, self.stages, "--stage")
            wanted += [one for one in self.stages[name].inputs if one not in wanted]
        return [name for name in self.stages if name in wanted]


def load(root=None, profile="standard", data=None, seed=0, changes=()):
    """Read and check ``report.yml`` and the parameters cells of its notebooks.

    ``root`` is the folder of ``report.yml``, by default the checkout that the library runs from;
    ``data`` is ``"cifake"``, ``"demo"`` or a path, and None and ``"auto"`` stand for the profile's
    own choice. ``changes`` are parameters of this run only, as ``"stage.parameter=value"`` with the
    value in YAML, or ``"parameter=value"`` for every stage that has it. Raises UserError for
    anything unknown, missing or circular.
    """
    root = Path(root) if root else settings.project_root()
    if root is None or not (root / "report.yml").is_file():
        how = "Run this in a checkout of the project, installed with pip install -e ."
        raise UserError(f"there is no report.yml in {root or Path.cwd()}", how)
    root = root.resolve()
    _check_known("profile", profile, PROFILES, "--profile")
    try:
        content = yaml.safe_load((root / "report.yml").read_text("utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"report.yml is not valid YAML: {error}") from error
    _check_keys(content, {"data", "stages"}, "report.yml", needed={"stages"})
    entries = content["stages"]
    _check_keys(entries, entries or (), "report.yml: stages")

    if data in (None, "auto"):
        data = _of_profile(content.get("data", "auto"), profile, "report.yml: data")
    elif data not in ("cifake", "demo"):
        path = settings.user_path(data).resolve()  # notebooks run in a folder of their own
        if not path.exists():
            known = "Use auto, cifake, demo or an existing path."
            raise UserError(f"the data {data!r} do not exist", known)
        data = str(path)
    for named in (data, settings.env("REALFAKE_DATA") or ""):
        if (words := layout.as_text(named)) != named:
            why = "have a name that is no UTF-8, which no notebook can hold"
            raise UserError(f"the data {words} {why}", "Rename it.")

    common = {"profile": profile, "data": data, "seed": seed}
    stages = {name: _stage(name, entry, root, profile, common) for name, entry in entries.items()}
    for change in changes:
        _change(stages, change, entries)
    for place, stage in enumerate(stages.values()):
        for name in stage.inputs:
            _check_known("input", name, stages, f"report.yml: {stage.name}")
            if name not in list(stages)[:place]:
                raise UserError(f"report.yml: {stage.name} comes before its input {name}")
        _check_notebook(stage, root)
    build = root / "build" / profile
    return Plan(root, profile, data, seed, stages, build, build / "report.html")


def code_cells(path):
    """(source, tags) of a notebook's code cells; importing nbformat would take two seconds."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        return [("".join(cell["source"]), cell["metadata"].get("tags", ())) for cell in code]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path} is not a notebook: {error}") from error


def notebook_code(path):
    """Code cells of a notebook as one Python text, without what only IPython understands."""
    lines = "\n\n".join(source for source, _ in code_cells(path)).splitlines()
    return "\n".join("pass" if line.lstrip()[:1] in ("%", "!") else line for line in lines)


def _stage(name, entry, root, profile, common):
    where = f"report.yml: {name}"
    if not str(name).isidentifier():
        raise UserError(f"{where}: a stage name holds letters, digits and underscores only")
    known = {one.name for one in fields(Stage)} - {"name", "folder", "failed_notebook"}
    _check_keys(entry, known, where, needed={"title", "notebook"})
    stage = Stage(name, **{key: value for key, value in entry.items() if value is not None})
    for parameter in stage.parameters:
        if parameter in COMMON_PARAMETERS:
            raise UserError(f"{where}: {parameter!r} is set by the run, not in report.yml")
    given = stage.parameters.items()
    own = {key: _of_profile(value, profile, f"{where}: {key}") for key, value in given}
    for kind in stage.files:
        if not (kind.startswith("experiments/") and (root / kind).exists()):
            _check_known("files", kind, FILES, where)
    _check_keys(stage.outputs, PROMISED, f"{where}: outputs")
    minutes = _of_profile(stage.minutes, profile, f"{where}: minutes")
    build = root / "build" / profile
    places = {"folder": build / "stages" / name, "failed_notebook": build / f"failed/{name}.ipynb"}
    more = {"notebook": root / stage.notebook, "parameters": common | own, "minutes": minutes}
    return replace(stage, **places, **more)


def _of_profile(value, profile, where):
    """One value for all profiles, or the one of ``profile`` from a mapping of all of them."""
    if not isinstance(value, dict):
        return value
    if set(value) != set(PROFILES):
        raise UserError(f"{where}: give one value, or one for each of {', '.join(PROFILES)}")
    return value[profile]


def _change(stages, change, entries):
    target, equals, text = change.partition("=")
    name, dot, parameter = target.rpartition(".")
    where = f"--set {change}"
    if not equals or not parameter:
        raise UserError(f"{where}: write it as STAGE.PARAMETER=VALUE, or PARAMETER=VALUE for all")
    if dot:
        _check_known("stage", name, stages, where)
    if parameter in COMMON_PARAMETERS:
        raise UserError(f"{where}: it is the same for all stages", f"Use --{parameter}.")
    chosen = [stage for stage in stages.values() if not dot or stage.name == name]
    known = {one for stage in chosen for one in stage.parameters}
    _check_known("parameter", parameter, known, where)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: the value is not valid YAML") from error
    for stage in chosen:
        if parameter in stage.parameters:
            _check_kind(where, value, entries[stage.name]["parameters"][parameter])
            stage.parameters[parameter] = value


def _check_kind(where, value, given):
    """Refuse a value of another kind than report.yml gives in any profile."""
    per_profile = isinstance(given, dict) and set(given) == set(PROFILES)
    options = list(given.values()) if per_profile else [given]
    kinds = {type(one) for one in options}
    if kinds & {float, type(None)}:  # null stands for "all" or "as it is" of a whole number
        kinds.add(int)
    below = type(value) in (int, float) and not value > 0 and 0 not in options
    if type(value) not in kinds or below:
        known = "; ".join(json.dumps(one) for one in options)
        raise UserError(f"{where}: the value has to be like those in report.yml: {known}")


def _check_notebook(stage, root):
    """Papermill only warns about a parameter that a notebook lacks; here it is an error."""
    shown = stage.notebook.relative_to(root)
    if not stage.notebook.is_file():
        raise UserError(f"report.yml: {stage.name}: the notebook {shown} does not exist")
    cells = [source for source, tags in code_cells(stage.notebook) if "parameters" in tags]
    try:
        ast.parse(notebook_code(stage.notebook))
    except SyntaxError as error:
        raise UserError(f"{shown}: its code is not valid Python: {error}") from error
    nodes = ast.walk(ast.parse("\n".join(cells)))
    defined = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for parameter in {*stage.parameters, "output_dir"} - defined:
        raise UserError(f"{shown}: no cell tagged 'parameters' defines {parameter!r}")


def _check_keys(content, known, where, needed=frozenset()):
    if not isinstance(content, dict):
        raise UserError(f"{where}: expected names with values")
    for key in content:
        _check_known("setting", key, known, where)
    for key in sorted(needed - set(content)):
        raise UserError(f"{where}: {key!r} is missing")


def _check_known(kind, name, known, where):
    if name not in known:
        raise UserError(f"{where}: unknown {kind} {name!r}", f"Known: {', '.join(sorted(known))}.")
