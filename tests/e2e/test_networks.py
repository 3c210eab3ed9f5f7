"""What guests reach over their networks, and what they do not."""
import json
import re
import subprocess
import sys

from cloud import CloudTest, Refused, main, run

SERVER = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], 8099))
server.listen()
print("ready", flush=True)
while True:
    peer, address = server.accept()
    peer.sendall(("HTTP/1.0 200 OK\\r\\n\\r\\nhello " + address[0] + "\\n").encode())
    peer.close()
"""


class Networks(CloudTest):
    def network(self, name, number, **spec):
        self.cloud.create("network", name, {"ipv4": {"subnet": f"10.{number}.0.0/24"},
                                            "ipv6": {"subnet": f"fd00:{number}::/64"}, **spec})
        self.cloud.wait_phase("network", name, "Ready")

    def guest(self, name, network, **card):
        self.cloud.instance(name, wait=False, memory="96Mi",
                            networks=[{"name": "eth0", "network": network, **card}])

    def ready(self, *names):
        """The guest's addresses are there; IPv6 comes after the agent."""
        for name in names:
            self.cloud.wait_agent(name)
            for family in (4, 6):
                self.cloud.shell_until(name, f"ip addr show eth0 | grep -c '{self.cloud.address(name, family)}/'; true", "1")

    def reaches(self, name, target, family=4):
        program = "ping" if family == 4 else "ping -6"
        return self.cloud.shell(name, f"{program} -c 1 -W 3 {target} >/dev/null 2>&1 && echo yes || echo no") == "yes"

    def test_guests_of_one_network_meet_by_name_and_of_two_never(self):
        self.network("left", 91)
        self.network("right", 92)
        self.guest("alice", "left", ipv4Address="10.91.0.77", ipv6Address="fd00:91::77")
        self.guest("bob", "left", macAddress="52:54:00:12:34:56")
        self.guest("carol", "right")
        self.ready("alice", "bob", "carol")
        self.assertEqual(self.cloud.address("alice"), "10.91.0.77")
        self.assertEqual(self.cloud.address("alice", 6), "fd00:91::77")
        self.assertEqual(self.cloud.shell("bob", "cat /sys/class/net/eth0/address"), "52:54:00:12:34:56")

        self.cloud.shell_until("bob", "nslookup alice.left.default.internal 2>&1 | grep -c 10.91.0.77; true", "1")
        for family in (4, 6):
            self.assertTrue(self.reaches("bob", "alice", family), f"by name, IPv{family}")
            self.assertTrue(self.reaches("alice", "bob.left.default.internal", family), f"by full name, IPv{family}")
            self.assertTrue(self.reaches("alice", self.cloud.address("bob", family), family))
            self.assertFalse(self.reaches("carol", self.cloud.address("alice", family), family), "across networks")
            self.assertFalse(self.reaches("alice", self.cloud.address("carol", family), family), "across networks")
            self.assertFalse(self.reaches("alice", "carol", family))

        # An address belongs to one; it is free when that one is gone.
        with self.assertRaisesRegex(Refused, "10.91.0.77"):
            self.guest("dave", "left", ipv4Address="10.91.0.77")
        with self.assertRaisesRegex(Refused, "left"):
            self.cloud.delete("network", "left")
        self.cloud.set_spec("instance", "alice", stopTimeout="0s")
        self.cloud.delete("instance", "alice")
        self.cloud.wait_gone("instance", "alice")
        self.cloud.shell_until("bob", "nslookup alice.left.default.internal 2>&1 | grep -c 10.91.0.77; true", "0")
        self.guest("dave", "left", ipv4Address="10.91.0.77")
        self.cloud.wait_phase("instance", "dave", "Running")

    def test_addresses_outlive_a_restart_of_guest_and_daemon(self):
        self.guest("alice", "default")
        self.ready("alice")
        before = self.cloud.get("instance", "alice")["status"]["networks"]
        self.cloud.virga("stop", "alice")
        self.cloud.kill()
        self.cloud.start()
        self.cloud.virga("start", "alice")
        self.ready("alice")
        self.assertEqual(self.cloud.get("instance", "alice")["status"]["networks"], before)

    def test_the_outside_is_reached_through_the_host_when_asked_for(self):
        self.network("open", 93, nat=True)
        self.network("closed", 94)
        self.guest("alice", "open")
        self.guest("bob", "closed")
        outside = Outside(self.cloud.netns)
        try:
            self.ready("alice", "bob")
            said = self.cloud.shell("alice", f"timeout 20 wget -q -O - http://{outside.address}:8099/")
            self.assertEqual(said, f"hello {outside.host}", "as the host's address")
            self.assertFalse(self.reaches("bob", outside.address))
            self.assertEqual(self.cloud.shell("bob", f"timeout 3 wget -q -O - http://{outside.address}:8099/ 2>/dev/null || "
                                              "echo cut off"), "cut off")
            self.assertFalse(outside.reaches(self.cloud.address("alice")), "nobody comes in")
            self.assertFalse(self.reaches("alice", self.cloud.address("bob")))
        finally:
            outside.close()

    def test_a_card_comes_and_goes_while_the_guest_runs(self):
        self.network("side", 95)
        self.guest("alice", "default")
        self.ready("alice")
        boot = self.cloud.boot_id("alice")
        card = {"name": "eth0", "network": "default"}
        self.cloud.set_spec("instance", "alice", networks=[card, {"name": "eth1", "network": "side"}])
        self.cloud.shell_until("alice", "ls /sys/class/net | grep -c eth; true", "2")
        made = self.cloud.get("instance", "alice")["status"]["networks"][1]
        self.cloud.shell_until("alice", f"ip addr show eth1 | grep -c '{made['ipv4Address']}/'; true", "1")
        self.cloud.set_spec("instance", "alice", networks=[card])
        self.cloud.shell_until("alice", "ls /sys/class/net | grep -c eth; true", "1")
        self.assertEqual(self.cloud.boot_id("alice"), boot)

    def names_in_host(self):
        """Links and tables of this or another prefix in the host's namespace."""
        links = json.loads(run("ip", "-j", "-n", self.cloud.netns, "link"))
        tables = run("nsenter", f"--net=/run/netns/{self.cloud.netns}", "nft", "list", "tables")
        return sorted([link["ifname"][:3] for link in links if link["ifname"] != "lo"] +
                      re.findall("virga_[a-z]+", tables))

    def test_networks_go_with_the_prefix_they_were_made_with(self):
        self.network("one", 94, nat=True)
        self.assertEqual(set(self.names_in_host()), {"vgu", "virga_vg"})
        self.cloud.stop()
        other = self.cloud.command("--network-prefix", "xx")
        said = run(*other, check=False)
        self.assertIn("made with --network-prefix vg, not xx", said)
        self.assertIn("virgad --dismantle", said)
        run(*other, "--dismantle")
        self.assertEqual(self.names_in_host(), [])
        self.cloud.start()
        self.network("other", 95, nat=True)
        self.assertEqual(set(self.names_in_host()), {"vgu", "virga_vg"})


class Outside:
    """A machine beyond the host: a namespace with a server, on a wire to the host's namespace."""
    host, address = "192.168.50.1", "192.168.50.2"

    def __init__(self, host_netns):
        self.host_netns = host_netns
        self.netns = host_netns + "-out"
        run("ip", "netns", "add", self.netns)
        run("ip", "-n", host_netns, "link", "add", "wire0", "type", "veth", "peer", "wire1", "netns", self.netns)
        for netns, link, address in ((host_netns, "wire0", self.host), (self.netns, "wire1", self.address)):
            run("ip", "-n", netns, "addr", "add", f"{address}/24", "dev", link)
            run("ip", "-n", netns, "link", "set", link, "up")
        run("ip", "-n", self.netns, "link", "set", "lo", "up")
        run("ip", "-n", self.netns, "route", "add", "default", "via", self.host)
        self.server = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.netns}", sys.executable, "-c", SERVER,
                                        self.address], stdout=subprocess.PIPE, text=True)
        self.server.stdout.readline()

    def reaches(self, address):
        return subprocess.run(["nsenter", f"--net=/run/netns/{self.netns}", "ping", "-c", "1", "-W", "2", address],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def close(self):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()
        run("ip", "-n", self.host_netns, "link", "del", "wire0", check=False)
        run("ip", "netns", "del", self.netns, check=False)


if __name__ == "__main__":
    main()
