"""Every guest is a hostile program: what its process may do, and who can read its secrets."""
import os

from cloud import CloudTest, main, processes

SECRET = "hush-hush-5180"


def read(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().decode(errors="replace")


class Isolation(CloudTest):
    def test_a_machines_process_is_confined(self):
        self.cloud.instance("web", cpus=1, memory="96Mi")
        self.cloud.instance("other", memory="96Mi", wait=False)
        self.cloud.wait_phase("instance", "other", "Running")
        pid, other = self.cloud.pid("web"), self.cloud.pid("other")
        status = dict(line.split(":\t", 1) for line in read(pid, "status").splitlines() if ":\t" in line)

        uids = set(status["Uid"].split()) | set(status["Gid"].split())
        self.assertEqual(len(uids), 1)
        self.assertTrue(self.cloud.uid_base <= int(uids.pop()) < self.cloud.uid_base + 65536)
        self.assertNotEqual(os.stat(f"/proc/{pid}").st_uid, os.stat(f"/proc/{other}").st_uid, "a user of its own")
        self.assertEqual(status["Groups"].split(), [])
        for set_of in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(int(status[set_of], 16), 0, set_of)
        self.assertEqual(status["NoNewPrivs"].strip(), "1")
        self.assertEqual(status["Seccomp"].strip(), "2")

        mine = os.readlink(f"/proc/{pid}/ns/net")
        with open(f"/run/netns/{self.cloud.netns}") as host:
            self.assertNotEqual(mine, f"net:[{os.fstat(host.fileno()).st_ino}]")
        self.assertNotEqual(mine, os.readlink("/proc/self/ns/net"))
        self.assertEqual([line.split(":")[0].strip() for line in read(pid, "net/dev").splitlines()[2:]], ["lo"])

    def test_it_has_the_files_it_needs_and_no_others(self):
        self.cloud.instance("web", memory="96Mi")
        self.cloud.instance("other", memory="96Mi", wait=False)
        self.cloud.wait_phase("instance", "other", "Running")
        web = self.cloud.get("instance", "web")
        uid, root = web["metadata"]["uid"], self.cloud.get("volume", "web-root")["metadata"]["uid"]
        image = self.cloud.get("image", "micro")["metadata"]["uid"]
        allowed = ("socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/null", "/dev/net/tun", "/dev/kvm", "/dev/urandom",
                   "/dev/pts", "/dev/ptmx")
        own = (f"{self.cloud.state}/pools/default/{root}/", f"{self.cloud.state}/images/{image}/",
               f"{self.cloud.state}/machines/{uid}/", f"{self.cloud.state}/machines/logs/{uid}/",
               f"{self.cloud.run_dir}/machines/{uid}/",
               f"{self.cloud.state}/images/.seeds/{uid}")
        pid = self.cloud.pid("web")
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            self.assertTrue(target.startswith(allowed + own), f"fd {fd} is {target}")
            if target.startswith(f"{self.cloud.state}/images/"):
                flags = int(read(pid, f"fdinfo/{fd}").split("flags:")[1].split()[0], 8)
                self.assertEqual(flags & os.O_ACCMODE, os.O_RDONLY, f"{target} can be written")

    def test_it_stays_within_its_group(self):
        self.cloud.instance("web", cpus=1, memory="96Mi")
        uid, pid = self.cloud.get("instance", "web")["metadata"]["uid"], self.cloud.pid("web")
        lines = read(pid, "cgroup").splitlines()
        self.assertTrue(any(line.endswith(uid) for line in lines), lines)
        limits = {}
        for folder in self.cloud.groups():
            for name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max"):
                if os.path.exists(f"{folder}/{name}"):
                    with open(f"{folder}/{name}") as file:
                        limits[name] = file.read().split()[0]
        memory = limits.get("memory.limit_in_bytes") or limits.get("memory.max")
        self.assertIsNotNone(memory, limits)
        self.assertTrue(96 << 20 < int(memory) < 2 << 30, limits)
        quota = limits.get("cpu.cfs_quota_us") or limits.get("cpu.max")
        self.assertTrue(quota and quota not in ("-1", "max"), limits)

    def test_secrets_are_in_no_argument_log_or_readable_file(self):
        self.cloud.ask("POST", "/api/v1/namespaces/default/secrets",
                       {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "first"},
                        "stringData": {"userData": f"#!/bin/sh\necho {SECRET} > /root/ran\n"}})
        try:
            self.cloud.instance("web", memory="96Mi", userDataSecret={"name": "first"})
            self.cloud.shell_until("web", "cat /root/ran 2>/dev/null; true", SECRET)
            for pid, line in processes():
                self.assertNotIn(SECRET.encode(), line)
            pid = self.cloud.pid("web")
            self.assertNotIn(SECRET, read(pid, "environ"))
            readable = []
            for top in (self.cloud.state, self.cloud.run_dir):
                for folder, _, files in os.walk(top):
                    readable += [path for path in (os.path.join(folder, name) for name in files)
                                 if is_open_to_all(path) and holds(path, SECRET)]
            self.assertEqual(readable, [])
            with open(self.cloud.log) as log:
                self.assertNotIn(SECRET, log.read())
            for name in ("audit/audit.log", f"machines/logs/{self.cloud.uids_by_name['web']}/qemu.log"):
                with open(f"{self.cloud.state}/{name}", errors="replace") as log:
                    self.assertNotIn(SECRET, log.read(), name)
            self.assertNotIn(SECRET, str(self.cloud.get("instance", "web")))
            self.assertNotIn(SECRET, str(self.cloud.ask("GET", "/api/v1/namespaces/default/events")))
        finally:
            self.cloud.ask("DELETE", "/api/v1/namespaces/default/secrets/first")


def is_open_to_all(path):
    """Whether anybody can come to the file: every folder on the way lets them pass."""
    if not os.path.isfile(path) or not os.stat(path).st_mode & 0o004:
        return False
    while (path := os.path.dirname(path)) != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


def holds(path, text):
    try:
        with open(path, "rb") as file:
            return text.encode() in file.read()
    except OSError:
        return False    # the handle of a network namespace is no file to read


if __name__ == "__main__":
    main()
