"""Starts workers, lets exactly one of them run at a time, and watches what else the machine does meanwhile."""
import json
import os
import select
import signal
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
LOAD_LIMIT_S = 300
RUN_LIMIT_S = 300


def machine_times():
    """(busy, stolen) seconds of all cores since the start of the machine."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(word) for word in stat.readline().split()[1:9]]
    user, nice, system, _, _, irq, soft, steal = fields
    return (user + nice + system + irq + soft) / TICKS, steal / TICKS


def process_times(pid):
    """(computed, waited for a core) seconds of all threads of a process."""
    computed = waited = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                words = file.read().split()
        except OSError:  # the thread ended
            continue
        computed += int(words[0])
        waited += int(words[1])
    return computed / 1e9, waited / 1e9


class Noise:
    """What disturbed one slice: cores others used, cores stolen by the host, share of the time spent waiting."""

    def __init__(self, pid):
        self.pid = pid
        self.begin = (time.monotonic(), *machine_times(), *process_times(pid))

    def end(self):
        now = (time.monotonic(), *machine_times(), *process_times(self.pid))
        wall, busy, stolen, own, waited = (b - a for a, b in zip(self.begin, now))
        return {"foreign": max(0.0, busy - own) / wall, "steal": stolen / wall, "waited": waited / wall}


class WorkerFault(Exception):
    """The worker cannot go on; `skip` is true when the engine does not take the network."""

    def __init__(self, text, skip=False):
        super().__init__(text)
        self.skip = skip


class Worker:
    """A worker process. It is stopped (SIGSTOP) whenever it has nothing to do, so that no idle thread spins."""

    def __init__(self, python, job, cores, log, environment):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
        environment = {**os.environ, "OMP_NUM_THREADS": str(job["threads"]), **environment}
        self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores), env=environment)
        try:
            self.ready = self._ask(job, job.get("load_limit_s", LOAD_LIMIT_S))
        except WorkerFault:
            self.close()
            raise

    def _ask(self, document, limit):
        os.kill(self.process.pid, signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(document) + "\n")
            self.process.stdin.flush()
        except OSError:
            raise WorkerFault(f"the process ended with {self.process.wait()}") from None
        if not select.select([self.process.stdout], [], [], limit)[0]:
            raise WorkerFault(f"no answer within {limit} s")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerFault(f"the process ended with {self.process.wait()}")
        answer = json.loads(line)
        if "skip" in answer:
            raise WorkerFault(answer["skip"], skip=True)
        if "error" in answer:
            raise WorkerFault(answer["error"])
        os.kill(self.process.pid, signal.SIGSTOP)
        return answer

    def save(self, path):
        self._ask({"do": "save", "path": str(path)}, RUN_LIMIT_S)

    def run(self, seconds):
        noise = Noise(self.process.pid)
        answer = self._ask({"do": "run", "seconds": seconds}, RUN_LIMIT_S)
        return {**answer, "noise": noise.end()}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class BusyNeighbour:
    """Another process that wants one core all the time."""

    def __init__(self, core):
        self.process = subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"],  # pylint: disable=subprocess-popen-preexec-fn
                                        preexec_fn=lambda: os.sched_setaffinity(0, {core}))

    def close(self):
        self.process.kill()
        self.process.wait()
