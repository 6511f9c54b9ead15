#!/usr/bin/env python3
"""What the stand-ins for schedulers' commands share: a queue that is a directory.

THIS IS NO SCHEDULER. It stands in for one in our tests, so that they can have a job held, lost or
ended at will; the commands beside it print what those of a scheduler are documented to print.

DIRECTORY/bin       the commands and this file
DIRECTORY/queue     the jobs, a directory each; who submits one owns it
DIRECTORY/switches  a file each, which a test makes: down, slow.NUMBER (its
                    seconds; for that job it is neither down nor forgets),
                    forgets, loses, busy, hesitates (files take a second to be
                    written)
DIRECTORY/calls     the commands' names and arguments, a line each

`standin.py serve`, as root, is the daemon: it starts each job as its owner, ends it, and obeys the
orders that lie in its directory: cancel, walltime, memory, node, preempt, requeue, hold, release;
and oom, which is the kernel's: it kills the youngest process, and the job goes on.
`standin.py order NUMBER WHAT` gives one.
"""
import json
import os
import pwd
import signal
import sys
import time

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
QUEUE = HOME + "/queue"

# How an order ends a job, and whether it is told before: seconds from SIGTERM to SIGKILL.
ENDS = {"cancel": 1, "walltime": 1, "preempt": 1, "requeue": 1, "memory": 0, "node": 0}


# --- for the commands ---


def switch(name):
    """What the file of the switch holds; None where it is off."""
    try:
        with open(f"{HOME}/switches/{name}", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def begin(number=None):
    """Notes the call, and takes as long as the test wants; True where the scheduler is down."""
    with open(HOME + "/calls", "a", encoding="utf-8", errors="surrogateescape") as file:
        file.write(" ".join([os.path.basename(sys.argv[0])] + sys.argv[1:]) + "\n")
    slow = switch(f"slow.{number}")
    time.sleep(float(slow or 0))
    return slow is None and switch("down") is not None


def submit(script, **details):
    """Takes a copy of the script into the queue; returns the job's number."""
    number = 1000
    while True:
        number += 1
        new = f"{QUEUE}/.{number}"
        try:
            os.mkdir(new)
            break
        except FileExistsError:
            continue
    with open(script, "rb") as source, open(new + "/script", "wb") as target:
        target.write(source.read())
    os.chmod(new + "/script", 0o700)
    details = dict({"name": "", "output": "/dev/null", "held": False}, **details)
    details.update(directory=os.getcwd(), submitted=time.time())
    write(new + "/job", details)
    # The name with the dot stays, and so takes the number.
    os.mkdir(f"{QUEUE}/{number}")
    for name in ("script", "job"):
        os.rename(f"{new}/{name}", f"{QUEUE}/{number}/{name}")
    return number


def job(number):
    """A job, or None: state (waiting, held, running, ended), status (waitpid's), cause, starts."""
    place = f"{QUEUE}/{number}"
    try:
        found = {"number": int(number), "state": "waiting", "status": None, "cause": None}
        found.update(starts=0, owner=pwd.getpwuid(os.stat(place).st_uid).pw_name)
        found.update(read(place + "/job"))
    except (FileNotFoundError, ValueError):
        return None
    if found["held"]:
        found["state"] = "held"
    try:
        found.update(read(place + "/state"))
    except FileNotFoundError:
        pass
    forgets = switch("forgets") is not None and switch(f"slow.{number}") is None
    return None if found["state"] == "ended" and forgets else found


def code_of(found):
    """How an ended job's script ended: its code, or the number of a signal, negative."""
    status = found["status"]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def jobs():
    """All of them, by number."""
    numbers = sorted(int(name) for name in os.listdir(QUEUE) if name.isdigit())
    return [found for found in map(job, numbers) if found]


def order(number, what):
    """Tells the daemon what becomes of a job."""
    put(f"{QUEUE}/{number}/order", what)


# --- the daemon ---


def read(path):
    """A file that was written by write()."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, value):
    """Makes the file of a value."""
    put(path, json.dumps(value))


def put(path, text):
    """Makes the file, whole or not at all: others look for it all the time."""
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="utf-8") as file:
        if switch("hesitates") is not None:
            time.sleep(1)
        file.write(text)
    os.rename(new, path)


def session(leader):
    """The processes of a session that are not dead, the oldest first: pids begin anew."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            found.append((int(fields[19]), int(name)))
    return [pid for _, pid in sorted(found)]


def send(leader, number):
    """A signal to each process of the session."""
    for pid in session(leader):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Run:
    """A job that runs."""

    def __init__(self, found):
        self.number = found["number"]
        self.starts = found["starts"] + 1
        self.cause = None
        self.kill_at = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.execute(found)
            finally:
                os._exit(127)
        self.save("running")

    def execute(self, found):
        """In the child."""
        os.setsid()
        owner = pwd.getpwnam(found["owner"])
        os.initgroups(owner.pw_name, owner.pw_gid)
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
        os.chdir(found["directory"])
        os.umask(0o077)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = os.open(found["output"], flags, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, 64)
        script = f"{QUEUE}/{self.number}/script"
        environment = dict(found["environment"], STAND_IN_NODE="node1")
        os.execve("/bin/bash", ["bash", script], environment)

    def save(self, state, **more):
        """Tells the commands."""
        value = dict({"state": state, "starts": self.starts, "cause": self.cause}, **more)
        write(f"{QUEUE}/{self.number}/state", value)

    def obey(self, what):
        """An order that ends the job, or a process of it."""
        if what == "oom":
            os.kill(session(self.pid)[-1], signal.SIGKILL)
            return
        self.cause = what
        self.kill_at = time.time() + ENDS[what]
        if ENDS[what]:
            send(self.pid, signal.SIGTERM)

    def step(self):
        """True once it has ended."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if self.kill_at and (pid or time.time() >= self.kill_at):
            send(self.pid, signal.SIGKILL)
        if not pid:
            return False
        # A job is all of its processes.
        send(self.pid, signal.SIGKILL)
        if self.cause == "requeue":
            self.cause = None
            self.save("waiting")
        else:
            self.save("ended", status=status)
        return True


def take_order(number):
    """What is ordered for a job, once. An order that comes meanwhile is the next one."""
    path = f"{QUEUE}/{number}/order"
    try:
        os.rename(path, path + ".taken")
    except FileNotFoundError:
        return ""
    with open(path + ".taken", encoding="ascii") as file:
        return file.read()


def look(found, running):
    """One job, one step."""
    number = found["number"]
    what = take_order(number)
    if number in running:
        if what in ENDS or what == "oom":
            running[number].obey(what)
        if running[number].step():
            del running[number]
        return
    if found["state"] == "ended":
        return
    if what in ("cancel", "node"):
        write(f"{QUEUE}/{number}/state", {"state": "ended", "cause": what, "status": None})
    elif what == "hold":
        write(f"{QUEUE}/{number}/state", {"state": "held", "starts": found["starts"]})
    elif what == "release":
        write(f"{QUEUE}/{number}/state", {"state": "waiting", "starts": found["starts"]})
    elif found["state"] == "waiting" and switch("busy") is None:
        running[number] = Run(found)


def serve():
    """Until it is told to end."""
    running = {}

    def end(*_):
        for run in running.values():
            send(run.pid, signal.SIGKILL)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    over = set()
    while True:
        for number in [int(name) for name in os.listdir(QUEUE) if name.isdigit()]:
            if number in over:
                continue
            # Also those that the commands have forgotten.
            try:
                found = job(number)
                if found and found["state"] == "ended" and number not in running:
                    over.add(number)
                found = found or {"number": number, "state": "ended"}
                if number in running:
                    found["state"] = "running"
                look(found, running)
            except FileNotFoundError:
                pass  # not whole yet
        time.sleep(0.05)


if __name__ == "__main__" and sys.argv[1:] == ["serve"]:
    serve()
if __name__ == "__main__" and sys.argv[1:2] == ["order"]:
    order(*sys.argv[2:])
