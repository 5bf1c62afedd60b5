"""Runs commands in a virtual machine for the test outside: one JSON object a line, on the virtio port "startxd".

A request is {"id", "user" or null, "script", "env"}; an answer is {"id", "status", "stdout", "stderr"}, sent when the
command has ended. It knows nothing of the machine's sleep, nor of a snapshot that is loaded: the port is a device, and a
client takes only answers to what it has asked.
"""

import json
import os
import subprocess
import threading

PORT = "/dev/virtio-ports/startxd"
# Neither in a session nor in a unit. What a test has to say must be heard when memory runs out, so this process is never
# chosen; its commands are as any other.
GROUP = "/sys/fs/cgroup/harness"
lock = threading.Lock()


def outside():
    """In the child, before the command is executed."""
    os.setsid()
    for path, text in ((GROUP + "/cgroup.procs", "0"), ("/proc/self/oom_score_adj", "0")):
        with open(path, "w") as file:
            file.write(text)


def execute(request, port):
    words = ["bash", "-c", request["script"]]
    user = request["user"]
    if user:
        words = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", *words]
    answer = {"id": request["id"], "status": 127, "stdout": "", "stderr": ""}
    try:
        command = subprocess.run(
            words, env=request["env"], cwd="/", stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=outside
        )
        answer["status"] = command.returncode if command.returncode >= 0 else 128 - command.returncode
        answer["stdout"] = command.stdout.decode(errors="replace")
        answer["stderr"] = command.stderr.decode(errors="replace")
    except (OSError, subprocess.SubprocessError) as problem:
        answer["stderr"] = str(problem)
    line = memoryview((json.dumps(answer) + "\n").encode())
    with lock:
        while line:
            line = line[port.write(line):]


def main():
    os.makedirs(GROUP, exist_ok=True)
    port = open(PORT, "r+b", buffering=0)
    left = b""
    while True:
        data = port.read(65536)
        if not data:
            # Nobody is connected outside; the kernel does not wait then.
            threading.Event().wait(0.05)
            continue
        *lines, left = (left + data).split(b"\n")
        for line in lines:
            try:
                request = json.loads(line)
            except ValueError:
                # The rest of what another client has begun.
                continue
            threading.Thread(target=execute, args=(request, port), daemon=True).start()


main()
