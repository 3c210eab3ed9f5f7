"""A group of one server and its balancer, as the benches use them."""
import http.client
import json
import os
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from unix_http import UnixConnection

FOLDER = "/apis/virga.dev/v1/namespaces/default/instancegroups"
PATIENCE_S = 300


class Group:
    def __init__(self, socket, name, port):
        self.socket, self.name, self.port = socket, name, port

    def scale_to(self, count):
        connection = UnixConnection(self.socket, PATIENCE_S)
        connection.request("PATCH", f"{FOLDER}/{self.name}/scale", json.dumps({"spec": {"replicas": count}}),
                           {"Content-Type": "application/merge-patch+json"})
        connection.getresponse().read()
        connection.close()

    def watch(self):
        """The group as it is now and after each change."""
        connection = UnixConnection(self.socket, PATIENCE_S)
        connection.request("GET", f"{FOLDER}?watch=1&fieldSelector=metadata.name={self.name}")
        try:
            for line in connection.getresponse():
                yield json.loads(line)["object"]
        finally:
            connection.close()

    def wait_settled(self, count):
        end = time.monotonic() + PATIENCE_S
        group = {}
        for group in self.watch():
            if is_settled(group, count):
                return
            if time.monotonic() > end:
                break
        sys.exit(f"the group never had {count} members: {json.dumps(group.get('status'))[:400]}")

    def answer(self):
        """Who answered, by the balancer's cookie, of a request that comes without one; None: nobody."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("GET", "/")
            got = connection.getresponse()
            got.read()
            connection.close()
            return got.getheader("Set-Cookie") if got.status == 200 else None
        except OSError:
            return None

    def who_answers(self, tries):
        """The members that answer now, found by so many requests: at least one, as the balancer may be a moment
        behind the group."""
        end = time.monotonic() + PATIENCE_S
        members = {self.answer()}
        while members == {None} and time.monotonic() < end:
            time.sleep(0.02)
            members = {self.answer()}
        members |= {self.answer() for _ in range(tries)}
        return members - {None} or sys.exit(f"nobody answers at the balancer of {self.name}")


def is_settled(group, count):
    status = group.get("status", {})
    return status.get("readyReplicas") == status.get("replicas") == count and \
        status.get("warmReplicas", 0) == group["spec"].get("warm", 0)
