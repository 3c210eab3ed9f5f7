"""Forks of a running machine: somebody else each, from one moment of their parent, which goes on."""
import os
import re
import time

from cloud import CloudTest, Refused, at, condition, is_true, main

# Numbers that the kernel draws, before the freeze and after it.
DRAW = "(while :; do head -c 12 /dev/urandom | md5sum >>/run/numbers; sleep 0.2; done) </dev/null >/dev/null 2>&1 &"
IDENTITY = {
    "mac": "cat /sys/class/net/eth0/address",
    "address": "ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'",
    "link-local": "ip -6 addr show eth0 | sed -n 's/.*inet6 \\(fe80[^/]*\\).*/\\1/p'",
    "hostname": "hostname",
    "machine-id": "cat /etc/machine-id",
}
HOST_KEY = "dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key | grep ^ssh-"
# Where virgad dies on the way: the instance runs, stands still, is copied, goes on.
MOMENTS = ("compute.freeze.begun", "compute.freeze.copied", "snapshot.still", "storage.in_twin", "snapshot.copied")


def private_kib(pid):
    """What only this process has of its guest's memory: of a fork what it wrote, for the rest is the
    frozen parent's."""
    kib = 0
    with open(f"/proc/{pid}/smaps") as file:
        for mapping in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", file.read(), flags=re.M):
            name = mapping.split("\n", 1)[0]
            if name.endswith("/memory") or "memfd:virga-memory" in name:
                field = "Anonymous" if name.endswith("/memory") else "Rss"
                kib += int(re.search(rf"^{field}: +(\d+) kB", mapping, re.M).group(1))
    return kib


class Fork(CloudTest):
    def identity(self, name):
        return {what: self.cloud.shell(name, script) for what, script in IDENTITY.items()}

    def numbers(self, name):
        return self.cloud.shell(name, "cat /run/numbers").split("\n")

    def parent(self, name="parent", **more):
        self.cloud.instance(name, **more)
        self.cloud.shell_until(name, "pidof dropbear >/dev/null && echo yes || echo no", "yes")

    def test_forks_are_others_and_the_parent_goes_on(self):
        cloud = self.cloud
        self.parent()
        cloud.shell("parent", f"echo here >/run/mark; {DRAW}")
        boot_id, pid = cloud.boot_id("parent"), cloud.pid("parent")
        began = time.monotonic()
        said = cloud.virga("fork", "parent", "--count", "2", "--name", "f")
        print(f"{said}two forks after {time.monotonic() - began:.2f} s")
        self.assertRegex(said, "^parent stood still for [0-9]+ ms\n")
        names = ("parent", "f-1", "f-2")
        for name in names[1:]:
            cloud.wait("instance", name, lambda one: is_true(one, "OwnIdentity"), "an identity of its own")
        counts = [len(self.numbers(name)) for name in names]
        found = {name: self.identity(name) for name in names}
        keys = set()
        for name in names:
            cloud.shell_until(name, "test -s /etc/dropbear/dropbear_ed25519_host_key && pidof dropbear >/dev/null && "
                                    "echo yes || echo no", "yes")
            keys.add(cloud.shell(name, HOST_KEY))
            self.assertEqual(cloud.boot_id(name), boot_id)     # nobody has booted
            self.assertEqual(cloud.shell(name, "cat /run/mark"), "here")
            self.assertEqual(found[name]["hostname"], name)
            self.assertEqual(found[name]["address"], cloud.address(name))
        self.assertEqual(len(keys), 3)
        for what in IDENTITY:
            self.assertEqual(len({found[name][what] for name in names}), 3, f"{what}: {found}")
        # Each draws numbers of its own.
        drawn = [set(self.numbers(name)[count:]) for name, count in zip(names, counts)]
        for one in range(3):
            self.assertGreater(len(drawn[one]), 3)
            self.assertFalse(drawn[one] & drawn[one - 1])
        for name in names:
            cloud.shell_until(name, f"now=$(date +%s); [ $now -ge {int(time.time()) - 3} ] && "
                                    f"[ $now -le {int(time.time()) + 60} ] && echo near || echo far", "near")
        # One that stood still is told the time.
        cloud.shell("f-1", "date -s @1000000000")
        cloud.virga("pause", "f-1")
        cloud.virga("resume", "f-1")
        cloud.shell_until("f-1", f"[ $(date +%s) -ge {int(time.time()) - 3} ] && echo near || echo far", "near")
        # They reach each other by their own addresses.
        cloud.shell("f-1", f"ping -c 1 -W 10 {found['f-2']['address']} && ping -c 1 -W 10 {found['parent']['address']}")
        self.assertEqual(cloud.pid("parent"), pid)
        for name in ("f-1", "f-2"):
            self.assertIn("Forked", cloud.events(name))
            self.assertTrue(is_true(cloud.get("instance", name), "Forked"))
        self.check_memory()
        self.check_in_use()
        # A fork that reboots does so from its own disk, as another machine.
        cloud.shell_to_the_end("f-1", "reboot -f")
        cloud.wait("instance", "f-1", lambda one: condition(one, "Forked")["reason"] == "Restarted", "the reboot")
        cloud.wait_agent("f-1")
        self.assertNotEqual(cloud.boot_id("f-1"), boot_id)
        self.assertIn("GuestReset", cloud.events("f-1"))
        self.assertEqual(cloud.shell("f-1", "hostname"), "f-1")
        cloud.virga("rm", "f-1", "f-2")
        snapshot = at(self.snapshots()[0], "metadata.name") if self.snapshots() else None
        if snapshot:
            cloud.wait_gone("snapshot", snapshot)

    def snapshots(self):
        return self.cloud.list("snapshot")

    def check_memory(self):
        twin = self.cloud.instance("twin")
        fork, booted = private_kib(self.cloud.pid("f-2")), private_kib(self.cloud.pid("twin"))
        print(f"guest memory of its own: a fork {fork} KiB, {at(twin, 'metadata.name')} that booted {booted} KiB")
        self.assertGreater(fork, 0)
        self.assertLess(fork, booted / 4)

    def check_in_use(self):
        name = self.snapshots()[0]["metadata"]["name"]
        with self.assertRaises(Refused) as refused:
            self.cloud.delete("snapshot", name)
        self.assertIn('is in use by instance "f-1"', refused.exception.message)
        self.assertIn("itself", self.cloud.virga("fork", "f-1", status=1))
        # A name that cannot be: the parent does not stand still for it.
        for name, says in (("f-1", '"f-1" already exists'), ("F", "metadata.name")):
            said = self.cloud.virga("fork", "parent", "--name", name, status=1)
            self.assertIn(says, said)
            self.assertNotIn("stood still", said)

    def test_whenever_virgad_dies_the_parent_goes_on(self):
        cloud = self.cloud
        self.parent()
        boot_id, pid = cloud.boot_id("parent"), cloud.pid("parent")
        for number, moment in enumerate(MOMENTS):
            cloud.stop()
            cloud.start(fault=f"{moment}=kill@1")
            cloud.wait_agent("parent")
            cloud.create("snapshot", f"s{number}", {"instanceName": "parent"})
            cloud.process.wait(60)
            cloud.start()
            cloud.wait_phase("snapshot", f"s{number}", "Ready")
            cloud.wait_agent("parent")
            self.assertEqual(cloud.pid("parent"), pid)
            self.assertEqual(cloud.boot_id("parent"), boot_id)
            self.assertEqual(cloud.shell("parent", "cat /sys/class/net/eth0/carrier"), "1")
        last = f"s{len(MOMENTS) - 1}"
        cloud.create("instance", "fork", {"snapshot": last, "memory": "128Mi"})
        cloud.wait("instance", "fork", lambda one: is_true(one, "Forked"), "the fork")
        self.assertEqual(cloud.shell("fork", "hostname"), "fork")
        self.assertEqual(len(os.listdir(cloud.memory_dir)), len(MOMENTS))

    def test_what_cannot_be_forked_says_so(self):
        cloud = self.cloud
        cloud.create("instance", "parent", {"image": "micro", "memory": "128Mi", "powerState": "Stopped"})
        cloud.wait_phase("instance", "parent", "Stopped")
        self.assertIn("only a running instance", cloud.virga("fork", "parent", status=1))
        self.assertIn("from 1 to 100", cloud.virga("fork", "parent", "--count", "0", status=2))
        self.assertIn("not found", cloud.virga("fork", "nobody", status=1))
        with self.assertRaises(Refused) as refused:
            cloud.create("instance", "fork", {"snapshot": "nothing"})
        self.assertIn('there is no snapshot "nothing"', refused.exception.message)
        with self.assertRaises(Refused) as refused:
            cloud.create("snapshot", "cold", {"instanceName": "nobody"})
        self.assertIn('there is no instance "nobody"', refused.exception.message)
        # The disk alone is to be had of a stopped one; what stands on it boots.
        cloud.virga("start", "parent")
        cloud.wait_agent("parent")
        cloud.shell("parent", "echo kept >/root/mark; sync")
        cloud.virga("stop", "parent")
        cloud.virga("snapshot", "create", "cold", "parent", "--disk-only")
        with self.assertRaises(Refused) as refused:
            cloud.create("instance", "fork", {"snapshot": "cold", "rootDisk": {"size": "1Mi"}})
        self.assertIn("at least the snapshot's size", refused.exception.message)
        cloud.instance("fork", image=None, snapshot="cold")
        self.assertEqual(condition(cloud.get("instance", "fork"), "Forked")["reason"], "DiskOnly")
        self.assertEqual(cloud.shell("fork", "cat /root/mark; hostname"), "kept\nfork")
        cloud.virga("rm", "fork")
        cloud.virga("snapshot", "rm", "cold")


if __name__ == "__main__":
    main()
