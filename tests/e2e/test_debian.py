"""One full Debian guest from its creation to its end. It takes minutes to boot under emulation, so
there is one tale and not many tests."""
import os
import time

import cloud
from cloud import CloudTest, at, main, run

IMAGE = os.environ.get("VIRGA_DEBIAN")
BOOT_S = 900

USER_DATA = """#cloud-config
write_files:
- path: /etc/told
  content: by user data
runcmd:
- echo run on $(hostname) > /etc/done
"""


class Debian(CloudTest):
    @classmethod
    def prepare(cls):
        cls.cloud.wait_phase("network", "default", "Ready")
        cls.cloud.virga("image", "import", "debian-12", IMAGE, timeout=BOOT_S)
        cls.key = cls.cloud.dir + "/key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.key)
        os.environ["HOME"] = cls.cloud.dir      # where virga keeps what it knows of hosts

    def ssh(self, *command):
        """By the key alone, as the image's own user, who may become root."""
        return self.cloud.virga("ssh", "-i", self.key, "--wait", "10m", "debian@full", "--", *command,
                                timeout=BOOT_S).strip()

    def until(self, *command, wanted, seconds=120):
        deadline = time.monotonic() + seconds
        while (said := self.ssh(*command)) != wanted:
            self.assertLess(time.monotonic(), deadline, f"{command} says {said!r}, not {wanted!r}")
            time.sleep(0.5)

    def test_a_debian_is_made_reached_grown_paused_crashed_restarted_and_deleted(self):
        with open(self.key + ".pub") as file:
            key = file.read().strip()
        began = time.monotonic()
        self.cloud.create("instance", "full", {
            "image": "debian-12", "cpus": 1, "memory": "768Mi", "hostname": "cathedral", "sshKeys": [key],
            "userData": USER_DATA, "rootDisk": {"size": "4Gi"}, "stopTimeout": "120s",
            "restartPolicy": "OnFailure"})

        # Created, reached.
        self.assertEqual(self.ssh("hostname; whoami"), "cathedral\ndebian")
        print(f"reached by ssh after {time.monotonic() - began:.0f} s", flush=True)
        self.until("cat /etc/done 2>/dev/null; true", wanted="run on cathedral", seconds=BOOT_S)
        self.assertEqual(self.ssh("cat /etc/told"), "by user data")
        full = self.cloud.wait_agent("full", BOOT_S)
        self.assertIn(full["status"]["networks"][0]["ipv4Address"], self.ssh("ip -4 -brief addr"))
        self.assertIn(full["status"]["networks"][0]["ipv6Address"], self.ssh("ip -6 -brief addr"))
        boot = self.cloud.boot_id("full")

        # Grown while it runs.
        self.assertEqual(self.ssh("cat /sys/block/vda/size"), str((4 << 30) // 512))
        self.cloud.set_spec("instance", "full", rootDisk={"size": "6Gi"})
        self.until("cat /sys/block/vda/size", wanted=str((6 << 30) // 512))

        # Paused.
        self.cloud.virga("pause", "full")
        self.cloud.virga("resume", "full")
        self.assertEqual(self.ssh("cat /proc/sys/kernel/random/boot_id"), boot)

        # Crashed; the restart policy starts it again, with everything it had.
        self.ssh("echo kept | sudo tee /etc/kept >/dev/null; sync")
        self.cloud.shell_to_the_end("full", "echo c >/proc/sysrq-trigger")
        ended = self.cloud.wait("instance", "full", lambda one: at(one, "status.restartCount") == 1, "its restart",
                                BOOT_S)
        self.assertEqual(ended["status"]["lastEnd"]["reason"], "GuestPanic")
        self.cloud.wait_agent("full", BOOT_S)
        self.assertNotEqual(self.ssh("cat /proc/sys/kernel/random/boot_id"), boot)
        self.assertEqual(self.ssh("cat /etc/kept; hostname"), "kept\ncathedral")
        self.assertGreater(int(self.ssh("df -k --output=size / | tail -1")), 5 << 20, "the file system grew at boot")

        # Stopped, gracefully, and deleted.
        self.cloud.virga("stop", "full", timeout=BOOT_S)
        stopped = self.cloud.get("instance", "full")["status"]
        self.assertEqual((stopped["phase"], stopped["lastEnd"]["reason"]), ("Stopped", "GuestShutdown"))
        self.cloud.virga("rm", "full")
        self.cloud.wait_gone("instance", "full")
        print(f"all in all {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    if not IMAGE:
        print("needs VIRGA_DEBIAN: a Debian image", flush=True)
        raise SystemExit(77)
    cloud.PATIENCE_S = BOOT_S
    main()
