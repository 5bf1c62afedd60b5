# A polkit as far as logind asks it, with two rules: what its standard policy allows everybody.
connect("/run/dbus/system_bus_socket")
name = b"org.freedesktop.PolicyKit1"
body = padded(struct.pack("<I", len(name)) + name + b"\0", 4) + struct.pack("<I", 0)
send(1, TO_BUS + [field(3, b"s", b"RequestName"), field(8, b"g", b"su")], body)
while True:
    kind, serial, fields, body = message()
    if kind == 2 and serial and body == struct.pack("<I", 1):
        print("ready", flush=True)
    if kind == 1 and fields.get(3) == b"CheckAuthorization":
        allowed = any(b"org.freedesktop.login1." + action in body for action in (b"set-self-linger", b"inhibit-delay-sleep"))
        answer = struct.pack("<IIII", allowed, 0, 0, 0)
        reply_to = bytes([5, 1]) + b"u\0" + struct.pack("<I", serial)
        send(2, [reply_to, field(6, b"s", fields[7]), field(8, b"g", b"(bba{ss})")], answer)
