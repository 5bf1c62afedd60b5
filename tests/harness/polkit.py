# A polkit as far as logind asks it, with two rules: what its standard policy allows everybody.
import os, socket, struct


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


def field(code, kind, text):
    # A string, an object path or a signature, behind the struct's alignment.
    length = struct.pack("<B" if kind == b"g" else "<I", len(text))
    return bytes([code, 1]) + kind + b"\0" + length + text + b"\0"


def send(kind, fields, body=b""):
    send.serial += 1
    array = b""
    for one in fields:
        array = padded(array, 8) + one
    head = b"l" + bytes([kind, 0, 1]) + struct.pack("<III", len(body), send.serial, len(array))
    bus.sendall(padded(head + array, 8) + body)


def receive(length):
    data = b""
    while len(data) < length:
        more = bus.recv(length - len(data))
        assert more, "the bus has closed the connection"
        data += more
    return data


def message():
    head = receive(16)
    body_length, serial, length = struct.unpack_from("<III", head, 4)
    data = receive(length + -length % 8)
    fields, at = {}, 0
    while at < length:
        at += -at % 8
        code, kind = data[at], data[at + 2:at + 3]
        at += 4
        if kind == b"g":
            size, start = data[at], at + 1
        elif kind == b"u":
            size, start = 3, at
        else:
            size, start = struct.unpack_from("<I", data, at)[0], at + 4
        fields[code] = data[start:start + size]
        at = start + size + 1
    return head[1], serial, fields, receive(body_length)


send.serial = 0
bus = socket.socket(socket.AF_UNIX)
bus.connect("/run/dbus/system_bus_socket")
bus.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
assert bus.recv(100).startswith(b"OK")
bus.sendall(b"BEGIN\r\n")
to_bus = [field(1, b"o", b"/org/freedesktop/DBus"), field(2, b"s", b"org.freedesktop.DBus"), field(6, b"s", b"org.freedesktop.DBus")]
send(1, to_bus + [field(3, b"s", b"Hello")])
name = b"org.freedesktop.PolicyKit1"
body = padded(struct.pack("<I", len(name)) + name + b"\0", 4) + struct.pack("<I", 0)
send(1, to_bus + [field(3, b"s", b"RequestName"), field(8, b"g", b"su")], body)
while True:
    kind, serial, fields, body = message()
    if kind == 2 and serial and body == struct.pack("<I", 1):
        print("ready", flush=True)
    if kind == 1 and fields.get(3) == b"CheckAuthorization":
        allowed = any(b"org.freedesktop.login1." + action in body for action in (b"set-self-linger", b"inhibit-delay-sleep"))
        answer = struct.pack("<IIII", allowed, 0, 0, 0)
        reply_to = bytes([5, 1]) + b"u\0" + struct.pack("<I", serial)
        send(2, [reply_to, field(6, b"s", fields[7]), field(8, b"g", b"(bba{ss})")], answer)
