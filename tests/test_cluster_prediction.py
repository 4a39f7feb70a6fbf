"""Verdicts from a Dask cluster are those of one machine, whatever happens to workers and files."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import realfake_lib
from realfake_lib import cluster, cluster_prediction, progress
from realfake_lib.errors import UserError

# A worker that opens a file of this name dies as one does that runs out of memory.
DEADLY = """
import os, sys
sys.addaudithook(
    lambda event, args: event == "open" and "deadly" in str(args[0]) and os._exit(1)
)
"""


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    monkeypatch.setattr(cluster_prediction, "TASK", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 photographs of noise, one file that is none, and a name that is no text."""
    folder = tmp_path_factory.mktemp("cluster") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(60):
        pixels = rng.integers(0, 255, (40 + number, 50, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg")
    (folder / "broken.jpg").write_bytes(b"none")
    os.rename(folder / "07.jpg", folder / os.fsdecode(b"caf\xe9.jpg"))
    return folder


@pytest.fixture(scope="module")
def here(folder):
    """What this machine says of the photographs."""
    return realfake_lib.predict(folder, "fast")


@contextlib.contextmanager
def started(n_workers=2, **options):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        scheduler_port=0,
        dashboard_address=":0",
        scheduler_kwargs={"allowed_failures": 1},
        **options,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def workers():
    """A scheduler with two worker processes, for what leaves them alive."""
    with started() as cluster:
        yield cluster


@pytest.fixture
def after_the_first_batch(monkeypatch):
    """Does something once, when the first batch has come back."""

    def plan(happens):
        reported = []

        def report(*told):
            reported.append(told)
            if len(reported) == 1:
                happens()

        monkeypatch.setattr(progress, "report", report)
        return reported

    return plan


def test_the_verdicts_are_those_of_this_machine(folder, here, workers):
    assert realfake_lib.predict(folder, "fast", cluster=workers.scheduler_address) == here


def test_what_lies_above_a_link_is_not_what_stands_before_it(folder, here, workers, tmp_path):
    for number, name in enumerate(("there", "here")):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "x.jpg").symlink_to(folder / f"{number:02}.jpg")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there" / "inner")
    path = tmp_path / "here" / "link" / ".." / "x.jpg"
    (found,) = realfake_lib.predict([path], "fast", cluster=workers.scheduler_address)
    (same,) = (one for one in here if one.path.endswith("00.jpg"))
    assert found.p_fake == same.p_fake


def test_a_worker_killed_on_the_way_changes_nothing(folder, here, after_the_first_batch):
    with started() as two:
        first, second = (worker.pid for worker in two.workers.values())
        reported = after_the_first_batch(lambda: os.kill(first, signal.SIGKILL))
        there = realfake_lib.predict(folder, "fast", cluster=two.scheduler_address)
        assert first not in {worker.pid for worker in two.workers.values()}
    assert there == here and len(there) == 61
    assert reported[-1][1:] == (61, 61, "images")


def test_a_file_that_kills_each_worker_gets_a_record_and_all_others_a_verdict(
    folder, here, tmp_path
):
    (tmp_path / "hook.py").write_text(DEADLY)
    deadly = folder.with_name("deadly.jpg")
    Image.new("RGB", (40, 40)).save(deadly)
    files = [*sorted(folder.iterdir())[:3], deadly, *sorted(folder.iterdir())[3:]]
    # Three workers, and new ones for those that die.
    with started(3, preload=[str(tmp_path / "hook.py")]) as several:
        there = realfake_lib.predict(files, "fast", cluster=several.scheduler_address)
    assert [one for one in there if one.path != str(deadly)] == here
    assert there[3].p_fake is None and "its workers were lost while they read it" in there[3].error


def test_work_that_never_reached_a_worker_is_sent_again(folder, here, monkeypatch):
    """As Dask loses it now and then, where a worker has died and another has just begun."""
    monkeypatch.setattr(cluster_prediction, "PATIENCE", 2)
    lost = []

    def losing(send):
        def instead(*messages):
            gone = [one for one in messages if one.get("op") == "compute-task" and not lost]
            lost.extend(gone)
            send(*(one for one in messages if one not in gone))

        return instead

    with started() as two:
        for comm in two.scheduler.stream_comms.values():
            monkeypatch.setattr(comm, "send", losing(comm.send))
        assert realfake_lib.predict(folder, "fast", cluster=two.scheduler_address) == here
    assert len(lost) == 1


def test_workers_import_no_tensorflow(folder, workers):
    address = workers.scheduler_address
    realfake_lib.predict(folder, "fast", cluster=address)
    with cluster.connect(address) as client:
        heavy = client.run(heavy_imports)
    assert len(heavy) == 2 and not any(heavy.values())


def heavy_imports():
    return {"tensorflow", "keras", "pandas"} & set(sys.modules)


def test_paths_are_said_as_they_were_given(folder, workers, monkeypatch):
    monkeypatch.chdir(folder)
    (one,) = realfake_lib.predict("03.jpg", "fast", cluster=workers.scheduler_address)
    assert one.path == "03.jpg" and one.p_fake is not None


def test_a_worker_of_another_version_is_refused(folder, workers, monkeypatch):
    monkeypatch.setattr(cluster_prediction, "environment", lambda: __import__("os").getpid())
    with pytest.raises(UserError, match="another version"):
        realfake_lib.predict(folder, "fast", cluster=workers.scheduler_address)


def test_what_a_cluster_cannot_do_is_told(folder, tmp_path):
    address = {"cluster": "tcp://127.0.0.1:1"}
    with pytest.raises(ValueError, match="give paths"):
        realfake_lib.predict(np.zeros((32, 32, 3), "uint8"), "fast", **address)
    with pytest.raises(UserError, match="leave --cluster out"):
        detector = realfake_lib.load_detector("fast")
        realfake_lib.predict(folder, detector, explain=tmp_path / "why", **address)


def test_a_keras_file_is_no_detector_for_a_cluster(folder):
    detector = realfake_lib.Detector(object(), folder / "own.keras", 32)
    with pytest.raises(UserError, match="needs an .onnx file") as told:
        realfake_lib.predict(folder, detector, cluster="tcp://127.0.0.1:1")
    assert "realfake export" in told.value.hint


def test_without_the_extra_one_line_says_which(folder):
    code = (
        "import sys; sys.modules['distributed'] = None; import realfake_lib\n"
        f"try: realfake_lib.predict({str(folder)!r}, 'fast', cluster='tcp://127.0.0.1:1')\n"
        "except realfake_lib.UserError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("--cluster needs the extra cluster (distributed is not installed")
    assert done.stdout.count("\n") == 1


def command(*arguments):
    code = "from realfake_lib.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "predict", "--model", "fast", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_writes_the_same_table(folder, workers, tmp_path):
    address = workers.scheduler_address
    one = command(folder, "--csv", tmp_path / "here.csv")
    two = command(folder, "--csv", tmp_path / "there.csv", "--cluster", address)
    assert one.communicate(timeout=60)[0] == two.communicate(timeout=60)[0]
    assert one.returncode == two.returncode == 2  # one file is no image
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()


def test_ctrl_c_leaves_no_work_behind(folder, workers, tmp_path):
    with asleep_on_work(workers) as began:
        started = command(folder, "--csv", tmp_path / "a.csv",
                          "--cluster", workers.scheduler_address)  # fmt: skip
        wait_for(lambda: began)
        started.send_signal(signal.SIGINT)
        assert "stopped" in started.communicate(timeout=60)[1] and started.returncode == 130
    wait_for(lambda: not workers.scheduler.tasks)
    assert not list(tmp_path.iterdir())


@contextlib.contextmanager
def asleep_on_work(workers):
    """Workers fall asleep as they are given work, which so can't end before a signal is there.

    Yields a list that then holds the work's key.
    """
    from distributed.diagnostics.plugin import SchedulerPlugin

    pids, began = [worker.pid for worker in workers.workers.values()], []

    class Lullaby(SchedulerPlugin):
        def transition(self, key, start, finish, *args, **kwargs):
            if str(key).startswith("realfake") and finish == "processing" and not began:
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                began.append(key)

    plugin = Lullaby()
    workers.scheduler.add_plugin(plugin, name="lullaby")
    try:
        yield began
    finally:
        workers.scheduler.remove_plugin("lullaby")
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_scheduler_that_goes_away_is_told(folder, after_the_first_batch):
    code = (
        "import sys; from distributed import LocalCluster\n"
        "with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, host='127.0.0.1',"
        " protocol='tcp://', dashboard_address=None) as started:\n"
        "    print(started.scheduler_address, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    after_the_first_batch(process.kill)
    with pytest.raises(UserError, match="connection to the scheduler was lost"):
        address = process.stdout.readline().strip()
        realfake_lib.predict(folder, "fast", cluster=address)
    process.wait()


def test_a_cluster_that_loses_all_workers_is_told(folder, after_the_first_batch, monkeypatch):
    monkeypatch.setattr(cluster_prediction, "PATIENCE", 0.5)
    with started() as two, pytest.raises(UserError, match="lost all its .* judged were .*jpg"):
        after_the_first_batch(lambda: two.scale(0))
        realfake_lib.predict(folder, "fast", cluster=two.scheduler_address)


def test_the_commands_of_the_page_on_clusters_give_the_table_of_one_machine(folder, tmp_path):
    page = Path(__file__).resolve().parent.parent / "docs" / "cluster.md"
    block = re.search(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.S)[1]
    scheduler, worker, predict = block.splitlines()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    (tmp_path / "photos").symlink_to(folder)
    running = [
        run(f"{scheduler} --host {host} --port {port} --dashboard-address :0", tmp_path),
        run(f"{worker} --dashboard-address :0".replace("scheduler:8786", address), tmp_path),
    ]
    try:
        # Both need a moment to start, which the people who type this give them.
        wait_for(lambda: answers(host, int(port)), 60)
        there = run(predict.replace("scheduler:8786", address), tmp_path)
        there.communicate(timeout=60)
        here = run(predict.partition("--cluster")[0] + "--csv here.csv", tmp_path)
        here.communicate(timeout=60)
        assert there.returncode == here.returncode == 2  # one file is no image
        assert (tmp_path / "verdicts.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGINT)
        for process in running:
            process.wait(timeout=30)


def run(line, folder):
    words = line.split()
    program = {"dask": ["-m", "dask"], "realfake": ["-m", "realfake_lib.cli"]}[words[0]]
    return subprocess.Popen(
        [sys.executable, *program, *words[1:]],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def answers(host, port):
    try:
        with cluster.connect(f"tcp://{host}:{port}", timeout=1):
            return True
    except UserError:
        return False
