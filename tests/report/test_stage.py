"""The handle of a stage: what it takes, what it refuses, and where it finds earlier results."""

import json
import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from realfake_lib import models, settings
from realfake_lib.errors import UserError
from realfake_lib.report import stage, values
from realfake_lib.report.stage import VARIABLE


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A checkout of its own, as an interactive session would have."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(settings, "project_root", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def shown(monkeypatch):
    """What a kernel would be given to display: list of (data, facts)."""
    given = []

    def display(data, metadata, raw):
        given.append((data, metadata["realfake"]))

    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", display)
    return given


@pytest.fixture
def told(checkout, monkeypatch):
    """The environment of a stage ``second`` in a run, which may read ``first``."""
    facts = {
        "stage": "second",
        "folder": str(checkout / "part"),
        "checkpoints": str(checkout / "checkpoints"),
        "inputs": {"first": str(checkout / "first")},
    }
    monkeypatch.setenv(VARIABLE, json.dumps(facts))
    return facts


def picture():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2])
    return figure


def metrics_of(run):
    return json.loads((run.folder / "metrics.json").read_text("utf-8"))


# --- where results go ---------------------------------------------------------------------------


def test_by_hand_results_go_to_the_interactive_folder_from_any_directory(
    checkout, tmp_path_factory, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    run = stage("training")
    assert run.folder == checkout / "build/interactive/stages/training"
    assert run.checkpoints == checkout / "build/interactive/checkpoints/training"
    assert capsys.readouterr().out == f"training: results go to {run.folder}\n"


def test_beginning_again_by_hand_starts_empty_but_keeps_checkpoints():
    run = stage("training")
    run.metric("a", 1)
    run.arrays("p", x=[1])
    (run.checkpoints / "epoch").touch()
    run = stage("training")
    assert metrics_of(run) == {} and not (run.folder / "arrays").exists()
    assert (run.checkpoints / "epoch").exists()


def test_a_folder_of_ones_own_is_used_and_nothing_in_it_removed(tmp_path):
    (tmp_path / "models").mkdir()
    run = stage("training", tmp_path)
    assert run.folder == tmp_path and (tmp_path / "models").is_dir()


def test_the_runner_decides_the_folders(told, checkout, capsys):
    run = stage("second", "build/smoke/stages/second")
    assert run.folder == checkout / "part" and run.checkpoints == checkout / "checkpoints"
    # The same line in every run, whatever the temporary folder is called.
    assert capsys.readouterr().out == "second: results go to build/smoke/stages/second\n"


def test_a_notebook_that_begins_another_stage_than_declared_is_refused(told):
    with pytest.raises(UserError, match="'second'.*'third'"):
        stage("third")


# --- metrics ------------------------------------------------------------------------------------


def test_a_metric_keeps_all_that_belongs_to_it():
    run = stage("training")
    run.metric("cnn.test.accuracy", np.float32(0.5), n=np.int64(20), ci=(0.25, 0.75), seed=0)
    run.metric("seconds", 3, unit="s", seed=np.arange(3))
    run.metric("precision", "mixed_bfloat16")
    run.metric("early", np.bool_(True))
    assert metrics_of(run) == {
        "cnn.test.accuracy": {"value": 0.5, "ci": [0.25, 0.75], "n": 20, "seed": 0},
        "seconds": {"value": 3, "seed": [0, 1, 2], "unit": "s"},
        "precision": {"value": "mixed_bfloat16"},
        "early": {"value": True},
    }


def test_several_metrics_are_taken_under_one_prefix():
    run = stage("training")
    run.metrics("cnn", [("f1", 0.5, (0.4, 0.6)), ("ece", 0.1)], n=10, seed=1)
    run.metrics("cnn", {"more": 1})
    assert list(metrics_of(run)) == ["cnn.f1", "cnn.ece", "cnn.more"]
    assert metrics_of(run)["cnn.f1"] == {"value": 0.5, "ci": [0.4, 0.6], "n": 10, "seed": 1}


@pytest.mark.parametrize("value", [math.inf, np.float32("-inf")])
def test_a_metric_that_is_infinite_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"'cnn\.loss' is -?inf"):
        stage("training").metric("cnn.loss", value)


@pytest.mark.parametrize("value", [math.nan, np.float32("nan")])
def test_a_number_that_the_data_do_not_define_is_no_metric(value):
    run = stage("training")
    run.metric("cnn.share", value, n=3)
    run.metrics("cnn", {"auroc": value, "accuracy": 0.5})
    run.metric("cnn.spread", 0.5, ci=(value, 1))
    assert metrics_of(run) == {"cnn.accuracy": {"value": 0.5}, "cnn.spread": {"value": 0.5}}


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_a_metric_of_another_type_is_refused_by_name(value):
    with pytest.raises(TypeError, match="'cnn'"):
        stage("training").metric("cnn", value)


def test_an_interval_upside_down_is_refused():
    with pytest.raises(ValueError, match="upside down"):
        stage("training").metric("cnn", 0.5, ci=(0.6, 0.4))


@pytest.mark.parametrize("name", ["", "a b", "a..b", "1st", "a-b", "a/b"])
def test_a_name_that_text_could_not_quote_is_refused(name):
    with pytest.raises(ValueError, match="letters, digits and underscores"):
        stage("training").metric(name, 1)


def test_a_name_given_twice_is_a_mistake_in_a_run_and_a_rerun_cell_by_hand(told, monkeypatch):
    run = stage("second")
    run.metric("a", 1)
    run.arrays("p", x=[1])
    with pytest.raises(ValueError, match="'a' is given twice"):
        run.metric("a", 2)
    with pytest.raises(ValueError, match="'p' is given twice"):
        run.arrays("p", x=[1])
    monkeypatch.delenv(VARIABLE)
    run = stage("second")
    run.metric("a", 1)
    run.metric("a", 2)
    assert metrics_of(run) == {"a": {"value": 2}}


# --- figures, tables, notes ---------------------------------------------------------------------


def test_a_figure_is_saved_and_shown_with_what_the_renderer_needs(shown):
    run = stage("training")
    run.figure(picture(), "curves", caption="Loss.", alt="A line.")
    (data, facts), (caption, _) = shown  # JupyterLab shows the caption, too
    assert "Loss." in caption["text/markdown"]
    assert facts == {"kind": "figure", "name": "curves", "caption": "Loss.", "alt": "A line."}
    assert data["image/png"].startswith("iVBOR")  # PNG in base64
    assert (run.folder / "figures/curves.png").is_file()


def test_the_same_figure_has_the_same_bytes():
    run = stage("training")
    for name in ("a", "b"):
        run.figure(picture(), name, caption="c", alt="a")
    one, other = (run.folder / f"figures/{name}.png" for name in "ab")
    assert one.read_bytes() == other.read_bytes() and b"Software" not in one.read_bytes()


def test_a_pyplot_figure_is_closed_so_that_it_is_not_shown_twice():
    figure, _ = plt.subplots()
    stage("training").figure(figure, "curves", caption="c", alt="a")
    assert figure.number not in plt.get_fignums()


@pytest.mark.parametrize(("caption", "alt"), [(None, "a"), ("c", None), ("c", " ")])
def test_a_figure_without_caption_or_alternative_text_is_refused(caption, alt):
    with pytest.raises(ValueError, match="'curves' needs"):
        stage("training").figure(picture(), "curves", caption=caption, alt=alt)


def test_a_table_is_shown_readably_and_saved_in_full_precision(shown):
    run = stage("training")
    frame = pd.DataFrame(
        {"n": [20000, 1], "auroc": [0.123456789, math.nan], "acc": [0.5, 1.0], "s": ["x", None]}
    )
    run.table(frame, "scores", caption="Scores.", formats={"acc": "{:.0%}", "s": "<{}>".format})
    data, facts = shown[0]
    assert facts == {"kind": "table", "name": "scores", "caption": "Scores.", "appendix": False}
    for text in ("20,000", "0.123", "50%", "–"):
        assert f"<td>{text}</td>" in data["text/html"]
    assert "style=" not in data["text/html"].replace('style="text-align: right;"', "")
    assert "0.123456789" in (run.folder / "tables/scores.csv").read_text("utf-8")
    assert "<th>0</th>" not in data["text/html"]  # plain row numbers say nothing


def test_a_table_needs_a_caption():
    with pytest.raises(ValueError, match="'t' needs a caption"):
        stage("training").table(pd.DataFrame({"n": [1]}), "t")


def test_other_values_in_tables_are_shown_as_they_are(shown):
    frame = pd.DataFrame({"flag": [True], "text": ["a"], "word": ["b"]})
    stage("training").table(frame, "t", caption="c", formats={"word": "{}!"})
    for text in ("yes", "a", "b"):
        assert f"<td>{text}</td>" in shown[0][0]["text/html"]


def test_a_table_names_its_columns_in_words_and_joins_intervals(shown):
    frame = pd.DataFrame({"accuracy": [0.98584], "ci_low": [0.9], "ci_high": [0.99], "p_holm": [1]})
    stage("training").table(frame, "t", caption="c")
    headers = re.findall("<th>(.*?)</th>", shown[0][0]["text/html"])
    assert headers == ["accuracy (%)", "95 % interval (%)", "p (Holm)"]
    cells = re.findall("<td>(.*?)</td>", shown[0][0]["text/html"])
    assert cells == ["98.6", "90.0 to 99.0", "1.000"]


def test_a_long_table_goes_to_the_appendix(shown):
    run = stage("training")
    run.table(pd.DataFrame({"a": range(13)}), "long", caption="c")
    run.table(pd.DataFrame({"a": range(13)}), "kept", caption="c", appendix=False)
    assert [facts["appendix"] for _, facts in shown] == [True, False]


def test_a_metric_is_what_a_sentence_quotes(shown):
    run = stage("training")
    accuracy = run.metric("accuracy", 0.98584, ci=(0.984, 0.987), n=20000)
    run.text(f"It is {accuracy:pct_ci} of {accuracy.n:,} images, {run.value('accuracy'):pct(2)}.")
    said = "It is 98.6\u00a0% (98.4 to 98.7\u00a0%) of 20,000 images, 98.58\u00a0%."
    assert shown == [({"text/markdown": said, "text/plain": said}, {"kind": "text"})]


def test_a_sentence_without_its_number_is_left_out(shown):
    run = stage("training")
    missing = run.metric("a", math.nan)
    run.text(f"One. Two is {missing:pct}. That is much. Three.", f"All of it: {1 - missing:pp}.")
    assert shown[0][0]["text/markdown"].split() == ["One.", "Three."]
    assert shown[0][1] == {"kind": "text", "left_out": True}
    run.text(f"{run.value('b'):num}")
    assert len(shown) == 1  # nothing is left to say
    run.tile("Accuracy", f"{missing:pct}")
    assert len(shown) == 1


def test_a_claim_is_said_and_kept(shown):
    run = stage("training")
    a, b = values.Number(0.9, (0.89, 0.91)), values.Number(0.8, (0.79, 0.895))
    assert run.claim("higher", values.better(a, b), "It is.", "It is not.") is False
    assert run.claim("lower", values.better(0.2, 0.1), "It is.", "It is not.") is True
    assert run.claim("open", values.better(values.MISSING, b), "x", "y", unknown="?") is None
    assert [data["text/plain"] for data, _ in shown] == ["It is not.", "It is.", "?"]
    kept = json.loads((run.folder / "claims.json").read_text("utf-8"))
    assert kept == {"higher": False, "lower": True}


def test_a_note_is_shown(shown):
    run = stage("training")
    run.note("Demo data.")
    data, facts = shown[0]
    assert "Demo data." in data["text/markdown"]
    assert facts == {"kind": "note", "text": "Demo data."}


def test_outside_of_a_notebook_nothing_is_displayed(capsys):
    run = stage("training")
    capsys.readouterr()
    run.note("Demo data.")
    assert capsys.readouterr().out == ""


# --- inputs -------------------------------------------------------------------------------------


def leave(folder):
    """A finished stage with one result of each kind."""
    run = stage("first", folder)
    run.metric("a.b", 3, n=5)
    run.table(pd.DataFrame({"x": [0.1, 0.2]}), "indexed", caption="c")
    run.arrays("scores", logits=np.arange(3.0))


def test_results_come_back_as_they_were_left(checkout, capsys):
    leave(checkout / "build/standard/stages/first")
    first = stage("second").input("first")
    assert first.value("a.b") == 3 and first.value("a.b").n == 5
    assert first.arrays("scores")["logits"].tolist() == [0, 1, 2]
    assert first.has("a.b") and first.has("indexed") and first.has("scores")
    assert not first.has("c")
    assert f"first is read from {checkout / 'build/standard/stages/first'}" in (
        capsys.readouterr().out
    )


def test_models_pass_through_the_models_package(checkout, monkeypatch):
    saved = {}
    monkeypatch.setattr(models, "save", lambda model, path, meta: saved.update({path: meta}))
    monkeypatch.setattr(models, "load", lambda path: ("model", saved[path]))
    stage("first", checkout / "build/full/stages/first").model("model", "cnn", threshold=0.4)
    path = checkout / "build/full/stages/first/models/cnn.keras"
    path.touch()
    first = stage("second").input("first")
    assert first.model("cnn") == ("model", {"threshold": 0.4}) and first.has("cnn")


def test_the_nearest_place_with_results_is_taken(checkout):
    order = ["reports", "smoke", "full", "standard", "interactive", "beside"]
    (checkout / "reports").mkdir()
    content = {"metrics": {"first.where": {"value": "reports"}, "other.x": {"value": 1}}}
    (checkout / "reports/metrics.json").write_text(json.dumps(content))
    for place in order:
        if place != "reports":
            folder = checkout / ("beside" if place == "beside" else f"build/{place}/stages")
            stage("first", folder / "first").metric("where", place)
        first = stage("second", checkout / "beside/second").input("first")
        assert first.value("where") == place
        assert list(first.metrics) == ["where"]


class Data:
    """Stands for a data set."""

    def __init__(self, fingerprint):
        self.fingerprint = fingerprint


@pytest.fixture
def places(checkout):
    """Results of ``first`` and ``other`` by a smoke run on demo data, and a report on real data."""
    for name in ("first", "other"):
        folder = checkout / "build/smoke/stages" / name
        stage(name, folder).metric("where", "smoke")
        (folder / "stage.json").write_text(json.dumps({"parts": {"data": "demo"}}))
    metrics = {f"{name}.where": {"value": "reports"} for name in ("first", "other")}
    content = {"data": {"fingerprint": "real"}, "metrics": metrics}
    (checkout / "reports").mkdir()
    (checkout / "reports/metrics.json").write_text(json.dumps(content))
    return checkout


def test_results_from_other_data_are_passed_over(places):
    assert stage("second").input("first", Data("demo")).value("where") == "smoke"
    assert stage("second").input("first", Data("real")).value("where") == "reports"


def test_where_all_results_come_from_other_data_the_command_to_run_is_named(places):
    with pytest.raises(UserError) as caught:
        stage("second").input("first", Data("mine"))
    message = str(caught.value)
    assert "build/smoke/stages/first" in message and "reports come from other data" in message
    assert "make report STAGE=first" in message


def test_a_trained_model_tells_the_data_of_a_training_by_hand(places):
    folder = stage("first").folder
    (folder / "models").mkdir()
    (folder / "models/cnn.json").write_text('{"fingerprint": "mine"}')
    assert stage("second").input("first", Data("mine")).folder == folder
    assert stage("second").input("first", Data("real")).value("where") == "reports"


def test_without_data_in_use_all_inputs_come_from_the_same(places):
    (places / "build/smoke/stages/other/metrics.json").unlink()
    run = stage("second")
    assert run.input("first").value("where") == "smoke"
    with pytest.raises(UserError, match="other data"):
        run.input("other")


def test_results_that_are_nowhere_are_named_with_what_makes_them(checkout):
    with pytest.raises(UserError, match="run its notebook first, or make report STAGE=first"):
        stage("second").input("first")


def test_a_result_that_is_missing_is_named(checkout):
    leave(checkout / "build/standard/stages/first")
    first = stage("second").input("first")
    assert first.value("b").missing
    run = stage("third")
    assert run.value("c").missing and run.input("first").value("b").missing
    asked = json.loads((run.folder / "missing.json").read_text("utf-8"))
    assert asked == ["third.c", "first.b"]
    with pytest.raises(UserError, match=r"no arrays? 'b'(.|\n)*make report STAGE=first"):
        first.arrays("b")
    with pytest.raises(UserError, match="no model 'b'"):
        first.model("b")


def test_in_a_run_only_declared_inputs_may_be_read(told, checkout):
    run = stage("second")
    with pytest.raises(UserError, match=r"'third', which report\.yml does not declare"):
        run.input("third")
    (checkout / "first").mkdir()
    (checkout / "first/metrics.json").write_text('{"a": {"value": 1}}')
    assert run.input("first").value("a") == 1
