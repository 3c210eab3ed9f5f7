"""Groups of real machines behind a real balancer: scaled out and in, healed, updated, with no request
lost; and the daemon killed meanwhile."""
import os
import signal

from asking import Asking
from cloud import CloudTest, at, main

USER_DATA = "#!/bin/sh\nhostname > /srv/www/index.html\nhttpd -h /srv/www\n"
GROUP = {"replicas": 1, "minReplicas": 1, "maxReplicas": 3, "readiness": {"type": "HTTP", "port": 80},
         "template": {"spec": {"image": "micro", "memory": "128Mi", "restartPolicy": "Never",
                               "userData": USER_DATA}}}
BALANCER = {"listeners": [{"name": "http", "address": "127.0.0.1", "port": 8090}],
            "backends": [{"name": "web", "port": 80, "members": {"instanceGroup": "web"},
                          "healthCheck": {"type": "HTTP", "interval": "1s"}}]}


class Groups(CloudTest):
    def wait_serving(self, count):
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.readyReplicas") == count and
                        at(one, "status.replicas") == count, f"{count} members", seconds=240)
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == count,
                        f"{count} healthy members", seconds=60)

    def members(self):
        return {one["metadata"]["name"]: one for one in self.cloud.list("instance")}

    def test_a_group_lives_and_loses_no_request(self):
        self.cloud.create("instancegroup", "web", GROUP)
        self.cloud.create("loadbalancer", "web", BALANCER)
        self.wait_serving(1)
        client = Asking(self.cloud, 8090)
        self.cloud.scale("web", 2)
        self.wait_serving(2)
        # A changed template replaces both, one after the other.
        before = set(self.members())
        self.cloud.patch("instancegroup", "web", {"spec": {"template": {"spec": {"memory": "144Mi"}}}})
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.currentRevision") == 2 and
                        at(one, "status.updatedReplicas") == 2 and at(one, "status.replicas") == 2, "the update",
                        seconds=240)
        self.wait_serving(2)
        self.assertFalse(before & set(self.members()))
        # Back to the template before: the command ends when that is done.
        before = set(self.members())
        self.cloud.virga("rollout", "undo", "web")
        group = self.cloud.get("instancegroup", "web")
        self.assertEqual([at(group, "status.currentRevision"), at(group, "status.updatedReplicas")], [3, 2])
        self.assertEqual([at(one, "spec.memory") for one in self.members().values()], ["128Mi"] * 2)
        self.assertFalse(before & set(self.members()))
        # The daemon dies: nobody notices.
        self.cloud.kill()
        self.cloud.start()
        self.wait_serving(2)
        self.cloud.virga("scale", "web", "--replicas", "1")
        self.assertEqual(len(self.members()), 1)
        good, bad = client.stop()
        self.assertEqual(bad, [])
        self.assertGreater(good, 50)
        # One that is killed is replaced.
        name, member = self.members().popitem()
        os.kill(self.cloud.pid(name), signal.SIGKILL)
        self.cloud.wait_gone("instance", name)
        self.wait_serving(1)
        self.cloud.virga("delete", "instancegroup/web", "loadbalancer/web")
        self.assertEqual(self.members(), {})


if __name__ == "__main__":
    main()
