"""The report and the commands on the few pictures that somebody has at hand to try them."""

import json

import pytest
import small_data
from project import copy_project, realfake
from test_smoke_report import STAGES

SAID_OF_CIFAKE = (
    "Stable Diffusion for the same",
    "second output has to name",
    "lorries",
    "twenty years old",
    "autoencoder as a whole",
    "thumbnails of",
)
"""Beginnings of sentences that hold for CIFAKE or the demo set alone."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("small") / "project")


def report(project, data, *more):
    return realfake(project, "report", "run", "--data", data, "--profile", "smoke", *more)


@pytest.mark.slow
def test_twenty_images_of_each_class_give_a_whole_report(project, tmp_path):
    folder = small_data.write(tmp_path / "mine", 20, 20)
    outcome = report(project, folder)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    for stage in STAGES:
        assert f"{stage}: done in" in outcome.stdout, stage
    found = json.loads((project / "build/smoke/metrics.json").read_text())
    assert found["data"]["name"] == "mine"
    assert found["metrics"]["training.best.test.accuracy"]["n"] == 8
    page = (project / "build/smoke/report.html").read_text("utf-8")
    for said_of_cifake in SAID_OF_CIFAKE:
        assert said_of_cifake not in page, said_of_cifake


@pytest.mark.parametrize(
    ("real", "fake", "side", "message"),
    [
        (36, 4, 32, "mine has too few FAKE images: 3 to train on"),
        (10, 30, 32, "mine has too few REAL images"),
        (20, 20, 12, "the networks need at least 16"),
    ],
)
def test_the_report_says_before_it_starts_what_it_needs(
    project, tmp_path, real, fake, side, message
):
    outcome = report(project, small_data.write(tmp_path / "mine", real, fake, side))
    assert outcome.returncode == 2 and message in outcome.stderr
    assert "Traceback" not in outcome.stderr and "runs" not in outcome.stdout
    assert not (project / "build/smoke/logs").exists() or "[1/8]" not in outcome.stdout


def test_images_of_several_sizes_are_refused_before_it_starts_and_taken_where_one_is_given(
    project, tmp_path
):
    folder = small_data.write(tmp_path / "mine", 20, 20)
    small_data.write(folder / "REAL" / "more", 5, 0, side=48)
    outcome = report(project, folder)
    assert outcome.returncode == 2 and "image_size" in outcome.stderr
    outcome = report(project, folder, "--set", "image_size=24", "--stage", "preprocessing")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.slow
def test_a_detector_is_trained_and_scored_on_twenty_images_of_each_class(project, tmp_path):
    folder, model = small_data.write(tmp_path / "mine", 20, 20), tmp_path / "mine.keras"
    arguments = ("--data", folder, "--epochs", "3", "--output", model)
    outcome = realfake(project, "train", *arguments, timeout=300)
    assert outcome.returncode == 0, outcome.stderr
    outcome = realfake(project, "evaluate", "--model", model, "--data", folder, "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["n"] == 8
