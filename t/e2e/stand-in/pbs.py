#!/usr/bin/env python3
"""A stand-in for PBS's qsub, qstat, qdel and qselect, for tests: NOT PBS, see standin.py.

They take and print what OpenPBS 23.06 documents and prints, as far as a batch driver sees it: the
manual's qsub(1B), qstat(1B), qdel(1B), and src/cmds/{qsub,qstat,qdel,qselect}.c,
src/server/{req_jobobit,svr_jobfunc}.c, src/include/job.h and src/lib/Liblog/pbs_messages.c. The
switch `release` has them be another one: `18` has JSON with values as they are, which need not be
JSON, and no codes for limits (PBS Professional 18.1); `nohistory` is a server without a history;
`torque` is Torque (src/cmds/qstat.c, src/include/pbs_job.h).
"""
import getopt
import json
import os
import sys

import standin

NAME = os.path.basename(sys.argv[0])
LETTERS = {"waiting": "Q", "held": "H", "running": "R", "ended": "F"}
USAGE = "usage: \nqstat [-f] [-J] [-p] [-t] [-x] [-E] [ job_identifier... | destination... ]\n"
HISTORY = "PBS is not configured to maintain job history"


def fail(code, text):
    """As the commands do it; the code is of pbs_error.h, and shortened by the shell."""
    sys.stderr.write(f"{NAME}: {text}\n")
    sys.exit(code & 255)


def begin(number=None):
    """Every command."""
    if standin.begin(number):
        sys.stderr.write("Connection refused\n")
        fail(111, "cannot connect to server server (errno=111)")


def number_of(text):
    """1001 of 1001.server"""
    return int(text.partition(".")[0])


def qsub():
    """qsub [options] script"""
    letters = "a:A:c:C:e:fhIj:J:k:l:m:M:N:o:p:q:r:R:S:u:v:VW:XzP:"
    try:
        options, words = getopt.gnu_getopt(sys.argv[1:], letters)
    except getopt.GetoptError as error:
        sys.stderr.write(f"qsub: invalid option -- '{error.opt}'\nusage: qsub [-a date_time]\n")
        sys.exit(2)
    options = dict(options)
    begin()
    if options.get("-q") not in (None, "workq"):
        fail(15018, "Unknown queue")
    environment = dict(os.environ) if "-V" in options else {"HOME": os.environ["HOME"]}
    number = standin.submit(
        words[0],
        name=options["-N"],
        output=options["-o"],
        held="-h" in options,
        limit=options.get("-l", ""),
        environment=environment,
    )
    if standin.switch("loses") is not None:
        fail(15031, "Batch Protocol error")
    print(f"{number}.server")


def ending(job, release):
    """How a job ended: Exit_status (None: it has none), substate, what follows in the comment."""
    cause = job["cause"]
    signal = 256 + 15
    if cause == "cancel":
        return (signal if job["starts"] else None), 91, "and terminated"
    if cause == "node":
        return None, 93, ""
    if release == "torque":
        codes = {"walltime": -11, "memory": -10}
    else:
        codes = {"walltime": -29, "memory": -27} if release != "18" else {"walltime": signal}
    if cause in codes:
        return codes[cause], 93, f"and exceeded resource {cause}"
    code = standin.code_of(job)
    code = code if code >= 0 else 256 - code
    return code, 92 if code == 0 else 93, "and finished" if code == 0 else "and failed"


def describe(job, release):
    """The attributes of a job, in the order that they are printed in."""
    state = job["state"]
    fields = {"Job_Name": job["name"], "Job_Owner": f"{job['owner']}@host.example.com"}
    used = "00:01:01" if job["cause"] == "walltime" else "00:00:01"
    if state in ("running", "ended"):
        fields["resources_used"] = {"cpupercent": 0, "mem": "5kb", "walltime": used}
    fields.update({"job_state": LETTERS[state], "queue": "workq", "server": "server"})
    fields["Join_Path"] = "oe"
    fields["Output_Path"] = "host.example.com:/dev/null"
    fields["Resource_List"] = {"ncpus": 1, "nodect": 1, "walltime": "00:01:00"}
    if state == "waiting":
        fields["estimated"] = {"exec_vnode": "(node1:ncpus=1)", "start_time": "soon"}
    fields["substate"] = {"waiting": 10, "held": 20, "running": 42}.get(state, 92)
    fields["Variable_List"] = {"PBS_O_HOME": "/home", "QUOTED": 'x"y\\', "PBS_O_QUEUE": "workq"}
    comment = {"waiting": "Not Running: Insufficient amount of resource: ncpus", "held": ""}.get(
        state, "Job run at Tue Nov 24 at 02:50 on (node1:ncpus=1)"
    )
    if state == "ended":
        code, fields["substate"], more = ending(job, release)
        comment = f"{comment} {more}".strip()
        if code is not None:
            fields["Exit_status"] = code
    if comment:
        fields["comment"] = comment
    if release == "torque":
        fields["job_state"] = "C" if state == "ended" else fields["job_state"]
        del fields["substate"]
        if "Exit_status" in fields:
            fields["exit_status"] = fields.pop("Exit_status")
    return fields


def print_json(job, fields, release):
    """qstat -f -F json"""
    whole = {"timestamp": 1, "pbs_version": "23.06.06", "pbs_server": "server"}
    if job:
        whole["Jobs"] = {f"{job['number']}.server": fields}
    text = json.dumps(whole, indent=4, separators=(",", ":"))
    print(text.replace("\\", "") if release == "18" else text)


def print_plain(job, fields):
    """qstat -f: lines are broken at a comma, or where they are 80 bytes long."""
    print(f"Job Id: {job['number']}.server")
    for name, value in fields.items():
        if name == "Variable_List":
            lines = {name: ",".join(f"{key}={text}" for key, text in value.items())}
        elif isinstance(value, dict):
            lines = {f"{name}.{key}": text for key, text in value.items()}
        else:
            lines = {name: value}
        for start, text in lines.items():
            text = f"    {start} = {text}"
            print(text[:79])
            for at in range(79, len(text), 71):
                print("\t" + text[at : at + 71])
    print()


def qstat():
    """qstat [-x] -f [-F json] number"""
    release = standin.switch("release")
    try:
        options, words = getopt.gnu_getopt(sys.argv[1:], "xf" if release == "torque" else "xfF:")
    except getopt.GetoptError as error:
        sys.stderr.write(f"qstat: invalid option -- '{error.opt}'\n{USAGE}")
        sys.exit(2)
    options = dict(options)
    number = number_of(words[0])
    begin(number)
    job = standin.job(number)
    wants_json = options.get("-F") == "json"
    if "-x" in options and release == "nohistory":
        sys.stderr.write(f"qstat: {HISTORY} {words[0]}\n")
        if wants_json:
            print_json(None, None, release)
        sys.exit(0)
    if job is None or (job["state"] == "ended" and release == "nohistory"):
        fail(15001, f"Unknown Job Id {'Error ' if release == 'torque' else ''}{words[0]}")
    fields = describe(job, release)
    if wants_json:
        print_json(job, fields, release)
    elif release == "torque" and "-x" in options:
        print(f"<Data><Job><Job_Id>{words[0]}</Job_Id></Job></Data>")
    elif job["state"] == "ended" and "-x" not in options and release != "torque":
        text = "Job has finished, use -x or -H to obtain historical job information"
        fail(15139, f"{words[0]} {text}")
    else:
        print_plain(job, fields)


def qdel():
    """qdel number"""
    number = number_of(sys.argv[1])
    begin(number)
    job = standin.job(number)
    if job is None:
        fail(15001, f"Unknown Job Id {sys.argv[1]}")
    if job["state"] == "ended":
        fail(15139, "Job has finished")
    standin.order(number, "cancel")


def qselect():
    """qselect -u user -N name"""
    options = dict(getopt.getopt(sys.argv[1:], "u:N:")[0])
    begin()
    for job in standin.jobs():
        if job["state"] != "ended" and (job["owner"], job["name"]) == (
            options["-u"],
            options["-N"],
        ):
            print(f"{job['number']}.server")


{"qsub": qsub, "qstat": qstat, "qdel": qdel, "qselect": qselect}[NAME]()
