# As much of D-Bus as stand-ins of services need; their own scripts follow it.
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


def connect(path):
    global bus
    bus = socket.socket(socket.AF_UNIX)
    bus.connect(path)
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
    assert bus.recv(100).startswith(b"OK")
    bus.sendall(b"BEGIN\r\n")
    send(1, TO_BUS + [field(3, b"s", b"Hello")])


TO_BUS = [field(1, b"o", b"/org/freedesktop/DBus"), field(2, b"s", b"org.freedesktop.DBus"), field(6, b"s", b"org.freedesktop.DBus")]
