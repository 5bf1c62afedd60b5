# A player: it inhibits idleness until it reads a line, or ends.
import sys

connect("/run/user/1000/bus")
to_saver = [field(1, b"o", b"/org/freedesktop/ScreenSaver"), field(2, b"s", b"org.freedesktop.ScreenSaver"), field(6, b"s", b"org.freedesktop.ScreenSaver")]


def call(member, signature, body):
    send(1, to_saver + [field(3, b"s", member), field(8, b"g", signature)], body)
    own = send.serial
    while True:
        kind, serial, fields, body = message()
        # Without its highest byte.
        if kind in (2, 3) and fields.get(5) == struct.pack("<I", own)[:3]:
            return kind, body


def text(data):
    return struct.pack("<I", len(data)) + data + b"\0"


kind, body = call(b"Inhibit", b"ss", padded(text(b"player"), 4) + text(b"a film"))
print("kind", kind, "inhibits", struct.unpack("<I", body)[0], flush=True)
kind, _ = call(b"UnInhibit", b"u", struct.pack("<I", 4711))
print("of another:", kind, flush=True)
sys.stdin.readline()
print("undoes:", call(b"UnInhibit", b"u", body)[0], flush=True)
