"""scale_out.py SOCKET GROUP PORT COUNT ROUNDS - how long until members that are added to a group of one answer
through its balancer at 127.0.0.1:PORT: "FIRST_MS LAST_MS REFUSED" for each round, of COUNT members more.

Every member answers /cgi-bin/name with a name of its own. The time runs from the request that sets replicas."""
import http.client
import json
import socket
import sys
import threading
import time

SOCKET, GROUP, PORT, COUNT, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
PATH = f"/apis/virga.dev/v1/namespaces/default/instancegroups/{GROUP}"
PATIENCE_S = 300


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)


def ask(method, path, body=None):
    connection = Connection("virga")
    connection.request(method, path, json.dumps(body) if body else None,
                       {"Content-Type": "application/merge-patch+json"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def scale_to(count):
    ask("PATCH", PATH + "/scale", {"spec": {"replicas": count}})


def wait_settled(count):
    deadline = time.time() + PATIENCE_S
    while time.time() < deadline:
        group = ask("GET", PATH)
        status = group.get("status", {})
        if status.get("readyReplicas") == status.get("replicas") == count and \
                status.get("warmReplicas", 0) == group["spec"].get("warm", 0):
            return
        time.sleep(0.05)
    sys.exit(f"the group never had {count} members: {json.dumps(status)[:400]}")


class Poll:
    """Asks fifty times a second: members answer beside what is measured, on the same processors."""

    def __init__(self, known):
        self.known, self.seen, self.refused, self.is_over = known, {}, 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over:
            name = answer()
            now = time.time()
            if name is None:
                self.refused += 1
            elif name not in self.known:
                self.seen.setdefault(name, now)
            time.sleep(0.02)

    def stop(self):
        self.is_over = True
        self.thread.join()


def answer():
    try:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
        connection.request("GET", "/cgi-bin/name")
        got = connection.getresponse()
        body = got.read().decode().strip()
        connection.close()
        return body if got.status == 200 else None
    except OSError:
        return None


def main():
    for _ in range(ROUNDS):
        wait_settled(1)
        time.sleep(0.5)
        poll = Poll({answer() for _ in range(20)})
        asked = time.time()
        scale_to(1 + COUNT)
        deadline = asked + PATIENCE_S
        while len(poll.seen) < COUNT and time.time() < deadline:
            time.sleep(0.005)
        poll.stop()
        times = sorted(poll.seen.values())
        if len(times) < COUNT:
            sys.exit(f"{len(times)} of {COUNT} answered")
        print(f"{(times[0] - asked) * 1000:.0f} {(times[-1] - asked) * 1000:.0f} {poll.refused}", flush=True)
        wait_settled(1 + COUNT)
        scale_to(1)
    wait_settled(1)


if __name__ == "__main__":
    main()
