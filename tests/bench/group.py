"""A group of one server and its balancer, as the benches use them."""
import http.client
import json
import os
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from unix_http import UnixConnection

NAMESPACE = "/apis/virga.dev/v1/namespaces/default"
PATIENCE_S = 300


class Group:
    def __init__(self, socket, name, port):
        self.socket, self.name, self.port = socket, name, port

    def scale_to(self, count):
        connection = UnixConnection(self.socket, PATIENCE_S)
        connection.request("PATCH", f"{NAMESPACE}/instancegroups/{self.name}/scale",
                           json.dumps({"spec": {"replicas": count}}), {"Content-Type": "application/merge-patch+json"})
        connection.getresponse().read()
        connection.close()

    def watch(self, plural="instancegroups"):
        """The group, or its balancer, as it is now and after each change."""
        connection = UnixConnection(self.socket, PATIENCE_S)
        connection.request("GET", f"{NAMESPACE}/{plural}?watch=1&fieldSelector=metadata.name={self.name}")
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
        """The members that answer now, found by so many requests: at least one. The balancer may be a moment behind
        the group."""
        next(balancer for balancer in self.watch("loadbalancers") if balancer.get("status", {}).get("healthy"))
        return {self.answer() for _ in range(tries)} - {None} or sys.exit(f"nobody answers for {self.name}")


def is_settled(group, count):
    status = group.get("status", {})
    return status.get("readyReplicas") == status.get("replicas") == count and \
        status.get("warmReplicas", 0) == group["spec"].get("warm", 0)
