"""Autoscalers of real groups: metrics that are pushed, reasons that outlive the daemon, recorded load that is
replayed, and kubectl autoscale."""
import json
import os
import subprocess

from cloud import CloudTest, at, condition, main, manifest, run

VERSIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api", "kubectl_versions.sh")
GROUP = {"replicas": 1, "minReplicas": 1, "maxReplicas": 3,
         "readiness": {"type": "HTTP", "port": 80, "path": "/metrics"},
         "template": {"spec": {"image": "micro", "memory": "128Mi",
                               "userData": "#!/bin/sh\necho 'sessions{of=\"x\"} 3' > /srv/www/metrics\n"
                                           "httpd -h /srv/www\n"}}}
SCALER = {"scaleTargetRef": {"name": "web"},
          "metrics": [{"name": "jobs", "type": "Custom", "metric": "jobs", "averageValue": 10},
                      {"name": "people", "type": "Custom", "metric": "sessions", "averageValue": 10,
                       "scrape": {"port": 80}}]}


class Autoscaling(CloudTest):
    settings = ("--listen", "127.0.0.1:7443")

    def wait_ready(self, count):
        self.cloud.wait("instancegroup", "web", lambda one: at(one, "status.readyReplicas") == count,
                        f"{count} members", seconds=240)

    def decisions(self):
        lines = self.cloud.virga("autoscaler", "decisions", "web").splitlines()
        return [json.loads(line) for line in lines]

    def kubectl(self, *arguments, status=0):
        made = subprocess.run(["nsenter", f"--net=/run/netns/{self.cloud.netns}", self.newest, *arguments], text=True,
                              capture_output=True, timeout=180,
                              env={**os.environ, "HOME": self.cloud.dir,
                                   "KUBECONFIG": self.cloud.dir + "/kubeconfig"})
        self.assertEqual(made.returncode, status, made.stdout + made.stderr)
        return made.stdout + made.stderr

    def test_reasons_replay_and_kubectl(self):
        self.cloud.create("instancegroup", "web", GROUP)
        self.cloud.create("autoscaler", "web", SCALER)
        self.wait_ready(1)
        self.cloud.wait("autoscaler", "web", lambda one: condition(one, "MetricsKnown").get("message") ==
                        "nothing is known of jobs (nobody provides it)", "what is missing")
        self.cloud.virga("metric", "push", "web", "jobs=25")
        self.wait_ready(3)
        said = self.cloud.virga("why", "group/web", "--tail", "50")
        self.assertIn("Target jobs (Custom, per member): 25 against 10, wants 3 (decides)", said)
        self.assertIn("Target people (Custom, per member): 3 against 10, wants 1", said)
        # Another policy would have done with fewer.
        policy = self.cloud.dir + "/policy.yaml"
        with open(policy, "w") as file:
            json.dump(manifest("autoscaler", "web", {
                **SCALER, "metrics": [{**SCALER["metrics"][0], "averageValue": 13}, SCALER["metrics"][1]]}), file)
        said = json.loads(self.cloud.virga("autoscaler", "replay", "web", "--last", "1h", "-f", policy, "-o", "json"))
        self.assertEqual((said["peak"], said["lowest"]), (2, 1))
        self.assertGreaterEqual(said["samples"], 2)
        # What was decided, and from what, outlives the daemon.
        before = self.decisions()
        self.cloud.kill()
        self.cloud.start()
        self.assertEqual(self.decisions()[:len(before)], before)
        out = [one for one in before if one["desired"] == 3 and one["from"] == 1][0]
        self.assertEqual((out["group"]["ready"], out["proposals"][0]["value"], out["max"]), (1, 25, 3))
        # kubectl's autoscaler takes over; two at once are refused.
        self.newest = run("bash", VERSIONS, timeout=300).split()[-1]
        with open(self.cloud.dir + "/kubeconfig", "w") as file:
            file.write(self.cloud.virga("kubeconfig"))
        autoscale = ("autoscale", "instancegroup.virga.dev/web", "--min", "1", "--max", "2", "--cpu-percent", "60")
        self.assertIn('Autoscaler "web" scales it already', self.kubectl(*autoscale, status=1))
        self.cloud.virga("delete", "autoscaler/web")
        self.assertFalse(os.listdir(self.cloud.state + "/autoscalers"))
        self.assertIn("horizontalpodautoscaler.autoscaling/web autoscaled", self.kubectl(*autoscale))
        self.kubectl("wait", "hpa/web", "--for=condition=ScalingActive", "--timeout=120s")
        self.wait_ready(2)  # its maximum
        self.assertIn("horizontalpodautoscaler/web decided:\n", self.cloud.virga("why", "group/web"))
        self.kubectl("delete", "hpa", "web")
        self.cloud.virga("delete", "instancegroup/web")


if __name__ == "__main__":
    main()
