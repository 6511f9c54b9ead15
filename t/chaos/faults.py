"""
faults: makes each system call of config, prepare, run and cleanup fail once, and looks whether the
program then does as it must: it refuses, says so, and leaves nothing; or it goes on, and everything
is as without the fault. t/fault.c chooses the call, on both sides of the change of account.

  FAULTS  how many of all the faults are tried (all)
  SEED    which ones, where not all are; some are always tried
  ONLY    "STAGE CALL PROCESS NUMBER ERROR", as a violation names it: tries just this one
"""
import collections
import errno
import json
import os
import signal
import subprocess

import testsite
from testsite import BLOCKED, BOX, PREFIX

FAULT = testsite.TOOLS + "/fault"
# The limit for one call, in seconds.
LIMIT = 90
# A process that makes the same call more often than this does so in a loop, through /proc.
MOST_REPEATED = 40
# Reported as success although nothing was done.
IGNORED = "ignored"

# Each call that is made to fail, and how. If a call has several names, a machine has one of them.
ERRORS = collections.OrderedDict([
    ("open openat", "EMFILE EACCES EIO"),
    ("read pread64", "EIO EINTR"),
    ("write writev", "EIO ENOSPC"),
    ("sendto sendmsg", "ENOBUFS EPIPE"),
    ("recvfrom recvmsg", "EIO"),
    ("pipe pipe2", "EMFILE"),
    ("socket", "EMFILE"),
    ("socketpair", "EMFILE"),
    ("connect", "ECONNREFUSED"),
    ("fork vfork clone clone3", "EAGAIN"),
    ("dup dup2 dup3", "EMFILE"),
    ("fcntl", "EMFILE EINVAL"),
    ("execve execveat", "EACCES ENOENT"),
    ("setgroups", "EPERM ENOMEM " + IGNORED),
    ("setresuid setreuid setuid", "EPERM EAGAIN " + IGNORED),
    ("setresgid setregid setgid", "EPERM " + IGNORED),
    ("getgroups getresuid getresgid", "EFAULT"),
    ("capget", "EINVAL"),
    ("capset", "EPERM " + IGNORED),
    ("prctl", "EPERM " + IGNORED),
    ("seccomp", "EINVAL " + IGNORED),
    ("keyctl", "EDQUOT"),
    ("setrlimit prlimit64", "EPERM " + IGNORED),
    ("getdents64", "EIO"),
    ("stat lstat fstat newfstatat statx", "EIO EACCES"),
    ("readlink readlinkat", "EIO"),
    ("access faccessat faccessat2", "EACCES"),
    ("mkdir mkdirat", "ENOSPC"),
    ("rmdir unlink unlinkat", "EIO"),
    ("rename renameat renameat2", "EIO"),
    ("chmod fchmod fchmodat", "EPERM"),
    ("chown fchown fchownat", "EPERM"),
    ("ftruncate", "EIO"),
    ("flock", "ENOLCK"),
    ("chdir fchdir", "EACCES"),
    ("poll ppoll epoll_wait", "EINTR ENOMEM"),
    ("signalfd4 eventfd2", "EMFILE"),
    ("pidfd_open", "EMFILE ENOSYS"),
    ("kill", "EPERM"),
    ("wait4 waitid", "EINTR ECHILD"),
    ("close_range", "ENOSYS"),
    ("getrandom", "ENOSYS"),
    ("setpgid setsid", "EPERM"),
    ("rt_sigprocmask", "EINVAL"),
    ("brk mmap", "ENOMEM"),
])

# "refused" is config for a user whom the site does not admit.
STAGES = ["config", "refused", "prepare", "run", "cleanup"]

Fault = collections.namedtuple("Fault", "stage call process number error")
NONE = Fault(None, None, 0, 0, None)

# Stands for a member of the state that differs from job to job.
VARIES = object()


def calls_to_errors():
    return {call: errors.split() for calls, errors in ERRORS.items() for call in calls.split()}


class Answer:
    """The result of one call of the driver."""

    def __init__(self, code, output, errors, ended):
        self.code, self.output, self.errors, self.ended = code, output, errors, ended


class Driver:
    """Makes single calls for one account, with the environment that a runner would give them."""

    def __init__(self, account):
        self.account = account
        self.report = account.directory + "/report"
        job = account.write_job({"build_script": [
            testsite.RECORD, "%s/stray daemon close live" % BOX, ": >~/end.build_script"]})
        directory = testsite.make_directory(account.directory + "/call")
        # The same job, triggered by somebody else.
        self.refused = directory + "/refused.json"
        testsite.write_json(self.refused, account.job(BLOCKED, {})["response"])
        subprocess.run(testsite.as_runner() + [
            testsite.TOOLS + "/runner", "--prepare-only", directory,
            testsite.ETC + "/config.toml", job],
            env=account.environment, cwd=directory, check=True, stdout=subprocess.DEVNULL)
        with open(directory + "/env", "rb") as file:
            pairs = (line.split(b"=", 1) for line in file.read().split(b"\0") if line)
            self.environment = {name.decode(): value.decode() for name, value in pairs}
        self.script = os.readlink(directory + "/script")

    def arguments(self, stage):
        program, configuration = PREFIX + "/bin/jacamar-auth", testsite.ETC + "/jacamar-config.toml"
        config = [program, "-u", "config", "--configuration", configuration]
        return {"config": config, "refused": config,
                "prepare": [program, "-u", "prepare"],
                "run": [program, "-u", "run", self.script, "build_script"],
                "cleanup": [program, "-u", "cleanup", "--configuration", configuration]}[stage]

    def call(self, stage, fault=None):
        """With a fault, or NONE, the calls are also reported, in the file that calls() reads."""
        environment = dict(self.environment)
        if stage in ("config", "refused"):
            del environment["JACAMAR_CI_STATE"]
        if stage == "refused":
            environment["JOB_RESPONSE_FILE"] = self.refused
        testsite.remove(environment["BUILD_EXIT_CODE_FILE"])
        command = testsite.as_runner() + self.arguments(stage)
        if fault is not None:
            calls = fault.call or ",".join(calls_to_errors())
            number = 0 if fault.error in (None, IGNORED) else getattr(errno, fault.error)
            command = [FAULT, self.report, PREFIX, calls, str(fault.process), str(fault.number),
                       str(number)] + command
        started = subprocess.Popen(command, env=environment, cwd=self.account.directory,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        try:
            output, errors = started.communicate(timeout=LIMIT)
            ended = True
        except subprocess.TimeoutExpired:
            # start_anew() ends the account's other processes.
            for process in self.account.processes():
                process.kill(signal.SIGKILL)
            output, errors = started.communicate()
            ended = False
        return Answer(started.returncode, output.decode(errors="replace"),
                      errors.decode(errors="replace"), ended)

    def calls(self):
        """The lines of the last report: call, process, number, first argument, and "injected" and
        the name of a file, or nothing."""
        with open(self.report) as file:
            lines = [(line.split() + ["", ""])[:6] for line in file]
        return [[line[0], int(line[1]), int(line[2])] + line[3:] for line in lines]


class Trial:
    """One fault in one stage, and what must be true then."""

    def __init__(self, driver, fault, expected):
        self.driver, self.account, self.fault = driver, driver.account, fault
        self.expected = expected    # what the same stage gave without a fault
        self.problems, self.log = [], ""
        self.file = ""              # that the call names
        self.is_injected = False

    def problem(self, text):
        self.problems.append(text)

    def good_call(self, stage):
        answer = self.driver.call(stage)
        self.log += answer.errors
        if answer.code != 0 or not answer.ended:
            self.problem("%s without a fault, beside it, returned %d" % (stage, answer.code))

    def faulty_call(self, stage):
        answer = self.driver.call(stage, self.fault)
        self.log += answer.errors
        injected = [call for call in self.driver.calls() if call[4]]
        self.is_injected = bool(injected)
        # The argument of setgroups does not point to a name.
        if injected and not injected[0][0].startswith("set"):
            self.file = injected[0][5]
        if not answer.ended:
            self.problem("the call did not end, or its output was held open")
        elif answer.code not in (0, 1, 2):
            self.problem("the call returned %d" % answer.code)
        # A line that is itself the write that fails is lost.
        lost = any(call[0].startswith("write") and call[3] == "2" for call in injected)
        if answer.code != 0 and not lost and not testsite.own_lines(answer.errors):
            self.problem("it returned %d without a line that says why" % answer.code)
        return answer

    def check_left(self, when, seconds=5):
        for process in self.account.wait_for_end(seconds):
            self.problem("left %s: %s" % (when, process))

    def clean_up(self):
        self.good_call("cleanup")
        self.check_left("after cleanup")
        for path in self.account.script_files() + self.account.lock_files():
            self.problem("left after cleanup: file " + path)

    def config(self):
        testsite.forget_keys()
        answer = self.faulty_call("config")
        self.check_left("after config")
        # Before prepare, a job has nothing but the lock file of its builds directory.
        for path in self.account.files():
            if answer.code != 0 or not path.endswith(".job"):
                self.problem("config, which returned %d, left the file %s" % (answer.code, path))
        if answer.code == 0:
            self.check_state(answer.output)
            self.clean_up()

    def check_state(self, output):
        """Faults that config survives do not change its decision."""
        try:
            state = json.loads(json.loads(output)["job_env"]["JACAMAR_CI_STATE"])
        except (ValueError, KeyError):
            self.problem("config returned 0 and this answer: %r" % output)
            return
        for key, value in flat(state).items():
            if self.expected["state"].get(key) not in (value, VARIES):
                self.problem("the state has %s = %r, and without the fault %r" % (
                    key, value, self.expected["state"].get(key)))

    def refused(self):
        testsite.forget_keys()
        answer = self.faulty_call("refused")
        self.check_left("after config")
        if answer.code == 0:
            self.problem("a user was admitted whose group is on the blocklist")

    def prepare(self):
        answer = self.faulty_call("prepare")
        if answer.code == 0 and not os.path.isdir(self.account.path(".jacamar-ci/builds")):
            self.problem("prepare returned 0 and made no directory for builds")
        self.clean_up()

    def run(self):
        self.good_call("prepare")
        answer = self.faulty_call("run")
        record = self.account.read("record")
        if record not in ("", self.expected["record"]):
            self.problem("the script recorded:\n" + difference(self.expected["record"], record))
        is_complete = os.path.exists(self.account.path("end.build_script"))
        if answer.code == 0 and not is_complete:
            self.problem("it returned 0, and the script did not come to its end")
        if answer.code == 1:
            self.problem("it returned 1, and the script did not fail")
        self.clean_up()

    def cleanup(self):
        self.good_call("prepare")
        self.good_call("run")
        answer = self.faulty_call("cleanup")
        if answer.code == 0:
            self.check_left("after a cleanup that returned 0")
            for path in self.account.script_files():
                self.problem("left after a cleanup that returned 0: file " + path)
            # A lock file that cannot be removed expires: the job is over.
            if self.account.lock_files() and not testsite.own_lines(answer.errors):
                self.problem("cleanup does not say why a lock file is left")
        self.clean_up()

    def make(self):
        getattr(self, self.fault.stage)()


def flat(value, name=""):
    """{"a": {"b": 1}} as {"a.b": 1}"""
    if not isinstance(value, dict):
        return {name: value}
    found = {}
    for key, item in value.items():
        found.update(flat(item, name + "." + key if name else key))
    return found


def difference(expected, found):
    return "\n".join("    - " + line for line in expected.splitlines()
                     if line not in found.splitlines()) + "\n" + \
        "\n".join("    + " + line for line in found.splitlines()
                  if line not in expected.splitlines())


def state_of(driver):
    answer = driver.call("config")
    return flat(json.loads(json.loads(answer.output)["job_env"]["JACAMAR_CI_STATE"]))


def expect(driver):
    """What an account's stages give without a fault; of the state, what is the same each time."""
    account = driver.account
    first, second = state_of(driver), state_of(driver)
    state = {key: value if second[key] == value else VARIES for key, value in first.items()}
    trial = Trial(driver, NONE._replace(stage="run"), {"record": ""})
    trial.good_call("prepare")
    # With the filter of t/fault, which is one of those that are counted.
    trial.log += driver.call("run", NONE).errors
    record = account.read("record")
    wrong = account.wrong_records()
    trial.clean_up()
    account.start_anew()
    if wrong or trial.problems or "Groups" not in record:
        raise SystemExit("faults: a job without a fault is not as it must be: %s\n%s" % (
            wrong + trial.problems, trial.log))
    return {"state": state, "record": record}


def plan(driver, expected):
    """All faults: each call that a stage makes, each error. The order is that of the calls."""
    faults = []
    for stage in STAGES:
        Trial(driver, NONE._replace(stage=stage), expected).make()
        for call, process, number in (line[:3] for line in driver.calls()):
            faults += [Fault(stage, call, process, number, error)
                       for error in calls_to_errors()[call] if number <= MOST_REPEATED]
        driver.account.start_anew()
    return faults


def choose(faults, wanted, seed):
    """Chooses that many of them, in their order, always with all restrictions that were not set."""
    always = [fault for fault in faults if fault.stage == "run" and fault.error == IGNORED]
    others = [fault for fault in faults if fault not in always]
    count = min(max(wanted - len(always), 0), len(others))
    chosen = set(always + testsite.generator(seed).sample(others, count))
    return [fault for fault in faults if fault in chosen]


def run(accounts):
    seed = testsite.seed()
    report = testsite.Report("faults")
    drivers = {account: Driver(account) for account in accounts}
    expected = {account: expect(drivers[account]) for account in accounts}
    if os.environ.get("ONLY"):
        stage, call, process, number, error = os.environ["ONLY"].split()
        faults = [Fault(stage, call, int(process), int(number), error)]
    else:
        faults = plan(drivers[accounts[0]], expected[accounts[0]])
        wanted = int(os.environ.get("FAULTS") or len(faults))
        chosen = choose(faults, wanted, seed)
        print("%d faults, of which %d are tried" % (len(faults), len(chosen)))
        faults = chosen

    def play(account, fault):
        trial = Trial(drivers[account], fault, expected[account])
        trial.make()
        report.count("injected", trial.is_injected)
        report.count("missed", not trial.is_injected)
        title = " ".join(str(part) for part in fault)
        if trial.file:
            title += " (%s)" % trial.file
        report.judge(title, trial.problems, trial.log)
        account.start_anew()

    testsite.play_all(faults, accounts, play)
    if report.counts["injected"] == 0:
        print("no fault was injected")
        report.failed += 1
    return report.finish("%(injected)d injected, %(missed)d without such a call" % report.counts)


testsite.main(run)
