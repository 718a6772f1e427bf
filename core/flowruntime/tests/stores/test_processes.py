"""A process is known by more than its pid, and is gone only when that is certain."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flowcore.contracts import Owner
from flowruntime.stores.processes import is_gone, this_process

_SAY = """
import sys
from dataclasses import asdict
from json import dumps
from flowruntime.stores.processes import this_process
print(dumps(asdict(this_process("child"))), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], Owner]]:
    with subprocess.Popen(
        [sys.executable, "-c", _SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process, _heard(process)
        process.kill()


def _heard(process: subprocess.Popen[str]) -> Owner:
    import json

    assert process.stdout is not None
    return Owner(**json.loads(process.stdout.readline()))


def test_this_process_is_known_by_host_boot_pid_and_start() -> None:
    me = this_process("night")
    assert (me.name, me.is_given, me.pid) == ("night", True, os.getpid())
    assert me.host == os.uname().nodename
    assert me.process_start > 0
    assert me.boot_id.count(":") >= 2
    assert this_process("night") == me


def test_names_that_nobody_gave_are_all_different() -> None:
    names = {this_process().name for _ in range(20)}
    assert len(names) > 1
    assert not any(this_process().is_given for _ in range(2))


def test_a_process_that_runs_is_there(child: tuple[subprocess.Popen[str], Owner]) -> None:
    process, owner = child
    assert owner.pid == process.pid
    assert owner.boot_id == this_process().boot_id
    assert not is_gone(owner)


def test_a_process_that_was_killed_is_gone_though_nobody_has_asked_for_its_status(
    child: tuple[subprocess.Popen[str], Owner],
) -> None:
    process, owner = child
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(owner)  # a zombie
    process.wait()
    assert is_gone(owner)


def test_a_pid_that_was_given_to_another_process_names_nobody(child: tuple[subprocess.Popen[str], Owner]) -> None:
    _, owner = child
    assert is_gone(replace(owner, process_start=owner.process_start - 1))


def test_what_ran_before_this_boot_is_gone() -> None:
    me = this_process()
    machine, _, namespace = me.boot_id.split(":", 2)
    assert is_gone(replace(me, boot_id=f"{machine}:another-boot:{namespace}"))


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "another"},
        {"boot_id": ""},
        {"boot_id": "nonsense"},
        {"boot_id": "another-machine:another-boot:pid:[1]"},
        {"boot_id": None},
    ],
)
def test_of_other_hosts_machines_and_namespaces_nothing_is_known(changed: dict[str, str | None]) -> None:
    me = replace(this_process(), pid=2**22 + 1)
    assert is_gone(me)  # control: it is told of this one
    if changed == {"boot_id": None}:
        machine, boot, _ = me.boot_id.split(":", 2)
        changed = {"boot_id": f"{machine}:{boot}:pid:[1]"}
    assert not is_gone(replace(me, **changed))  # type: ignore[arg-type]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_process_in_a_container_is_not_judged_from_outside() -> None:
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", _SAY]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.skip("needs the right to make a pid namespace")
        import json

        owner = Owner(**json.loads(line))
        assert owner.pid == 1
        assert owner.boot_id != this_process().boot_id
        process.kill()
        process.wait()
        assert not is_gone(owner)
        assert not is_gone(replace(owner, pid=2**22 + 1))


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_process_whose_proc_is_that_of_another_namespace_judges_nobody() -> None:
    said = subprocess.run(
        ["unshare", "--pid", "--fork", sys.executable, "-c", _SAY],
        input="",
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    if not said:
        pytest.skip("needs the right to make a pid namespace")
    assert '"boot_id": ""' in said


@pytest.mark.skipif(os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_processes_of_other_users_are_seen(child: tuple[subprocess.Popen[str], Owner]) -> None:
    _, owner = child
    program = (
        "import os, sys, json\n"
        "from flowruntime.stores.processes import is_gone\n"
        "from flowcore.contracts import Owner\n"
        "owner = Owner(**json.loads(sys.argv[1]))\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "print(is_gone(owner))\n"
    )
    import json
    from dataclasses import asdict

    said = subprocess.run(
        [sys.executable, "-c", program, json.dumps(asdict(owner))], capture_output=True, text=True, check=True
    ).stdout
    assert said == "False\n"
