"""Every manifest in examples/ does what it says, as it stands.

What they name outside (a web server, a folder of the host) is there for the test only: it runs in a
mount namespace of its own, and virgad in the network namespace of its cloud."""
import os
import subprocess
import sys

from cloud import CloudTest, at, is_true, main, run

INSIDE = "VIRGA_EXAMPLES_INSIDE"
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.abspath(os.path.join(HERE, "../../examples"))
WEB_HOST = "cloud.debian.org"

# An HTTPS server on the port it has in the world, serving the folder that is its first argument.
WEB_SERVER = """
import http.server, os, ssl, sys
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 443), http.server.SimpleHTTPRequestHandler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready", flush=True)
server.serve_forever()
"""


class Examples(CloudTest):
    tried = set()

    def apply(self, name):
        self.tried.add(name)
        self.cloud.virga("apply", "--dry-run", "-f", f"{EXAMPLES}/{name}")
        self.cloud.virga("apply", "-f", f"{EXAMPLES}/{name}")
        # Applying what is so changes nothing.
        before = self.generations()
        self.cloud.virga("apply", "-f", f"{EXAMPLES}/{name}")
        after = self.generations()
        self.assertEqual({uid: after[uid] for uid in before}, before)

    def generations(self):
        return {one["metadata"]["uid"]: one["metadata"]["generation"]
                for kind in ("instance", "volume", "network", "pool", "image") for one in self.cloud.list(kind)}

    def machine(self, file, name):
        self.apply(file)
        return self.cloud.wait_agent(name)

    def test_instance(self):
        self.machine("instance.yaml", "hello")
        self.assertEqual(self.cloud.shell("hello", "nproc"), "2")
        self.cloud.shell_until("hello", "[ $(df -m / | awk 'END { print $2 }') -gt 3500 ] && echo grown; true", "grown")

    def test_user_data(self):
        self.machine("user-data.yaml", "web")
        self.cloud.shell_until("web", "wget -qO- http://localhost/ 2>/dev/null; true", "hello from web")

    def test_user_data_secret(self):
        self.machine("user-data-secret.yaml", "database")
        self.cloud.shell_until("database", "cat /root/database.conf 2>/dev/null; true", "password=correct-horse")
        self.cloud.virga("delete", "secret", "database-setup")

    def test_ssh_key(self):
        self.machine("ssh-key.yaml", "bastion")
        self.assertEqual(self.cloud.shell("bastion", "hostname"), "gate")
        self.assertIn("you@example.org", self.cloud.shell("bastion", "cat /root/.ssh/authorized_keys"))

    def test_volume(self):
        self.machine("volume.yaml", "files")
        self.assertEqual(self.cloud.shell("files", "cat /sys/class/block/vdb/size"), str(10 * 2**30 // 512))

    def test_network(self):
        self.machine("network.yaml", "desk")
        self.assertTrue(self.cloud.address("desk").startswith("10.20.0."))
        self.cloud.shell("desk", "ping -c 1 10.20.0.1")

    def test_fork(self):
        self.machine("fork.yaml", "child")
        self.cloud.wait("instance", "child", lambda one: is_true(one, "Forked"), "its fork")
        self.assertEqual(self.cloud.shell("child", "hostname"), "child")

    def test_fixed_address(self):
        self.machine("fixed-address.yaml", "mail")
        card = self.cloud.get("instance", "mail")["status"]["networks"][0]
        self.assertEqual((card["macAddress"], card["ipv4Address"], card["ipv6Address"]),
                         ("52:54:00:30:00:19", "10.30.0.25", "fd00:30::25"))
        self.cloud.shell_until("mail", "ip addr show eth0 | grep -c -e 10.30.0.25/24 -e fd00:30::25/; true", "2")
        self.assertIn("10.30.0.25", self.cloud.shell("mail", "nslookup mail.servers.example 10.30.0.1"))

    def test_two_networks(self):
        self.machine("two-networks.yaml", "proxy")
        self.assertEqual(self.cloud.shell("proxy", "ls /sys/class/net | grep eth"), "eth0\neth1")

    def test_pool(self):
        machine = self.machine("pool.yaml", "archivist")
        self.assertEqual(at(self.cloud.get("volume", machine["status"]["rootVolume"]), "spec.pool"), "bulk")
        self.assertTrue(os.listdir("/srv/virga/bulk"))

    def test_uefi(self):
        self.cloud.import_micro("debian-12")
        self.apply("uefi.yaml")
        self.cloud.wait_phase("instance", "modern", "Running")

    def test_install_from_cdrom(self):
        iso = self.cloud.dir + "/installer.iso"
        run("genisoimage", "-quiet", "-o", iso, EXAMPLES)
        self.cloud.virga("image", "import", "installer", iso)
        self.apply("install-from-cdrom.yaml")
        self.cloud.wait_phase("instance", "newborn", "Running")
        self.cloud.virga("screenshot", "newborn", "-o", self.cloud.dir + "/screen.png")
        with open(self.cloud.dir + "/screen.png", "rb") as screen:
            self.assertEqual(screen.read(8), b"\x89PNG\r\n\x1a\n")

    def test_stopped(self):
        self.apply("stopped.yaml")
        self.cloud.wait_phase("instance", "reserve", "Stopped")
        self.cloud.virga("start", "reserve")
        self.cloud.wait_agent("reserve")

    def test_restart_always(self):
        self.machine("restart-always.yaml", "steady")
        before = self.cloud.boot_id("steady")
        self.cloud.shell_to_the_end("steady", "poweroff")
        self.cloud.wait("instance", "steady", lambda one: at(one, "status.restartCount") == 1, "a restart")
        self.cloud.wait_agent("steady")
        self.assertNotEqual(self.cloud.boot_id("steady"), before)
        self.cloud.virga("rm", "steady")
        self.cloud.wait_gone("instance", "steady")
        self.assertEqual([one["metadata"]["name"] for one in self.cloud.list("volume")], ["steady-root"])

    def test_image_url(self):
        folder = f"{self.cloud.dir}/web/images/cloud/bookworm/latest"
        os.makedirs(folder)
        run("qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/debian-12-genericcloud-amd64.qcow2", "3G")
        server = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{self.cloud.netns}", sys.executable, "-c", WEB_SERVER,
             self.cloud.dir + "/web", os.environ[INSIDE] + "/web.crt", os.environ[INSIDE] + "/web.key"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.assertEqual(server.stdout.readline(), "ready\n")
            self.apply("image-url.yaml")
            image = self.cloud.wait_phase("image", "debian-12-cloud", "Ready")
            self.assertEqual((at(image, "status.format"), at(image, "status.virtualSize")), ("qcow2", "3Gi"))
        finally:
            server.kill()
            server.wait()
            server.stdout.close()

    def test_load_balancer(self):
        self.apply("load-balancer.yaml")
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == 2, "two healthy members")
        answers = {run("nsenter", f"--net=/run/netns/{self.cloud.netns}", "curl", "-sf",
                       "http://127.0.0.1:8080/").strip() for _ in range(10)}
        self.assertEqual(answers, {"web-1", "web-2"})
        self.cloud.virga("delete", "loadbalancer", "web")

    def test_elastic_web(self):
        self.apply("elastic-web.yaml")
        self.cloud.wait("loadbalancer", "web", lambda one: at(one, "status.healthy") == 1, "a healthy member")
        answer = run("nsenter", f"--net=/run/netns/{self.cloud.netns}", "curl", "-sf", "http://127.0.0.1:8081/")
        self.assertTrue(answer.startswith("web-"))
        self.cloud.wait("autoscaler", "web", lambda one: at(one, "status.phase") == "Active", "a decision")
        self.cloud.virga("delete", "-f", f"{EXAMPLES}/elastic-web.yaml")

    def test_scale_to_zero(self):
        self.apply("scale-to-zero.yaml")
        self.cloud.wait("loadbalancer", "sometimes", lambda one: at(one, "status.healthy") == 1, "a healthy member")
        self.cloud.set_spec("autoscaler", "sometimes", idleTimeout="5s")
        self.cloud.wait("instancegroup", "sometimes", lambda one: at(one, "status.phase") == "Idle", "rest")
        answer = run("nsenter", f"--net=/run/netns/{self.cloud.netns}", "curl", "-sf", "http://127.0.0.1:8082/")
        self.assertEqual(answer, "here I am\n")
        self.cloud.virga("delete", "-f", f"{EXAMPLES}/scale-to-zero.yaml")

    def test_horizontal_pod_autoscaler(self):
        self.apply("horizontal-pod-autoscaler.yaml")
        self.cloud.wait("instancegroup", "batch", lambda one: at(one, "status.readyReplicas", 0) >= 1, "a member")
        self.assertIn("horizontalpodautoscaler/batch", self.cloud.virga("why", "group/batch"))
        self.cloud.virga("delete", "-f", f"{EXAMPLES}/horizontal-pod-autoscaler.yaml")

    def test_vertical(self):
        self.apply("vertical.yaml")
        self.cloud.wait("instancegroup", "app", lambda one: at(one, "status.readyReplicas", 0) >= 1, "a member")
        self.cloud.wait("autoscaler", "app", lambda one: at(one, "status.phase") == "Active", "a decision")
        self.cloud.wait_agent("db")
        self.cloud.virga("resize", "db", "--memory", "512Mi")
        self.assertEqual(at(self.cloud.get("instance", "db"), "status.memory"), "512Mi")
        self.cloud.virga("delete", "-f", f"{EXAMPLES}/vertical.yaml")

    def test_zz_none_was_forgotten(self):
        self.assertEqual(set(os.listdir(EXAMPLES)) - self.tried, set())


def enter_namespace():
    """A world of our own: the web host's name and certificate, an empty /srv."""
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-euc", """
        folder=$(mktemp -d /tmp/virga-examples-XXXXXX)
        trap 'rm -rf "$folder"' EXIT
        chmod 755 "$folder"
        openssl req -quiet -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
            -addext "subjectAltName=DNS:$1" -keyout "$folder/web.key" -out "$folder/web.crt" 2> /dev/null ||
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
            -addext "subjectAltName=DNS:$1" -keyout "$folder/web.key" -out "$folder/web.crt" 2> /dev/null
        { cat /etc/hosts; echo "127.0.0.1 $1"; } > "$folder/hosts"
        cat /etc/ssl/certs/ca-certificates.crt "$folder/web.crt" > "$folder/authorities"
        mount --bind "$folder/hosts" /etc/hosts
        mount --bind "$folder/authorities" /etc/ssl/certs/ca-certificates.crt
        mount -t tmpfs -o mode=755 tmpfs /srv
        export """ + INSIDE + """="$folder"
        shift
        "$@" && status=0 || status=$?
        exit $status
    """, "sh", WEB_HOST, sys.executable, "-B", *sys.argv])


if __name__ == "__main__":
    if INSIDE not in os.environ:
        enter_namespace()
    main()
