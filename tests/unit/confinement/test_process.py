"""What a process does to itself, seen from outside."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

from somnus_plugins.confinement import process
from tests.support.processes import Held, Script, is_gone, threads_of
from tests.support.waiting import eventually_now

IMPORT = "import os, time, threading\nfrom somnus_plugins.confinement import process\n"


def test_no_new_privileges_are_to_be_had_and_the_name_is_cut() -> None:
    code = IMPORT + (
        "process.forbid_new_privileges()\nprocess.rename('a-plugin-with-a-long-näme')\n"
        "status = open('/proc/self/status').read()\nsay([status.split('NoNewPrivs:')[1].split()[0], status.split()[1]])"
    )
    with Script(code) as script:
        assert script.hear() == ["1", "a-plugin-with-a"]
        assert script.process.wait() == 0


def test_limits_hold_and_can_only_be_lowered() -> None:
    code = IMPORT + (
        "import resource\nprocess.limit(memory_mb=256, open_files=32)\nprocess.limit(memory_mb=512, open_files=64)\n"
        "limits = (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)\n"
        "say([resource.getrlimit(each) for each in limits])\n"
        "try:\n    bytearray(400 * 1024 * 1024)\nexcept MemoryError:\n    say('no')"
    )
    with Script(code) as script:
        assert script.hear() == [[256 << 20] * 2, [32, 32], [0, 0]]
        assert script.hear() == "no"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 32


def test_descriptors_above_the_kept_are_closed() -> None:
    code = IMPORT + (
        "opened = [os.open('/dev/null', os.O_RDONLY) for _ in range(20)]\nos.dup2(opened[0], 300)\n"
        "process.close_all_but(5)\nsay(sorted(int(each) for each in os.listdir('/proc/self/fd'))[-1] <= 5)"
    )
    with Script(code) as script:
        assert script.hear() is True
        assert script.process.wait() == 0


def test_threads_are_counted_as_the_kernel_counts_them() -> None:
    code = IMPORT + (
        "before = process.thread_count()\nend = threading.Event()\n"
        "threads = [threading.Thread(target=end.wait) for _ in range(3)]\n[each.start() for each in threads]\n"
        "say([before, process.thread_count()])\nend.set()"
    )
    with Script(code) as script:
        assert script.hear() == [1, 4]
    assert process.thread_count() == threads_of(os.getpid())


CHILD = IMPORT + (
    "parent = os.getpid()\nchild = os.fork()\n"
    "if child == 0:\n    process.die_with_parent({parent})\n    {then}\n    say(os.getpid())\n    time.sleep(600)\n"
    "os.waitpid(child, 0)\nsay('ended')\n"
)


def test_a_child_ends_with_its_parent() -> None:
    with Script(CHILD.format(parent="parent", then="pass")) as script:
        child = script.hear()
        with Held([child]) as held:
            script.process.kill()
            eventually_now(lambda: not held.living())
    assert is_gone(child)


def test_a_child_that_takes_it_back_lives_on() -> None:
    with Script(CHILD.format(parent="parent", then="process.outlive_parent()")) as script:
        child = script.hear()
        with Held([child]) as held:
            script.process.kill()
            script.process.wait()
            eventually_now(lambda: os.getpid() > 0)
            assert held.living() == {child}
            os.kill(child, signal.SIGKILL)
            eventually_now(lambda: not held.living())


def test_a_child_whose_parent_has_already_ended_ends_at_once() -> None:
    with Script(CHILD.format(parent="1234567", then="pass")) as script:
        assert script.hear() == "ended"
        assert script.process.wait() == 0


def test_orphans_come_to_the_one_that_adopts_them() -> None:
    code = IMPORT + (
        "process.adopt_orphans()\nmiddle = os.fork()\n"
        "if middle == 0:\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\n"
        "os.waitpid(middle, 0)\nsay(open(f'/proc/self/task/{os.getpid()}/children').read().split())\ntime.sleep(600)"
    )
    with Script(code) as script:
        (orphan,) = script.hear()
        assert Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1] == str(script.pid)
        os.kill(int(orphan), signal.SIGKILL)
    eventually_now(lambda: is_gone(int(orphan)))
    assert not is_gone(os.getpid())
