import os
import threading

import pytest

from lookonce.errors import OutputError
from lookonce.report import locking
from lookonce.report.locking import folder_lock


@pytest.fixture(params=["kernel", "no kernel lock", "file system without locks"])
def kind(request, monkeypatch):
    if request.param == "no kernel lock":
        monkeypatch.setattr(locking, "fcntl", None)
    elif locking.fcntl is None:
        pytest.skip("this system has no flock")
    elif request.param == "file system without locks":

        def refuse(*_):
            raise OSError("no locks available")

        monkeypatch.setattr(locking.fcntl, "flock", refuse)
    return request.param


def test_one_holder_at_a_time(tmp_path, kind):
    inside, most = [], []

    def work():
        with folder_lock(tmp_path):
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1] * 6


def test_a_folder_that_stays_locked_is_an_error_that_names_the_lock(tmp_path, kind):
    with folder_lock(tmp_path), pytest.raises(OutputError, match=r"\.lock.*another process"):
        folder_lock(tmp_path, patience=0.1).__enter__()


def test_the_lock_is_free_again_after_a_failure_inside(tmp_path, kind):
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
        _ = 1 / 0
    with folder_lock(tmp_path, patience=0):
        assert os.listdir(tmp_path)
