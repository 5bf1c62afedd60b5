"""Looks at the cookie of display 0 from the outside, as root. Prints what is found, one fact a line."""
import os
import socket
import struct
import subprocess
import sys

FILE = "/run/user/1000/xauth_startxd_0"


def entries(data):
    """Xau.h: family, address, number, name and data, each counted by two bytes, most significant first."""
    found = []
    while data:
        family, data = struct.unpack(">H", data[:2])[0], data[2:]
        fields = []
        for _ in range(4):
            length = struct.unpack(">H", data[:2])[0]
            fields.append(data[2 : 2 + length])
            data = data[2 + length :]
        found.append((family, *fields))
    return found


def show():
    """The file's owner and modes, and its entries without the cookie's value."""
    for path in (os.path.dirname(FILE), FILE):
        info = os.stat(path)
        print(f"{path} {info.st_mode & 0o7777:o} {info.st_uid}")
    for family, address, number, name, data in entries(open(FILE, "rb").read()):
        print(family, number.decode(), name.decode(), len(data))
    print("the same" if len({entry[4] for entry in entries(open(FILE, "rb").read())}) == 1 else "different")


def leaks():
    """Everything but the file that has the cookie, raw or in hex."""
    cookie = entries(open(FILE, "rb").read())[0][4]
    forms = {cookie, cookie.hex().encode(), cookie.hex().upper().encode()}
    places = {"the journal": subprocess.run(["journalctl", "-o", "export", "--all"], capture_output=True).stdout}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                places[f"{name} of {pid}"] = open(f"/proc/{pid}/{name}", "rb").read()
            except OSError:
                pass
    for root in ("/home/ada", "/run/user/1000", "/tmp", "/var/log", "/run/systemd"):
        for directory, _, files in os.walk(root):
            for file in files:
                path = os.path.join(directory, file)
                if path != FILE and os.path.isfile(path):
                    places[path] = open(path, "rb").read()
    # What must be among the places, or nothing was looked at.
    for place, data in places.items():
        if b"X.Org X Server" in data and place == "the journal" or b"xauth_startxd_0" in data and "cmdline" in place:
            print("looked at", place.split()[0])
    for place, data in places.items():
        if any(form in data for form in forms):
            print("leaked:", place)


def knock(address, cookie):
    """The setup request of the X protocol; prints how it was answered."""
    name = b"MIT-MAGIC-COOKIE-1" if cookie else b""
    pad = lambda field: field + bytes(-len(field) % 4)
    request = struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie)) + pad(name) + pad(cookie)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(address)
            client.sendall(request)
            answer = client.recv(8)
        except PermissionError:
            return "no permission"
        except ConnectionRefusedError:
            return "nobody listens"
        return {0: "refused", 1: "served"}.get(answer[0] if answer else None, repr(answer))


def knocks():
    """Each way in, with no cookie and with a wrong one."""
    for address in ("/tmp/.X11-unix/X0", "\0/tmp/.X11-unix/X0"):
        for cookie in (b"", bytes(16), os.urandom(16)):
            print(knock(address, cookie))


def good():
    """With the cookie, by path and by abstract name."""
    cookie = entries(open(FILE, "rb").read())[0][4]
    for address in ("/tmp/.X11-unix/X0", "\0/tmp/.X11-unix/X0"):
        print(knock(address, cookie))


{"show": show, "leaks": leaks, "knocks": knocks, "good": good}[sys.argv[1]]()
