"""An instance from its creation to its end, with everything that can be asked of it meanwhile."""
import os
import signal
import unittest

from cloud import CloudTest, Refused, at, condition, is_true, main

GIB = 1 << 30


class Life(CloudTest):
    def test_people_get_a_machine_with_one_line(self):
        self.cloud.virga("run", "micro", "--name", "web", "--cpus", "2", "--memory", "256Mi")
        self.cloud.wait_agent("web")
        self.assertEqual(self.cloud.shell("web", "hostname; nproc; uname -s"), "web\n2\nLinux")
        self.assertIn("web", self.cloud.virga("ls"))
        self.assertIn("exited with 3", self.cloud.virga("exec", "web", "--", "sh", "-c", "exit 3", status=3) +
                      "exited with 3")
        self.cloud.virga("rm", "web")
        self.cloud.wait_gone("instance", "web")

    def test_status_tells_what_is_true(self):
        web = self.cloud.instance("web")
        for rung in ("Placed", "AddressesAssigned", "VolumesReady", "SeedWritten", "NetworkAttached", "Running",
                     "AgentReady", "Ready"):
            self.assertTrue(is_true(web, rung), rung)
        card = web["status"]["networks"][0]
        self.assertEqual(self.cloud.shell("web", "cat /sys/class/net/eth0/address"), card["macAddress"])
        for address in (card["ipv4Address"] + "/24", card["ipv6Address"] + "/128"):
            self.cloud.shell_until("web", f"ip addr show eth0 | grep -c {address}; true", "1")
        self.assertEqual(web["status"]["host"], "host")
        self.assertEqual(web["status"]["observedGeneration"], web["metadata"]["generation"])

        used = self.cloud.wait("instance", "web", lambda one: at(one, "status.usage.guestMemory") and
                               at(one, "status.usage.cpu") and at(one, "status.usage.networkTransmitBytes"),
                               "usage")["status"]["usage"]
        self.assertGreater(used["cpuSeconds"], 0.5)
        self.assertGreater(used["diskReadBytes"], 1 << 20)
        self.assertGreater(used["networkReceiveBytes"], 100)

    def test_processors_and_memory_come_and_go_while_it_runs(self):
        total = "awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo"
        self.cloud.instance("web", cpus=1, maxCPUs=2, memory="256Mi", maxMemory="640Mi")
        self.raise_cpus()
        before = int(self.cloud.shell("web", total))
        self.cloud.virga("resize", "web", "--memory", "512Mi")
        started = self.cloud.get("instance", "web")["status"]["startedAt"]
        self.assertEqual(self.cloud.shell("web", "nproc"), "2")
        self.cloud.shell_until("web", f"test $({total}) -gt {before + 200} && echo more; true", "more")
        self.cloud.patch("instance", "web", {"spec": {"cpus": 1, "memory": "256Mi"}})
        web = self.cloud.wait("instance", "web", lambda one: at(one, "status.memory") == "256Mi" and
                              at(one, "status.cpus") == 1, "its old size")
        self.cloud.shell_until("web", f"test $({total}) -lt {before + 50} && echo less; true", "less")
        self.assertEqual(self.cloud.shell("web", "nproc"), "1")
        said = self.cloud.virga("resize", "web", "--cpus", "3", "--max-cpus", "3", status=1)
        self.assertIn("web needs a restart: spec.cpus (the machine was started ready for 2, see spec.maxCPUs)", said)
        self.assertEqual(web["status"]["startedAt"], started)

    def raise_cpus(self):
        """Without KVM, Linux from 6.12 on sees new processors when it boots; then that is what is said."""
        if self.cloud.shell("web", "cat /sys/devices/system/cpu/possible") != "0":
            self.cloud.virga("resize", "web", "--cpus", "2")
            return
        said = self.cloud.virga("resize", "web", "--cpus", "2", status=1)
        self.assertIn("web needs a restart: spec.cpus (the guest does not see its new processors", said)
        boots = [self.cloud.boot_id("web")]
        self.cloud.virga("restart", "web")
        self.wait_other_boot("web", boots)

    def test_hostname_keys_and_user_data_arrive(self):
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0VjmZzNBwFLwbmXVUGTqGvwDBmEIbeDO4N5Qbk/W8o somebody"
        self.cloud.instance("web", hostname="front", sshKeys=[key],
                            userData="#!/bin/sh\necho it ran on $(hostname) > /root/ran\n")
        self.assertEqual(self.cloud.shell("web", "hostname"), "front")
        self.assertEqual(self.cloud.shell("web", "cat /root/.ssh/authorized_keys"), key)
        self.cloud.shell_until("web", "cat /root/ran 2>/dev/null; true", "it ran on front")

    def test_user_data_from_a_secret_runs_and_is_nowhere_to_be_read(self):
        self.cloud.ask("POST", "/api/v1/namespaces/default/secrets",
                       {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "first"},
                        "stringData": {"userData": "#!/bin/sh\necho hush-9417 > /root/ran\n"}})
        try:
            self.cloud.instance("web", userDataSecret={"name": "first"})
            self.cloud.shell_until("web", "cat /root/ran 2>/dev/null; true", "hush-9417")
            self.assertNotIn("hush-9417", str(self.cloud.get("instance", "web")))
            self.assertNotIn("hush-9417", self.cloud.log_tail(10000))
        finally:
            self.cloud.ask("DELETE", "/api/v1/namespaces/default/secrets/first")

    def test_pause_stops_the_guests_time_and_resume_lets_it_go_on(self):
        self.cloud.instance("web")
        boot = self.cloud.boot_id("web")
        pid = self.cloud.pid("web")
        self.cloud.virga("pause", "web")
        self.assertEqual(self.cloud.get("instance", "web")["status"]["phase"], "Paused")
        said = self.cloud.virga("fork", "web", status=1)
        self.assertIn("web is paused", said)
        self.assertIn('"virga resume web" lets it go on', said)
        self.cloud.virga("resume", "web")
        self.cloud.wait_agent("web")
        self.assertEqual(self.cloud.boot_id("web"), boot)
        self.assertEqual(self.cloud.pid("web"), pid)

    def test_what_is_stopped_is_not_resumed(self):
        self.cloud.instance("web")
        self.cloud.virga("stop", "web")
        said = self.cloud.virga("resume", "web", status=1)
        self.assertIn("instance web is stopped: there is nothing to resume", said)
        self.assertIn('"virga start web" starts it', said)
        self.assertEqual(self.cloud.get("instance", "web")["spec"]["powerState"], "Stopped")

    def test_the_root_disk_grows_while_the_guest_runs(self):
        self.cloud.instance("web")
        boot = self.cloud.boot_id("web")
        self.assertEqual(self.cloud.shell("web", "cat /sys/block/vda/size"), str(GIB // 512))
        self.cloud.set_spec("instance", "web", rootDisk={"size": "3Gi"})
        self.cloud.shell_until("web", "cat /sys/block/vda/size", str(3 * GIB // 512))
        self.cloud.shell_until("web", "[ $(df -k / | tail -1 | tr -s ' ' | cut -d ' ' -f 2) -gt 2500000 ] && echo yes; "
                               "true", "yes")
        self.assertEqual(self.cloud.boot_id("web"), boot)
        with self.assertRaisesRegex(Refused, "rootDisk.size"):
            self.cloud.set_spec("instance", "web", rootDisk={"size": "2Gi"})

    def size_of(self, disk):
        """A script that prints the sectors of the disk with this serial number, if it is there."""
        return (f"for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" != {disk} ] || cat $d/size; done")

    def device_of(self, name, disk):
        return "/dev/" + self.cloud.shell(name, f"cd /sys/block; for d in vd*; do [ \"$(cat $d/serial)\" != {disk} ] || "
                                          "echo $d; done")

    def test_a_volume_comes_and_goes_while_the_guest_runs(self):
        self.cloud.instance("web")
        boot = self.cloud.boot_id("web")
        self.cloud.virga("volume", "create", "data", "--size", "64Mi")
        self.cloud.wait_phase("volume", "data", "Ready")
        self.cloud.set_spec("instance", "web", disks=[{"name": "more", "volume": "data"}])
        self.cloud.shell_until("web", self.size_of("more"), str((64 << 20) // 512))
        self.cloud.shell("web", f"echo kept-7731 | dd of={self.device_of('web', 'more')} conv=fsync 2>/dev/null")
        with self.assertRaisesRegex(Refused, "web"):
            self.cloud.delete("volume", "data")
        self.cloud.set_spec("volume", "data", size="128Mi")
        self.cloud.shell_until("web", self.size_of("more"), str((128 << 20) // 512))
        self.cloud.set_spec("instance", "web", disks=None)
        self.cloud.shell_until("web", self.size_of("more"), "")
        self.assertEqual(self.cloud.boot_id("web"), boot)

        self.cloud.instance("other", disks=[{"name": "data", "volume": "data", "readOnly": True}])
        device = self.device_of("other", "data")
        self.assertEqual(self.cloud.shell("other", f"head -c 9 {device}"), "kept-7731")
        self.assertEqual(self.cloud.shell("other", f"cat /sys/block/{device[5:]}/ro"), "1")

    def test_restart_and_reset_boot_the_guest_anew(self):
        self.cloud.instance("web")
        boots = [self.cloud.boot_id("web")]
        pid = self.cloud.pid("web")
        self.cloud.shell("web", "echo stays > /root/file; sync")
        self.cloud.set_spec("instance", "web", resetAt="2026-01-01T00:00:00Z")
        self.cloud.wait("instance", "web", lambda one: at(one, "status.resetAt") and is_true(one, "AgentReady") and
                        not is_true(one, "Resetting"), "the reset")
        self.wait_other_boot("web", boots)
        self.assertEqual(self.cloud.pid("web"), pid, "a reset keeps the process")
        self.cloud.virga("restart", "web")
        self.wait_other_boot("web", boots)
        self.assertNotEqual(self.cloud.pid("web"), pid, "a restart makes a new one")
        self.assertEqual(self.cloud.shell("web", "cat /root/file"), "stays")
        self.assertEqual(at(self.cloud.get("instance", "web"), "status.restartCount", 0), 0)

    def test_a_command_that_ends_its_guest_is_run_once(self):
        self.cloud.instance("web")
        boots = [self.cloud.boot_id("web")]
        said = self.cloud.virga("exec", "web", "--", "sh", "-c", "echo once >> /root/count; sync; reboot -f", status=1)
        self.assertRegex(said, "is lost|is not known")
        self.wait_other_boot("web", boots)
        self.assertEqual(self.cloud.shell("web", "cat /root/count"), "once")

    def wait_other_boot(self, name, boots):
        """The agent of a new boot answers; until then that of the old one may."""
        deadline_hits = 0
        while True:
            self.cloud.wait_agent(name)
            try:
                boot = self.cloud.boot_id(name)
            except AssertionError:
                boot = boots[-1]
            if boot not in boots:
                boots.append(boot)
                return
            deadline_hits += 1
            self.assertLess(deadline_hits, 1000, "the guest never boots anew")

    # --- stopping ---

    def test_a_stop_is_graceful(self):
        self.cloud.instance("web")
        self.cloud.shell("web", "echo stays > /root/file")  # not synced: only a clean end writes it
        self.cloud.virga("stop", "web")
        stopped = self.cloud.get("instance", "web")
        self.assertEqual(stopped["status"]["phase"], "Stopped")
        self.assertEqual(stopped["status"]["lastEnd"]["reason"], "GuestShutdown")
        self.assertEqual(self.cloud.machine_pids(stopped["metadata"]["uid"]), [])
        self.cloud.virga("start", "web")
        self.cloud.wait_agent("web")
        self.assertEqual(self.cloud.shell("web", "cat /root/file"), "stays")

    def test_a_guest_that_will_not_stop_is_forced(self):
        self.cloud.instance("web", stopTimeout="2s")
        self.cloud.shell("web", "kill -STOP $(pidof acpid)")
        self.cloud.virga("stop", "web")
        stopped = self.cloud.get("instance", "web")
        self.assertEqual(stopped["status"]["phase"], "Stopped")
        self.assertEqual(stopped["status"]["lastEnd"]["reason"], "Stopped")
        self.assertEqual(self.cloud.machine_pids(stopped["metadata"]["uid"]), [])

    # --- ends that nobody asked for ---

    def panic(self, name):
        self.cloud.shell(name, "(sleep 0.2; echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger) "
                         ">/dev/null 2>&1 </dev/null &")

    def test_a_panic_restarts_the_guest_after_a_while(self):
        self.cloud.instance("web")
        boots = [self.cloud.boot_id("web")]
        self.panic("web")
        waits = self.cloud.wait("instance", "web", lambda one: at(one, "status.nextStartAt"), "the back-off")
        self.assertEqual(waits["status"]["lastEnd"]["reason"], "GuestPanic")
        self.wait_other_boot("web", boots)
        after = self.cloud.get("instance", "web")["status"]
        self.assertEqual(after["restartCount"], 1)
        self.assertIn("GuestPanic", self.cloud.events("web"))

    def test_each_crash_waits_longer_than_the_last(self):
        self.cloud.instance("web", restartPolicy="Always")
        waited = []
        for count in (1, 2, 3):
            os.kill(self.cloud.pid("web"), signal.SIGKILL)
            ended = self.cloud.wait("instance", "web",
                                    lambda one: at(one, "status.restartCount") == count, f"restart {count}")["status"]
            self.assertEqual(ended["lastEnd"]["reason"], "ProcessDied")
            waited.append(seconds_between(ended["lastEnd"]["time"], ended["nextStartAt"]))
            self.cloud.wait("instance", "web", lambda one: at(one, "status.phase") == "Running" and
                            is_true(one, "Running"), "its start")
        self.assertEqual(waited, [1, 2, 4])

    def test_never_leaves_a_crashed_guest_alone(self):
        self.cloud.instance("web", restartPolicy="Never")
        os.kill(self.cloud.pid("web"), signal.SIGKILL)
        failed = self.cloud.wait_phase("instance", "web", "Failed")
        self.assertEqual(failed["status"]["lastEnd"]["reason"], "ProcessDied")
        self.assertTrue(failed["status"]["endedByItself"])
        self.cloud.virga("stop", "web")
        self.cloud.virga("start", "web")
        self.cloud.wait_agent("web")

    def test_a_guest_that_powers_itself_off_stays_off(self):
        self.cloud.instance("web")
        self.cloud.shell_to_the_end("web", "poweroff")
        stopped = self.cloud.wait_phase("instance", "web", "Stopped")
        self.assertEqual(stopped["status"]["lastEnd"]["reason"], "GuestShutdown")
        self.assertIn("shut itself down", stopped["status"]["message"])

    def test_always_starts_a_guest_that_powers_itself_off(self):
        self.cloud.instance("web", restartPolicy="Always")
        boots = [self.cloud.boot_id("web")]
        self.cloud.shell_to_the_end("web", "poweroff")
        self.cloud.wait("instance", "web", lambda one: at(one, "status.restartCount") == 1, "the restart")
        self.wait_other_boot("web", boots)

    # --- deleting ---

    def test_a_root_disk_goes_with_its_instance_unless_it_is_kept(self):
        self.cloud.instance("gone", wait=False)
        self.cloud.instance("kept", rootDisk={"deletePolicy": "Retain"})
        self.cloud.wait_agent("gone")
        self.cloud.shell("kept", "echo precious > /root/file; sync")
        for name in ("gone", "kept"):
            self.cloud.delete("instance", name)
        for name in ("gone", "kept"):
            self.cloud.wait_gone("instance", name)
        self.assertIsNone(self.cloud.find("volume", "gone-root"))
        self.cloud.instance("reader", disks=[{"name": "old", "volume": "kept-root"}])
        self.assertEqual(self.cloud.shell("reader", "mkdir -p /tmp/m && mount -t ext4 -o ro /dev/vdb /tmp/m && "
                                          "cat /tmp/m/root/file"), "precious")

    def test_an_image_in_use_cannot_be_deleted(self):
        self.cloud.instance("web", wait=False)
        self.cloud.wait_phase("instance", "web", "Running")
        with self.assertRaisesRegex(Refused, "web"):
            self.cloud.delete("image", "micro")
        self.cloud.wait_agent("web")

    # --- room ---

    def test_what_does_not_fit_waits_and_says_what_is_missing(self):
        self.cloud.instance("first", wait=False)
        self.cloud.wait_phase("instance", "first", "Running")
        self.cloud.instance("large", wait=False, memory="960Mi")
        waits = self.cloud.wait("instance", "large", lambda one: condition(one, "Placed").get("reason") == "NoRoom",
                                "no room")
        self.assertEqual(waits["status"]["phase"], "Pending")
        self.assertRegex(waits["status"]["message"], "memory")
        self.cloud.delete("instance", "first")
        self.cloud.wait_phase("instance", "large", "Running")

    settings = ("--memory", "1536Mi", "--cpus", "2")


def seconds_between(first, second):
    from datetime import datetime
    form = "%Y-%m-%dT%H:%M:%SZ"
    return int((datetime.strptime(second, form) - datetime.strptime(first, form)).total_seconds())


if __name__ == "__main__":
    main()
