"""A pool that is full: the guest waits, says why, and goes on without loss when there is space."""
import os

from cloud import CloudTest, MIB, at, condition, main, run


class FullDisk(CloudTest):
    @classmethod
    def prepare(cls):
        super().prepare()
        cls.space = cls.cloud.dir + "/small"
        os.mkdir(cls.space, 0o755)
        run("mount", "-t", "tmpfs", "-o", "size=48m,mode=755", "tmpfs", cls.space)
        cls.cloud.create("pool", "small", {"type": "Directory", "directory": {"path": cls.space + "/pool"}})
        cls.cloud.wait_phase("pool", "small", "Ready")

    @classmethod
    def tearDownClass(cls):
        try:
            cls.cloud.clear()
        finally:
            run("umount", cls.space)
            os.rmdir(cls.space)
            super().tearDownClass()

    def test_a_guest_waits_for_space_and_goes_on_without_loss(self):
        self.cloud.virga("volume", "create", "data", "--size", "64Mi", "--pool", "small")
        self.cloud.wait_phase("volume", "data", "Ready")
        self.cloud.instance("web", disks=[{"name": "data", "volume": "data"}])
        boot = self.cloud.boot_id("web")
        filler = self.space + "/filler"
        with open(filler, "wb") as file:
            file.write(bytes(28 * MIB))

        # 32 MiB of a known pattern into less than 20 MiB of space.
        self.cloud.shell("web", "(i=0; while [ $i -lt 32 ]; do tr '\\0' \"\\\\$((i % 8 + 101))\" </dev/zero | "
                         "head -c 1048576; i=$((i + 1)); done | tee /dev/vdb | sha256sum >/root/sum; "
                         "sync; echo done >/root/ok) >/dev/null 2>&1 </dev/null &")
        full = self.cloud.wait("instance", "web", lambda one: condition(one, "Ready").get("status") == "False" and
                               "space" in str(at(one, "status")), "a word about space")
        self.assertIn("data", str(full["status"]["conditions"]) + at(full, "status.message", ""))

        # It waits also for another daemon.
        self.cloud.kill()
        self.cloud.start()
        self.cloud.wait("instance", "web", lambda one: condition(one, "Ready").get("status") == "False", "waiting")

        os.unlink(filler)
        self.cloud.wait_agent("web")
        self.cloud.shell_until("web", "cat /root/ok 2>/dev/null; true", "done")
        self.assertEqual(self.cloud.boot_id("web"), boot)
        self.assertEqual(self.cloud.shell("web", "echo 3 >/proc/sys/vm/drop_caches; head -c 33554432 /dev/vdb | sha256sum"),
                         self.cloud.shell("web", "cat /root/sum"))


if __name__ == "__main__":
    main()
