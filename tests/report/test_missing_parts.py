"""The page comes out whatever a run does not have, in any combination."""

import itertools
import re
from html import escape

import pytest
import whole_report

from realfake_lib.report import html, leave_out, prose
from realfake_lib.report import plan as planning

PARTS = {
    "the first backbone's ImageNet weights": (
        r"^transfer_learning\.(\w+_(frozen|finetuned_few)\.|cuts|by_size\.\w+\.(frozen|fine)"
        r"|crossings\.(fine_tuning|freezing|frozen_or_scratch|imagenet))",
        ["cuts"],
    ),
    "the long fine-tuning": (r"^transfer_learning\.(\w+_finetuned\.|all_data\.seconds)", []),
    "names of objects": (
        r"^transfer_learning\.(objects|\w+_objects|\w+_from_objects|by_size\.\w+\.(from_)?objects"
        r"|crossings\.objects)|per_object",
        [],
    ),
    "unseen generators": (r"unseen", ["unseen", "unseen_generators"]),
    "pretrained detectors": (
        r"^(training|adversarial_robustness|summary)\.(hard_labels|ensemble|soft_labels"
        r")\.",
        ["seeds"],
    ),
    "the fast detector": (r"^\w+\.fast\.", []),
    "trials": (r"^training\.(trials|fast_on_hard_labels)", ["trials"]),
}
COMBINATIONS = [
    combination for size in (1, len(PARTS)) for combination in itertools.combinations(PARTS, size)
]

SMALL = {
    # A user's own folder of so many images: no CIFAKE, no objects, no duplicates, fewer intervals.
    40: r"per_object|objects|dedup|twin|duplicate|\.unseen\.|test_at_threshold|crossings|compared",
    200: r"per_object|objects|\.unseen\.|significan|pairs|crossings",
    500: r"per_object|objects|\.unseen\.",
}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    whole_report.write(folder)
    return folder


@pytest.fixture(autouse=True)
def plain_code(monkeypatch):
    """Colours of code cost most of a rendering and change nothing here."""
    monkeypatch.setattr(html, "_highlight", lambda code: f"<pre>{escape(code)}</pre>")


def page(build, metrics):
    out = build / "report.html"
    problems = html.render(build, plan=whole_report.stages(), metrics=metrics, out=out)
    assert problems == []
    text = out.read_text(encoding="utf-8")
    assert leave_out.VALUE not in text and leave_out.SENTENCES not in text
    shown = re.sub(r"<(pre|script|style)\b.*?</\1>", "", text, flags=re.S)
    assert not re.search(r"\{\{|\{%|%\}|\}\}|\bundefined\b|\bnan\b", shown)
    assert 'role="alert"' not in shown
    return shown


def test_a_run_that_has_everything_leaves_nothing_out(build):
    assert "left-out" not in page(build, whole_report.metrics())


@pytest.mark.parametrize(
    "combination", COMBINATIONS, ids=lambda parts: "without " + (" and ".join(parts) or "nothing")
)
def test_the_page_comes_out_without(build, tmp_path, combination):
    gone = [PARTS[part] for part in combination]
    metrics = whole_report.metrics("|".join(pattern for pattern, _ in gone))
    figures = {name for _, names in gone for name in names}
    if figures:
        whole_report.write(tmp_path, figures)
    page(tmp_path if figures else build, metrics)


@pytest.mark.parametrize("n", SMALL)
def test_the_page_comes_out_for_a_small_data_set(build, n):
    facts = {"name": "my pictures", "n": n, "source": "photos", "fingerprint": "f" * 64}
    metrics = whole_report.metrics(SMALL[n], facts)
    for record in metrics["metrics"].values():
        if n == min(SMALL):
            record.pop("ci", None)
    assert "my pictures" in page(build, metrics)


@pytest.mark.parametrize("stage", [stage.name for stage in whole_report.stages()])
def test_the_page_comes_out_without_any_result_of(build, stage):
    page(build, whole_report.metrics(rf"^{stage}\."))


def test_the_page_comes_out_with_what_the_stages_promise_and_no_more(build):
    promised = {
        f"{stage.name}.{name}"
        for stage in whole_report.stages()
        for name in stage.outputs.get("metrics", ())
    }
    metrics = whole_report.metrics()
    metrics["metrics"] = {k: v for k, v in metrics["metrics"].items() if k in promised}
    page(build, metrics)


def test_the_page_comes_out_without_any_result_at_all(build):
    page(build, whole_report.metrics("."))


@pytest.mark.parametrize("kind", ["ci", "n", "seed", "unit"])
def test_the_page_comes_out_without_what_metrics_say_of_themselves(build, kind):
    metrics = whole_report.metrics()
    for record in metrics["metrics"].values():
        record.pop(kind, None)
    page(build, metrics)


def test_a_conclusion_is_left_out_with_the_number_that_it_rests_on():
    for stage in whole_report.stages():
        filler = prose.Prose(whole_report.metrics(r"\.auroc$"), strict=False)
        for cell in planning.read_notebook(stage.notebook)["cells"]:
            if cell["cell_type"] == "markdown":
                text = filler.markdown(cell["source"], "here", stage.name)
                assert "does not help it there" not in text
                assert "has not taught it anything" not in text and "carries over" not in text
