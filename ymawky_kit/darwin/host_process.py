"""What the host knows about its processes."""

from __future__ import annotations

import os


def host_processes() -> list[tuple[int, int, int, int]]:
    """(pid, parent, group, user) of every process the host shows, zombies included."""
    if os.path.isdir("/proc/self"):
        return _processes_of_proc()
    return _processes_of_ps()


def _processes_of_proc() -> list[tuple[int, int, int, int]]:
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                stat = file.read()
            user = os.stat(f"/proc/{entry}").st_uid
        except OSError:
            continue        # gone between the listing and the look
        # The name is in parentheses and may hold anything; the fields follow the last one.
        fields = stat[stat.rindex(b")") + 2:].split()
        found.append((int(entry), int(fields[1]), int(fields[2]), user))
    return found


def _processes_of_ps() -> list[tuple[int, int, int, int]]:
    import subprocess

    with subprocess.Popen(
        ["/bin/ps", "-axo", "pid=,ppid=,pgid=,uid="], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as ps:
        rows = [line.split() for line in ps.communicate()[0].splitlines()]
    # ps itself is our own child, and no process that anybody asked about.
    return [tuple(map(int, row)) for row in rows  # type: ignore[misc]
            if len(row) == 4 and int(row[0]) != ps.pid]


def zombies(parent: int) -> list[int]:
    """Children of `parent` that have ended and still wait to be collected."""
    if os.path.isdir("/proc/self"):
        return [pid for pid, above, *_ in _processes_of_proc() if above == parent
                and _state(pid) == b"Z"]
    import subprocess

    done = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(row[0]) for row in rows
            if len(row) == 3 and int(row[1]) == parent and row[2].startswith("Z")]


def busy(root: int) -> list[int]:
    """`root` and the processes below it, those that run or could run at this moment."""
    family = [root, *descendants(root)]
    if os.path.isdir("/proc/self"):
        return [pid for pid in family if _state(pid) in (b"R", b"D")]
    import subprocess

    done = subprocess.run(
        ["/bin/ps", "-axo", "pid=,stat="], capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return [int(row[0]) for row in rows
            if len(row) == 2 and int(row[0]) in family and row[1][0] in "RUD"]


def _state(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:
        return b""          # gone meanwhile
    return stat[stat.rindex(b")") + 2:][:1]


def descendants(root: int) -> list[int]:
    """Every process below `root` now, those that left its session included."""
    children: dict[int, list[int]] = {}
    for pid, parent, _group, _user in host_processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def processes_with_argument(text: str) -> list[int]:
    """Processes whose command line holds `text`; a fork keeps it, exec does not."""
    if not os.path.isdir("/proc/self"):
        import subprocess

        done = subprocess.run(
            ["/bin/ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=False
        )
        lines = [line.split(None, 1) for line in done.stdout.splitlines() if text in line]
        return [int(line[0]) for line in lines if int(line[0]) != os.getpid()]
    found = []
    wanted = text.encode()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                if wanted in file.read():
                    found.append(int(entry))
        except OSError:
            continue        # gone meanwhile
    return found
