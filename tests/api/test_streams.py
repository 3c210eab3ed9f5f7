"""Streams and actions on one object: WebSockets, files, uploads, exec."""
import hashlib
import os
import socket
import unittest

from harness import ApiTest, GROUP, INSTANCES, instance, read_all

MIB = 1024 * 1024


class Streams(ApiTest):
    tls = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log = cls.server.dir + "/console.log"
        body = instance("web")
        body["metadata"]["annotations"] = {"log": cls.log}
        cls.server.post(INSTANCES, body)
        cls.file = cls.server.dir + "/uploaded"
        cls.server.post(GROUP + "/images", {"metadata": {"name": "img", "annotations": {"file": cls.file}},
                                            "spec": {"source": {"upload": True}}})

    CONSOLE = INSTANCES + "/web/console"
    CONTENT = GROUP + "/images/img/content"

    # --- WebSockets ---

    def test_bytes_go_both_ways(self):
        for tls in (False, True):
            with self.subTest(tls=tls):
                console = self.websocket(self.CONSOLE, tls=tls)
                self.assertEqual(console.receive_bytes(6), b"hello\n")
                console.send(b"date\n")
                self.assertEqual(console.receive_bytes(5), b"date\n")
                console.send(b"quit")
                self.assertEqual(console.receive()[0], 8)
                console.close()

    def test_an_empty_message_ends_the_input_but_not_the_stream(self):
        console = self.websocket(self.CONSOLE)
        console.receive_bytes(6)
        sent = os.urandom(MIB)
        # The console closes at the end of its input, after it has said everything back.
        closing = b"\x03\xe8"
        received = console.exchange([console.frame(sent), console.frame(b"")], len(sent) + len(closing))
        self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(sent + closing).digest())
        console.close()

    def echo_much(self, tls, size):
        """Sends 'size' bytes in large messages and gets them all back."""
        console = self.websocket(self.CONSOLE, tls=tls)
        console.receive_bytes(6)
        sent = os.urandom(size)
        received = console.exchange([console.frame(sent[at:at + MIB]) for at in range(0, size, MIB)], size)
        self.assertEqual(hashlib.sha256(received).digest(), hashlib.sha256(sent).digest())
        console.close()

    def test_large_messages_pass(self):
        self.echo_much(tls=False, size=16 * MIB)

    def test_large_messages_pass_over_tls(self):
        self.echo_much(tls=True, size=16 * MIB)

    def test_fragments_and_pings_are_understood(self):
        console = self.websocket(self.CONSOLE)
        console.receive_bytes(6)
        console.send(b"one ", final=False)
        console.send(b"are you there", opcode=9)
        console.send(b"two", opcode=0)
        opcode, payload = console.receive()
        answers = {opcode: payload}
        while 10 not in answers or answers.get(2, b"") != b"one two":
            opcode, payload = console.receive()
            answers[opcode] = answers.get(opcode, b"") + payload
        self.assertEqual(answers[10], b"are you there")
        console.close()

    def test_frames_that_break_the_protocol_end_it(self):
        for name, send in {"unmasked": lambda c: c.send(b"x", mask=None),
                           "reserved opcode": lambda c: c.send(b"x", opcode=3),
                           "reserved bit": lambda c: c.socket.sendall(b"\xc2\x81\0\0\0\0x"),
                           "long control frame": lambda c: c.send(b"x" * 126, opcode=9)}.items():
            with self.subTest(name):
                console = self.websocket(self.CONSOLE)
                console.receive_bytes(6)
                send(console)
                try:
                    opcode, payload = console.receive()
                    self.assertEqual((opcode, payload[:2]), (8, b"\x03\xea"))
                except EOFError:
                    pass
                console.close()

    def test_a_malformed_handshake_is_refused(self):
        head = f"GET {self.CONSOLE} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        for more in ("Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", ""):
            self.assertIn(b" 400 ", self.server.raw((head + more + "\r\n").encode()).split(b"\r\n")[0])

    def test_pages_of_another_origin_are_refused(self):
        for origin, status in (("https://evil.example", 403), ("https://localhost", 101)):
            console = self.websocket(self.CONSOLE, Origin=origin)
            self.assertEqual(console.status, status)
            console.close()

    def test_an_unbound_stream_is_not_implemented(self):
        self.expect(self.server.get(INSTANCES + "/web/vnc"), 501, "vnc is not served by this daemon")
        self.expect(self.server.get(INSTANCES + "/none/console"), 404)

    def test_without_an_upgrade_the_bytes_are_streamed(self):
        reply = self.server.get(self.CONSOLE + "?close=1")
        self.assertEqual((reply.status, reply.bytes), (200, b"hello\n"))
        self.assertEqual(reply.headers["Content-Type"], "application/octet-stream")

    # --- files ---

    def test_a_file_is_sent_whole(self):
        content = os.urandom(3 * MIB)
        with open(self.log, "wb") as file:
            file.write(content)
        reply = self.server.get(INSTANCES + "/web/log")
        self.assertEqual(reply.bytes, content)
        self.assertEqual(reply.headers["Content-Type"], "text/plain; charset=utf-8")

    def test_a_followed_file_goes_on_as_it_grows(self):
        with open(self.log, "wb") as file:
            file.write(b"first\n")
        with self.server.watch(INSTANCES + "/web/log?follow=1") as stream:
            self.assertEqual(stream.response.readline(), b"first\n")
            for line in (b"second\n", b"third\n"):
                with open(self.log, "ab") as file:
                    file.write(line)
                self.assertEqual(stream.response.readline(), line)

    # --- actions ---

    def test_an_action_gets_body_and_user(self):
        made = self.expect(self.server.post(INSTANCES + "/web/exec", {"command": ["ls", "-l"]}), 200)
        self.assertEqual(made, {"command": ["ls", "-l"], "user": "root"})
        self.expect(self.server.post(INSTANCES + "/web/exec", {}), 400, "command: must be a list")
        self.expect(self.server.post(INSTANCES + "/web/exec", "{"), 400)

    def test_required_options_are_asked_for(self):
        self.expect(self.server.get(INSTANCES + "/web/files"), 501)

    # --- uploads ---

    def upload(self, content, **more):
        return self.server.put(self.CONTENT, content, type="application/octet-stream", **more)

    def test_an_upload_of_any_size_arrives(self):
        for size in (0, 1, 100000, 20 * MIB):
            with self.subTest(size):
                content = os.urandom(size)
                self.assertEqual(self.expect(self.upload(content), 200), {"bytes": size})
                with open(self.file, "rb") as file:
                    self.assertEqual(file.read(), content)

    def test_an_upload_over_tls_in_chunks_arrives(self):
        content = os.urandom(5 * MIB)
        connection = self.server.tls_connection()
        connection.request("PUT", self.CONTENT, body=(content[at:at + 70000] for at in range(0, len(content), 70000)),
                           headers={"Content-Type": "application/octet-stream"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        with open(self.file, "rb") as file:
            self.assertEqual(file.read(), content)

    def test_a_refused_upload_is_answered_before_it_is_sent(self):
        self.expect(self.server.put(GROUP + "/images/none/content", b"x" * 1000, type="a/b"), 404)
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(30)
            plain.connect(self.server.socket)
            plain.sendall(f"PUT {GROUP}/images/none/content HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                          "Content-Length: 9999999999\r\n\r\n".encode())
            self.assertIn(b" 404 ", read_all(plain).split(b"\r\n")[0])

    def test_a_full_disk_in_the_middle_is_told(self):
        body = {"metadata": {"name": "full", "annotations": {"file": "/dev/full"}}, "spec": {"source": {"upload": True}}}
        self.expect(self.server.post(GROUP + "/images", body), 201)
        size = 64 * MIB
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(30)
            plain.connect(self.server.socket)
            plain.sendall(f"PUT {GROUP}/images/full/content HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n".encode())
            sent = 0
            try:
                while sent < size:
                    plain.sendall(b"x" * MIB)
                    sent += MIB
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = read_all(plain)
        self.assertLess(sent, size)
        self.assertIn(b" 507 ", answer.split(b"\r\n")[0])
        self.assertIn(b"No space left", answer)

    def test_an_upload_that_breaks_off_ends(self):
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(self.server.socket)
            plain.sendall(f"PUT {self.CONTENT} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nabc".encode())
        self.expect(self.upload(b"whole"), 200)


class Stopping(ApiTest):
    tls = True

    def test_open_streams_and_watches_do_not_hold_up_the_end(self):
        self.server.post(INSTANCES, instance("web"))
        console = self.websocket(Streams.CONSOLE)
        console.receive_bytes(6)
        secure = self.websocket(Streams.CONSOLE, tls=True)
        secure.receive_bytes(6)
        watch = self.server.watch(INSTANCES + "?watch=1")
        self.assertEqual(watch.next()["type"], "ADDED")
        half = socket.socket(socket.AF_UNIX)
        half.connect(self.server.socket)
        half.sendall(b"GET /vers")
        self.assertEqual(self.server.stop(), 0)
        watch.close()
        console.close()
        secure.close()
        half.close()
        self.server.start()


if __name__ == "__main__":
    unittest.main()
