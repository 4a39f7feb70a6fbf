"""The report and the commands on the few pictures that somebody has at hand to try them."""

import json

import pytest
import small_data
from project import copy_project, realfake


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("small") / "project")


def report(project, data, *more):
    return realfake(project, "report", "run", "--data", data, "--profile", "smoke", *more)


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
    assert "[1/" not in outcome.stdout


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
