"""Groups of real machines behind a real balancer: scaled out and in, healed, updated, with no request
lost; and the daemon killed meanwhile."""
import os
import signal
import subprocess
import sys

from cloud import CloudTest, at, main

# Asks again and again until its input ends; then says how many requests went well and which did not.
CLIENT = """
import http.client, json, select, sys, time
good, bad = 0, []
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8090, timeout=20)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            good += 1
        else:
            bad.append(answer.status)
        connection.close()
    except Exception as error:
        bad.append(repr(error))
    time.sleep(0.01)
print(json.dumps({"good": good, "bad": bad}))
"""

USER_DATA = "#!/bin/sh\nhostname > /srv/www/index.html\nhttpd -h /srv/www\n"
GROUP = {"replicas": 1, "minReplicas": 1, "maxReplicas": 3, "readiness": {"type": "HTTP", "port": 80},
         "template": {"spec": {"image": "micro", "memory": "128Mi", "restartPolicy": "Never",
                               "userData": USER_DATA}}}
BALANCER = {"listeners": [{"name": "http", "address": "127.0.0.1", "port": 8090}],
            "backends": [{"name": "web", "port": 80, "members": {"instanceGroup": "web"},
                          "healthCheck": {"type": "HTTP", "interval": "1s"}}]}


class Groups(CloudTest):
    def object(self, kind, plural, spec):
        self.cloud.ask("POST", f"/apis/virga.dev/v1/namespaces/default/{plural}",
                       {"apiVersion": "virga.dev/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec})

    def wait_serving(self, count):
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.readyReplicas") == count and
                        at(one, "status.replicas") == count, f"{count} members", seconds=240)
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == count,
                        f"{count} healthy members", seconds=60)

    def members(self):
        return {one["metadata"]["name"]: one for one in self.cloud.list("instance")}

    def test_a_group_lives_and_loses_no_request(self):
        self.object("InstanceGroup", "instancegroups", GROUP)
        self.object("LoadBalancer", "loadbalancers", BALANCER)
        self.wait_serving(1)
        client = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.cloud.netns}", sys.executable, "-c", CLIENT],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.cloud.ask("PATCH", "/apis/virga.dev/v1/namespaces/default/instancegroups/web/scale",
                       {"spec": {"replicas": 2}}, "application/merge-patch+json")
        self.wait_serving(2)
        # A changed template replaces both, one after the other.
        before = set(self.members())
        self.cloud.patch("instancegroup", "web", {"spec": {"template": {"spec": {"memory": "144Mi"}}}})
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.currentRevision") == 2 and
                        at(one, "status.updatedReplicas") == 2 and at(one, "status.replicas") == 2, "the update",
                        seconds=240)
        self.wait_serving(2)
        self.assertFalse(before & set(self.members()))
        # The daemon dies: nobody notices.
        self.cloud.kill()
        self.cloud.start()
        self.wait_serving(2)
        self.cloud.set_spec("instancegroup", "web", replicas=1)
        self.wait_serving(1)
        said, _ = client.communicate("enough\n", timeout=60)
        self.assertRegex(said, r'"good": [0-9]{2,}')
        self.assertIn('"bad": []', said)
        # One that is killed is replaced.
        name, member = self.members().popitem()
        os.kill(self.cloud.pid(name), signal.SIGKILL)
        self.cloud.wait_gone("instance", name)
        self.wait_serving(1)
        self.cloud.virga("delete", "instancegroup/web", "loadbalancer/web")
        self.assertEqual(self.members(), {})


if __name__ == "__main__":
    main()
