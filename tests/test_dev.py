"""The one door lists its tasks, refuses what it does not know, and needs no package to do so."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TASKS = ["demo", "test", "check", "bench", "fuzz", "chaos"]


def dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    # -I -S: neither site-packages nor the environment can lend a hand.
    command = [sys.executable, "-I", "-S", str(ROOT / "dev.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_without_arguments_it_lists_the_tasks() -> None:
    done = dev()
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")] == TASKS


def test_an_unknown_task_is_wrong_use() -> None:
    done = dev("tset")
    assert done.returncode == 2
    assert "no task 'tset'" in done.stderr
    assert "check" in done.stderr


def test_what_runs_before_the_environment_needs_only_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tools.environment; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    foreign = {name.split(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names) - {"tools"}
    assert {name for name in foreign if not name.startswith("_")} <= {"sitecustomize"}
