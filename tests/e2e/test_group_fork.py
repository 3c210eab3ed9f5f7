"""A group whose members fork from a frozen seed, behind a real balancer: grown from a warm member and
from new forks, updated with a new seed, healed; with no request lost."""
import os
import signal

from asking import Asking
from cloud import CloudTest, at, is_true, main

USER_DATA = """#!/bin/sh
mkdir -p /srv/www/cgi-bin
printf '#!/bin/sh\\necho\\necho EDITION $(cat /proc/sys/kernel/hostname)\\n' >/srv/www/cgi-bin/name
chmod +x /srv/www/cgi-bin/name
httpd -h /srv/www
"""


def group(edition):
    return {"replicas": 1, "minReplicas": 1, "maxReplicas": 3, "start": "Fork", "settle": "500ms", "warm": 1,
            "readiness": {"type": "HTTP", "port": 80, "path": "/cgi-bin/name"},
            "template": {"spec": {"image": "micro", "memory": "128Mi", "restartPolicy": "Never",
                                  "userData": USER_DATA.replace("EDITION", edition)}}}


BALANCER = {"listeners": [{"name": "http", "address": "127.0.0.1", "port": 8090}],
            "backends": [{"name": "web", "port": 80, "members": {"instanceGroup": "web"}}]}


class GroupFork(CloudTest):
    def wait_serving(self, count, warm, revision=1):
        return self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.readyReplicas") == count and
                               at(one, "status.replicas") == count and at(one, "status.warmReplicas") == warm and
                               at(one, "status.updatedReplicas") == count and
                               at(one, "status.forkFrom.revision") == revision,
                               f"{count} members and {warm} warm ones", seconds=240)

    def instances(self, label):
        return {one["metadata"]["name"]: one for one in self.cloud.list("instance")
                if label in one["metadata"]["labels"]}

    def test_members_fork_from_a_seed(self):
        self.cloud.create("instancegroup", "web", group("first"))
        self.cloud.create("loadbalancer", "web", BALANCER)
        self.wait_serving(1, 1)
        self.assertTrue(all(is_true(one, "Forked") for one in self.instances("virga.dev/group").values()))
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == 1, "a healthy member", seconds=60)
        client = Asking(self.cloud, 8090, "/cgi-bin/name")
        first = client.answered_by()
        # It grows: the warm one takes traffic, and the next is kept warm.
        (warm,) = self.instances("virga.dev/warm")
        self.cloud.scale("web", 2)
        self.assertEqual(client.answered_by(), f"first {warm}")
        self.assertNotEqual(first, f"first {warm}")
        before = self.wait_serving(2, 1)
        # A changed template has a seed of its own before members are replaced.
        self.cloud.patch("instancegroup", "web", {"spec": {"template": group("second")["template"]}})
        self.wait_serving(2, 1, revision=2)
        self.assertRegex(client.answered_by(), "^second ")
        self.cloud.wait_gone("snapshot", at(before, "status.forkFrom.snapshot"))
        good, bad = client.stop()
        self.assertEqual(bad, [])
        self.assertGreater(good, 50)
        # One that is killed is replaced by a fork.
        name = [one for one in self.instances("virga.dev/group") if one not in self.instances("virga.dev/warm")][0]
        os.kill(self.cloud.pid(name), signal.SIGKILL)
        self.cloud.wait_gone("instance", name)
        self.wait_serving(2, 1, revision=2)
        self.assertTrue(all(is_true(one, "Forked") for one in self.instances("virga.dev/group").values()))
        self.cloud.virga("delete", "instancegroup/web", "loadbalancer/web")
        self.assertEqual(self.cloud.list("instance"), [])


if __name__ == "__main__":
    main()
