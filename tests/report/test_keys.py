"""Stage keys: what counts, what does not, and the words for what changed."""

import textwrap
from pathlib import Path

import pytest
from tiny_project import TinyProject

from realfake_lib.report import keys
from realfake_lib.report import plan as planning


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
        """Labels without the package's name, and their hashes."""
        found = keys.Library(self.folder).reached(textwrap.dedent(code))
        return {label.removeprefix("realfake_lib/"): value for label, value in found.items()}


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path / "realfake_lib")


def test_a_function_counts_with_what_it_calls_and_its_neighbours_do_not(package):
    package.write(
        "plots.py",
        """
        WIDTH = 7
        def _axes():
            return WIDTH
        def curves():
            return _axes()
        def other():
            return 2
        """,
    )
    reached = package.reached("from realfake_lib import plots\nplots.curves()")
    assert set(reached) == {"plots.py: curves", "plots.py: _axes", "plots.py: WIDTH"}


@pytest.mark.parametrize(
    "use",
    [
        "from realfake_lib import plots; plots.curves()",
        "from realfake_lib import plots as p; p.curves()",
        "import realfake_lib.plots; realfake_lib.plots.curves()",
        "import realfake_lib.plots as p; p.curves()",
        "from realfake_lib.plots import curves; curves()",
        "from realfake_lib.plots import curves as c; c()",
        "from realfake_lib import again; again()",
        "from realfake_lib.sub import relative; relative()",
        "from realfake_lib.sub import lazy; lazy()",
    ],
)
def test_every_form_of_import_finds_the_definition(package, use):
    package.write("plots.py", "def curves(): pass\ndef other(): pass\n")
    package.write("__init__.py", "from realfake_lib.plots import curves as again\n")
    package.write(
        "sub/__init__.py",
        """
        from ..plots import curves as relative
        def lazy():
            from realfake_lib import plots
            return plots.curves()
        """,
    )
    assert set(package.reached(use)) - {"sub/__init__.py: lazy"} == {"plots.py: curves"}


def test_a_package_that_imports_its_own_submodules_is_followed(package):
    package.write("sub/__init__.py", "from realfake_lib.sub import inner\nfrom . import other\n")
    package.write("sub/inner.py", "def work(): pass\n")
    package.write("sub/other.py", "def work(): pass\n")
    use = "from realfake_lib import sub; sub.inner.work(); sub.other.work()"
    assert set(package.reached(use)) == {"sub/inner.py: work", "sub/other.py: work"}


def test_what_a_package_imports_when_it_is_used_is_found_and_touches_nothing_else(package):
    package.write(
        "sub/__init__.py",
        """
        if TYPE_CHECKING:
            from realfake_lib.sub.inner import work
            from realfake_lib.sub.other import play
        __getattr__, __dir__, __all__ = exports(__name__, {"inner": "work", "other": "play"})
        """,
    )
    package.write("sub/inner.py", "def work(): pass\n")
    package.write("sub/other.py", "register()\ndef play(): pass\n")
    for use in (
        "from realfake_lib.sub import work; work()",
        "from realfake_lib import sub; sub.work()",
    ):
        assert set(package.reached(use)) == {"sub/inner.py: work"}
    played = package.reached("from realfake_lib import sub; sub.play()")
    assert {"sub/other.py: play", "sub/other.py: top level"} <= set(played)


def test_a_module_that_is_passed_on_counts_as_a_whole(package):
    package.write("plots.py", "def curves(): pass\ndef other(): pass\n")
    assert "plots.py" in package.reached("from realfake_lib import plots\nprint(plots)")
    assert "plots.py" in package.reached("from realfake_lib.plots import *")
    assert "plots.py" in package.reached("import realfake_lib.plots as p\np.made_at_run_time()")


def test_a_module_imported_by_a_computed_name_counts_with_its_whole_package(package):
    package.write(
        "zoo/__init__.py",
        """
        import importlib
        def build(name):
            return importlib.import_module(f"realfake_lib.zoo.{name}")
        def named():
            return importlib.import_module("realfake_lib.plots")
        """,
    )
    package.write("zoo/cat.py", "def cat(): pass\n")
    package.write("plots.py", "def curves(): pass\n")
    assert "zoo/cat.py" in package.reached("from realfake_lib import zoo; zoo.build('cat')")
    assert "plots.py" in package.reached("from realfake_lib import zoo; zoo.named()")


def test_statements_that_act_on_import_and_registered_functions_always_count(package):
    package.write(
        "zoo.py",
        """
        import functools
        REGISTRY = {}
        def register(function):
            REGISTRY[function.__name__] = function
        @register
        def cat(): pass
        @functools.cache
        def pure(): pass
        @styled
        def plot(): pass
        try:
            import fast
        except ImportError:
            fast = None
        def build(name): return REGISTRY[name], fast
        """,
    )
    reached = package.reached("from realfake_lib import zoo; zoo.build('cat')")
    assert {"zoo.py: cat", "zoo.py: register", "zoo.py: top level"} <= set(reached)
    assert not {"zoo.py: pure", "zoo.py: plot"} & set(reached)


def test_a_decorator_that_is_a_class_or_unknown_may_do_anything(package):
    package.write(
        "plots.py",
        """
        import other
        class Register:
            def __init__(self, function): pass
        @Register
        def one(): pass
        @other.thing
        def two(): pass
        @unknown
        def three(): pass
        def four(): pass
        """,
    )
    reached = package.reached("from realfake_lib import plots; plots.four()")
    assert {"plots.py: one", "plots.py: two", "plots.py: three"} <= set(reached)


def test_a_field_named_as_a_module_is_no_use_of_it(package):
    package.write("augment.py", "def flip(): pass\n")
    package.write(
        "recipes.py",
        """
        from realfake_lib import augment
        class Recipe:
            augment: str = "none"
        """,
    )
    reached = package.reached("from realfake_lib.recipes import Recipe; Recipe()")
    assert set(reached) == {"recipes.py: Recipe"}


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
    after = package.reached(use)
    assert {label for label in after if after[label] != before[label]} == {"plots.py: curves"}


def test_the_handle_alone_reaches_neither_networks_nor_rendering():
    code = "from realfake_lib.report import stage\nrun = stage('x')\nrun.metric('a', 1)\n"
    reached = keys.Library(keys.Path(keys.__file__).parents[1]).reached(code)
    assert any(label.endswith(": StageRun") for label in reached)
    assert not any("html.py" in label or "compact.py" in label for label in reached)


# --- keys of a project, and reasons -------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    project = TinyProject(tmp_path)
    package = Package(tmp_path / "realfake_lib")
    package.write("plots.py", "def curves(): return 1\ndef bars(): return 1\n")
    project.package = package
    project.add(
        "first",
        "from realfake_lib import plots\nplots.curves()",
        "%matplotlib inline\n!ls",
        defines="epochs = 2\n",
        parameters={"epochs": 2},
        begin=False,
    )
    project.add(
        "second", "from realfake_lib import plots\nplots.bars()", inputs=["first"], begin=False
    )
    return project


def keys_of(project, data="f1"):
    return keys.stage_keys(planning.load(project.root, "smoke"), data)


def why(project, before, **options):
    """Reasons by stage after an edit; stages without one are left out."""
    after = keys_of(project, **options)
    found = {n: keys.reasons(before[n].parts, after[n].parts) for n in after}
    for name, key in after.items():
        assert bool(found[name]) == (key.key != before[name].key)
    return {name: reasons for name, reasons in found.items() if reasons}


def test_prose_changes_no_key(project):
    before = keys_of(project)
    project.add(
        "second",
        "from realfake_lib import plots\nplots.bars()",
        inputs=["first"],
        begin=False,
        prose="Quite other words.",
    )
    assert why(project, before) == {}


def test_code_of_a_notebook_is_named_and_reaches_the_stages_that_read_it(project):
    before = keys_of(project)
    project.add("first", "1 + 1", defines="epochs = 2\n", parameters={"epochs": 2}, begin=False)
    assert why(project, before) == {
        "first": ["code of the notebook changed"],
        "second": ["input first ran again"],
    }


def test_an_edit_to_one_plot_runs_only_the_stage_that_draws_it(project):
    before = keys_of(project)
    project.package.write("plots.py", "def curves(): return 1\ndef bars(): return 2\n")
    assert why(project, before) == {"second": ["realfake_lib/plots.py: bars changed"]}


def test_many_edits_are_counted(project):
    names = [f"f{k}" for k in range(6)]
    project.package.write("plots.py", "\n".join(f"def {n}(): return 1" for n in names))
    calls = "\n".join(f"plots.{n}()" for n in names)
    project.add("second", f"from realfake_lib import plots\n{calls}", begin=False)
    before = keys_of(project)
    project.package.write("plots.py", "\n".join(f"def {n}(): return 2" for n in names))
    assert why(project, before)["second"][-1] == "3 more definitions changed"


def test_a_definition_that_is_reached_anew_is_named(project):
    project.package.write("plots.py", "def curves(): return 1\n")
    before = keys_of(project)  # bars is unresolved: the whole module counts
    project.package.write("plots.py", "def curves(): return 1\ndef bars(): return 1\n")
    assert "realfake_lib/plots.py: bars changed" in why(project, before)["second"]


def test_a_parameter_is_told_with_both_values(project):
    before = keys_of(project)
    project.content["stages"]["first"]["parameters"] = {"epochs": 3}
    project.save()
    assert why(project, before)["first"] == ["parameter epochs changed 2 → 3"]
    project.content["stages"]["first"]["parameters"] = {}
    project.save()
    assert why(project, before)["first"] == ["parameter epochs is gone"]
    assert keys.reasons(keys_of(project)["first"].parts, before["first"].parts) == [
        "parameter epochs is new"
    ]


def test_data_lock_and_inputs_are_named(project):
    before = keys_of(project)
    assert why(project, before, data="f2")["first"] == ["data changed"]
    (project.root / "requirements.lock").write_text("numpy==2.4.6\n")
    assert why(project, before)["first"] == ["requirements.lock changed"]
    (project.root / "requirements.lock").unlink()
    project.content["stages"]["second"]["inputs"] = []
    project.save()
    assert why(project, before) == {"second": ["input first was removed"]}


def test_the_same_data_under_another_path_change_nothing(project, tmp_path):
    before = keys_of(project)
    plan = planning.load(project.root, "smoke", data=str(tmp_path))
    assert {n: k.key for n, k in keys.stage_keys(plan, "f1").items()} == {
        n: k.key for n, k in before.items()
    }


def test_files_of_ones_own_count_by_content_for_the_stage_that_declares_them(
    project, tmp_path, monkeypatch
):
    project.content["stages"]["second"]["files"] = ["weights"]
    project.save()
    for name in ("REALFAKE_WEIGHTS", "REALFAKE_DATA"):
        monkeypatch.delenv(name, raising=False)
    before = keys_of(project)
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "vgg16.h5").write_bytes(b"123")
    monkeypatch.setenv("REALFAKE_DATA", str(tmp_path / "data"))
    assert why(project, before) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}
    inside = keys_of(project)
    monkeypatch.delenv("REALFAKE_DATA")
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "data" / "weights"))
    assert why(project, inside) == {}
    (tmp_path / "own.zip").write_bytes(b"1234")
    monkeypatch.setenv("REALFAKE_WEIGHTS", str(tmp_path / "own.zip"))
    packed = keys_of(project)
    assert why(project, inside) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}
    (tmp_path / "own.zip").write_bytes(b"12345")
    assert why(project, packed) == {"second": ["the files in REALFAKE_WEIGHTS changed"]}


def test_the_notebook_of_the_data_reaches_no_network():
    root = Path(keys.__file__).resolve().parent.parent.parent
    code = keys.notebook_code(root / "notebooks" / "01_preprocessing.ipynb")
    reached = keys.Library(root / "realfake_lib").reached(code)
    assert "realfake_lib/data/decoding.py: decode" in reached
    assert not [name for name in reached if "models/networks" in name or "training/loop" in name]
