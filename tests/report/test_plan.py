"""``report.yml``: what it says is read right, and every mistake in it is named before a run."""

import json
import os

import pytest
from tiny_project import TinyProject

from realfake_lib.errors import UserError
from realfake_lib.report import plan as planning


@pytest.fixture
def project(tmp_path):
    project = TinyProject(tmp_path)
    project.add(
        "first",
        defines="epochs, sizes = 1, []\n",
        parameters={"epochs": {"smoke": 1, "standard": 8, "full": 25}, "sizes": [1, 2]},
        minutes={"smoke": 0.5, "standard": 20, "full": 200},
        outputs={"metrics": ["a.b"]},
    )
    project.add("second", inputs=["first"])
    project.add("third")
    return project


def refused(project, *words, **options):
    with pytest.raises(UserError) as caught:
        planning.load(project.root, **{"profile": "smoke"} | options)
    for word in words:
        assert word in str(caught.value)


def test_a_profile_picks_its_values_and_takes_the_common_ones(project):
    stage = planning.load(project.root, "standard", data="demo", seed=3).stages["first"]
    assert stage.parameters == {
        "profile": "standard",
        "data": "demo",
        "seed": 3,
        "epochs": 8,
        "sizes": [1, 2],
    }
    assert stage.minutes == 20 and stage.outputs == {"metrics": ["a.b"]}


def test_auto_stands_for_the_data_of_the_profile(project):
    project.content["data"] = {"smoke": "demo", "standard": "auto", "full": "auto"}
    project.save()
    assert planning.load(project.root, "smoke", data="auto").data == "demo"
    assert planning.load(project.root, "smoke", data="cifake").data == "cifake"
    assert planning.load(project.root, "full").data == "auto"


def test_a_data_path_becomes_absolute_since_notebooks_run_elsewhere(project, monkeypatch):
    (project.root / "pictures").mkdir()
    monkeypatch.chdir(project.root)
    assert planning.load(project.root, data="pictures").data == str(project.root / "pictures")
    refused(project, "'holiday'", data="holiday")


def test_a_selection_brings_its_inputs(project):
    plan = planning.load(project.root)
    assert plan.needed_for(["second"]) == ["first", "second"]
    assert plan.needed_for([]) == ["first", "second", "third"]
    with pytest.raises(UserError, match="unknown stage 'fourth'"):
        plan.needed_for(["fourth"])


def test_a_parameter_can_be_changed_for_one_run(project):
    plan = planning.load(project.root, changes=["first.epochs=3", "first.sizes=[4]"])
    assert plan.stages["first"].parameters["epochs"] == 3
    assert plan.stages["first"].parameters["sizes"] == [4]
    everywhere = planning.load(project.root, changes=["epochs=5"])
    assert everywhere.stages["first"].parameters["epochs"] == 5
    refused(project, "'epoch'", changes=["first.epoch=3"])
    refused(project, "'forth'", changes=["forth.epochs=3"])
    refused(project, "STAGE.PARAMETER=VALUE", changes=["epochs"])
    refused(project, "'epoch'", changes=["epoch=3"])
    refused(project, "Use --data", changes=["data=demo"])
    refused(project, "not valid YAML", changes=["first.epochs=[3"])


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ("epochs=abc", "1; 8; 25"),
        ("epochs=2.5", "1; 8; 25"),
        ("epochs=-1", "1; 8; 25"),
        ("epochs=true", "1; 8; 25"),
        ("epochs=2020-01-01", "1; 8; 25"),
        ("n_train=abc", "null"),
        ("rate=x", "0.5"),
        ("rate=.nan", "0.5"),
        ("sizes=3", "[1, 2]"),
    ],
)
def test_a_change_of_another_kind_is_refused_before_anything_runs(project, change, known):
    project.add("fifth", defines="n_train, rate = None, 1.0\n",
                parameters={"n_train": None, "rate": 0.5})  # fmt: skip
    words = f"--set {change}: the value has to be like those in report.yml: {known}"
    refused(project, words, changes=[change])


def test_a_number_without_decimals_or_null_may_be_given(project):
    project.add("fifth", defines="n_train, rate = None, 1.0\n",
                parameters={"n_train": None, "rate": 0.5})  # fmt: skip
    plan = planning.load(project.root, changes=["n_train=5", "rate=1"])
    assert plan.stages["fifth"].parameters["n_train"] == 5
    assert planning.load(project.root, changes=["n_train=null"])


def test_without_a_checkout_the_message_says_so(tmp_path):
    with pytest.raises(UserError, match=r"no report\.yml"):
        planning.load(tmp_path)


def test_an_unknown_profile_is_named(project):
    refused(project, "unknown profile 'quick'", "smoke", profile="quick")


def _stage(**changes):
    return lambda content: content["stages"]["second"].update(changes)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c.update(stagse={}), ["unknown setting 'stagse'"]),
        (lambda c: c.pop("stages"), ["'stages' is missing"]),
        (lambda c: c.update(stages=None), ["stages: expected names"]),
        (lambda c: c.update(data={"smoke": "demo"}), ["one for each of smoke, standard, full"]),
        (lambda c: c["stages"].update({"not a name": {}}), ["letters, digits"]),
        (lambda c: c["stages"].update(fourth=None), ["fourth", "expected names"]),
        (_stage(notebok="x"), ["second", "unknown setting 'notebok'"]),
        (lambda c: c["stages"]["second"].pop("title"), ["second", "'title' is missing"]),
        (_stage(notebook="notebooks/no.ipynb"), ["notebooks/no.ipynb does not exist"]),
        (_stage(inputs=["frist"]), ["second", "unknown input 'frist'"]),
        (_stage(inputs=["third"]), ["second comes before its input third"]),
        (_stage(files=["wights"]), ["second", "unknown files 'wights'"]),
        (_stage(files=["experiments/atacks"]), ["second", "unknown files 'experiments/atacks'"]),
        (_stage(outputs={"pictures": ["x"]}), ["unknown setting 'pictures'"]),
        (_stage(parameters={"epochs": 1}), ["second.ipynb", "defines 'epochs'"]),
        (_stage(parameters={"seed": 1}), ["'seed' is set by the run"]),
        (_stage(parameters={"epochs": {"smoke": 1}}), ["epochs", "one for each"]),
    ],
)
def test_a_mistake_is_named(project, edit, words):
    edit(project.content)
    project.save()
    refused(project, "report.yml" if "second.ipynb" not in words else "", *words)


def test_stages_that_read_each_other_are_named(project):
    project.content["stages"]["first"]["inputs"] = ["second"]
    project.save()
    refused(project, "first comes before its input second")


def test_a_file_that_is_not_yaml_is_refused(project):
    (project.root / "report.yml").write_text("stages: [", encoding="utf-8")
    refused(project, "not valid YAML")


def _edit_notebook(project, edit):
    path = project.root / "notebooks" / "second.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    edit(notebook["cells"][1])
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_a_notebook_needs_one_parameters_cell_of_valid_python(project):
    _edit_notebook(project, lambda cell: cell["metadata"].clear())
    refused(project, "second.ipynb: no cell tagged 'parameters' defines")
    _edit_notebook(project, lambda cell: cell["metadata"].update(tags=["parameters"]))
    _edit_notebook(project, lambda cell: cell.update(source="seed = "))
    refused(project, "second.ipynb", "not valid Python")


def test_a_notebook_must_define_the_common_parameters(project):
    _edit_notebook(project, lambda cell: cell.update(source="profile = data = seed = 0"))
    refused(project, "second.ipynb", "defines 'output_dir'")


def test_a_file_that_is_no_notebook_is_named(project):
    (project.root / "notebooks" / "second.ipynb").write_text("{", encoding="utf-8")
    refused(project, "second.ipynb is not a notebook")


def test_data_whose_name_no_notebook_can_hold_are_refused(project, tmp_path, monkeypatch):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(folder)
    refused(project, "caf\\xe9", "no UTF-8", data=folder)
    monkeypatch.setenv("REALFAKE_DATA", folder)
    refused(project, "caf\\xe9", "no UTF-8")
    monkeypatch.setenv("REALFAKE_DATA", "")
    refused(project, "empty", data=" ")
