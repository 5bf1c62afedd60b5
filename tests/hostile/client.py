# What the cases of launch_socket.rs say to the host, in the guest: this, and then the case's own lines.
import os, socket, time

PATH = '/run/user/1000/startxd/host.sock'
LAUNCH = b'startxd/1 launch display=:0 listeners=1'


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(5)
    client.connect(PATH)
    return client


def reply(client):
    try:
        text = client.recv(8192)
    except ConnectionResetError:
        # Closed with something of ours unread.
        text = b''
    except TimeoutError:
        return 'nothing within 5 s'
    return text.decode() if text else 'end-of-file'


def ask(message, fds=(), name=''):
    """Sends one message on a connection of its own, and prints the answer."""
    client = connect()
    socket.send_fds(client, [message], fds)
    print((name or repr(message[:60])) + ' -> ' + ' | '.join(reply(client).splitlines()), flush=True)
    client.close()


def listener(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    return server
