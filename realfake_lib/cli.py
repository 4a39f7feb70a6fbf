"""The command line: ``realfake report | data | train | evaluate | export | predict``.

Commands import what they need when they run, so that ``realfake --help`` answers at once. A user's
mistake ends with exit code 2 and a message, a failed stage with 1, Ctrl-C with 130.
"""

import errno
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from realfake_lib import console, extras
from realfake_lib.data import layout
from realfake_lib.errors import StageFailed, UserError

app = typer.Typer(
    name="realfake",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
report_app = typer.Typer(no_args_is_help=True, help="Run the notebooks and render the report.")
data_app = typer.Typer(no_args_is_help=True, help="Get, check and describe the data.")
app.add_typer(report_app, name="report")
app.add_typer(data_app, name="data")

Profile = Annotated[str, typer.Option(help="smoke, standard or full.")]
Data = Annotated[str, typer.Option(help="auto, cifake, demo, or a folder or archive of images.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all randomness.")]
Changes = Annotated[
    list[str], typer.Option("--set", help="Parameter for this run: [STAGE.]PARAMETER=VALUE.")
]
ImageSize = Annotated[
    int | None, typer.Option(help="Side in pixels, 16 to 1024; images are resized to it.")
]
Threshold = Annotated[
    float | None,
    typer.Option(help="FAKE from this p(fake) on and REAL below, 0 to 1; by default the model's."),
]


_stopped = False


def _stop(number, frame):
    """End as Ctrl-C does, also where a C library takes the interrupt for a failed import."""
    global _stopped
    _stopped = True
    raise KeyboardInterrupt


def _say(words):
    """Tell a person something on standard error, where it can be told."""
    try:
        typer.echo(f"realfake: {console.printable(words)}", err=True)
    except OSError:  # full or closed: the exit code says it
        sys.stderr = None


def _of_the_system(error):
    """Words for what the operating system refused, a full or failing disk; all else is raised."""
    # A closed pipe is the business of Click.
    if not isinstance(error, OSError) or error.errno in (None, errno.EPIPE):
        raise error
    if "temporary directory" in str(error):  # as in a read-only container
        return f"{error.strerror}: set TMPDIR to a folder that can be written"
    return f"{layout.as_text(str(error.filename or 'writing'))}: {error.strerror}"


def handle_errors(command):
    """Turn what may go wrong in ``command`` into words and an exit code."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        try:
            with extras.needed_for(command.__name__.replace("_", " ")):
                code = command(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if _stopped or isinstance(error, KeyboardInterrupt):
                _say("stopped; finished stages, epochs and downloads are kept")
                raise typer.Exit(130) from None
            if isinstance(error, UserError):
                _say(str(error))
            elif not isinstance(error, StageFailed):  # which the run has printed
                _say(_of_the_system(error))
            raise typer.Exit(getattr(error, "exit_code", 2)) from None
        raise typer.Exit(code or 0)

    return wrapped


# --- report -------------------------------------------------------------------------------------


@report_app.command("run")
@handle_errors
def report_run(
    profile: Profile = "standard",
    data: Data = "auto",
    seed: Seed = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Stages that may run at once.")] = 1,
    stage: Annotated[
        list[str], typer.Option(help="Only this stage and what it reads; may be repeated.")
    ] = (),
    force: Annotated[bool, typer.Option("--force", help="Run also what did not change.")] = False,
    changes: Changes = (),
    cluster: Annotated[
        str | None,
        typer.Option(help="Dask scheduler for the trainings of chapter 4, tcp://HOST:PORT."),
    ] = None,
):
    """Run every stage whose key changed and render the report."""
    from realfake_lib.report import run

    run.run(
        profile=profile,
        data=data,
        seed=seed,
        jobs=jobs,
        stages=tuple(stage),
        force=force,
        changes=tuple(changes),
        cluster=cluster,
    )


@report_app.command("status")
@handle_errors
def report_status(
    profile: Profile = "standard", data: Data = "auto", seed: Seed = 0, changes: Changes = ()
):
    """Show what a run would execute, why, and how long it would take."""
    from realfake_lib.report import run
    from realfake_lib.report.terminal import Terminal

    Terminal().status(*run.status(profile=profile, data=data, seed=seed, changes=tuple(changes)))


@report_app.command("render")
@handle_errors
def report_render(profile: Profile = "standard"):
    """Render the report from the results that there are, without running anything."""
    from realfake_lib.report import run

    run.render(profile=profile)


@report_app.command("pdf")
@handle_errors
def report_pdf(profile: Profile = "standard"):
    """Print the rendered report to PDF with an installed Chromium."""
    from realfake_lib.report import pdf, plan

    page = plan.load(profile=profile).page
    typer.echo(f"PDF: {pdf.to_pdf(page, page.with_suffix('.pdf'))}")


def _version(asked: bool):
    if asked:
        from importlib.metadata import version

        typer.echo(f"realfake {version('realfake_lib')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
):
    """Tell real photographs from AI-generated images, and report how far that can be trusted."""


# --- data ---------------------------------------------------------------------------------------


@data_app.command("fetch")
@handle_errors
def data_fetch(
    what: Annotated[
        str,
        typer.Argument(help="cifake; or panel or pool: crops of real size."),
    ] = "cifake",
    to: Annotated[
        Path | None, typer.Option(help="Folder for panel or pool; by default in the cache.")
    ] = None,
):
    """Download CIFAKE, the panel or the pool; of the latter only what is missing.

    The exit code is 2 if crops are not available.
    """
    from realfake_lib import data

    if what not in ("cifake", "panel", "pool"):
        raise UserError(f"{what}: no such data", "Known: cifake, panel, pool.")
    if what == "cifake" and to is not None:
        raise UserError("--to is for panel and pool", "REALFAKE_CACHE says where the cache is.")
    with console.progress_bar():
        fetched = data.fetch_cifake() if what == "cifake" else data.fetch_panel(to, what)
    typer.echo(f"CIFAKE: {fetched}" if what == "cifake" else console.printable(str(fetched)))
    return 0 if what == "cifake" or fetched.failed.empty else 2


@data_app.command("verify")
@handle_errors
def data_verify(data: Data = "cifake"):
    """Check CIFAKE file by file against its author's repository."""
    from realfake_lib import data as library

    outcome = library.verify(data)
    typer.echo(str(outcome))
    return 0 if outcome.ok else 2


@data_app.command("info")
@handle_errors
def data_info(data: Data = "auto", image_size: ImageSize = None):
    """Describe a data set: where it comes from, its classes, its duplicates."""
    from realfake_lib import data as library

    dataset = library.load(data, image_size=image_size)
    found = library.duplicates(dataset)
    typer.echo(f"{dataset.name}: {dataset.n:,} images of {dataset.image_size} pixels")
    typer.echo(f"source: {dataset.source}\nfingerprint: {dataset.fingerprint}")
    for notice in dataset.notices:
        typer.echo(f"note: {notice}")
    typer.echo(library.describe(dataset).to_string(index=False))
    typer.echo(f"pairs of byte-identical images: {found.pairs:,}")


# --- detectors ----------------------------------------------------------------------------------


@app.command()
@handle_errors
def train(
    output: Annotated[Path, typer.Option(help="File for the trained model, ending in .keras.")],
    data: Data = "auto",
    model: Annotated[str, typer.Option(help="Name of the network.")] = "compact_cnn",
    recipe: Annotated[
        str | None, typer.Option(help="Name of the recipe; by default one that suits the network.")
    ] = None,
    image_size: ImageSize = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Overrides the recipe.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Overrides the recipe.")] = None,
    n_train: Annotated[int | None, typer.Option(min=2, help="Number of training images.")] = None,
    seed: Seed = 0,
):
    """Train a detector on CIFAKE or on a folder of one's own.

    Temperature, threshold and uncertain band are chosen on validation images and saved with the
    model. An interrupted training carries on with the same command.
    """
    import realfake_lib

    with console.notes(), console.progress_bar():
        detector = realfake_lib.train(
            data,
            output,
            model=model,
            recipe=recipe,
            image_size=image_size,
            epochs=epochs,
            batch_size=batch_size,
            n_train=n_train,
            seed=seed,
        )
    reached = detector.meta["validation"]
    typer.echo(
        f"{output}: validation accuracy {reached['accuracy']:.1%} on {reached['n']:,} images"
    )
    if reached["accuracy"] <= reached["largest_class"] + 0.02:
        _say(
            "warning: that is not better than always predicting the same class. "
            "More images or more --epochs are needed."
        )


@app.command()
@handle_errors
def evaluate(
    model: Annotated[str, typer.Option(help="Model file, or a trained detector's name.")],
    data: Data = "auto",
    part: Annotated[
        str | None,
        typer.Option(
            help="test (20 % are held out if the folder has none) or all; by default test, but "
            "all for a folder with one class."
        ),
    ] = None,
    threshold: Threshold = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Seed = 0,
):
    """Score a detector on labelled images: accuracy, recall, AUROC and more with 95 % intervals.

    For fakes alone it gives the recall, for photographs alone the false-positive rate. Folders in
    REAL and FAKE are taken for sources, and each is scored; with two and more in both classes the
    intervals are those over sources.
    """
    import realfake_lib
    from realfake_lib import listing

    with console.notes(), console.progress_bar():
        found = realfake_lib.evaluate(model, data, part=part, threshold=threshold, seed=seed)
    typer.echo(listing.evaluation_as_json(found) if json_output else listing.evaluation(found))


@app.command()
@handle_errors
def export(
    output: Annotated[Path, typer.Option(help="File to write, ending in .onnx.")],
    model: Annotated[
        str | None, typer.Option(help="Model file, or a trained detector's name.")
    ] = None,
):
    """Write a detector as ONNX, for programs without TensorFlow.

    The file is kept only if its logits equal those of Keras. Its threshold, temperature and other
    metadata are written to a JSON file beside it.
    """
    from realfake_lib import workflows

    exported = workflows.export(output, model)["onnx"]
    typer.echo(
        f"{output}: input {exported['input']}; output {exported['output']}\n"
        f"On {exported['compared_on']} images logits differ from Keras's by up to "
        f"{exported['max_abs_difference']:.1e}; {output.with_suffix('.json').name} says the rest"
    )


@app.command()
@handle_errors
def predict(
    paths: Annotated[list[str], typer.Argument(help="Images, and folders of images.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="detector, fast, robust, defended (32×32 pixels), real_size (from 128 pixels on), "
            "the name of another trained detector, or a file ending in .keras or .onnx. By default "
            "detector or real_size, as each image's size asks for."
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Folder for a Grad-CAM map of each image.")
    ] = None,
    threshold: Threshold = None,
    fpr: Annotated[
        float | None,
        typer.Option(
            help="Share of photographs that may be predicted FAKE, 0.01 to 0.2 (--model detector: "
            "0.001 to 0.2). By default 0.05, and 0.01 for images of 32×32 pixels."
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Highest number of images in a batch.")
    ] = 32,
    cluster: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers predict, tcp://HOST:PORT.")
    ] = None,
):
    """Predict for each image the probability of FAKE; say FAKE, REAL, or "can't tell" and why.

    Beside it stands what the file says of itself, e.g. that it was made by AI.

    The exit code is 2 if a file or folder could not be read.
    """
    import realfake_lib
    from realfake_lib import detector, listing, outputs, prediction, settings

    # What can be wrong without a network is found before one is loaded, which takes seconds.
    detector.check_threshold(threshold)
    if fpr is not None and threshold is not None:
        raise UserError("--fpr and --threshold both set the threshold: give one of them.")
    gradients = explain is not None
    file = model and detector.find_model(model, keras=gradients)
    if csv is not None and layout.is_image(str(csv)):
        raise UserError(f"--csv {csv} has the name of an image.", "End it in .csv.")
    if csv is not None:
        outputs.check_place("--csv", csv)
    if explain is not None:
        outputs.check_folder("--explain", explain)
        os.environ["MPLBACKEND"] = "agg"  # Matplotlib's import fails by one that is not there
    images, left_out = prediction.find_images(paths)
    if left_out:
        _say(listing.left_out(left_out))
    if csv is not None and os.path.realpath(csv) in map(os.path.realpath, images):
        raise UserError(f"--csv {csv} is one of the images.", "Give the table another name.")
    if file is None:
        loaded = detector.load_published(gradients=gradients)
    else:
        loaded = [realfake_lib.load_detector(file, gradients=gradients)]
    loaded = [one.with_threshold(threshold).with_false_positive_rate(fpr) for one in loaded]
    with console.notes(), console.progress_bar():
        found = realfake_lib.predict(
            images, loaded, batch_size=batch_size, explain=explain, cluster=cluster
        )
    try:
        if csv is not None:
            with settings.atomic_file(csv) as temporary:
                with open(temporary, "w", encoding="utf-8", newline="") as stream:
                    listing.write_csv(stream, found)
    finally:  # of two places to write to, neither costs what the other gets
        if json_output:
            print(listing.as_json(loaded, found, left_out))
        else:
            print(listing.as_table(loaded, found))
    unexplained = False
    if explain is not None:
        explained = {one.name for one in loaded if one.has_gradients}
        judged = [one for one in found if one.detector in explained]
        unexplained = not all(one.explanation for one in judged)
        others = sum(not one.error for one in found) - len(judged)
        if judged and not unexplained:
            _say(f"explanations are in {explain}")
        if others:
            _say(f"not explained: {others:,}, since only detectors for 32×32 pixels have gradients")
    unread = sum(bool(one.error) for one in found)
    if unread:
        _say(f"{unread:,} of {len(found):,} images could not be read")
    return 2 if left_out or unread or unexplained else 0


def main():
    """Entry point of ``realfake``."""
    # An ordinary kill ends a run as Ctrl-C does: its stages with it, nothing half-written.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background
            signal.signal(number, _stop)
    console.use_signs_of_the_terminal()
    app(prog_name="realfake")


if __name__ == "__main__":
    main()
