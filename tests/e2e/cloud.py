"""A cloud of one host for end-to-end tests: the real virgad and virga, real guests.

Each Cloud has its own state folder, user ids and host network: virgad runs in a network namespace
that stands for the host's, so that what it leaves behind there is seen and harms nobody. Nothing
here sleeps to be lucky: whatever is waited for is watched, and every wait has an end."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from unix_http import UnixConnection

VIRGAD = os.environ.get("E2E_VIRGAD", "build/src/daemon/virgad")
VIRGA = os.environ.get("E2E_VIRGA", "build/src/cli/virga")
MICRO = os.environ.get("VIRGA_MICRO")

GROUP = "/apis/virga.dev/v1"
CORE = "/api/v1"
PATIENCE_S = 120    # for what takes a guest's work, on a busy machine
SOON_S = 30         # for what virgad does alone
MIB = 1 << 20
UIDS = 65536

PLURALS = {"instance": "instances", "image": "images", "volume": "volumes", "network": "networks",
           "pool": "storagepools", "host": "hosts", "instancegroup": "instancegroups", "autoscaler": "autoscalers",
           "loadbalancer": "loadbalancers", "snapshot": "snapshots"}
NAMES = {"pool": "StoragePool", "instancegroup": "InstanceGroup", "loadbalancer": "LoadBalancer"}
CLUSTER_WIDE = {"image", "pool", "host"}


def path_of(kind, name=None):
    folder = "" if kind in CLUSTER_WIDE else "/namespaces/default"
    return f"{GROUP}{folder}/{PLURALS[kind]}" + (f"/{name}" if name else "")


def manifest(kind, name, spec):
    return {"apiVersion": "virga.dev/v1", "kind": NAMES.get(kind, kind.capitalize()), "metadata": {"name": name},
            "spec": spec}


def at(value, path, default=None):
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def condition(value, type):
    """The condition as an object; {} when there is none."""
    found = [one for one in at(value, "status.conditions", []) if one["type"] == type]
    return found[0] if found else {}


def is_true(value, type):
    return condition(value, type).get("status") == "True"


def run(*command, check=True, timeout=PATIENCE_S, **more):
    made = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, **more)
    if check and made.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {made.returncode}: {made.stdout}")
    return made.stdout


class Deadline:
    def __init__(self, seconds, what):
        self.end = time.monotonic() + seconds
        self.what = what

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise AssertionError(f"waited in vain for {self.what}")
        return left


class Refused(AssertionError):
    """An answer of 400 or above."""

    def __init__(self, method, path, status, body):
        self.status = status
        self.body = body
        try:
            self.message = json.loads(body)["message"]
        except (ValueError, KeyError, TypeError):
            self.message = body.decode(errors="replace")
        super().__init__(f"{method} {path}: {status} {self.message}")


class Cloud:
    settings = ("--usage-interval", "1s")

    def __init__(self, *settings, folder=None):
        self.dir = folder or tempfile.mkdtemp(prefix="virga-e2e-", dir="/tmp")
        os.chmod(self.dir, 0o755)       # machines and dnsmasq pass through as users of their own
        name = os.path.basename(self.dir)
        self.socket = self.dir + "/api.sock"
        self.log = self.dir + "/virgad.log"
        self.state = self.dir + "/state"
        self.run_dir = self.dir + "/run"
        self.memory_dir = f"/dev/shm/{name}"
        self.netns = name
        self.uid_base = 0x60000000 + UIDS * random.randrange(2048)
        self.settings = list(self.settings) + list(settings)
        self.process = None
        self.uids_seen = set()
        self.uids_by_name = {}
        run("ip", "netns", "add", self.netns)
        run("ip", "-n", self.netns, "link", "set", "lo", "up")
        self.start()

    # --- the daemon ---

    def start(self, fault=None):
        """Starts virgad and waits until it serves."""
        self.launch(fault)
        self.wait_serving()

    def wait_serving(self):
        deadline = Deadline(SOON_S, "the API")
        while True:
            deadline.left()
            try:
                self.ask("GET", "/readyz", timeout=SOON_S)
                return
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None:
                    raise AssertionError(f"virgad ended with {self.process.returncode}:\n" + self.log_tail())
                time.sleep(0.02)

    def command(self, *more):
        """virgad as this cloud's, in its host network; the last of several values of a setting holds."""
        return ["nsenter", f"--net=/run/netns/{self.netns}", VIRGAD,
                "--state-dir", self.state, "--run-dir", self.run_dir, "--socket", self.socket,
                "--listen", "none", "--network-prefix", "vg", "--host-name", "host",
                "--uid-base", str(self.uid_base), "--memory-dir", self.memory_dir, *self.settings, *more]

    def launch(self, fault=None):
        environment = dict(os.environ)
        if fault:
            environment["VIRGA_FAULT"] = fault
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """An orderly end; sanitizers report leaks through the exit status."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SOON_S)
        if code != 0:
            raise AssertionError(f"virgad ended with {code}:\n" + self.log_tail())

    def stop_or_dead(self):
        """The same when it may have been killed already."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.process.wait(SOON_S) not in (0, -signal.SIGKILL):
            raise AssertionError(f"virgad ended with {self.process.returncode}:\n" + self.log_tail())

    def log_tail(self, count=40):
        with open(self.log, errors="replace") as log:
            return "".join(log.readlines()[-count:])

    # --- requests ---

    def ask(self, method, path, body=None, type="application/json", timeout=PATIENCE_S):
        connection = UnixConnection(self.socket, timeout)
        try:
            headers = {"Content-Type": type} if body is not None else {}
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(method, path, response.status, content)
        if response.headers.get_content_type() == "application/json":
            return json.loads(content)
        return content

    def get(self, kind, name):
        return self.ask("GET", path_of(kind, name))

    def find(self, kind, name):
        try:
            return self.get(kind, name)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def list(self, kind):
        return self.ask("GET", path_of(kind))["items"]

    def create(self, kind, name, spec):
        made = self.ask("POST", path_of(kind), manifest(kind, name, spec))
        self.uids_seen.add(made["metadata"]["uid"])
        return made

    def patch(self, kind, name, patch):
        return self.ask("PATCH", path_of(kind, name), patch, "application/merge-patch+json")

    def set_spec(self, kind, name, **spec):
        return self.patch(kind, name, {"spec": spec})

    def scale(self, name, count):
        """As kubectl scale does."""
        return self.ask("PATCH", path_of("instancegroup", name) + "/scale", {"spec": {"replicas": count}},
                        "application/merge-patch+json")

    def delete(self, kind, name):
        return self.ask("DELETE", path_of(kind, name))

    def events(self, name):
        """Reasons of the events about the object, oldest first."""
        items = self.ask("GET", CORE + "/namespaces/default/events")["items"]
        mine = [one for one in items if one["involvedObject"]["name"] == name]
        return [one["reason"] for one in sorted(mine, key=lambda one: int(one["metadata"]["resourceVersion"]))]

    # --- waiting ---

    def versions(self, kind, name, deadline):
        """The object as it is, then each later version of it; None when it is absent."""
        listed = self.ask("GET", path_of(kind) + f"?fieldSelector=metadata.name={name}")
        yield listed["items"][0] if listed["items"] else None
        query = urllib.parse.urlencode({"watch": "1", "fieldSelector": f"metadata.name={name}",
                                        "resourceVersion": listed["metadata"]["resourceVersion"]})
        connection = UnixConnection(self.socket, deadline.left())
        try:
            connection.request("GET", f"{path_of(kind)}?{query}")
            response = connection.getresponse()
            while True:
                connection.sock.settimeout(deadline.left())
                line = response.readline()
                if not line:
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield None if event["type"] == "DELETED" else event["object"]
        finally:
            connection.close()

    def wait(self, kind, name, holds, what, seconds=PATIENCE_S):
        """Waits until 'holds' is true of the object (None: absent) and returns that version."""
        deadline = Deadline(seconds, what)
        last = None
        try:
            while True:
                for last in self.versions(kind, name, deadline):
                    if holds(last):
                        return last
        except (TimeoutError, socket.timeout, AssertionError) as error:
            if isinstance(error, Refused):
                raise
            raise AssertionError(f"{kind} {name}: waited {seconds} s in vain for {what}; it is "
                                 f"{json.dumps(at(last, 'status'), indent=1)}\n{self.log_tail()}"
                                 f"{self.told_by_machines(kind, last)}") from None

    def told_by_machines(self, kind, last):
        """The last words of the machine that was waited for, or of all machines."""
        if kind == "instance":
            return self.console_tail(last)
        return "\n".join(f"{one['metadata']['name']}: {json.dumps(at(one, 'status.conditions'))}\n"
                         f"{self.console_tail(one)}" for one in self.list("instance"))

    def console_tail(self, instance):
        path = f"{self.state}/machines/logs/{at(instance, 'metadata.uid')}/serial.log"
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as log:
            return "console: " + log.read()[-2000:]

    def wait_phase(self, kind, name, phase, seconds=PATIENCE_S):
        return self.wait(kind, name, lambda one: at(one, "status.phase") == phase, f"phase {phase}", seconds)

    def wait_gone(self, kind, name, seconds=PATIENCE_S):
        self.wait(kind, name, lambda one: one is None, "its end", seconds)

    def wait_agent(self, name, seconds=PATIENCE_S):
        return self.wait(
            "instance", name,
            lambda one: at(one, "status.phase") == "Running" and is_true(one, "AgentReady"),
            "its agent", seconds)

    # --- people's commands ---

    def virga(self, *arguments, status=0, input=None, timeout=PATIENCE_S):
        """Runs the client; returns what it says on standard output."""
        made = subprocess.run([VIRGA, *arguments], input=input, text=True, capture_output=True, timeout=timeout,
                              env={**os.environ, "VIRGA_SOCKET": self.socket})
        if made.returncode != status:
            raise AssertionError(f"virga {' '.join(arguments)}: exit {made.returncode}, not {status}: "
                                 f"{made.stdout}{made.stderr}\n{self.log_tail()}")
        return made.stdout if status == 0 else made.stdout + made.stderr

    def shell(self, name, script, status=0):
        """Runs a shell script in the guest; returns its output without the last newline."""
        return self.virga("exec", name, "--", "sh", "-c", script, status=status).rstrip("\n")

    def shell_to_the_end(self, name, script):
        """Runs a script that ends its guest, which may come before its answer: how it ends says nothing."""
        subprocess.run([VIRGA, "exec", name, "--", "sh", "-c", script], capture_output=True, timeout=PATIENCE_S,
                       env={**os.environ, "VIRGA_SOCKET": self.socket})

    def shell_until(self, name, script, wanted, seconds=PATIENCE_S):
        """The guest's side of things is asked again and again: nothing tells when it changes."""
        deadline = Deadline(seconds, f"{script} to say {wanted!r} in {name}")
        while True:
            said = self.shell(name, script)
            if said == wanted:
                return
            try:
                deadline.left()
            except AssertionError as error:
                raise AssertionError(f"{error}; it says {said!r}") from None
            time.sleep(0.2)

    # --- what is used again and again ---

    def import_micro(self, name="micro"):
        tar = self.dir + "/micro.tar"
        if not os.path.exists(tar):
            run("tar", "-C", MICRO, "-cf", tar, "image.json",
                *(name for name in os.listdir(MICRO) if name != "image.json"))
        self.virga("image", "import", name, tar)

    def instance(self, name, wait=True, **spec):
        """Creates an instance of the micro image; waits until its agent answers."""
        made = self.create("instance", name, {"image": "micro", "memory": "128Mi", "stopTimeout": "20s", **spec})
        return self.wait_agent(name) if wait else made

    def boot_id(self, name):
        """Changes with every boot of the guest."""
        return self.shell(name, "cat /proc/sys/kernel/random/boot_id")

    def address(self, name, family=4):
        return self.get("instance", name)["status"]["networks"][0][f"ipv{family}Address"]

    def machine_pids(self, uid):
        """Every QEMU process of the machine, however it came to be there."""
        return [pid for pid, line in processes() if b"qemu-system" in line and uid.encode() in line]

    def machine_pids_of(self, name):
        """The same by name, also while virgad is away, of one that pid() was asked for before."""
        return self.machine_pids(self.uids_by_name[name])

    def pid(self, name):
        uid = self.get("instance", name)["metadata"]["uid"]
        self.uids_by_name[name] = uid
        pids = self.machine_pids(uid)
        if len(pids) != 1:
            raise AssertionError(f"{name} has {len(pids)} processes")
        return pids[0]

    def await_shutdown(self, uid):
        """Asks QEMU, and then listens to it, until its guest has shut down; only while virgad is away,
        since it talks to one at a time."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(PATIENCE_S)
            monitor.connect(f"{self.run_dir}/machines/{uid}/monitor")
            lines = monitor.makefile("rw")
            lines.readline()
            for command in ("qmp_capabilities", "query-status"):
                lines.write(json.dumps({"execute": command}) + "\n")
            lines.flush()
            said = {}
            while said.get("event") != "SHUTDOWN" and at(said, "return.status") != "shutdown":
                said = json.loads(lines.readline())

    # --- what is left ---

    def traces(self):
        """Everything of this cloud outside its store: processes, links, mounts, groups, files."""
        found = set()
        known = {self.process.pid} if self.process else set()
        for pid, line in processes():
            if pid not in known and (self.dir.encode() in line or self.owns_uid(pid)):
                found.add(f"process {line.replace(bytes(1), b' ').decode(errors='replace')[:200]}")
        for link in json.loads(run("ip", "-j", "-n", self.netns, "link") or "[]"):
            found.add(f"link {link['ifname']}")
        with open("/proc/self/mounts") as mounts:
            found |= {f"mount {line.split()[1]}" for line in mounts if line.split()[1].startswith(self.dir)}
        found |= {f"group {folder}" for folder in self.groups()}
        for top in (self.state, self.run_dir, self.memory_dir):
            for folder, folders, files in os.walk(top):
                found |= {f"file {folder}/{name}" for name in folders + files}
        return {one for one in found if not is_daemons_own(one[5:], self.state)}

    def owns_uid(self, pid):
        try:
            return self.uid_base <= os.stat(f"/proc/{pid}").st_uid < self.uid_base + UIDS
        except OSError:
            return False

    def groups(self):
        """Control groups of machines this cloud has had, in whatever hierarchy."""
        found = []
        for folder, folders, _ in os.walk("/sys/fs/cgroup"):
            found += [f"{folder}/{name}" for name in folders if name in self.uids_seen]
        return found

    def clear(self, keep=()):
        """Deletes everything but what 'keep' names as (kind, name)."""
        for kind in ("autoscaler", "loadbalancer", "instancegroup", "instance", "volume", "snapshot", "network", "image", "pool"):
            mine = [(kind, one["metadata"]["name"]) for one in self.list(kind)]
            gone = [one for one in mine if one not in keep]
            for one in gone:
                self.let_go(*one)
            for one in gone:
                self.wait_gone(*one)

    def let_go(self, kind, name):
        """Deletes it, unless a controller is faster."""
        try:
            if kind == "instance":
                self.set_spec(kind, name, stopTimeout="0s")
            self.delete(kind, name)
        except Refused as refused:
            if refused.status != 404:
                raise

    def close(self):
        """Ends what still runs, by force if need be, and removes every trace."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid, line in processes():
            if self.dir.encode() in line or self.owns_uid(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        with open("/proc/self/mounts") as mounts:
            points = [line.split()[1] for line in mounts]
        for point in reversed(points):
            if point.startswith(self.dir + "/"):
                run("umount", "-l", point, check=False)
        run("ip", "netns", "del", self.netns, check=False)
        for group in self.groups():
            try:
                os.rmdir(group)
            except OSError:
                pass
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.memory_dir, ignore_errors=True)


def is_daemons_own(path, state):
    """Files that virgad keeps for itself, and may make and remove at any time; of the machines' logs
    only the folder, which comes with the first."""
    if path == f"{state}/machines/logs":
        return True
    return any(path == f"{state}/{own}" or path.startswith(f"{state}/{own}/")
               for own in ("store", "audit", "lock", "network-prefix", "tls", "machines/qemu.json"))


def processes():
    """(pid, command line) of all processes that have one: not of the kernel, not ended."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if line:
                found.append((int(pid), line))
    return found


class CloudTest(unittest.TestCase):
    """One cloud for the tests of a class. After each test everything it made is deleted, and
    nothing of it may be left anywhere."""
    maxDiff = None
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(*cls.settings)
        try:
            cls.prepare()
            cls.kept = [(kind, one["metadata"]["name"]) for kind in
                        ("instance", "network", "image", "pool", "volume") for one in cls.cloud.list(kind)]
            cls.before = cls.cloud.traces()
        except BaseException:
            cls.cloud.close()
            raise

    @classmethod
    def prepare(cls):
        cls.cloud.wait_phase("network", "default", "Ready")
        cls.cloud.wait_phase("pool", "default", "Ready")
        cls.cloud.import_micro()

    def setUp(self):
        self.began = time.monotonic()

    def tearDown(self):
        """Whatever the test did, deleting its objects leaves the host as it was before."""
        broken = self.has_failed()
        if broken:
            print(self.cloud.log_tail(), flush=True)
        if self.cloud.process.poll() is not None:
            self.cloud.start()
        self.cloud.clear(self.kept)
        self.assertEqual(sorted(self.cloud.traces() ^ self.before), [], "left behind, or lost")
        print(f"{self.id()}: {time.monotonic() - self.began:.1f} s", flush=True)

    def has_failed(self):
        outcome = self._outcome
        results = getattr(outcome, "errors", None)
        if results is None:
            return any(test is self for test, _ in outcome.result.errors + outcome.result.failures)
        return any(error for _, error in results)

    @classmethod
    def tearDownClass(cls):
        cloud = cls.cloud
        try:
            cloud.clear()
            cloud.stop()
            left = sorted(one for one in cloud.traces()
                          if one != "link lo" and not one.startswith("file " + cloud.state + "/pools")
                          and one.split(" ", 1)[1] not in empty_folders(cloud))
            with open(cloud.log, errors="replace") as log:
                text = log.read()
            if left or "runtime error:" in text or "Sanitizer" in text:
                raise AssertionError(f"left at the end: {left}\n{text[-8000:]}")
        finally:
            cloud.close()


def empty_folders(cloud):
    """Folders that stand for themselves once everything is deleted."""
    return {f"{cloud.state}/{name}" for name in ("networks", "images", "images/.staging", "images/.work",
                                                 "images/.seeds", "machines", "tls", "pools", "autoscalers")} | \
           {f"{cloud.run_dir}/{name}" for name in ("networks", "machines", "storage", "balancers")}


def main():
    if os.geteuid() != 0 or not MICRO:
        print("needs root, and VIRGA_MICRO: the folder of an unpacked micro image", flush=True)
        raise SystemExit(77)
    unittest.main(verbosity=2)
