"""One thread per test process: `make test` runs as many processes as there are cores."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; what tests start inherits it
# under nohup, or in a shell's background, these are ignored, and would be in what tests start
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
