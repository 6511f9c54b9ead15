"""What the stand-ins for LSF's commands share: NOT LSF, see standin.py.

They take and print what the command reference of IBM Spectrum LSF 10.1 documents (bsub, bjobs -o,
bkill, bhist, "Termination reasons displayed by bacct, bhist, and bjobs"); option parsing, quoting
and messages go by openlava 4, which has them from LSF.
"""
import sys

REASONS = {
    "walltime": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
    "memory": "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit",
    "cancel": "TERM_OWNER: job killed by owner",
    "node": "TERM_ZOMBIE: job exited while LSF is not available",
    "preempt": "TERM_PREEMPT: job killed after preemption",
}


def fail(text):
    """As LSF's commands do."""
    sys.stderr.write(text + "\n")
    sys.exit(255)


def down():
    """LSF's commands would wait and say so again, as often as LSB_NTRIES has it."""
    fail("LSF is down. Please wait ...")


def exit_code(job):
    """Of a job that has ended, as LSF has it: 128 + n for signal n."""
    if job["status"] is None:
        return 0
    signal = job["status"] & 0x7F
    return 128 + signal if signal else job["status"] >> 8


def exit_reason(job):
    """Why it is in the state EXIT; "" where by itself."""
    if job["cause"] is None and exit_code(job) > 128:
        return "TERM_EXTERNAL_SIGNAL: job killed by a signal external to LSF"
    return REASONS.get(job["cause"], "")


def state(job):
    """What bjobs calls it."""
    if job["state"] == "ended":
        return "EXIT" if job["cause"] or exit_code(job) else "DONE"
    return {"waiting": "PEND", "held": "PSUSP", "running": "RUN"}[job["state"]]
