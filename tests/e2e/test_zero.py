"""A group of real machines that has none while nobody uses it, and wakes with the first connection."""
import json
import subprocess
import sys

from cloud import CloudTest, at, main, run

# Five at once.
CLIENTS = """
import concurrent.futures, http.client, json, time
def ask(number):
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", 8091, timeout=100)
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read().decode().strip()
    return {"status": answer.status, "body": body, "seconds": round(time.monotonic() - begin, 2)}
with concurrent.futures.ThreadPoolExecutor(5) as pool:
    print(json.dumps(list(pool.map(ask, range(5)))))
"""
# By HTTP/2 and by TLS: what the client says of each.
BY_CURL = ("--http2-prior-knowledge http://127.0.0.1:8091/", "--http2 https://127.0.0.1:8443/",
           "--http1.1 https://127.0.0.1:8443/")
# One that leaves its connection open and says nothing more.
IDLE = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 8091, timeout=100)
connection.request("GET", "/")
print(connection.getresponse().status, flush=True)
sys.stdin.read()
"""

USER_DATA = "#!/bin/sh\nhostname > /srv/www/index.html\nhttpd -h /srv/www\n"
GROUP = {"replicas": 1, "minReplicas": 0, "maxReplicas": 3, "start": "Fork", "readiness": {"type": "HTTP", "port": 80},
         "template": {"spec": {"image": "micro", "memory": "128Mi", "userData": USER_DATA}}}
BALANCER = {"listeners": [{"name": "http", "address": "127.0.0.1", "port": 8091, "idleTimeout": "5m"},
                          {"name": "tls", "address": "127.0.0.1", "port": 8443, "protocol": "HTTPS",
                           "tls": {"secret": "pair"}}],
            "backends": [{"name": "web", "port": 80, "members": {"instanceGroup": "web"},
                          "queue": {"timeout": "90s"}, "drainTimeout": "2s"}]}
SCALER = {"scaleTargetRef": {"name": "web"}, "idleTimeout": "5s",
          "metrics": [{"name": "requests", "type": "Requests", "averageValue": "10"}]}


class Zero(CloudTest):
    def inside(self, script, **options):
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.cloud.netns}", sys.executable, "-c", script],
                                stdout=subprocess.PIPE, text=True, **options)

    def curl(self, arguments):
        return subprocess.Popen(["nsenter", f"--net=/run/netns/{self.cloud.netns}", "curl", "-sk", "-m", "100", "-w",
                                 " %{http_version} %{http_code}", *arguments.split()],
                                stdout=subprocess.PIPE, text=True)

    def create_pair(self):
        folder = self.cloud.dir
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=web.example.org", "-keyout", folder + "/key", "-out", folder + "/crt")
        with open(folder + "/crt") as crt, open(folder + "/key") as key:
            self.cloud.ask("POST", "/api/v1/namespaces/default/secrets", {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pair"},
                "stringData": {"tls.crt": crt.read(), "tls.key": key.read()}})

    def wait_asleep(self):
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.replicas") == 0, "no member", seconds=120)
        self.assertEqual(self.cloud.list("instance"), [])

    def decisions(self, reason):
        return [one for one in at(self.cloud.get("autoscaler", "web"), "status.decisions")
                if one["reason"] == reason and one["from"] != one["desired"]]

    def test_it_sleeps_and_wakes(self):
        self.cloud.create("instancegroup", "web", GROUP)
        self.create_pair()
        self.cloud.create("loadbalancer", "web", BALANCER)
        self.cloud.create("autoscaler", "web", SCALER)
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == 1, "a member", seconds=120)
        idle = self.inside(IDLE, stdin=subprocess.PIPE)
        self.assertEqual(idle.stdout.readline(), "200\n")
        # The connection that is open and silent keeps nobody awake.
        self.wait_asleep()
        idle.communicate("", timeout=20)
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.phase") == "Ready", "rest")
        self.assertEqual(len(self.decisions("Idle")), 1)
        by_curl = [self.curl(arguments) for arguments in BY_CURL]
        said, _ = self.inside(CLIENTS).communicate(timeout=120)
        answers = json.loads(said)
        self.assertEqual([one["status"] for one in answers], [200] * 5)
        self.assertEqual([one.communicate(timeout=100)[0].split()[1:] for one in by_curl],
                         [["2", "200"], ["2", "200"], ["1.1", "200"]])
        self.assertEqual(len({one["body"] for one in answers}), 1)
        self.assertEqual(len(self.cloud.list("instance")), 1)
        self.assertEqual(len(self.decisions("Woken")), 1)
        print(f"five first requests answered after {min(one['seconds'] for one in answers)} to "
              f"{max(one['seconds'] for one in answers)} s", flush=True)
        # The daemon dies while a client waits: the next one answers it.
        self.wait_asleep()
        waiting = self.inside(CLIENTS)
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "spec.replicas") == 1, "a wake")
        self.cloud.kill()
        self.cloud.start()
        said, _ = waiting.communicate(timeout=120)
        self.assertEqual([one["status"] for one in json.loads(said)], [200] * 5)
        self.assertEqual(len(self.cloud.list("instance")), 1)
        self.cloud.virga("delete", "autoscaler/web", "loadbalancer/web", "instancegroup/web", "secret/pair")


if __name__ == "__main__":
    main()
