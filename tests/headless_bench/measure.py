# measure.py ROUNDS MANY FIFTY: prints what main.rs reads.
import subprocess, sys, time

ROUNDS, MANY, FIFTY = map(int, sys.argv[1:])
LAUNCHERS = {"startxd": ["startxd", "display", "run", "--"], "xvfb-run": ["xvfb-run", "-a"]}
COMMAND = ["date", "+%s.%N"]


def say(name, value):
    print(name, value)


def at_once(launcher, count):
    """So many at once: until each runs, until all are over, and how many failed; in ms."""
    began, running = [], []
    first = time.time()
    for _ in range(count):
        began.append(time.time())
        running.append(subprocess.Popen(launcher + COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
    ready, failed = [], 0
    for start, process in zip(began, running):
        out, _ = process.communicate()
        if process.returncode == 0:
            ready.append((float(out) - start) * 1e3)
        else:
            failed += 1
    return ready, (time.time() - first) * 1e3, failed


def settle():
    """Until no server is left: one of the two does not wait for its own."""
    while subprocess.run(["pgrep", "-x", "Xvfb"], stdout=subprocess.DEVNULL).returncode == 0:
        time.sleep(0.01)


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024 / 1e6


def fifty():
    """So many displays at once in one user manager."""
    began = time.time()
    running = [subprocess.Popen(["startxd", "display", "start"], stdout=subprocess.PIPE) for _ in range(FIFTY)]
    waiting = set(range(FIFTY))
    while waiting:
        for index in list(waiting):
            if running[index].poll() is not None:
                assert running[index].returncode == 0
                say("fifty ready", (time.time() - began) * 1e3)
                waiting.discard(index)
        time.sleep(0.001)
    numbers = {process.stdout.read() for process in running}
    assert len(numbers) == FIFTY
    supervisors = subprocess.run(["pgrep", "-x", "startxd"], stdout=subprocess.PIPE, check=True).stdout.split()
    assert len(supervisors) == FIFTY
    say("fifty memory", sum(pss(int(pid)) for pid in supervisors) / FIFTY)
    began = time.time()
    subprocess.run(["startxd", "display", "stop", "--all"], check=True)
    say("fifty gone", (time.time() - began) * 1e3)


for number in range(ROUNDS + 1):
    for name, launcher in LAUNCHERS.items():
        for word, count in (("1", 1), ("many", MANY)):
            ready, total, failed = at_once(launcher, count)
            settle()
            # The first round is discarded.
            if number > 0:
                for value in ready:
                    say(f"{name} ready {word}", value)
                say(f"{name} total {word}", total)
                say(f"{name} failed {word}", failed)
fifty()
