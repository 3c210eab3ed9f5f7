"""Bad input: malformed HTTP and JSON, ambiguous framing, bodies too big, clients that vanish or flood."""
import json
import os
import socket
import threading
import unittest

from harness import ApiTest, CONFIG_MAPS, GROUP, INSTANCES, config_map, instance, read_all


def status_line(answer):
    return answer.split(b"\r\n")[0]


class Malformed(ApiTest):
    tls = True

    def tearDown(self):
        """Whatever was sent, the server still serves."""
        self.assertEqual(self.server.get("/readyz").status, 200)

    def raw_request(self, *headers, line="GET /version HTTP/1.1", body=b""):
        return self.server.raw(("\r\n".join((line,) + headers) + "\r\n\r\n").encode("latin-1") + body)

    def test_ambiguous_framing_is_refused_and_the_connection_closed(self):
        smuggled = b"0\r\n\r\nGET /api HTTP/1.1\r\nHost: h\r\n\r\n"
        post = f"POST {INSTANCES} HTTP/1.1"
        for headers in (("Host: h", "Content-Length: 4", "Transfer-Encoding: chunked"),
                        ("Host: h", "Content-Length: 4", "Content-Length: 5"),
                        ("Host: h", "Content-Length: +4"),
                        ("Host: h", "Content-Length: -4"),
                        ("Host: h", "Transfer-Encoding: gzip, chunked"),
                        ("Host: h", "Host: i"),
                        ("Host: h", "Content-Length : 4"),
                        ("Host: h", "X(y): z"),
                        ()):
            with self.subTest(headers):
                answer = self.raw_request(*headers, line=post, body=smuggled)
                self.assertIn(status_line(answer).split()[1][:1], b"4")
                self.assertNotIn(b"APIVersions", answer)

    def test_what_is_no_http_gets_a_400_or_nothing(self):
        for bytes in (b"GET\r\n\r\n", b"hello\r\n\r\n", b"GET /version HTTP/9.9\r\nHost: h\r\n\r\n",
                      b"GET /version HTTP/1.1\r\nHost h\r\n\r\n", b""):
            with self.subTest(bytes):
                answer = self.server.raw(bytes)
                self.assertNotIn(b" 200 ", status_line(answer))

    def test_a_head_without_end_keeps_nobody_else_waiting(self):
        """The connection itself is cut after 10 s: tests/unit/api/test_deadlines.c."""
        plain = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for client, bytes in zip(plain, (b"\0\0\0\0", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"GET /ver")):
            client.connect(self.server.socket)
            client.sendall(bytes)
        self.assertEqual(self.server.get("/healthz").status, 200)
        for client in plain:
            client.close()

    def test_a_head_that_is_too_big_is_refused(self):
        for answer in (self.raw_request("Host: h", "X: " + "y" * 100000),
                       self.raw_request("Host: h", line="GET /" + "x" * 100000 + " HTTP/1.1"),
                       self.raw_request("Host: h", *[f"X{i}: y" for i in range(5000)])):
            self.assertIn(status_line(answer).split()[1][:1], b"4")

    def test_malformed_json_says_where(self):
        for body, part in (("{", "line 1, column 1"), ('{"a":1,}', "line 1"), ('{"a":1,"a":2}', "duplicate"),
                           ('{"a":"\\u0000"}', "U+0000"), ("[" * 100000, "nested deeper than 64 levels"),
                           ('{"a":1e999}', "out of range"), ('{"a":99999999999999999999}', ""),
                           (b'{"a":"\xff"}', "UTF-8"), ("null", "must be an object"), ("[]", "must be an object")):
            with self.subTest(body[:40]):
                self.expect(self.server.ask("POST", INSTANCES, body, "application/json"), 400, part)

    def test_deep_values_below_the_limit_of_the_parser_do_not_pass_either(self):
        value = {}
        for _ in range(58):
            value = {"a": value}
        self.server.post(GROUP + "/images", {"metadata": {"name": "deep"}, "spec": {"source": {"upload": True}}})
        body = [{"op": "add", "path": "/metadata/annotations", "value": value}]
        self.assertIn(self.server.patch(GROUP + "/images/deep", body, "application/json-patch+json").status, (400, 422))

    def test_a_body_that_is_too_big_is_refused(self):
        big = json.dumps(config_map("big", {"k": "x" * 4 * 1024 * 1024}))
        status = self.expect(self.server.ask("POST", CONFIG_MAPS, big, "application/json"), 413)
        self.assertEqual(status["reason"], "RequestEntityTooLarge")

    def test_a_chunked_body_that_grows_too_big_is_cut(self):
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(30)
            plain.connect(self.server.socket)
            plain.sendall(f"POST {CONFIG_MAPS} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            try:
                for _ in range(64):
                    plain.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = read_all(plain)
        self.assertIn(b" 413 ", status_line(answer))
        self.assertIn(b"at most 3145728 bytes", answer)

    def test_an_object_may_not_grow_beyond_the_limit(self):
        filler = "x" * (1024 * 1024 - 100)
        self.expect(self.server.post(CONFIG_MAPS, config_map("grown", {"a": filler, "b": filler})), 201)
        status = self.expect(self.server.patch(CONFIG_MAPS + "/grown", {"data": {"c": filler, "d": filler}}), 413)
        self.assertIn("the object would have", status["message"])

    def test_a_chunked_body_is_understood(self):
        connection = self.server.connection()
        body = json.dumps(config_map("chunked")).encode()
        connection.request("POST", CONFIG_MAPS, body=(body[i:i + 7] for i in range(0, len(body), 7)),
                           headers={"Content-Type": "application/json"}, encode_chunked=True)
        self.assertEqual(connection.getresponse().status, 201)
        connection.close()

    def test_requests_in_one_packet_are_answered_in_order(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
        answer = self.server.raw(one * 50 + b"GET /version HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 51)
        self.assertIn(b'"major"', answer.split(b"\r\n\r\n")[-1])

    def test_an_unsupported_body_is_named(self):
        status = self.expect(self.server.ask("POST", INSTANCES, "a: b", "application/yaml"), 415, "application/yaml")
        self.assertEqual(status["reason"], "UnsupportedMediaType")

    def test_garbage_over_tls_breaks_nothing(self):
        for bytes in (os.urandom(5000), b"\x16\x03\x01\xff\xff" + os.urandom(200), b"\x17\x03\x03\0\x05hello", b""):
            with socket.create_connection(("127.0.0.1", self.server.port)) as plain:
                plain.settimeout(30)
                try:
                    plain.sendall(bytes)
                    plain.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # cut already
                read_all(plain)
        self.assertEqual(self.server.ask("GET", "/version", connection=self.server.tls_connection()).status, 200)

    def test_clients_that_vanish_in_the_middle_leave_nothing_behind(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        before = descriptors()
        for i in range(50):
            plain = socket.create_connection(("127.0.0.1", self.server.port))
            secure = self.server.tls_context().wrap_socket(plain, server_hostname="127.0.0.1")
            requests = (b"GET /version HTTP/1.1\r\nHo", b"POST " + INSTANCES.encode() + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n{",
                        b"GET " + INSTANCES.encode() + b"?watch=1 HTTP/1.1\r\nHost: h\r\n\r\n",
                        b"GET " + INSTANCES.encode() + b" HTTP/1.1\r\nHost: h\r\n\r\n")
            secure.sendall(requests[i % 4])
            secure.close()
        while descriptors() > before:  # ends when the server has seen all of them go
            self.assertEqual(self.server.get("/healthz").status, 200)


class Concurrency(ApiTest):
    def test_writers_of_one_object_lose_nothing(self):
        """Each adds its own label by a patch without a version: conflicts are retried inside."""
        self.expect(self.server.post(CONFIG_MAPS, config_map("shared")), 201)
        failures = []

        def write(worker):
            connection = self.server.connection()
            for i in range(20):
                body = json.dumps({"metadata": {"labels": {f"w{worker}-{i}": "x"}}})
                connection.request("PATCH", CONFIG_MAPS + "/shared", body, {"Content-Type": "application/merge-patch+json"})
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    failures.append(reply.status)
            connection.close()

        workers = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        labels = self.server.get(CONFIG_MAPS + "/shared").json["metadata"]["labels"]
        self.assertEqual((len(labels), failures), (160, []))

    def test_creators_of_one_name_have_one_winner(self):
        statuses = []

        def create():
            statuses.append(self.server.post(CONFIG_MAPS, config_map("race")).status)

        workers = [threading.Thread(target=create) for _ in range(16)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(sorted(statuses), [201] + [409] * 15)


class Durability(ApiTest):
    store = True

    def test_what_was_accepted_is_there_after_a_kill(self):
        made = [self.expect(self.server.post(CONFIG_MAPS, config_map(f"d{i}")), 201) for i in range(50)]
        self.server.stop(9)
        self.server.start()
        items = self.server.get(CONFIG_MAPS).json["items"]
        self.assertEqual(sorted(i["metadata"]["name"] for i in items), sorted(m["metadata"]["name"] for m in made))


if __name__ == "__main__":
    unittest.main()
