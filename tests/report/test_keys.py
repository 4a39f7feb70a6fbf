"""Stage keys: what counts, what does not, and the words for what changed."""

import textwrap
from pathlib import Path

import pytest
from tiny_project import TinyProject

from realfake_lib.report import keys
from realfake_lib.report import plan as planning

ROOT = Path(__file__).resolve().parents[2]


class Package:
    """A library in a temporary folder whose files a test writes and edits."""

    def __init__(self, folder):
        self.folder = folder
        self.write("__init__.py", "")

    def write(self, path, code):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(code), encoding="utf-8")

    def reached(self, code):
        """Paths without the package's name, and their hashes."""
        found = keys.reached(textwrap.dedent(code), self.folder)
        return {path.removeprefix("realfake_lib/"): value for path, value in found.items()}


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path / "realfake_lib")


def test_a_module_counts_with_those_that_it_uses_and_others_do_not(package):
    package.write("plots/__init__.py", "from realfake_lib.plots.lines import curves\n")
    package.write("plots/lines.py", "from realfake_lib import style\ncurves = style.curves\n")
    package.write("style.py", "curves = 1\n")
    package.write("other.py", "from realfake_lib import plots\n")
    reached = package.reached("from realfake_lib import plots\nplots.curves()")
    assert set(reached) == {"plots/lines.py", "style.py"}


@pytest.mark.parametrize(
    "use",
    [
        "from realfake_lib import plots; plots.curves()",
        "from realfake_lib import plots as p; p.curves()",
        "import realfake_lib.plots; realfake_lib.plots.curves()",
        "import realfake_lib.plots as p; p.curves()",
        "from realfake_lib.plots import curves; curves()",
        "from realfake_lib.plots import curves as c; c()",
        "from realfake_lib.plots import *",
        "from realfake_lib import again; again()",
        "from realfake_lib.sub import relative; relative()",
        "from realfake_lib import lazy; lazy.lazy()",
        "from realfake_lib import acting",
    ],
)
def test_every_form_of_import_finds_the_module(package, use):
    package.write("plots.py", "def curves(): pass\n")
    package.write("__init__.py", "from realfake_lib.plots import curves as again\n")
    package.write("sub/__init__.py", "from ..plots import curves as relative\n")
    package.write("acting.py", "from realfake_lib import plots  # which does something\n")
    lazy = "def lazy():\n    from realfake_lib import plots\n    return plots.curves()\n"
    package.write("lazy.py", lazy)
    assert set(package.reached(use)) - {"lazy.py", "acting.py"} == {"plots.py"}


def test_a_package_that_imports_its_own_submodules_is_followed(package):
    package.write("sub/__init__.py", "from realfake_lib.sub import inner\nfrom . import other\n")
    package.write("sub/inner.py", "def work(): pass\n")
    package.write("sub/other.py", "def work(): pass\n")
    use = "from realfake_lib import sub; sub.inner.work(); sub.other.work()"
    assert set(package.reached(use)) == {"sub/inner.py", "sub/other.py"}


def test_what_a_package_imports_when_it_is_used_is_found_and_touches_nothing_else(package):
    package.write(
        "sub/__init__.py",
        """
        if TYPE_CHECKING:
            from realfake_lib.sub.inner import work
            from realfake_lib.sub.other import play
        __getattr__, __dir__, __all__ = exports(__name__, __file__)
        """,
    )
    package.write("sub/inner.py", "def work(): pass\n")
    package.write("sub/other.py", "def play(): pass\n")
    for use in (
        "from realfake_lib.sub import work; work()",
        "from realfake_lib import sub; sub.work()",
    ):
        assert set(package.reached(use)) == {"sub/inner.py"}
    assert set(package.reached("from realfake_lib import sub; sub.play()")) == {"sub/other.py"}


def test_a_package_that_is_passed_on_counts_with_all_that_it_imports(package):
    package.write("sub/__init__.py", "from realfake_lib.sub.inner import work\n")
    package.write("sub/inner.py", "def work(): pass\n")
    for use in ("print(sub)", "getattr(sub, name)"):
        reached = package.reached(f"from realfake_lib import sub\n{use}")
        assert set(reached) == {"sub/__init__.py", "sub/inner.py"}


def test_a_name_that_a_package_defines_itself_counts_with_it_alone(package):
    package.write("__init__.py", "from realfake_lib.plots import curves\nversion = '1'\n")
    package.write("plots.py", "def curves(): pass\n")
    assert set(package.reached("from realfake_lib import version")) == {"__init__.py"}


def test_no_module_is_imported_by_a_computed_name():
    """Whose import no key would see; ``lazy`` names its modules in the same ``__init__``."""
    paths = (ROOT / "realfake_lib").rglob("*.py")
    assert [p.name for p in paths if "import_module(" in p.read_text("utf-8")] == ["lazy.py"]


def test_comments_docstrings_and_layout_do_not_count(package):
    use = "from realfake_lib import plots; plots.curves(); plots.Style()"
    package.write("plots.py", "def curves(a): return a+1\nclass Style:\n    x = 1\n")
    before = package.reached(use)
    package.write(
        "plots.py",
        '''
        """A docstring."""

        # A comment.
        def curves(a):
            """Another one."""
            return (a +
                    1)


        class Style:
            """And one here."""

            x = 1
        ''',
    )
    assert package.reached(use) == before
    package.write("plots.py", "def curves(a): return a+2\nclass Style:\n    x = 1\n")
    assert package.reached(use) != before


def test_the_handle_alone_reaches_neither_networks_nor_rendering():
    code = "from realfake_lib.report import stage\nrun = stage('x')\nrun.metric('a', 1)\n"
    reached = keys.reached(code, ROOT / "realfake_lib")
    assert "realfake_lib/report/stage.py" in reached
    assert not any("html.py" in path or "networks.py" in path for path in reached)


# --- keys of a project, and reasons -------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    project = TinyProject(tmp_path)
    project.inputs = {}
    package = Package(tmp_path / "realfake_lib")
    package.write("plots/__init__.py", "from .lines import curves\nfrom .areas import bars\n")
    package.write("plots/lines.py", "def curves(): return 1\n")
    package.write("plots/areas.py", "def bars(): return 1\n")
    project.package = package
    project.add(
        "first",
        "from realfake_lib import plots\nplots.curves()",
        "%matplotlib inline\n!ls",
        defines="epochs = 2\n",
        parameters={"epochs": 2},
        begin=False,
    )
    project.add("second", "from realfake_lib import plots\nplots.bars()", begin=False)
    return project


def parts_of(project, data="f1"):
    """Parts of the stages' keys, with the results that they read."""
    plan = planning.load(project.root, "smoke")
    return all_parts(project, plan, data)


def all_parts(project, plan, data):
    found = plan.stages.items()
    return {name: keys.parts(plan.root, stage, data, dict(project.inputs)) for name, stage in found}


def why(project, before, **options):
    """Reasons by stage after an edit; stages without one are left out."""
    after = parts_of(project, **options)
    found = {name: keys.reasons(before[name], after[name]) for name in after}
    for name, parts in after.items():
        assert bool(found[name]) == (keys.key(parts) != keys.key(before[name]))
    return {name: reasons for name, reasons in found.items() if reasons}


def test_prose_changes_no_key(project):
    before = parts_of(project)
    project.add(
        "second",
        "from realfake_lib import plots\nplots.bars()",
        begin=False,
        prose="Quite other words.",
    )
    assert why(project, before) == {}


def test_code_of_a_notebook_is_named(project):
    before = parts_of(project)
    project.add("first", "1 + 1", defines="epochs = 2\n", parameters={"epochs": 2}, begin=False)
    assert why(project, before) == {"first": ["code of the notebook changed"]}


def test_an_edit_to_a_module_runs_only_the_stages_that_reach_it_and_names_it(project):
    before = parts_of(project)
    project.package.write("plots/areas.py", "def bars(): return 2\n")
    assert why(project, before) == {"second": ["realfake_lib/plots/areas.py changed"]}


def test_many_edits_are_counted(project):
    names = [f"f{k}" for k in range(6)]
    for number in (1, 2):
        for name in names:
            project.package.write(f"{name}.py", f"{name} = {number}\n")
        if number == 1:
            imports = "\n".join(f"from realfake_lib.{name} import {name}" for name in names)
            project.add("second", imports, begin=False)
            before = parts_of(project)
    assert why(project, before)["second"][-1] == "3 more modules changed"


def test_a_module_that_is_reached_anew_is_named(project):
    before = parts_of(project)
    project.package.write("plots/rows.py", "def bars(): return 1\n")
    project.package.write(
        "plots/__init__.py", "from .lines import curves\nfrom .rows import bars\n"
    )
    assert "realfake_lib/plots/rows.py changed" in why(project, before)["second"]


def test_a_parameter_is_told_with_both_values(project):
    before = parts_of(project)
    project.content["stages"]["first"]["parameters"] = {"epochs": 3}
    project.save()
    assert why(project, before)["first"] == ["parameter epochs changed 2 → 3"]
    project.content["stages"]["first"]["parameters"] = {}
    project.save()
    assert why(project, before)["first"] == ["parameter epochs changed 2 → None"]


def test_data_lock_and_inputs_are_named(project):
    before = parts_of(project)
    assert why(project, before, data="f2")["first"] == ["data changed"]
    (project.root / "requirements.lock").write_text("numpy==2.4.6\n")
    assert why(project, before)["first"] == ["requirements.lock changed"]
    (project.root / "requirements.lock").unlink()
    for inputs, reason in (
        ({"third": "a"}, "input third was added"),
        ({"third": "b"}, "input third ran again"),
        ({}, "input third was removed"),
    ):
        before = parts_of(project)
        project.inputs = inputs
        assert why(project, before)["second"] == [reason]


def test_the_same_data_under_another_path_change_nothing(project, tmp_path):
    plan = planning.load(project.root, "smoke", data=str(tmp_path))
    assert all_parts(project, plan, "f1") == parts_of(project)


def test_files_of_ones_own_count_by_content_for_the_stage_that_declares_them(
    project, tmp_path, monkeypatch
):
    project.content["stages"]["second"]["files"] = ["weights"]
    project.save()
    for name in ("REALFAKE_WEIGHTS", "REALFAKE_DATA"):
        monkeypatch.delenv(name, raising=False)
    before = parts_of(project)
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "vgg16.h5").write_bytes(b"123")
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "data"))
    assert why(project, before) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}
    inside = parts_of(project)
    monkeypatch.delenv("REALFAKE_DATA")
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "data" / "weights"))
    assert why(project, inside) == {}
    (tmp_path / "own.zip").write_bytes(b"1234")
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "own.zip"))
    packed = parts_of(project)
    assert why(project, inside) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}
    (tmp_path / "own.zip").write_bytes(b"12345")
    assert why(project, packed) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}


def test_of_the_projects_own_files_only_those_count_that_a_stage_reads(project, monkeypatch):
    for name in ("attacks", "trainings"):
        (project.root / "experiments" / name).mkdir(parents=True)
    project.content["stages"]["first"]["files"] = ["experiments/attacks"]
    project.content["stages"]["second"]["files"] = ["experiments/trainings"]
    project.save()
    monkeypatch.setenv("REALFAKE_EXPERIMENTS", str(project.root / "experiments"))
    before = parts_of(project)
    (project.root / "experiments" / "trainings" / "kept.npz").write_bytes(b"123")
    assert why(project, before) == {"second": ["the files in experiments/trainings changed"]}
    before = parts_of(project)
    (project.root / "experiments" / "trainings" / "kept.npz").write_bytes(b"124")
    assert why(project, before) == {"second": ["the files in experiments/trainings changed"]}


def test_the_notebook_of_the_data_reaches_no_network():
    code = keys.notebook_code(ROOT / "notebooks" / "01_preprocessing.ipynb")
    reached = keys.reached(code, ROOT / "realfake_lib")
    assert "realfake_lib/data/decoding.py" in reached
    assert not [path for path in reached if "models/networks" in path or "training/loop" in path]
