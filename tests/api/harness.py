"""Starts tests/api/serve and talks to it: HTTP over its unix socket or TLS, watches, WebSockets.

Only the standard library; jsonschema is used when it is installed (schema.py). Nothing here
sleeps: whatever is waited for is read from a socket or a pipe with a time limit."""
import base64
import http.client
import json
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

from schema import schemas_of

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from unix_http import UnixConnection

SERVE = os.environ.get("API_SERVE", "build/tests/api/api_serve")
PATIENCE_S = 30
GROUP = "/apis/virga.dev/v1"


class Reply:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()

    @property
    def json(self):
        return json.loads(self.bytes)

    def __repr__(self):
        return f"{self.status} {self.bytes[:600]!r}"


class Server:
    """One serve process with a scratch directory of its own."""

    def __init__(self, *arguments, tls=False, store=False):
        self.dir = tempfile.mkdtemp(prefix="virga-api-")
        self.socket = self.dir + "/socket"
        self.tls = self.dir + "/tls"
        self.kubeconfig = self.dir + "/kubeconfig"
        self.audit = self.dir + "/audit"
        self.arguments = list(arguments) + ["--audit", self.audit]
        if tls:
            self.arguments += ["--listen", "127.0.0.1:0", "--tls", self.tls, "--kubeconfig", self.kubeconfig]
        if store:
            self.arguments += ["--store", self.dir + "/store"]
            os.makedirs(self.dir + "/store", exist_ok=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen([SERVE, "--socket", self.socket] + self.arguments,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready"):
            raise RuntimeError(f"serve did not start: {line!r}")
        self.port = int(line.split()[1])
        self.kept = None

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        if self.kept:
            self.kept.close()
        return code

    def close(self):
        code = self.stop()
        shutil.rmtree(self.dir)
        if code != 0:
            raise RuntimeError(f"serve ended with {code}")

    # --- requests ---

    def connection(self):
        return UnixConnection(self.socket, PATIENCE_S)

    def tls_context(self, who="admin", directory=None):
        context = ssl.create_default_context(cafile=self.tls + "/ca.crt")
        if who:
            directory = directory or self.tls
            context.load_cert_chain(f"{directory}/{who}.crt", f"{directory}/{who}.key")
        return context

    def tls_connection(self, who="admin", directory=None):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE_S,
                                           context=self.tls_context(who, directory))

    def ask(self, method, path, body=None, type=None, connection=None, **headers):
        connection = connection or self.connection()
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            type = type or "application/json"
        if type:
            headers["Content-Type"] = type
        connection.request(method, path, body=body, headers=headers)
        reply = Reply(connection.getresponse())
        connection.close()
        return reply

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body, **more):
        return self.ask("POST", path, body, **more)

    def put(self, path, body, **more):
        return self.ask("PUT", path, body, **more)

    def delete(self, path, body=None, **more):
        return self.ask("DELETE", path, body, **more)

    def patch(self, path, body, type="application/merge-patch+json", **more):
        return self.ask("PATCH", path, body, type, **more)

    def raw(self, bytes):
        """Sends bytes as they are and reads to the end of the connection."""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(PATIENCE_S)
            plain.connect(self.socket)
            plain.sendall(bytes)
            plain.shutdown(socket.SHUT_WR)
            return read_all(plain)

    def watch(self, path, connection=None, **headers):
        return Watch(connection or self.connection(), path, headers)

    def audit_entries(self):
        with open(self.audit) as file:
            return [json.loads(line) for line in file]


def read_all(plain):
    parts = []
    while True:
        try:
            part = plain.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


class Watch:
    """The events of a watch, one after the other; next() waits for one, and is None at the end."""

    def __init__(self, connection, path, headers):
        self.connection = connection
        connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        self.response = connection.getresponse()
        self.status = self.response.status

    def next(self):
        line = self.response.readline()
        return json.loads(line) if line else None

    def names(self, count):
        """'TYPE name' of the next events."""
        events = [self.next() for _ in range(count)]
        return [f"{event['type']} {event['object']['metadata'].get('name')}" for event in events]

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WebSocket:
    """Just enough of RFC 6455 for a client."""

    def __init__(self, plain, path, protocol=None, **headers):
        self.socket = plain
        self.buffer = b""
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        if protocol:
            lines.append(f"Sec-WebSocket-Protocol: {protocol}")
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
        plain.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        self.status = int(self.head.split()[1])

    def fill(self):
        part = self.socket.recv(65536)
        if not part:
            raise EOFError
        self.buffer += part

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def send(self, payload, opcode=2, final=True, mask=b"\x01\x02\x03\x04"):
        self.socket.sendall(self.frame(payload, opcode, final, mask))

    @staticmethod
    def frame(payload, opcode=2, final=True, mask=b"\x01\x02\x03\x04"):
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        bit = 0x80 if mask else 0
        if size < 126:
            head += bytes([bit | size])
        elif size < 65536:
            head += struct.pack(">BH", bit | 126, size)
        else:
            head += struct.pack(">BQ", bit | 127, size)
        if mask:
            repeated = (mask * (size // 4 + 1))[:size]
            payload = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
            head += mask
        return head + payload

    def exchange(self, frames, count):
        """Sends all frames and meanwhile receives 'count' bytes: one thread, since an SSL socket
        must not be read and written by two at once."""
        pending = b"".join(frames)
        at, payload = 0, bytearray()
        self.socket.setblocking(False)
        while len(payload) < count:
            wants = [select.EPOLLIN]
            try:
                if at < len(pending):
                    at += self.socket.send(pending[at:at + 65536])
                    wants = []
            except (BlockingIOError, ssl.SSLWantWriteError):
                wants = [select.EPOLLIN, select.EPOLLOUT]
            except ssl.SSLWantReadError:
                pass
            try:
                self.fill()
                wants = []
            except (BlockingIOError, ssl.SSLWantReadError):
                pass
            payload += self.whole_frames()
            if wants:
                select.select([self.socket], [self.socket] if select.EPOLLOUT in wants else [], [], PATIENCE_S)
        self.socket.settimeout(PATIENCE_S)
        return bytes(payload)

    def whole_frames(self):
        """The payloads of all complete frames in the buffer."""
        payload = b""
        while len(self.buffer) >= 4:
            size, head = self.buffer[1] & 127, 2
            if size == 126:
                size, head = struct.unpack(">H", self.buffer[2:4])[0], 4
            elif size == 127:
                if len(self.buffer) < 10:
                    break
                size, head = struct.unpack(">Q", self.buffer[2:10])[0], 10
            if len(self.buffer) < head + size:
                break
            payload += self.buffer[head:head + size]
            self.buffer = self.buffer[head + size:]
        return payload

    def receive(self):
        """(opcode, payload) of the next frame."""
        first, second = self.take(2)
        size = second & 127
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        return first & 15, self.take(size)

    def receive_bytes(self, count):
        payload = b""
        while len(payload) < count:
            opcode, part = self.receive()
            if opcode == 8:
                raise EOFError
            payload += part
        return payload

    def close(self):
        self.socket.close()


class ApiTest(unittest.TestCase):
    """A test case with one server for all its tests; names of objects are the tests' own."""
    maxDiff = None
    arguments = ()
    tls = False
    store = False

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments, tls=cls.tls, store=cls.store)
        cls.schemas = schemas_of(cls.server)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def expect(self, reply, status, part=None):
        self.assertEqual(reply.status, status, reply)
        if part is not None:
            self.assertIn(part, reply.json["message"] if status >= 400 else reply.bytes.decode())
        made = reply.json if reply.bytes else None
        if self.schemas and isinstance(made, dict):
            self.assertIsNone(self.schemas.problem(made))
        return made

    def websocket(self, path, protocol=None, tls=False, **headers):
        if tls:
            plain = socket.create_connection(("127.0.0.1", self.server.port), PATIENCE_S)
            plain = self.server.tls_context().wrap_socket(plain, server_hostname="127.0.0.1")
        else:
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(PATIENCE_S)
            plain.connect(self.server.socket)
        return WebSocket(plain, path, protocol, **headers)


def instance(name, labels=None, **spec):
    spec = {"image": "debian", "memory": "256Mi", **spec}
    metadata = {"name": name}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "virga.dev/v1", "kind": "Instance", "metadata": metadata, "spec": spec}


def config_map(name, data=None, **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


INSTANCES = GROUP + "/namespaces/default/instances"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
