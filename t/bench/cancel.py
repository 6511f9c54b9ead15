"""cancel.py PID FIFO

Sends SIGTERM to PID, and prints how many seconds later no process has FIFO open for writing.
"""
import os
import signal
import sys
import time

LONGEST_S = 60

signal.alarm(LONGEST_S)
fifo = os.open(sys.argv[2], os.O_RDONLY)
start = time.monotonic()
os.kill(int(sys.argv[1]), signal.SIGTERM)
while os.read(fifo, 4096):
    pass
print(time.monotonic() - start)
