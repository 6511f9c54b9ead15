"""
What chaos.py and faults.py share: the site that run.sh has set up, its accounts and their jobs, the
processes that belong to a job, and what must be true once a job is over.
"""
import http.server
import json
import os
import pwd
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

FLAVOUR = os.environ["FLAVOUR"]
BOX = os.environ["BOX"]          # root's directory for all files of this run
ETC = os.environ["ETC"]          # where the runner's configuration and ours are
PREFIX = os.environ["PREFIX"]    # where the program is installed
RUNNER = os.environ["RUNNER"]    # the service account
BLOCKED = os.environ["BLOCKED"]  # an account whose group the site refuses
TOOLS = os.environ["TOOLS"]
USERS = os.environ["USERS"].split()

JOB_ID = 981625
NOBODY = 65534
# How long a process that was told to end may take on a busy machine, in seconds.
PATIENCE = 30

# What a job's script records of itself: a line for each thing that could be wrong.
RECORD = (
    "grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp_filters|SigIgn|SigBlk):'"
    " /proc/self/status >>~/record; files=$(ulimit -n) && core=$(ulimit -c) &&"
    " echo \"limits: $files $core\" >>~/record"
)


def as_runner():
    """The beginning of a command that the service account executes."""
    group = str(pwd.getpwnam(RUNNER).pw_gid)
    return ["setpriv", "--reuid", RUNNER, "--regid", group, "--init-groups", "--"]


def runner_environment():
    return {"HOME": pwd.getpwnam(RUNNER).pw_dir if RUNNER != "root" else BOX + "/home/root",
            "PATH": os.environ["PATH"]}


def own_by_runner(path):
    os.chown(path, pwd.getpwnam(RUNNER).pw_uid, pwd.getpwnam(RUNNER).pw_gid)


def make_directory(path):
    os.mkdir(path, 0o700)
    own_by_runner(path)
    return path


def write_json(path, value):
    with open(path, "w") as file:
        json.dump(value, file)
    os.chmod(path, 0o600)
    own_by_runner(path)


# --- the GitLab server: its keys, as many as do not fit into a pipe ---

def pad_keys(path):
    """The key set with more keys, which sign nothing: it is larger than the buffer of a pipe."""
    with open(path) as file:
        keys = json.load(file)["keys"]
    others = []
    for number in range(200):
        other = dict(keys[0])
        other["kid"] = "other-%d" % number
        others.append(other)
    return json.dumps({"keys": others + keys}).encode()


class KeyServer(http.server.BaseHTTPRequestHandler):
    keys = b""

    def do_GET(self):
        time.sleep(0.01)  # so that a process waits for the server now and then
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.keys)))
        self.end_headers()
        try:
            self.wfile.write(self.keys)
        except OSError:
            pass  # the process that asked is dead

    def log_message(self, *ignored):
        pass


class Server(http.server.HTTPServer):
    """A request a thread (ThreadingHTTPServer came with Python 3.7)."""

    def process_request(self, request, address):
        def answer():
            try:
                self.finish_request(request, address)
            except OSError:
                pass
            self.shutdown_request(request)
        threading.Thread(target=answer, daemon=True).start()


def start_server():
    KeyServer.keys = pad_keys(BOX + "/keys.json")
    server = Server(("127.0.0.1", 0), KeyServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "http://127.0.0.1:%d" % server.server_address[1]


def forget_keys():
    """The next config asks the server."""
    cache = runner_environment()["HOME"] + "/.cache/jacamar-ci"
    try:
        for name in os.listdir(cache):
            if name.endswith(".json"):
                os.unlink(cache + "/" + name)
    except FileNotFoundError:
        pass


def write_configuration(server):
    with open(PREFIX + "/validate", "w") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod(PREFIX + "/validate", 0o755)
    path = ETC + "/jacamar-config.toml"
    with open(path, "w") as file:
        file.write("""[general]
executor = "shell"
data_dir = "$HOME"
kill_timeout = "2s"
gitlab_server = "%s"

[auth]
downscope = "%s"
no_new_privs = true
groups_blocklist = ["%s"]
limits.nofile = 512
limits.core = 0
runas.validation_script = "%s/validate"

[auth.logging]
enabled = true
location = "%s/audit.log"
""" % (server, "sudo" if FLAVOUR == "sudo" else "setuid", os.environ["BLOCKLIST"],
       PREFIX, ETC))
    os.chmod(path, 0o600)
    own_by_runner(path)


# --- accounts, and what is left of their jobs ---

class Account:
    """One user, who has one job at a time. `mark` is in the environment of all its processes."""

    def __init__(self, name, server):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid, self.home = name, entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.mark = "CHAOS_JOB=%s" % name
        self.directory = make_directory("%s/home/%s/chaos-%s" % (BOX, RUNNER, name))
        self.server = server
        self.scripts = "%s/.jacamar-ci/scripts" % self.home
        # A sub-stage may begin any number of times, and so may a job.
        self.environment = dict(runner_environment(), TMPDIR=self.directory)
        self.environment.update([self.mark.split("=")])

    def job(self, user, scripts):
        """As t/runner reads it: triggered by `user`; `scripts` are sub-stages with commands."""
        claims = subprocess.check_output(
            [TOOLS + "/sign", "claims", "user_login=" + user, "iss=" + self.server])
        token = subprocess.check_output([TOOLS + "/sign", "token", BOX + "/key.jwk"], input=claims)
        return {
            "response": {
                "id": JOB_ID, "job_info": {"project_id": 20, "name": "ci-job"},
                "git_info": {"repo_url": "https://gitlab-ci-token:job-secret@gitlab.example.com"
                                         "/group/project.git"},
                "variables": [{"key": "SITE_ID_TOKEN", "value": token.decode().strip(),
                               "masked": True}]},
            "substages": list(scripts), "scripts": scripts}

    def write_job(self, scripts):
        path = self.directory + "/job.json"
        write_json(path, self.job(self.name, scripts))
        return path

    def script_files(self):
        """Files of jobs' scripts, and the directory of this job."""
        found = []
        for path, directories, files in os.walk(self.scripts):
            found += [path + "/" + name for name in files]
            found += [path + "/" + name for name in directories if name == str(JOB_ID)]
        return found

    def files(self):
        """All files below the directory of jobs."""
        return [path + "/" + name for path, _, names in os.walk(self.path(".jacamar-ci"))
                for name in names]

    def lock_files(self):
        """Those by which a job holds its builds directory: builds_lock.h."""
        return [path for path in self.files() if path.endswith(".job")]

    def path(self, name):
        return self.home + "/" + name

    def read(self, name):
        try:
            with open(self.path(name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def processes(self):
        """What runs of the job: as the user, as the service account, or as a sudo for the user."""
        return [process for process in all_processes() if self.uid in process.uids or
                process.has(self.mark) or process.is_sudo_for(self.name)]

    def wait_for_end(self, seconds):
        """Returns the processes of the job that are left then."""
        end = time.monotonic() + seconds
        while True:
            left = self.processes()
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.02)

    def start_anew(self):
        """Removes what a job has left, so that the next one is not affected."""
        while True:
            left = self.processes()
            for process in left:
                process.kill(signal.SIGKILL)
            if not left:
                break
            time.sleep(0.02)
        for name in os.listdir(self.home):
            if name.startswith(("end.", "record", ".jacamar-ci")):
                remove(self.path(name))
        for name in os.listdir(self.directory):
            if name not in ("job.json", "call"):
                remove(self.directory + "/" + name)

    def expected_record(self):
        """What a script must have recorded of its identity."""
        groups = " ".join(str(group) for group in
                          sorted(os.getgrouplist(self.name, self.gid)))
        lines = ["Uid:\t" + "\t".join([str(self.uid)] * 4),
                 "Gid:\t" + "\t".join([str(self.gid)] * 4), "Groups:\t" + groups,
                 "NoNewPrivs:\t1", "limits: 512 0"]
        return lines + ["%s:\t%016x" % (name, 0) for name in
                        ("CapInh", "CapPrm", "CapEff", "CapAmb", "SigIgn", "SigBlk")]

    def wrong_records(self):
        """Each line of the record that is not as it must be."""
        expected = {line.split(":")[0]: line for line in self.expected_record()}
        return [line for line in self.read("record").splitlines()
                if line.rstrip() != expected.get(line.split(":")[0], line.rstrip())]


class Process:
    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/status" % pid) as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
        self.command = fields["Name"].strip()
        self.state = fields["State"].split()[0]
        self.parent = int(fields["PPid"])
        self.uids = [int(uid) for uid in fields["Uid"].split()]
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            self.arguments = file.read().decode(errors="replace").rstrip("\0").split("\0")

    def has(self, setting):
        try:
            with open("/proc/%d/environ" % self.pid, "rb") as file:
                return setting.encode() in file.read().split(b"\0")
        except OSError:
            return False

    def is_below(self, directory):
        """Whether it executes a program there."""
        try:
            return os.readlink("/proc/%d/exe" % self.pid).startswith(directory + "/")
        except OSError:
            return False

    def is_sudo_for(self, name):
        return self.command == "sudo" and name in self.arguments

    def kill(self, number):
        try:
            os.kill(self.pid, number)
            return True
        except ProcessLookupError:
            return False

    def __str__(self):
        return "%d %s (uid %d, state %s, child of %d: %s)" % (
            self.pid, self.command, self.uids[1], self.state, self.parent,
            " ".join(self.arguments)[:90])


def process(pid):
    """None if it is gone, or dead and not yet reaped."""
    try:
        found = Process(pid)
    except (OSError, KeyError, ValueError, IndexError):
        return None
    return None if found.state in "ZX" else found


def all_processes():
    found = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [each for each in found if each is not None and each.pid != os.getpid()]


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def account_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def own_lines(text):
    """Those in which the program, or the sudo before it, says something. A line of the script may
    not be complete before them."""
    return re.findall(r"(?:jacamar-auth|jacamar|sudo): .*", text)


# --- several at once, and the figures at the end ---

STOPPING = threading.Event()


class Report:
    """Prints violations as they are found, and the last lines."""

    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.counts = {}
        self.passed = self.failed = self.violations = 0

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + number

    def judge(self, title, violations, log):
        if STOPPING.is_set():
            return
        with self.lock:
            self.passed += not violations
            self.failed += bool(violations)
            self.violations += len(violations)
            if not violations:
                return
            print("violation: %s" % title)
            for violation in violations:
                print("    " + violation)
            # One of the scripts prints thousands of numbers.
            for line in [line for line in log.splitlines() if not line.isdigit()][-25:]:
                print("    | " + line[:300])
            sys.stdout.flush()

    def finish(self, figures):
        print("%s: %s, %d violations" % (self.name, figures, self.violations))
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        return 0 if self.failed == 0 and self.passed > 0 else 1


def play_all(works, accounts, play):
    """play(account, work) for each work, in order, as many at once as there are accounts."""
    works = iter(works)
    lock = threading.Lock()
    errors = []

    def take():
        with lock:
            return None if errors else next(works, None)

    def live(account):
        try:
            for work in iter(take, None):
                play(account, work)
        except BaseException as error:  # whatever it is, the others stop
            errors.append(error)

    threads = [threading.Thread(target=live, args=(account,), daemon=True) for account in accounts]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except SystemExit as told_to_end:
        errors.append(told_to_end)
    if errors:
        raise errors[0]


def main(run):
    """run(accounts) in a site that is ready. However it ends, no process of a job is left."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *ignored: sys.exit(1))
    accounts, code = [], 1
    try:
        server = start_server()
        write_configuration(server)
        accounts = [Account(name, server) for name in USERS]
        code = run(accounts)
    except BaseException as error:
        # Processes that are ended now are not findings.
        STOPPING.set()
        if not isinstance(error, SystemExit) or error.code != 1:
            traceback.print_exc()
    for account in accounts:
        account.start_anew()
    sys.stdout.flush()
    os._exit(code)  # a thread may still wait for one of these processes


def seed():
    """What all random choices come from."""
    value = os.environ.get("SEED") or str(int(time.time()))
    print("seed %s, flavour %s" % (value, FLAVOUR), flush=True)
    return value


def generator(*parts):
    return random.Random("/".join(str(part) for part in parts))
