#!/usr/bin/python3
"""A window manager of the oldest kind: selects SubstructureRedirect on the root window, and sets no property."""
import os
import socket
import struct

# Xauthority: family, address, number, name, data; the first entry will do.
with open(os.environ["XAUTHORITY"], "rb") as file:
    data = file.read()
fields, at = [], 2
for _ in range(4):
    length = struct.unpack(">H", data[at : at + 2])[0]
    fields.append(data[at + 2 : at + 2 + length])
    at += 2 + length
name, cookie = fields[2:]

display = socket.socket(socket.AF_UNIX)
display.connect("/tmp/.X11-unix/X" + os.environ["DISPLAY"].lstrip(":"))
stream = display.makefile("rb")
pad = lambda field: field + bytes(-len(field) % 4)
display.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(cookie)) + pad(name) + pad(cookie))
status, length = struct.unpack("<BxHHH", stream.read(8))[::3]
assert status == 1, status
setup = stream.read(4 * length)
vendor_length, formats = struct.unpack("<H", setup[16:18])[0], setup[21]
root = struct.unpack("<I", setup[32 + vendor_length + -vendor_length % 4 + 8 * formats :][:4])[0]
# ChangeWindowAttributes: event-mask (bit 11 of the value mask) = SubstructureRedirect.
display.sendall(struct.pack("<BxHIII", 2, 4, root, 1 << 11, 1 << 20))
while stream.read(32):
    pass
