"""Reads a secret in hexadecimal digits, looks for it in every file and process that this user can read, and prints where
it is, and at last how many places were looked at. A place is looked at raw and for the digits."""
import os
import stat
import sys

digits = sys.stdin.read().strip()
forms = {bytes.fromhex(digits), digits.encode(), digits.upper().encode()}
# The tree below /usr is older than the secret, and the kernel's own files are read by themselves.
PASSED_OVER = {"/usr", "/proc", "/sys"}
looked_at = 0


def look(path):
    """One file; whatever cannot be read is not read."""
    global looked_at
    try:
        # A pipe or a device could keep us waiting.
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return
    looked_at += 1
    if any(form in data for form in forms):
        print(path)


for directory, folders, files in os.walk("/"):
    folders[:] = [folder for folder in folders if os.path.join(directory, folder) not in PASSED_OVER]
    for file in files:
        look(os.path.join(directory, file))
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ", "status", "comm", "maps"):
        look(f"/proc/{pid}/{name}")
print(looked_at)
