"""Verdicts from the workers of a Dask cluster, the same ones as on one machine.

Workers need this library and the extra ``cluster``, no TensorFlow, and read the images themselves
from a file system that all machines share. The detector travels to them.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
import uuid
import warnings
from collections import deque
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from realfake_lib import cluster, onnx_files, prediction, progress
from realfake_lib.data import layout
from realfake_lib.detector import Detector
from realfake_lib.errors import UserError

TASK = 64
"""Images in a task: some seconds of work for photographs, far more than a task costs for small."""

PATIENCE = 60.0
"""Seconds without any worker after which the work is given up, and without any work on its way
after which it is sent again."""

_PER_THREAD = 4  # tasks on their way for each thread of a worker, so that none has to wait
_AGAIN = "Nothing was written. Look at the logs of the workers, and run it again."
_LOOK = 1.0  # seconds between two looks at the workers


def predict(
    files: list[Path], detectors: tuple[Detector, ...], address: str, batch_size: int = 32
) -> list[prediction.Prediction]:
    """Judge image files on a cluster; see :func:`realfake_lib.predict`.

    A task whose worker is lost is done again by another one. A file that is being read each time
    that a worker is lost gets a record that says so. A UserError tells what is wrong with the
    cluster, or that a detector has no ONNX file.
    """
    for detector in (one for one in detectors if one.has_gradients):
        raise UserError(
            f"--cluster needs an .onnx file, and {detector.path} is none.",
            f"Make one: realfake export --model {detector.path} --output FILE.onnx",
        )
    with _quiet(), cluster.connect(address) as client, client.as_current():
        from distributed import CancelledError
        from distributed.comm import CommClosedError

        try:
            cluster.check_workers(client, environment)
            found = _judged(client, detectors, files, batch_size)
        except (CancelledError, CommClosedError):
            raise UserError(
                f"--cluster {address}: the connection to the scheduler was lost", _AGAIN
            ) from None
    return [replace(found[file], path=layout.as_text(str(file))) for file in files]


@functools.lru_cache(maxsize=1)
def environment() -> dict:
    """What a record depends on besides the image and the detector: code, versions, trust."""
    from realfake_lib import code_hash, detector, image_state, provenance, views
    from realfake_lib.data import images
    from realfake_lib.provenance import blocks, credentials, exif, files, generators, statement, xmp

    said = (files, blocks, credentials, exif, generators, statement, xmp)
    judging = (prediction, images, views, image_state, detector, onnx_files)
    code = code_hash.code_hash(*judging, *said)
    packages = ("numpy", "pillow", "pillow-heif", "onnxruntime")
    found = {"code": code, "trust": provenance.trust_anchors()}
    found |= {name: version(name) for name in packages}
    with contextlib.suppress(PackageNotFoundError):  # of an extra
        found["c2pa-python"] = version("c2pa-python")
    return found


def _same(value):
    return value


def _judge(detectors, paths, batch_size):
    return prediction.predict(map(Path, paths), detectors, batch_size=batch_size)


def _judged(client, detectors, files, batch_size):
    """The record of each file, by file."""
    from distributed import KilledWorker
    from distributed import TimeoutError as TooLong

    sent, moved = _sent(client, detectors), time.monotonic()
    tasks = deque(files[at : at + TASK] for at in range(0, len(files), TASK))
    alone, running, found, total = deque(), {}, {}, len(set(files))
    while tasks or alone or running:
        if not tasks and not running:  # so that only one file can be the reason for what happens
            tasks.append([alone.popleft()])
        room = _PER_THREAD * max(1, sum(client.nthreads().values()))
        while tasks and len(running) < room:
            task = tasks.popleft()
            # Not abspath: what lies above a link is not what stands before it.
            paths = [str(Path(one).absolute()) for one in task]
            running[client.submit(_judge, sent, paths, batch_size, pure=False)] = task
        ended = _ended(client, running)
        if ended:
            moved = time.monotonic()
        elif time.monotonic() - moved > PATIENCE:
            if not any(client.run(_busy, on_error="return").values()):
                # Dask can lose a message to a worker that has just begun, and waits on for ever.
                client.cancel([*running, sent])
                tasks.extendleft(running.values())
                running.clear()
                sent = _sent(client, detectors)
            moved = time.monotonic()
        for future in ended:
            try:
                records = future.result(timeout=_LOOK)
            except TooLong:  # lost with its worker before it came here: it is done again
                continue
            except KilledWorker:
                if len(running[future]) > 1:
                    alone += running.pop(future)
                    continue
                lost = "cannot be read: its workers were lost while they read it"
                records = [prediction.Prediction("", error=lost)]
            found |= zip(running.pop(future), records, strict=True)
            progress.report("Predicting", len(found), total, "images")
    return found


def _sent(client, detectors):
    """A future of the detectors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its size
        # A task, not scattered data: these are gone for good with the worker that has them.
        return client.submit(_same, detectors, key=f"realfake-{uuid.uuid4().hex}")


def _busy(dask_worker):
    """Whether a worker is at work."""
    return bool(dask_worker.state.executing)


def _ended(client, running):
    """Futures that have ended; a UserError where workers are gone for good."""
    from distributed import TimeoutError as TooLong
    from distributed import wait

    with contextlib.suppress(TooLong):
        return wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED").done
    if not client.nthreads():
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TooLong:
            judged = [layout.as_text(str(task[0])) for task in running.values()]
            raise UserError(
                f"the cluster has lost all its workers, and for {PATIENCE:.0f} seconds no new one "
                f"came. Being judged were {', '.join(judged[:3])} and the files after each",
                _AGAIN,
            ) from None
    return ()


@contextlib.contextmanager
def _quiet():
    """Keep Dask's own log off the terminal: what matters of it is said in words."""
    logs = {log: log.level for log in map(logging.getLogger, ("distributed", "asyncio"))}
    for log in logs:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in logs.items():
            log.setLevel(level)
