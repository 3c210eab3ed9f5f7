"""virgad dies at any point and is started again: machines run on, work is finished or undone, nothing
exists twice, and nothing is left behind.

Every story tells the same tale (image, network, volumes, instance, attach, grow, pause, stop, start,
delete) while virgad dies in it: at each named point of the code (src/base/fault.h), in the store
between any two writes, and at random moments of a clock. The seed is printed; E2E_SEED sets it."""
import http.client
import os
import random
import select
import signal
import threading
import time

from cloud import CloudTest, PATIENCE_S, Refused, at, is_true, main, path_of

SEED = int(os.environ.get("E2E_SEED", random.randrange(1 << 32)))

# Named points in the order in which the story comes by them, so that one telling meets many.
POINTS = """
    storage.staged storage.import_work storage.unbundled storage.imported storage.before_image_meta
    storage.before_rename storage.after_rename
    network.folder network.namespace network.bridge network.addresses network.rules network.config
    network.server.start network.server.up network.uplink network.uplink.addresses network.uplink.rules
    storage.volume_work storage.before_volume_facts storage.in_grow
    storage.seed_before_rename network.tap network.port.link network.port.rules
    compute.launch.noted compute.launch.moved compute.launch.recorded compute.launch.opened
    compute.launch.spawned compute.launch.begun compute.launch.locked compute.launch.watched
    compute.launch.up compute.launch.ready
    compute.plug.begun compute.plug.opened
    compute.end.expected compute.end.begun compute.end.noted compute.end.agreed compute.end.ungrouped
    compute.release.begun compute.release.ungrouped compute.logs.removing
    network.port.remove.rules network.port.remove.files
    storage.before_remove storage.after_remove_rename
    network.remove.server network.remove.uplink network.remove.namespace network.remove.rules
    network.remove.state
    storage.image_removed
""".split()


class Mortal:
    """Runs steps; when virgad dies in one, starts it again and repeats the step."""

    def __init__(self, test, next_fault=lambda: None, on_start=lambda: None):
        self.test = test
        self.cloud = test.cloud
        self.next_fault = next_fault
        self.on_start = on_start
        self.deaths = 0

    def step(self, work):
        while True:
            try:
                return work()
            except (OSError, http.client.HTTPException):
                self.revive()

    def revive(self):
        self.cloud.process.wait(30)
        self.test.assertEqual(self.cloud.process.returncode, -signal.SIGKILL, self.cloud.log_tail())
        self.deaths += 1
        self.start()
        self.test.check_machines()

    def start(self):
        """A point at which a start itself comes by kills that, too."""
        while True:
            fault = self.next_fault()
            self.cloud.launch(fault)
            try:
                self.cloud.wait_serving()
                break
            except AssertionError:
                self.test.assertEqual(self.cloud.process.returncode, -signal.SIGKILL, self.cloud.log_tail())
                self.deaths += 1
        self.on_start()


class Crashes(CloudTest):
    settings = ("--usage-interval", "5s")

    @classmethod
    def prepare(cls):
        super().prepare()
        cls.cloud.instance("witness")
        cls.witness = cls.cloud.pid("witness"), cls.cloud.boot_id("witness")

    def tearDown(self):
        self.mortal = None
        super().tearDown()
        self.assertEqual((self.cloud.pid("witness"), self.cloud.boot_id("witness")), self.witness,
                         "a machine was disturbed")

    def check_machines(self):
        """None twice, and the witness as it was. Asks the host alone: virgad may be dead again."""
        self.assertEqual(self.cloud.machine_pids_of("witness"), [self.witness[0]], "a machine was disturbed")
        for uid in self.cloud.uids_seen:
            self.assertLessEqual(len(self.cloud.machine_pids(uid)), 1, uid)

    # --- the story ---

    def ensure(self, kind, name, spec):
        """What was once accepted is there for good."""
        if (kind, name) in self.accepted:
            self.assertIsNotNone(self.cloud.find(kind, name), f"{kind} {name} was accepted and is lost")
        elif not self.cloud.find(kind, name):
            self.cloud.create(kind, name, spec)
        self.accepted.add((kind, name))

    def upload(self, name):
        """Goes on where the daemon got to."""
        path = path_of("image", name) + "/content"
        with open(self.cloud.dir + "/micro.tar", "rb") as tar:
            content = tar.read()
        while at(self.cloud.get("image", name), "status.phase") not in ("Ready", "Importing", "Failed"):
            try:
                have = self.cloud.ask("GET", path)["bytes"]
                self.cloud.ask("PUT", f"{path}?offset={have}&size={len(content)}", content[have:],
                               "application/octet-stream")
            except Refused as refused:
                self.assertEqual(refused.status, 409, refused)  # not yet, or no more: its phase says

    def gone(self, *names):
        for kind, name in names:
            if self.cloud.find(kind, name):
                try:
                    self.cloud.delete(kind, name)
                except Refused as refused:
                    self.assertEqual(refused.status, 404, refused)
        for kind, name in names:
            self.cloud.wait_gone(kind, name)

    def disks_of(self, one):
        """The disks its process has open, by the uid of their volume; the truth, not the status."""
        pids = self.cloud.machine_pids(one["metadata"]["uid"])
        found = set()
        for pid in pids:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except OSError:
                    continue
                if "/pools/" in target:
                    found.add(target.split("/")[-2])
        return found

    def tell(self, mortal):
        cloud, step = self.cloud, mortal.step
        self.accepted = set()

        step(lambda: self.ensure("image", "second", {"source": {"upload": True}}))
        step(lambda: self.upload("second"))
        step(lambda: cloud.wait_phase("image", "second", "Ready"))
        step(lambda: self.ensure("network", "lab", {"ipv4": {"subnet": "10.99.0.0/24"}, "nat": True}))
        step(lambda: cloud.wait_phase("network", "lab", "Ready"))
        for name in ("data", "more"):
            step(lambda: self.ensure("volume", name, {"size": "32Mi"}))
        for name in ("data", "more"):
            step(lambda: cloud.wait_phase("volume", name, "Ready"))
        step(lambda: cloud.set_spec("volume", "data", size="64Mi"))
        step(lambda: cloud.wait("volume", "data", lambda one: at(one, "status.size") == "64Mi", "its growth"))

        disks = [{"name": "data", "volume": "data"}]
        step(lambda: self.ensure("instance", "web", {
            "image": "second", "memory": "64Mi", "stopTimeout": "0s", "disks": disks,
            "networks": [{"name": "eth0", "network": "lab"}]}))
        step(lambda: cloud.wait_phase("instance", "web", "Running"))
        step(self.check_machines)
        step(lambda: cloud.set_spec("instance", "web", disks=disks + [{"name": "more", "volume": "more"}]))
        step(lambda: self.wait_disks("root", "data", "more"))
        step(lambda: cloud.set_spec("instance", "web", disks=disks))
        step(lambda: self.wait_disks("root", "data"))
        step(lambda: cloud.set_spec("instance", "web", powerState="Paused"))
        step(lambda: cloud.wait_phase("instance", "web", "Paused"))
        step(lambda: cloud.set_spec("instance", "web", powerState="Stopped"))
        step(lambda: cloud.wait_phase("instance", "web", "Stopped"))
        step(lambda: self.assertEqual(self.disks_of(cloud.get("instance", "web")), set()))
        step(lambda: cloud.set_spec("instance", "web", powerState="Running"))
        step(lambda: cloud.wait_phase("instance", "web", "Running"))
        step(self.check_machines)
        step(lambda: self.gone(("instance", "web")))
        step(lambda: self.gone(("volume", "data"), ("volume", "more"), ("network", "lab"), ("image", "second")))
        return mortal.deaths

    def wait_disks(self, *names):
        """Until the process has exactly these volumes open."""
        volumes = ["web-root" if name == "root" else name for name in names]
        uids = {self.cloud.get("volume", name)["metadata"]["uid"] for name in volumes}
        deadline = time.monotonic() + 60
        while self.disks_of(self.cloud.get("instance", "web")) != uids:
            self.assertLess(time.monotonic(), deadline, f"web never has exactly {names}: {self.cloud.log_tail()}")
            time.sleep(0.05)

    def nothing_is_left(self):
        self.assertEqual(sorted(self.cloud.traces() ^ self.before), [], "left behind, or lost")

    # --- who kills ---

    def test_it_dies_at_every_named_point(self):
        left = list(POINTS)
        met = []

        def next_fault():
            if self.mortal and self.mortal.deaths > len(met):
                met.append(left.pop(0))
            return left[0] + "=kill@1" if left else None

        self.mortal = None
        while left:
            count = len(left)
            self.cloud.stop()
            self.mortal = Mortal(self, next_fault)
            self.mortal.deaths = len(met)
            self.mortal.start()
            self.tell(self.mortal)
            self.nothing_is_left()
            self.assertLess(len(left), count, f"the story never comes by {left[:1]}")
        print(f"died at {len(met)} points", flush=True)
        self.assertEqual(met, POINTS)

    def test_it_dies_between_any_two_writes(self):
        dice = random.Random(SEED)
        print(f"seed {SEED}", flush=True)
        for point in ("store.commit.before", "store.commit.after"):
            self.cloud.stop()
            mortal = Mortal(self, lambda: f"{point}=kill@{dice.randint(1, 40)}")
            mortal.start()
            deaths = self.tell(mortal)
            self.assertGreater(deaths, 0)
            self.cloud.stop_or_dead()
            self.cloud.start()
            self.nothing_is_left()
            print(f"{point}: died {deaths} times", flush=True)

    def test_it_dies_at_any_moment(self):
        dice = random.Random(SEED)
        print(f"seed {SEED}", flush=True)
        timers = []

        def aim():
            process = self.cloud.process
            timers.append(threading.Timer(dice.uniform(0.05, 1.5), lambda: process.send_signal(signal.SIGKILL)))
            timers[-1].start()

        mortal = Mortal(self, on_start=aim)
        aim()
        for _ in range(2):
            self.tell(mortal)
        timers[-1].cancel()
        timers[-1].join()
        if self.cloud.process.poll() is not None:
            self.cloud.start()
        self.assertGreater(mortal.deaths, 0)
        self.nothing_is_left()
        print(f"died {mortal.deaths} times", flush=True)

    # --- what happens while it is away ---

    def test_an_orderly_stop_leaves_machines_running(self):
        self.cloud.stop()
        self.assertEqual(self.cloud.machine_pids_of("witness"), [self.witness[0]])
        self.cloud.start()
        self.cloud.wait_agent("witness")

    def test_ends_while_it_is_away_are_seen_when_it_is_back(self):
        self.cloud.instance("killed")
        self.cloud.instance("off")
        pids = [self.cloud.pid("killed"), self.cloud.pid("off")]
        self.cloud.shell_to_the_end("off", "poweroff")
        self.cloud.kill()
        os.kill(pids[0], signal.SIGKILL)
        wait_for_end(pids[0])
        self.cloud.await_shutdown(self.cloud.uids_by_name["off"])
        self.cloud.start()
        off = self.cloud.wait_phase("instance", "off", "Stopped")
        self.assertEqual(off["status"]["lastEnd"]["reason"], "GuestShutdown")
        again = self.cloud.wait("instance", "killed", lambda one: at(one, "status.restartCount") == 1 and
                                at(one, "status.phase") == "Running" and is_true(one, "Running"), "its restart")
        self.assertEqual(again["status"]["lastEnd"]["reason"], "ProcessDied")

    def test_accepted_writes_outlive_a_kill(self):
        """Clients that write all the time while virgad is killed: what was answered is there."""
        accepted, folder = [], "/api/v1/namespaces/default/configmaps"
        enough = threading.Event()

        def write(number):
            try:
                for count in range(10000):
                    name = f"note-{number}-{count}"
                    self.cloud.ask("POST", folder, {"apiVersion": "v1", "kind": "ConfigMap",
                                                    "metadata": {"name": name}, "data": {"n": str(count)}})
                    accepted.append(name)
                    if len(accepted) >= 100:
                        enough.set()
            except (OSError, http.client.HTTPException):
                pass

        writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for writer in writers:
            writer.start()
        self.assertTrue(enough.wait(PATIENCE_S), "no writes are accepted")
        self.cloud.kill()
        for writer in writers:
            writer.join()
        self.cloud.start()
        there = {one["metadata"]["name"] for one in self.cloud.ask("GET", folder)["items"]}
        self.assertGreaterEqual(len(accepted), 100)
        self.assertEqual(set(accepted) - there, set())
        self.cloud.ask("DELETE", folder)


def wait_for_end(pid):
    """Not our child: its pidfd tells."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(60000):
            raise AssertionError(f"process {pid} does not end")
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
