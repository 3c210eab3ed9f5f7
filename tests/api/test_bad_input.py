"""Bad input through the real daemon and the real client: exactly one message that names the field and
says what would be right, exit status 1 (usage: 2), and nothing has changed.

virgad runs without guests in namespaces of its own (network, mounts, processes), so that whatever
it makes goes with this test, however that ends."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from unix_http import UnixConnection

VIRGAD = os.environ.get("VIRGAD", "build/src/daemon/virgad")
VIRGA = os.environ.get("VIRGA", "build/src/cli/virga")
PATIENCE_S = 60
GROUP = "/apis/virga.dev/v1"
LISTS = ("/api/v1/namespaces", "/api/v1/secrets", "/api/v1/configmaps",
         GROUP + "/instances", GROUP + "/images", GROUP + "/volumes", GROUP + "/networks",
         GROUP + "/storagepools", GROUP + "/hosts")
HEX = "0123456789abcdef" * 4


def in_own_namespaces():
    """Goes on only inside them, with a scratch folder in SCRATCH that the outer process removes."""
    if "SCRATCH" in os.environ:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid() != 0:
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="virga-bad-", dir="/tmp") as scratch:
        os.chmod(scratch, 0o755)  # dnsmasq passes through as a user of its own
        made = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                               sys.executable] + sys.argv, env={**os.environ, "SCRATCH": scratch})
    sys.exit(made.returncode)


def new_folder():
    folder = tempfile.mkdtemp(dir=os.environ["SCRATCH"])
    os.chmod(folder, 0o755)
    return folder


class Cloud:
    def __init__(self):
        self.dir = new_folder()
        self.state, self.socket = self.dir + "/state", self.dir + "/api.sock"
        self.tls = self.state + "/tls"
        self.arguments = [VIRGAD, "--state-dir", self.state, "--run-dir", self.dir + "/run",
                          "--socket", self.socket, "--listen", "127.0.0.1:0", "--host-name", "host",
                          "--usage-interval", "24h"]
        self.process = subprocess.Popen(self.arguments, stderr=subprocess.PIPE, text=True)
        self.port = None
        while self.port is None:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError("virgad did not start")
            if "serving on" in line:
                self.port = int(line.rsplit(":", 1)[1])

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=PATIENCE_S)[1]
        if self.process.returncode != 0:
            raise RuntimeError(f"virgad ended with {self.process.returncode}: {said}")

    def ask(self, method, path, body=None, type="application/json", connection=None):
        connection = connection or UnixConnection(self.socket, PATIENCE_S)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body=body, headers={"Content-Type": type} if body is not None else {})
        response = connection.getresponse()
        made = response.status, json.loads(response.read() or b"null")
        connection.close()
        return made

    def wait(self, path, name, holds):
        """Until the object 'name' in the list at 'path' is as wanted; None stands for gone."""
        status, made = self.ask("GET", f"{path}?fieldSelector=metadata.name%3D{name}")
        assert status == 200, made
        if holds(made["items"][0] if made["items"] else None):
            return
        version = made["metadata"]["resourceVersion"]
        connection = UnixConnection(self.socket, PATIENCE_S)
        connection.request("GET", f"{path}?watch=1&resourceVersion={version}&fieldSelector=metadata.name%3D{name}")
        response = connection.getresponse()
        while True:
            line = response.readline()
            if not line:
                raise AssertionError(f"{path}/{name} did not become what it should")
            event = json.loads(line)
            if holds(None if event["type"] == "DELETED" else event["object"]):
                break
        connection.close()

    def snapshot(self):
        """All that there is: objects, and files but for the database, the audit log and their likes."""
        objects = {}
        for path in LISTS:
            for item in self.ask("GET", path)[1]["items"]:
                metadata = item["metadata"]
                if item["kind"] in ("Host", "StoragePool"):  # what they measure is no change
                    item.pop("status", None)
                    metadata.pop("resourceVersion")
                    metadata.pop("managedFields", None)
                objects[item["kind"], metadata.get("namespace"), metadata["name"]] = item
        files = []
        for top in (self.state, self.dir + "/run"):
            for folder, folders, names in os.walk(top):
                if folder in (self.state + "/store", self.state + "/audit"):
                    continue
                files += [os.path.join(folder, name) for name in folders + names]
        return objects, sorted(files)

    def raw(self, bytes):
        """Sends bytes as they are and reads to the end of the connection."""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(PATIENCE_S)
            plain.connect(self.socket)
            plain.sendall(bytes)
            plain.shutdown(socket.SHUT_WR)
            answer = b""
            while True:
                try:
                    part = plain.recv(65536)
                except ConnectionResetError:
                    return answer
                if not part:
                    return answer
                answer += part


class BadInput(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud()
        cls.files = cls.cloud.dir + "/files"
        os.mkdir(cls.files)
        # Slow from the beginning: test_a_slow_client looks at them at the end.
        cls.slow = []
        for bytes in (b"", b"GET /ver", b"GET /version HTTP/1.1\r\nHost: h\r\nX"):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(PATIENCE_S)
            plain.connect(cls.cloud.socket)
            plain.sendall(bytes)
            cls.slow.append(plain)
        ready = lambda made: made is not None and made.get("status", {}).get("phase") == "Ready"
        networks = GROUP + "/namespaces/default/networks"
        cls.cloud.wait(networks, "default", ready)
        cls.cloud.wait(GROUP + "/storagepools", "default", ready)
        subprocess.run(["qemu-img", "create", "-q", "-f", "raw", cls.files + "/good.raw", "8M"], check=True)
        cls.virga("image", "import", "good", cls.files + "/good.raw", check=True)
        cls.virga("volume", "create", "data", "--size", "16Mi", check=True)
        cls.cloud.wait(GROUP + "/namespaces/default/volumes", "data", ready)
        # Never started: there are no guests here.
        cls.apply("""
            {kind: Network, metadata: {name: lan}, spec: {ipv4: {subnet: 10.9.0.0/24}}}
            ---
            {kind: Instance, metadata: {name: web}, spec: {image: good, powerState: Stopped, networks: [
                {name: eth0, network: lan, macAddress: "52:54:00:00:00:aa", ipv4Address: 10.9.0.7}]}}
            """, check=True)
        cls.cloud.wait(networks, "lan", ready)
        cls.cloud.wait(GROUP + "/namespaces/default/instances", "web",
                       lambda made: made["status"].get("phase") == "Stopped" if "status" in made else False)

    @classmethod
    def tearDownClass(cls):
        for plain in cls.slow:
            plain.close()
        cls.cloud.close()

    # --- means ---

    @classmethod
    def virga(cls, *arguments, check=False, env=None, input=None):
        environment = {**os.environ, "VIRGA_SOCKET": cls.cloud.socket, **(env or {})}
        return subprocess.run([VIRGA, *arguments], env=environment, text=True, capture_output=True,
                              timeout=PATIENCE_S, check=check, input=input)

    @classmethod
    def apply(cls, manifest, check=False):
        """Documents as they are, but with our apiVersion where they name none."""
        documents = [text.strip() for text in manifest.split("\n" + " " * 12 + "---\n")]
        whole = [text if "apiVersion" in text else text.replace("{", "{apiVersion: virga.dev/v1, ", 1)
                 for text in documents]
        with open(cls.files + "/m.yaml", "w") as file:
            file.write("\n---\n".join(whole) + "\n")
        return cls.virga("apply", "-f", cls.files + "/m.yaml", check=check)

    def check_refusal(self, made, says, status=1):
        """One line "virga: ..." that says all of 'says'; hints are indented, progress is no message."""
        self.assertEqual(made.returncode, status, made)
        messages = [line for line in made.stderr.splitlines() if line.startswith("virga: ")]
        self.assertEqual(len(messages), 1, made.stderr)
        for part in says:
            self.assertIn(part, messages[0])
        self.assertNotIn("ERROR: AddressSanitizer", made.stderr)
        return messages[0]

    def refused(self, act, *says, status=1):
        before = self.cloud.snapshot()
        message = self.check_refusal(act(), says, status)
        self.assertEqual(self.cloud.snapshot(), before)
        return message

    def refused_command(self, arguments, *says, status=1):
        return self.refused(lambda: self.virga(*arguments), *says, status=status)

    def refused_manifest(self, manifest, *says):
        return self.refused(lambda: self.apply(manifest), "m.yaml: ", *says)

    def instance(self, spec):
        return "{kind: Instance, metadata: {name: x}, spec: {image: good, powerState: Stopped, " + spec + "}}"

    # --- what does not exist ---

    def test_unknown_kinds(self):
        self.refused_manifest("{kind: Bogus, metadata: {name: x}}", "there is no kind Bogus of virga.dev/v1")
        self.refused_manifest("{apiVersion: virga.dev/v9, kind: Instance, metadata: {name: x}}",
                              "there is no kind Instance of virga.dev/v9")
        self.refused_manifest("{metadata: {name: x}}", "apiVersion and kind are required")
        self.refused_command(["get", "bogus"], 'there is no kind "bogus"', status=2)
        self.assertEqual(self.cloud.ask("GET", GROUP + "/bogus")[0], 404)

    def test_unknown_fields(self):
        self.refused_manifest(self.instance("memry: 1Gi"), 'unknown field "spec.memry"')
        self.refused_manifest(self.instance("networks: [{name: a, network: lan, mac: x}]"),
                              'unknown field "spec.networks[0].mac"')
        self.refused_manifest("{kind: Instance, metadata: {name: x, nam: y}, spec: {image: good}}",
                              'unknown field "metadata.nam"')

    def test_unknown_image_pool_network_and_volume(self):
        self.refused_command(["run", "nope", "--name", "x", "--no-wait"], "spec.image: Not found",
                             'there is no image "nope"')
        self.refused_manifest(self.instance("rootDisk: {pool: nope}"), "spec.rootDisk.pool: Not found",
                              'there is no storagepool "nope"')
        self.refused_manifest(self.instance("networks: [{name: a, network: nope}]"),
                              "spec.networks[0].network: Not found", 'there is no network "nope"')
        self.refused_manifest(self.instance("disks: [{name: a, volume: nope}]"), "spec.disks[0].volume: Not found",
                              'there is no volume "nope"')
        self.refused_manifest("{kind: Volume, metadata: {name: x}, spec: {size: 1Mi, pool: nope}}",
                              "spec.pool: Not found")
        self.refused_command(["get", "instance", "nope"], '"nope" not found')
        self.refused_command(["rm", "nope"], '"nope" not found')
        self.refused_manifest("{kind: Network, metadata: {name: x, namespace: nowhere}, "
                              "spec: {ipv4: {subnet: 10.8.0.0/24}}}", 'namespaces "nowhere" not found')

    # --- names and sizes ---

    def test_names_that_are_no_labels(self):
        for name in ("A", "a.b", "a_b", "-a", "a" * 64, "a b"):
            with self.subTest(name):
                self.refused_command(["run", "good", "--name", name, "--no-wait"], "metadata.name",
                                     "must be an RFC 1123 label")

    def test_names_that_say_nothing(self):
        """A variable of a shell script that is not set, most likely: none of them is all."""
        for arguments in (["rm", ""], ["rm", ".."], ["delete", "instance", ""], ["delete", "volume", ".."], ["stop", ""],
                          ["delete", "volume/.."], ["image", "rm", ""], ["network", "rm", "."], ["exec", "", "--", "ls"],
                          ["get", "instance", ""], ["-n", "", "delete", "instance", "web"]):
            with self.subTest(arguments):
                self.refused_command(arguments, 'a name must not be empty, "." or ".."')

    def test_memory_and_processors(self):
        for memory, rule in (("0", "must be from 16Mi"), ("-1", "must be from 16Mi"), ("12Q", "is not a quantity"),
                             ("900Ti", "must be from 16Mi to 16Ti"), ("15Ti", "is more than the host has"),
                             ("", "is not a quantity"), ("1 Gi", "is not a quantity")):
            with self.subTest(memory):
                self.refused_command(["run", "good", "--name", "x", "--memory", memory, "--no-wait"],
                                     f'spec.memory: Invalid value: "{memory}"', rule)
        self.refused_manifest(self.instance("cpus: 0"), "spec.cpus: Invalid value: 0: must be from 1 to 255")
        self.refused_manifest(self.instance("cpus: 255"), "spec.cpus", "is more than the host has")
        self.refused_command(["run", "good", "--cpus", "two"], "--cpus two: must be a number from 1", status=2)

    def test_growing_memory_beyond_the_host(self):
        self.refused_manifest("{kind: Instance, metadata: {name: web}, spec: {image: good, memory: 15Ti}}",
                              "spec.memory", "is more than the host has")
        self.refused_manifest("{kind: Instance, metadata: {name: web}, spec: {image: other}}",
                              'spec.image: Invalid value: "other": field is immutable')

    def test_disks_that_would_shrink(self):
        self.refused_manifest("{kind: Volume, metadata: {name: data}, spec: {size: 1Mi}}",
                              'spec.size: Invalid value: "1Mi": may grow but not shrink (now "16Mi")')
        self.refused_command(["run", "good", "--name", "x", "--disk", "1Mi", "--no-wait"], "spec.rootDisk.size",
                             "must be at least the image's size, 8Mi")

    # --- addresses ---

    def test_duplicate_addresses(self):
        card = "networks: [{name: a, network: lan, %s}]"
        self.refused_manifest(self.instance(card % 'macAddress: "52:54:00:00:00:AA"'),
                              "spec.networks[0].macAddress", 'is taken by instance "web"')
        self.refused_manifest(self.instance(card % "ipv4Address: 10.9.0.7"), "spec.networks[0].ipv4Address",
                              'is taken by instance "web"')
        self.refused_manifest(self.instance("networks: [{name: a, network: lan, ipv4Address: 10.9.0.8}, "
                                            "{name: b, network: lan, ipv4Address: 10.9.0.8}]"),
                              'spec.networks[1].ipv4Address: Duplicate value: "10.9.0.8"')

    def test_addresses_outside_their_subnet(self):
        for address in ("10.8.0.7", "10.9.0.0", "10.9.0.255", "10.9.0.1"):
            with self.subTest(address):
                self.refused_manifest(self.instance("networks: [{name: a, network: lan, ipv4Address: %s}]" % address),
                                      f'spec.networks[0].ipv4Address: Invalid value: "{address}"',
                                      "must be an address of 10.9.0.0/24")
        self.refused_manifest(self.instance('networks: [{name: a, network: lan, ipv6Address: "fd00::7"}]'),
                              "spec.networks[0].ipv6Address")

    def test_subnets(self):
        network = "{kind: Network, metadata: {name: x}, spec: {ipv4: {subnet: %s}}}"
        for subnet in ("10.9.0.0/24", "10.9.0.128/25", "10.8.0.0/15"):
            with self.subTest(subnet):
                self.refused_manifest(network % subnet, "spec.ipv4.subnet", 'overlaps 10.9.0.0/24 of network "lan"')
        self.refused_manifest(network % "10.8.0.1/24", "spec.ipv4.subnet", "the prefix is 10.8.0.0/24")
        self.refused_manifest(network % "10.8.0.0", "spec.ipv4.subnet", "such as 10.0.0.0/24")
        self.refused_manifest(network % "127.0.0.0/8", "spec.ipv4.subnet", "use for example 10.20.0.0/24")
        self.refused_manifest("{kind: Network, metadata: {name: x}, spec: {}}", "spec.ipv4.subnet: Required value")

    # --- what is in use ---

    def test_deleting_what_is_in_use(self):
        self.refused_command(["image", "rm", "good"],
                             'image "good" is in use by instance "web"; delete that first')
        self.refused_command(["network", "rm", "lan"],
                             'network "lan" is in use by instance "web"; delete that first')

    def test_making_what_exists(self):
        self.refused_command(["run", "good", "--name", "web", "--no-wait"], '"web" already exists')
        self.refused_command(["image", "import", "good", self.files + "/good.raw"], '"good" already exists')

    def test_going_on_with_an_upload_that_is_over(self):
        self.virga("image", "import", "whole", self.files + "/good.raw", check=True)
        self.refused_command(["image", "import", "--resume", "whole", self.files + "/good.raw"],
                             "image whole has its content already")
        self.virga("image", "rm", "whole", check=True)

    def test_two_uploads_of_one_image_at_once(self):
        images = GROUP + "/images"
        content = images + "/twice/content"
        made = self.cloud.ask("POST", images, {"apiVersion": "virga.dev/v1", "kind": "Image",
                                               "metadata": {"name": "twice"}, "spec": {"source": {"upload": True}}})
        self.assertEqual(made[0], 201, made)
        with open(self.files + "/good.raw", "rb") as file:
            whole = file.read()
        first = UnixConnection(self.cloud.socket, PATIENCE_S)
        first.putrequest("PUT", f"{content}?offset=0&size={len(whole)}")
        first.putheader("Content-Length", str(len(whole)))
        first.endheaders(whole[:1024 * 1024])
        while self.cloud.ask("GET", content)[1]["bytes"] == 0:
            pass
        status, said = self.cloud.ask("PUT", f"{content}?offset=0&size=4", b"else", "application/octet-stream")
        self.assertEqual((status, said["message"]), (409, "image twice is being uploaded already"))
        first.send(whole[1024 * 1024:])
        self.assertEqual(json.loads(first.getresponse().read()), {"bytes": len(whole)})
        first.close()
        self.virga("image", "rm", "twice", check=True)

    # --- images ---

    def refused_image(self, bytes, *says, options=()):
        path = self.files + "/bad"
        with open(path, "wb") as file:
            file.write(bytes)

        def act():
            made = self.virga("image", "import", "bad", path, *options)
            self.cloud.wait(GROUP + "/images", "bad", lambda object: object is None)
            return made
        return self.refused(act, *says)

    def made_image(self, format, *more):
        path = f"{self.files}/image.{format}"
        subprocess.run(["qemu-img", "create", "-q", "-f", format, *more, path, "10M"], check=True, cwd=self.files)
        subprocess.run(["qemu-io", "-f", format, "-c", "write -P 7 0 4M", path], check=True, stdout=subprocess.DEVNULL)
        with open(path, "rb") as file:
            return file.read()

    def test_hostile_images(self):
        path = self.files + "/back.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", path], check=True)
        with open(path, "rb") as file:
            self.refused_image(file.read(), 'has the backing file "/etc/passwd"', "an image must stand alone")
        whole = self.made_image("qcow2", "-o", f"data_file={self.files}/outside.raw")
        self.refused_image(whole, "keeps its data in another file")
        self.refused_image(b'# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n'
                           b'createType="monolithicFlat"\nRW 2048 FLAT "/etc/shadow" 0\n', "other files")

    def test_images_whose_header_lies_about_the_size(self):
        whole = bytearray(self.made_image("qcow2"))
        for size in (1 << 62, 1 << 45, (1 << 64) - 1):
            whole[24:32] = size.to_bytes(8, "big")
            self.refused_image(whole, "qcow2 image: ")

    def test_truncated_images(self):
        for format in ("qcow2", "vmdk", "vdi", "vhdx"):
            whole = self.made_image(format)
            for size in (50, len(whole) // 2):
                with self.subTest(f"{format} {size}"):
                    self.refused_image(whole[:size], "truncated")

    def test_what_is_no_image(self):
        self.refused_image(b"", "the file is empty")
        self.refused_image(b"<!DOCTYPE html><html>404</html>", "not a disk image: a web page")
        self.refused_image(b"PK\3\4" + bytes(1000), "not supported: a ZIP archive")
        self.refused_image(b"\x93" * 1001, "not a disk image, or truncated")

    def test_wrong_checksums(self):
        good = self.made_image("qcow2")
        self.refused_image(good, "checksum is ", f"expected {HEX}", options=("--checksum", "sha256:" + HEX))
        self.refused_command(["image", "import", "bad", self.files + "/good.raw", "--checksum", "md5:00"],
                             "spec.source.checksum", 'must be "sha256:" and 64 hexadecimal digits')

    def test_sources_that_are_none(self):
        self.refused_command(["image", "import", "bad", "/nope"], "/nope: No such file or directory")
        self.refused_command(["image", "import", "bad", "/etc"], "/etc: is a folder")
        self.refused_command(["image", "build", "../../etc"], 'there is no recipe "../../etc"')
        self.refused_manifest("{kind: Image, metadata: {name: x}, spec: {source: {url: 'file:///etc/shadow'}}}",
                              "spec.source.url", "must be an http:// or https:// address")
        self.refused_manifest("{kind: Image, metadata: {name: x}, spec: {source: {}}}",
                              "spec.source", "exactly one of url and upload: true")

    # --- manifests ---

    def test_a_manifest_whose_third_document_is_wrong(self):
        # The second refers to the first, which is not there yet: no reason to refuse it.
        good = """{kind: Network, metadata: {name: new}, spec: {ipv4: {subnet: 10.7.0.0/24}}}
            ---
            {kind: Instance, metadata: {name: new}, spec: {image: good, networks: [{name: a, network: new}]}}
            ---
            """
        self.refused_manifest(good + "{kind: Volume, metadata: {name: new}, spec: {size: 12Q}}",
                              "document 3: volume new: ", "spec.size")
        self.refused_manifest(good + "{kind: Volume, metadata: {name: new}, spec: {sise: 1Gi}}",
                              "document 3: ", 'unknown field "spec.sise"')
        self.refused_manifest(good + "{kind: Bogus, metadata: {name: new}}", "document 3: ", "there is no kind Bogus")
        self.refused_manifest(good + "{kind: Volume, metadata: {name: new}, spec: {size: 1Gi}",
                              "document 3: line 6: ")
        self.refused_manifest(good + "{kind: Volume, spec: {size: 1Gi}}", "document 3: ", "metadata.name is required")
        self.refused_manifest(good + "{kind: Instance, metadata: {name: other}, spec: {image: nope}}",
                              "document 3: ", 'there is no image "nope"')

    def test_malformed_manifests(self):
        for text, says in (("a: [1\n", "document 1: line 2: "), ("a: &x 1\nb: *x\n", "anchors are not taken"),
                           ("a: 1\na: 2\n", 'duplicate key "a"'), ('{"a":1', "document 1: line "),
                           ("\t- x\n", "line 1"), ("just text\n", "apiVersion and kind are required"),
                           ("# nothing\n", "there is no object in it"), ("", "there is no object in it"),
                           ("[" * 5000, "nested too deep"), ("a: !!python/object:os.system x\n", "tags")):
            with self.subTest(text[:30]):
                path = self.files + "/raw.yaml"
                with open(path, "w") as file:
                    file.write(text)
                self.refused_command(["apply", "-f", path], "raw.yaml: ", says)
        with open(path, "wb") as file:
            file.write(b"a: \xff\n")
        self.refused_command(["apply", "-f", path], "raw.yaml: ")
        self.refused_command(["apply", "-f", "/nope.yaml"], "/nope.yaml: No such file or directory")
        self.refused_command(["apply"], "-f FILE is missing", status=2)

    # --- usage ---

    def test_usage(self):
        for arguments, says in ((["run"], "IMAGE"), (["run", "good", "--bogus"], "--bogus"),
                                (["image", "import", "x"], "missing"), (["run", "a", "b"], '"b"'),
                                (["bogus"], "bogus"), (["explain", "bogus"], "bogus"),
                                (["describe", "instance"], "say KIND/NAME"), (["edit", "instance"], "say KIND/NAME"),
                                (["describe", "instance/"], "say KIND/NAME"), (["why", "instance/x", "y"], "say KIND/NAME"),
                                (["explain", "instance.spec.bogus"], "spec.bogus"),
                                (["volume", "create", "\udcff", "--size", "1Gi"], "the name is no UTF-8 text"),
                                (["network", "create", "\udcff"], "the name is no UTF-8 text"),
                                (["image", "import", "\udcff", "http://x/y"], "the name is no UTF-8 text"),
                                (["run", "good", "--name", "\udcff"], "the name is no UTF-8 text"),
                                (["metric", "push", "web", "\udcff=1"], "no UTF-8 text"),
                                (["metric", "push", "web", "jobs=1", "--member", "\udcff"], "no UTF-8 text")):
            with self.subTest(arguments):
                self.refused_command(arguments, says, status=2)

    # --- the wire ---

    def refused_request(self, expected, method, path, body, says, type="application/json"):
        before = self.cloud.snapshot()
        status, made = self.cloud.ask(method, path, body, type)
        self.assertEqual((status, made["kind"], made["status"]), (expected, "Status", "Failure"), made)
        self.assertIn(says, made["message"])
        self.assertEqual(self.cloud.snapshot(), before)

    def test_malformed_json(self):
        path = GROUP + "/namespaces/default/instances"
        for body, says in (("{", "line 1, column 1"), ('{"a":1,"a":2}', "duplicate"), ("null", "must be an object"),
                           (b'{"a":"\xff"}', "UTF-8"), ("[" * 100000, "nested deeper than 64 levels")):
            self.refused_request(400, "POST", path, body, says)
        self.refused_request(415, "POST", path, "a: b", "application/yaml", type="application/yaml")

    def test_malformed_http(self):
        before = self.cloud.snapshot()
        for bytes in (b"GET\r\n\r\n", b"hello\r\n\r\n", b"GET /version HTTP/1.1\r\nHost h\r\n\r\n",
                      b"POST /api HTTP/1.1\r\nHost: h\r\nContent-Length: -4\r\n\r\n", os.urandom(4096)):
            self.assertNotIn(b" 200 ", self.cloud.raw(bytes).split(b"\r\n")[0])
        self.assertEqual(self.cloud.snapshot(), before)

    def test_an_oversized_body(self):
        big = {"metadata": {"name": "big"}, "data": {"k": "x" * 4 * 1024 * 1024}}
        self.refused_request(413, "POST", "/api/v1/namespaces/default/configmaps", big, "at most 3145728 bytes")

    def test_zz_a_slow_client_keeps_nobody_waiting_and_is_cut(self):
        self.assertEqual(self.cloud.ask("GET", "/version")[0], 200)
        for plain in self.slow:
            answer = plain.recv(4096)  # at the latest after ten seconds
            self.assertIn(answer[:12], (b"", b"HTTP/1.1 408"))

    # --- certificates ---

    def certificate(self, name, ca, start=None, end=None):
        """A key and a certificate for system:masters in files/NAME.*, by authority 'ca'."""
        base = f"{self.files}/{name}"
        openssl = lambda *more: subprocess.run(["openssl", *more], check=True, capture_output=True, cwd=self.files)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                base + ".key", "-out", base + ".csr", "-subj", "/O=system:masters/CN=" + name)
        with open(self.files + "/ca.conf", "w") as file:
            file.write("[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
                       "policy=any\nunique_subject=no\nx509_extensions=client\n[any]\norganizationName=optional\n"
                       "commonName=optional\n[client]\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n")
        open(self.files + "/index", "w").close()
        with open(self.files + "/serial", "w") as file:
            file.write("0%d\n" % (1 + len(name)))
        dates = ["-startdate", start, "-enddate", end] if start else ["-days", "2"]
        openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", ca + ".crt", "-keyfile", ca + ".key",
                "-in", base + ".csr", "-out", base + ".crt", *dates)
        return base

    def over_tls(self, client, ca=None, *arguments):
        env = {"VIRGA_SERVER": f"https://127.0.0.1:{self.cloud.port}", "VIRGA_CA": ca or self.cloud.tls + "/ca.crt"}
        if client:
            env.update(VIRGA_CERT=client + ".crt", VIRGA_KEY=client + ".key")
        return self.virga(*(arguments or ("ls",)), env=env)

    def foreign_authority(self):
        base = self.files + "/foreign"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", base + ".key", "-out", base + ".crt", "-subj", "/CN=virga", "-days", "2"],
                       check=True, capture_output=True)
        return base

    def test_certificates(self):
        ours, foreign = self.cloud.tls + "/ca", self.foreign_authority()
        good = self.certificate("good", ours)
        self.assertEqual(self.over_tls(good).returncode, 0)
        expired = self.certificate("expired", ours, "20200101000000Z", "20200201000000Z")
        early = self.certificate("early", ours, "20900101000000Z", "20910101000000Z")
        stranger = self.certificate("stranger", foreign)
        for client, says in ((expired, "the client certificate has expired"),
                             (early, "the client certificate is not valid yet"),
                             (stranger, "not one of this server's"),
                             (None, "Unauthorized")):
            with self.subTest(says):
                self.refused(lambda: self.over_tls(client), says)
        self.refused(lambda: self.over_tls(good, foreign + ".crt"), "the server's certificate")

    def test_tokens(self):
        env = {"VIRGA_SERVER": f"https://127.0.0.1:{self.cloud.port}", "VIRGA_CA": self.cloud.tls + "/ca.crt",
               "VIRGA_TOKEN": "no-such-token"}
        self.refused(lambda: self.virga("ls", env=env), "not valid")
        # Nothing is sent in the clear.
        env["VIRGA_SERVER"] = f"http://127.0.0.1:{self.cloud.port}"
        self.refused(lambda: self.virga("ls", env=env), "must be https://HOST:PORT")
        self.assertEqual(self.virga("ls", env={"VIRGA_SERVER": "", "VIRGA_NAMESPACE": ""}).returncode, 0)

    def test_a_server_that_is_not_there(self):
        self.refused(lambda: self.virga("ls", env={"VIRGA_SOCKET": "/nope.sock"}), "cannot reach the server at /nope.sock")


class Daemon(unittest.TestCase):
    def virgad(self, *arguments):
        return subprocess.run([VIRGAD, *arguments], text=True, capture_output=True, timeout=PATIENCE_S)

    def test_wrong_settings_end_it_with_one_line_and_status_2(self):
        for arguments, says in ((["--bogus", "1"], 'unknown setting "bogus"'), (["--memory", "12Q"], "memory"),
                                (["bogus"], 'unexpected argument "bogus"'), (["--listen"], "--listen needs a value"),
                                (["--config", "/nope.conf"], "/nope.conf"), (["--state-dir", "x"], "absolute path")):
            with self.subTest(arguments):
                made = self.virgad(*arguments)
                self.assertEqual(made.returncode, 2, made)
                self.assertEqual(len(made.stderr.splitlines()), 1, made)
                self.assertIn(says, made.stderr)

    def test_a_signal_at_any_moment_of_the_start_ends_it_in_order(self):
        for _ in range(3):
            folder = new_folder()
            process = subprocess.Popen([VIRGAD, "--state-dir", folder + "/state", "--run-dir", folder + "/run",
                                        "--socket", folder + "/s", "--listen", "none"],
                                       stderr=subprocess.PIPE, text=True)
            while not os.path.exists(folder + "/state/lock") and process.poll() is None:
                pass  # its first trace
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=PATIENCE_S)[1]
            self.assertEqual(process.returncode, 0, said)
            self.assertIn("signal 15: stopping", said)


if __name__ == "__main__":
    in_own_namespaces()
    unittest.main()
