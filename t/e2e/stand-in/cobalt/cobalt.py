"""What the stand-ins for Cobalt's commands share: NOT Cobalt, see standin.py.

They take and print what the clients of Cobalt 1.0.33 do: qsub(1), qstat(1) and qdel(1), and the
lines that its queue manager writes to a job's cobaltlog.
"""
import sys

DOWN = (
    "component error: Failed to connect to {}: [Errno 111] Connection refused: "
    "Unable to connect to the service location component\n"
)

# What the queue manager writes when a job ends.
LINES = {
    "walltime": "Info: maximum execution time exceeded; initiating job termination",
    "cancel": "Info: user delete requested with signal SIGTERM by user {owner}",
}


def fail(text):
    """As Cobalt's clients do."""
    sys.stderr.write(text + "\n")
    sys.exit(1)


def down(component):
    """As component_call of client_utils.py does."""
    fail(DOWN.format(component))


def write_log(job):
    """What the queue manager has written by the time that it knows a job no more."""
    lines = [LINES[job["cause"]].format(**job)] if job["cause"] in LINES else []
    if job["status"] is not None:
        code = job["status"] >> 8 or -(job["status"] & 0x7F)
        lines.append(
            f"Info: task completed normally with an exit code of {code}; "
            "initiating job cleanup and removal"
        )
    try:
        with open(job["debuglog"], "a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
    except FileNotFoundError:
        pass  # its directory went with the job
