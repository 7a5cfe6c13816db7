"""One thread per test process: `make test` runs as many processes as there are cores."""

import os
import signal

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch is imported; commands started by tests inherit it
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup those would inherit that it is ignored
