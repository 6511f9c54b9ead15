"""
chaos: plays whole CI jobs through t/runner while random processes of theirs get signals, and looks
afterwards whether what must hold whatever happens (I3, I5, I6, I8) did hold.

  SEED   what all choices come from; a job's depend on its own number and on this
  JOBS   how many jobs (100)
  ONLY   plays just the job of this number
"""
import json
import os
import signal
import subprocess
import threading
import time

import testsite
from testsite import BOX, FLAVOUR, PREFIX, TOOLS

# The job is out of time after this many seconds, for example if a stopped process never continues.
JOB_TIMEOUT = 8
# How long this program waits for t/runner.
RUNNER_LIMIT = 180
SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "STOP": signal.SIGSTOP}

# Stage, how often it is chosen, the longest delay in milliseconds, and whose processes it has.
STAGES = [
    ("config", 4, 60, ["auth", "child"]),
    ("prepare", 2, 40, ["auth", "child", "user"]),
    ("run prepare_script", 2, 40, ["auth", "child", "user", "shell", "script"]),
    ("run build_script", 7, 500, ["auth", "user", "shell", "script"]),
    ("run after_script", 1, 40, ["auth", "child", "user", "shell", "script"]),
    ("cleanup", 3, 60, ["auth", "child", "user"]),
]
NAMES = [stage[0] for stage in STAGES]

STRAY = BOX + "/stray"
# What the job's script does between its record and its mark.
SCRIPTS = {
    "short": ["for i in 1 2 3 4 5 6; do sleep 0.05; done"],
    "printing": ["seq 30000; sleep 0.1; seq 30000 >&2"],
    "failing": ["sleep 0.2", "exit 3"],
    "leaving": [STRAY + " daemon close live", "sleep 600 >/dev/null 2>&1 & sleep 0.2"],
    "stubborn": ["trap '' TERM", STRAY + " daemon ignore close live", "sleep 0.3"],
    "endless": [STRAY + " ignore live & while :; do sleep 0.05; done"],
}


def substages(script):
    """Sub-stages and their commands: the last one leaves a mark, unless the script has failed."""
    def commands(name, own):
        return [testsite.RECORD] + own + [": >~/end." + name]
    return {"prepare_script": commands("prepare_script", []),
            "build_script": commands("build_script", SCRIPTS[script]),
            "after_script": commands("after_script", [])}


def choose_stage(choose):
    return choose.choices(STAGES, weights=[stage[1] for stage in STAGES])[0]


def roles_of(stage):
    return stage[3] + (["sudo"] if FLAVOUR == "sudo" and stage[0] != "config" else [])


class PlannedSignal:
    """One signal, and its effect."""

    def __init__(self, choose, stage, role, name):
        self.stage, self.role, self.signal = stage[0], role, name
        self.delay = 0 if choose.random() < 0.2 else 0.2 * (stage[2] / 0.2) ** choose.random()
        # A stopped process continues after a while, or never; a stopped runner always does.
        self.resume = None
        if name == "STOP" and (role == "runner" or choose.random() < 0.4):
            self.resume = choose.uniform(0.01, 1.5)
        self.process = None     # once the signal is sent
        self.seen = None        # the stage then
        self.seen_role = None

    def __str__(self):
        if self.process is None:
            return "SIG%s to %s in %s: not sent, there was none" % (self.signal, self.role,
                                                                   self.stage)
        more = ""
        if self.signal == "STOP":
            more = ", for good" if self.resume is None else ", for %.2f s" % self.resume
        return "SIG%s%s to %s (%d %s) in %s, %.1f ms after it was there" % (
            self.signal, more, self.seen_role, self.process.pid, self.process.command, self.seen,
            self.delay)


class Plan:
    """All choices of one job."""

    def __init__(self, seed, number):
        choose = testsite.generator(seed, number)
        self.number = number
        self.script = choose.choice(sorted(SCRIPTS))
        self.ask_server = choose.random() < 0.5
        if choose.random() < 0.2:
            self.signals = self.choose_pair(choose)
        else:
            self.signals = [self.choose_signal(choose) for _ in range(choose.choice([1, 1, 2, 3]))]
        self.signals.sort(key=lambda planned: NAMES.index(planned.stage))

    @staticmethod
    def choose_signal(choose):
        stage = choose_stage(choose)
        role = "runner" if choose.random() < 0.1 else choose.choice(roles_of(stage))
        return PlannedSignal(choose, stage, role, choose.choice(["KILL", "KILL", "TERM", "STOP"]))

    @staticmethod
    def choose_pair(choose):
        """One process of a stage is stopped, and another one is killed: mostly the two that are to
        end each other."""
        stage = choose_stage(choose)
        roles = roles_of(stage)
        stopped = choose.choice(roles + ["user"] * 3 if "user" in roles else roles)
        killed = choose.choice(roles + ["auth"] * 3)
        return [PlannedSignal(choose, stage, stopped, "STOP"),
                PlannedSignal(choose, stage, killed, "KILL")]


class Job:
    """A job that is being played: t/runner, its log, and its state."""

    def __init__(self, account, plan):
        self.account, self.plan = account, plan
        self.problems = []
        self.strangers = set()
        self.stage = None           # as t/runner reports it
        self.changed = threading.Condition()
        self.segments = [""]        # of the log: before the first call, then one for each call
        self.left_environment = account.directory + "/environment"
        self.runner = None

    def start(self):
        path = self.account.write_job(substages(self.plan.script))
        command = testsite.as_runner() + [
            TOOLS + "/runner", "--show-stages", "--keep", "--retry-delay", "10",
            "--timeout", str(JOB_TIMEOUT), "--kill-grace", "4", "--eof-timeout", "20",
            "--result", self.account.directory + "/result.json", BOX + "/chaos.toml", path]
        self.runner = subprocess.Popen(
            command, env=dict(self.account.environment, LEFT_ENVIRONMENT=self.left_environment),
            cwd=self.account.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        reader = threading.Thread(target=self.read, daemon=True)
        reader.start()
        return reader

    def read(self):
        for line in self.runner.stdout:
            line = line.decode(errors="replace")
            if line.startswith("== ") and line.endswith(" ==\n"):
                with self.changed:
                    self.stage = line[3:-4]
                    self.segments.append("")
                    self.changed.notify_all()
            else:
                self.segments[-1] += line

    # --- which process gets a signal ---

    def role_of(self, process):
        if process.pid == self.runner.pid:
            return "runner"
        if not process.is_below(PREFIX) and self.account.uid not in process.uids and \
                process.command != "sudo":
            return "other"  # what the runner has not executed yet, and the wrapper of prepare
        if process.parent == self.runner.pid:
            return "auth"
        if process.is_sudo_for(self.account.name):
            return "sudo"
        if process.uids[0] != self.account.uid:
            return "child"
        if "--no-auth" in process.arguments:
            return "user"
        if process.arguments[-1] == "--login":
            return "shell"
        return "script"

    def look(self):
        """The processes of each role among the descendants of t/runner."""
        found = {}
        ahead = [self.runner.pid]
        while ahead:
            pid = ahead.pop()
            process = testsite.process(pid)
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                        ahead += [int(child) for child in file.read().split()]
            except OSError:
                continue
            if process is not None:
                self.check_owner(process)
                found.setdefault(self.role_of(process), []).append(process)
        return found

    def check_owner(self, process):
        """Nothing of a job runs as an account that has nothing to do with it."""
        # sudo is several accounts before it is the one that it was asked for.
        if process.command == "sudo":
            return
        allowed = {self.account.name, testsite.RUNNER, "nobody"}
        if FLAVOUR != "caps":
            allowed.add("root")
        for uid in process.uids:
            if testsite.account_name(uid) not in allowed | {None}:
                self.strangers.add(str(process))

    def is_over(self):
        return self.runner.poll() is not None

    def wait_for_stage(self, name):
        """Until the stage begins or cannot come any more; True where it has begun."""
        with self.changed:
            while not self.is_over():
                now = self.stage
                if now == name:
                    return True
                if now in NAMES and NAMES.index(now) > NAMES.index(name):
                    return False
                self.changed.wait(0.05)
        return False

    def send(self, planned):
        if not self.wait_for_stage(planned.stage):
            return
        found = self.look()
        while planned.role not in found and self.stage == planned.stage and not self.is_over():
            time.sleep(0.0005)
            found = self.look()
        time.sleep(planned.delay / 1000)
        found = self.look()
        # If the process has ended meanwhile, another one of the job gets the signal.
        for role in [planned.role, "user", "auth", "child"]:
            for process in found.get(role, [])[:1]:
                in_cleanup = self.is_in_cleanup(found)
                if not self.is_over() and process.kill(SIGNALS[planned.signal]):
                    planned.process, planned.seen_role = process, role
                    planned.seen = "cleanup" if in_cleanup else self.stage or "the beginning"
                    if planned.resume is not None:
                        threading.Timer(planned.resume, process.kill, [signal.SIGCONT]).start()
                    return

    @staticmethod
    def is_in_cleanup(found):
        """By the command lines: what t/runner says of the stage is read a moment later."""
        return any("cleanup" in process.arguments
                   for process in found.get("auth", []) + found.get("user", []))

    # --- what must be true afterwards ---

    def sent(self):
        return [planned for planned in self.plan.signals if planned.process is not None]

    def clean_up_again(self):
        """As a runner does that is told of the job: with the environment that the job had."""
        if not os.path.exists(self.left_environment):
            return  # config did not end, or prepare did not begin: nothing is there
        with open(self.left_environment, "rb") as file:
            pairs = [line.split(b"=", 1) for line in file.read().split(b"\0") if b"=" in line]
        command = testsite.as_runner() + [PREFIX + "/bin/jacamar-auth", "cleanup",
                                          "--configuration", testsite.ETC + "/jacamar-config.toml"]
        try:
            done = subprocess.run(command, env=dict(pairs), stdin=subprocess.DEVNULL,
                                  cwd=self.account.directory, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=120)
        except subprocess.TimeoutExpired:
            self.problems.append("the cleanup afterwards did not end")
            return
        self.segments.append("cleanup afterwards: exit %d\n%s" % (
            done.returncode, done.stdout.decode(errors="replace")))
        if done.returncode != 0:
            self.problems.append("the cleanup afterwards returned %d" % done.returncode)

    def check_calls(self):
        try:
            with open(self.account.directory + "/result.json") as file:
                calls = json.load(file)["calls"]
        except (FileNotFoundError, json.JSONDecodeError):
            if self.runner.returncode >= 0:
                self.problems.append("t/runner left no result")
            return  # else t/runner was killed, before or while it wrote it
        for call, log in zip(calls, self.segments[1:]):
            self.check_call(call, log)

    def check_call(self, call, log):
        name = call["stage"] + (" " + call["substage"] if "substage" in call else "")
        code, number = call.get("exit"), call.get("signal")
        ours = [SIGNALS[planned.signal] for planned in self.sent()
                if planned.process.pid == call["pid"]]
        if number is not None and number not in ours + [call.get("sent")]:
            self.problems.append("%s died by signal %d, which nobody sent" % (name, number))
        if number is None and code not in (0, 1, 2):
            self.problems.append("%s returned %s" % (name, code))
        if code == 1 and call["stage"] != "run":
            self.problems.append("%s returned 1 without a script that failed" % name)
        if code == 0 and call["stage"] == "run" and \
                not os.path.exists(self.account.path("end." + call["substage"])):
            self.problems.append("%s returned 0, and its script did not come to its end" % name)
        if code == 2 and not testsite.own_lines(log):
            self.problems.append("%s returned 2 without a line that says why" % name)
        # The job's own time is for run. A stopped process does not end; a runner that is told to
        # end passes that on to the stage.
        expected = any(planned.signal == "STOP" or planned.seen_role == "runner"
                       for planned in self.sent())
        if call.get("sent") and call["stage"] != "run" and not expected:
            self.problems.append("%s did not end in time: %s" % (name, call))
        # If one of its processes is gone, the others close the log; without two, that is not promised.
        if call.get("hung") and len(self.sent()) < 2:
            self.problems.append("%s: its standard output or error was held open" % name)

    def check(self):
        account = self.account
        code = self.runner.returncode
        sent = self.sent()
        if code < 0 and not any(planned.seen_role == "runner" for planned in sent):
            self.problems.append("t/runner died by signal %d, which nobody sent" % -code)
        # 4: out of time, as the endless script is, and any other on a busy machine.
        if not sent and code not in (1 if self.plan.script == "failing" else 0, 4):
            self.problems.append("t/runner returned %d, without any signal" % code)
        if code < 0:
            # The job ends by itself; its files are for cleanup. Nobody is left who would kill a
            # stopped process of the service account's: it goes on.
            for planned in sent:
                if planned.signal == "STOP" and planned.seen_role in ("auth", "child", "sudo"):
                    planned.process.kill(signal.SIGCONT)
            self.say_left("before cleanup", account.wait_for_end(testsite.PATIENCE))
        if code < 0 or any(planned.seen == "cleanup" for planned in sent):
            self.clean_up_again()
        self.say_left("after cleanup", account.wait_for_end(5))
        self.problems += ["left: file " + path for path in account.script_files()]
        # After a config that did not come to its end, that file expires.
        if os.path.exists(self.left_environment):
            self.problems += ["left: file " + path for path in account.lock_files()]
        self.problems += ["recorded by the script: " + line for line in account.wrong_records()]
        self.problems += ["not of this job's accounts: " + each for each in self.strangers]
        self.check_calls()

    def say_left(self, when, processes):
        self.problems += ["left %s: %s" % (when, process) for process in processes]

    def play(self):
        reader = self.start()
        for planned in self.plan.signals:
            self.send(planned)
        try:
            self.runner.wait(RUNNER_LIMIT)
        except subprocess.TimeoutExpired:
            self.problems.append("t/runner did not end")
            self.say_left("then", self.account.processes())
            self.runner.kill()
            self.runner.wait()
            self.account.start_anew()
        # The log is read to its end, unless some process holds it open.
        reader.join(5)
        self.check()
        # Processes that held the log open are known by now.
        for process in self.account.processes():
            process.kill(signal.SIGKILL)
        reader.join(testsite.PATIENCE)


def write_runner_configuration():
    """prepare leaves its environment, for a cleanup that no runner is left to call."""
    wrapper = BOX + "/prepare"
    with open(wrapper, "w") as file:
        file.write('#!/bin/sh\nenv -0 >"$LEFT_ENVIRONMENT"\n'
                   'exec %s/bin/jacamar-auth "$@"\n' % PREFIX)
    os.chmod(wrapper, 0o755)
    with open(testsite.ETC + "/config.toml") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if line.strip().startswith("prepare_exec "):
            lines[number] = '    prepare_exec = "%s"' % wrapper
        # No job may be refused: the log would have the reason.
        lines[number] = lines[number].replace('_args = ["', '_args = ["-u", "')
    lines += ["    %s_exec_timeout = 30" % stage for stage in ("config", "prepare", "cleanup")]
    with open(BOX + "/chaos.toml", "w") as file:
        file.write("\n".join(lines) + "\n")


def run(accounts):
    seed = testsite.seed()
    only = os.environ.get("ONLY")
    numbers = [int(only)] if only else range(1, int(os.environ.get("JOBS") or 100) + 1)
    report = testsite.Report("chaos")
    write_runner_configuration()

    def play(account, number):
        job = Job(account, Plan(seed, number))
        if job.plan.ask_server:
            testsite.forget_keys()
        job.play()
        signals = "; ".join(str(planned) for planned in job.plan.signals)
        report.count("jobs")
        report.count("signals", len(job.sent()))
        report.judge("seed %s, job %d (%s script): %s" % (seed, number, job.plan.script, signals),
                     job.problems, "".join(job.segments))
        account.start_anew()

    testsite.play_all(numbers, accounts, play)
    if report.counts["signals"] == 0:
        print("no job got a signal")
        report.failed += 1
    return report.finish("%(jobs)d jobs, %(signals)d signals" % report.counts)


testsite.main(run)
