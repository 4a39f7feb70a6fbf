"""The command line: ``realfake report | data | train | evaluate | export | predict``.

Commands import what they need when they run, so that ``realfake --help`` answers at once. A user's
mistake ends with exit code 2 and a message, a failed stage with 1, Ctrl-C with 130.
"""

import errno
import functools
import json
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from realfake_lib.errors import UserError

app = typer.Typer(
    name="realfake",
    help="Tell real photographs from AI-generated images, and report how far that can be trusted.",
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
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of everything random.")]
Changes = Annotated[
    list[str], typer.Option("--set", help="Parameter for this run: [STAGE.]PARAMETER=VALUE.")
]
ImageSize = Annotated[
    int | None, typer.Option(help="Side in pixels, 16 to 1024; images are resized to it.")
]
Threshold = Annotated[
    float | None, typer.Option(help="FAKE from this p(fake) on, 0 to 1; by default the model's.")
]


# Full, read-only or forbidden places, names no disk takes, and files where folders should be or
# the reverse.
_USERS_OWN = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR,
    errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EBADF,
}  # fmt: skip


def told(command):
    """Turn what may go wrong in ``command`` into words and an exit code."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        from realfake_lib.report.run import StageFailed

        try:
            code = command(*args, **kwargs)
        except UserError as error:
            typer.echo(f"realfake: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except StageFailed as error:  # the run has printed it
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("realfake: stopped; the same command carries on from here", err=True)
            raise typer.Exit(130) from None
        except OSError as error:
            if error.errno not in _USERS_OWN:
                raise
            typer.echo(f"realfake: {error.filename or 'writing'}: {error.strerror}", err=True)
            raise typer.Exit(2) from None
        raise typer.Exit(code or 0)

    return wrapped


# --- report -------------------------------------------------------------------------------------


@report_app.command("run")
@told
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
        typer.Option(help="Dask scheduler that trains the comparison, tcp://HOST:PORT."),
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
@told
def report_status(
    profile: Profile = "standard", data: Data = "auto", seed: Seed = 0, changes: Changes = ()
):
    """Show what a run would execute, why, and how long it would take."""
    from realfake_lib.report import run
    from realfake_lib.report.terminal import Terminal

    Terminal().status(*run.status(profile=profile, data=data, seed=seed, changes=tuple(changes)))


@report_app.command("render")
@told
def report_render(profile: Profile = "standard", data: Data = "auto", seed: Seed = 0):
    """Render the report from the results that there are, without running anything."""
    from realfake_lib.report import run

    run.render(profile=profile, data=data, seed=seed)


@report_app.command("pdf")
@told
def report_pdf(profile: Profile = "standard"):
    """Print the rendered report to PDF with an installed Chromium."""
    from realfake_lib.report import pdf, plan

    build = plan.load(profile=profile).build
    typer.echo(f"PDF: {pdf.to_pdf(build / 'report.html', build / 'report.pdf')}")


# --- data ---------------------------------------------------------------------------------------


@data_app.command("fetch")
@told
def data_fetch():
    """Download CIFAKE into the cache, unless it is there."""
    from realfake_lib import data

    typer.echo(f"CIFAKE: {data.fetch_cifake()}")


@data_app.command("verify")
@told
def data_verify(data: Data = "cifake"):
    """Check CIFAKE file by file against its author's repository."""
    from realfake_lib import data as library

    outcome = library.verify(data)
    typer.echo(str(outcome))
    return 0 if outcome.ok else 2


@data_app.command("info")
@told
def data_info(data: Data = "auto", image_size: ImageSize = None):
    """Describe a data set: where it comes from, its classes, its duplicates."""
    from realfake_lib import data as library

    dataset = library.load(data, image_size=image_size)
    twins = library.duplicates(dataset)
    typer.echo(f"{dataset.name}: {dataset.n:,} images of {dataset.image_size} pixels")
    typer.echo(f"source: {dataset.source}\nfingerprint: {dataset.fingerprint}")
    for notice in dataset.notices:
        typer.echo(f"note: {notice}")
    typer.echo(library.describe(dataset).to_string(index=False))
    typer.echo(f"pairs of byte-identical images: {twins.pairs:,}")


# --- models -------------------------------------------------------------------------------------


def _check_data(data):
    """Raise UserError where ``--data`` leads nowhere; nothing is read or downloaded yet."""
    from realfake_lib import settings
    from realfake_lib.data import sources

    if data not in ("auto", "cifake") or settings.env(sources.VARIABLE):
        sources.locate(data, settings.cache_dir(), allow_download=False)


def _load(data, **options):
    """Load a data set, its progress and its notices on standard error."""
    from realfake_lib import console
    from realfake_lib import data as library

    with console.progress_bar():
        dataset = library.load(data, **options)
    for notice in dataset.notices:
        typer.echo(f"note: {notice}", err=True)
    return dataset


def _check_output(output):
    from realfake_lib import outputs

    if output.suffix != ".keras":
        raise UserError(f"--output {output}: the name must end in .keras")
    for file in (output, output.with_suffix(".json")):  # the model, and what says what it is
        if os.path.lexists(file):
            raise UserError(
                f"--output {output}: {file} exists", "Name another file, or remove this one first."
            )
    outputs.check_place("--output", output)


def _check_enough(dataset, splits):
    """Raise UserError where the images cannot train a network and choose its threshold."""
    from realfake_lib.data.dataset import MIN_IMAGE_SIZE
    from realfake_lib.settings import CLASS_NAMES

    if dataset.image_size < MIN_IMAGE_SIZE:
        raise UserError(
            f"{dataset.name} has images of {dataset.image_size} pixels a side; the networks need "
            f"at least {MIN_IMAGE_SIZE}.",
            "Enlarge them with --image-size 32.",
        )
    for label, name in enumerate(CLASS_NAMES):
        train, val = (
            int((dataset.labels[part] == label).sum()) for part in (splits.train, splits.val)
        )
        if not train or not val:
            raise UserError(
                f"{dataset.name} has too few {name} images: {train} to train on and {val} to "
                "choose the threshold by.",
                f"Add {name} images to {dataset.source}: at least 10 different ones are needed, "
                "not counting those of a test folder.",
            )


@app.command()
@told
def train(
    output: Annotated[Path, typer.Option(help="File for the trained model, ending in .keras.")],
    data: Data = "auto",
    model: Annotated[str, typer.Option(help="Name of the network.")] = "compact_cnn",
    recipe: Annotated[
        str | None, typer.Option(help="Name of the recipe; by default one that suits the network.")
    ] = None,
    image_size: ImageSize = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    n_train: Annotated[
        int | None, typer.Option(min=2, help="Train on so many images only.")
    ] = None,
    seed: Seed = 0,
):
    """Train a detector on CIFAKE or on a folder of one's own.

    Temperature, threshold and uncertain band are chosen on validation images and saved with the
    model. An interrupted training carries on with the same command.
    """
    from realfake_lib import console, settings
    from realfake_lib import data as library
    from realfake_lib.data.dataset import check_image_size

    _check_output(output)
    check_image_size(image_size)
    _check_data(data)
    console.import_tensorflow()
    from realfake_lib import models, training
    from realfake_lib.evaluation.verdict import choose_operating_point

    known = models.available()
    if model not in known:
        raise UserError(f"--model {model}: no such network", f"Known: {', '.join(known)}")
    # seed_cnn flattens its features, so it cannot train on windows of the images.
    recipe = recipe or ("seed_plain" if model == "seed_cnn" else "compact_standard")
    changes = {"epochs": epochs, "batch_size": batch_size}
    chosen = training.get_recipe(recipe).replace(
        **{name: value for name, value in changes.items() if value is not None}
    )
    dataset = _load(data, image_size=image_size)
    splits = library.make_splits(dataset, seed=seed, n_train=n_train)
    _check_enough(dataset, splits)
    checkpoints = settings.cache_dir() / "training"
    if epochs is None and batch_size is None:
        chosen = chosen.for_images(len(splits.train))
    with console.progress_bar():
        fit = training.fit(model, dataset, splits, chosen, seed=seed, checkpoint_dir=checkpoints)
    logits = training.predict_logits(fit.model, dataset.images, splits.val)
    point = choose_operating_point(dataset.labels[splits.val], logits)
    trained_on = {
        "data": dataset.name,
        "fingerprint": dataset.fingerprint,
        "n": len(splits.train),
        "recipe": recipe,
        "epochs": chosen.epochs,
        "seed": seed,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    models.save(fit.model, output, point.meta() | {"trained_on": trained_on})
    accuracy = fit.history["val_accuracy"].iloc[-1]
    typer.echo(f"{output}: validation accuracy {accuracy:.1%} on {len(splits.val):,} images")
    share = max((dataset.labels[splits.val] == label).mean() for label in (0, 1))
    if accuracy <= share + 0.02:
        typer.echo(
            "realfake: warning: that is no better than always giving the same answer. "
            "More images or more --epochs are needed.",
            err=True,
        )


@app.command()
@told
def evaluate(
    model: Annotated[str, typer.Option(help="Model file, or a trained detector's name.")],
    data: Data = "auto",
    part: Annotated[
        str | None,
        typer.Option(
            help="test (20 % are set aside where a folder has none) or all; by default test, but "
            "all of a folder with one class alone."
        ),
    ] = None,
    threshold: Threshold = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Seed = 0,
):
    """Score a detector on labelled images: accuracy, recall, AUROC and more with 95 % intervals.

    Of fakes alone the recall is given, of photographs alone the false-alarm rate.
    """
    from realfake_lib import console, predict

    if part not in (None, "test", "all"):
        raise UserError(f"--part {part}: use test or all")
    predict.check_threshold(threshold)
    path = predict.find_model(model)
    _check_data(data)
    console.import_tensorflow()
    import numpy as np
    import pandas as pd

    from realfake_lib import data as library

    detector = predict.load_detector(path)
    dataset = _load(data, image_size=detector.image_size, one_class=True)
    if part is None:
        part = "test" if len(set(dataset.labels)) > 1 else "all"
    rows = np.arange(dataset.n) if part == "all" else library.make_splits(dataset).test
    if not len(rows):
        raise UserError(f"{dataset.name} has too few images for a test part.", "Use --part all.")
    threshold = detector.threshold if threshold is None else threshold
    with console.progress_bar():
        p_fake = _p_fake(detector, dataset.images, rows)
    measures, words = _measures(dataset.labels[rows], p_fake, threshold, seed)
    if json_output:
        measured = {name: {"value": value, "ci": ci} for name, value, ci in measures}
        facts = {"model": str(detector.path), "data": dataset.name, "n": len(rows)}
        typer.echo(json.dumps(facts | {"threshold": threshold, "measures": measured}, indent=1))
        return
    table = pd.DataFrame(
        [(name, value, *ci) for name, value, ci in measures],
        columns=["measure", "value", "ci_low", "ci_high"],
    ).set_index("measure")
    typer.echo(f"{detector.path} on {len(rows):,} images of {dataset.name} ({part})")
    typer.echo(f"FAKE from p(fake) = {threshold:.3f} on; {words}\n")
    typer.echo(table.to_string(float_format="{:.4f}".format))


def _p_fake(detector, images, rows, step=1024):
    """Probabilities of many images, a part at a time, so that progress can be shown."""
    import numpy as np

    from realfake_lib import progress

    parts = []
    for start in range(0, len(rows), step):
        parts.append(detector.p_fake(images, rows[start : start + step]))
        progress.report("Scoring", min(start + step, len(rows)), len(rows), "images")
    return np.concatenate(parts)


def _measures(labels, p_fake, threshold, seed):
    """``(name, value, interval)`` of each measure that the classes at hand allow, and a remark."""
    from realfake_lib.evaluation import metrics
    from realfake_lib.settings import CLASS_NAMES, FAKE

    classes = set(labels.tolist())
    if len(classes) > 1:
        scores = metrics.evaluate(labels, p_fake, threshold, seed=seed)
        return list(scores.items()), "precision, recall and F1 are for FAKE"
    (label,) = classes
    name = "recall" if label == FAKE else "false_alarm_rate"
    words = f"all are {CLASS_NAMES[label]}; accuracy, AUROC and the rest need both classes"
    return [(name, *metrics.called_fake(p_fake, threshold))], words


@app.command()
@told
def export(
    output: Annotated[Path, typer.Option(help="File to write, ending in .onnx.")],
    model: Annotated[
        str | None, typer.Option(help="Model file, or a trained detector's name.")
    ] = None,
):
    """Write a detector as ONNX, for programs without TensorFlow.

    The file is kept only if its logits equal Keras's. What must be known of it, threshold and
    temperature among it, lies beside it as JSON.
    """
    from realfake_lib import console, predict

    path = predict.find_model(model)
    _check_export(path, output)
    console.import_tensorflow()
    from realfake_lib import models
    from realfake_lib.models.export import to_onnx

    network, meta = models.load(path)
    told_of = to_onnx(network, output, meta)["onnx"]
    typer.echo(
        f"{output}: input {told_of['input']}; output {told_of['output']}\n"
        f"On {told_of['compared_on']} pictures logits differ from Keras's by up to "
        f"{told_of['max_abs_difference']:.1e}; {output.with_suffix('.json').name} says the rest"
    )


def _check_export(model, output):
    from realfake_lib import outputs

    if model.suffix == ".onnx":
        raise UserError(f"--model {model} is an ONNX file already.", "Name a .keras file.")
    if output.suffix != ".onnx":
        raise UserError(f"--output {output}: the name must end in .onnx")
    beside = output.with_suffix(".json")
    taken = [output]
    # Beside the model itself, one description serves both forms.
    if beside.absolute() != model.with_suffix(".json").absolute():
        taken.append(beside)
    for file in taken:
        if os.path.lexists(file):
            raise UserError(
                f"--output {output}: {file} exists", "Name another file, or remove this one first."
            )
    outputs.check_place("--output", output)


@app.command()
@told
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Images, and folders of images.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Model file (.keras or .onnx), or a trained detector's name: best, fast, …; by "
            "default the best that there is."
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Write the table to this file.")] = None,
    explain: Annotated[
        Path | None, typer.Option(help="Folder for a picture of what spoke for each verdict.")
    ] = None,
    threshold: Threshold = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in memory at a time.")] = 256,
    recursive: Annotated[bool, typer.Option(help="Search the folders inside folders.")] = True,
):
    """A verdict for each picture: probability of FAKE, verdict, and whether it is uncertain."""
    from realfake_lib.predict import command

    return command(
        paths,
        model=model,
        json_output=json_output,
        csv=csv,
        explain=explain,
        threshold=threshold,
        batch_size=batch_size,
        recursive=recursive,
    )


def main():
    """Entry point of ``realfake``."""
    # An ordinary kill ends a run as Ctrl-C does: its stages with it, nothing half-written.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app(prog_name="realfake")


if __name__ == "__main__":
    main()
