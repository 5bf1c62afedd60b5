# A client of the display that does what it is told, a word for each line of its input, and says when it was done.
import ctypes, sys

x = ctypes.CDLL("libX11.so.6")
x.XOpenDisplay.restype = ctypes.c_void_p
x.XDefaultRootWindow.restype = x.XCreateSimpleWindow.restype = ctypes.c_ulong
display = ctypes.c_void_p(x.XOpenDisplay(None))
root = ctypes.c_ulong(x.XDefaultRootWindow(display))
window = ctypes.c_ulong(x.XCreateSimpleWindow(display, root, 0, 0, 4000, 4000, 0, 0, 0xFFFFFF))


class Attributes(ctypes.Structure):
    # XSetWindowAttributes: fourteen members before override_redirect, each of the size of a long here or padded to it.
    _fields_ = [("before", ctypes.c_long * 11), ("override_redirect", ctypes.c_int), ("after", ctypes.c_long * 2)]


def covers():
    values = Attributes()
    values.override_redirect = 1
    x.XChangeWindowAttributes(display, window, ctypes.c_ulong(1 << 9), ctypes.byref(values))
    x.XSelectInput(display, window, ctypes.c_long(1))
    x.XMapRaised(display, window)


def raises():
    for _ in range(500):
        x.XRaiseWindow(display, window)
        x.XSync(display, 0)


def grabs():
    keyboard = x.XGrabKeyboard(display, root, 0, 1, 1, ctypes.c_ulong(0))
    none = ctypes.c_ulong(0)
    pointer = x.XGrabPointer(display, root, 0, 0, 1, 1, none, none, none)
    return keyboard, pointer


def releases():
    x.XUngrabKeyboard(display, ctypes.c_ulong(0))
    x.XUngrabPointer(display, ctypes.c_ulong(0))


for line in sys.stdin:
    done = {"covers": covers, "raises": raises, "grabs": grabs, "tries": grabs, "releases": releases}[line.strip()]()
    x.XSync(display, 0)
    print("done", line.strip(), done, flush=True)
