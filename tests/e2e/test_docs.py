"""Every command in docs/ works: the blocks marked "sh" of each page are run as they stand, in their
order, with the installed names and addresses. What is optional here (kubectl) says so in its mark."""
import os
import re
import shutil
import subprocess

from cloud import CloudTest, VIRGA, main

DOCS = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs"))
PAGE_S = 300


def blocks(page):
    """The shell text of each block that is run."""
    with open(f"{DOCS}/{page}") as file:
        text = file.read()
    for mark, block in re.findall(r"^```sh *([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        if all(shutil.which(tool) for tool in mark.split()):
            yield block


class Docs(CloudTest):
    settings = ("--listen", "127.0.0.1:7443")   # as the pages have it; virgad has a network of its own

    def run_page(self, page):
        """Runs a page; its end is what tells whether one of its commands failed."""
        script = "".join(blocks(page))
        self.assertIn("virga ", script)
        folder = f"{self.cloud.dir}/{page}"
        os.makedirs(f"{folder}/bin")
        os.symlink(os.path.abspath(VIRGA), f"{folder}/bin/virga")
        made = subprocess.run(
            ["nsenter", f"--net=/run/netns/{self.cloud.netns}", "bash", "-euxo", "pipefail", "-c", script],
            cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PAGE_S,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": folder, "VIRGA_SOCKET": self.cloud.socket,
                 "PATH": f"{folder}/bin:{os.environ['PATH']}"})
        self.assertEqual(made.returncode, 0, f"{page}:\n{made.stdout}\n{self.cloud.log_tail()}")
        return made.stdout

    def test_access(self):
        self.run_page("access.md")

    def test_api(self):
        said = self.run_page("api.md")
        self.assertIn('"kind":"Network"', said)

    def test_autoscaling(self):
        self.assertIn("Schedule always: wants 2 (decides)", self.run_page("autoscaling.md"))

    def test_consoles(self):
        self.run_page("consoles.md")

    def test_forking(self):
        said = self.run_page("forking.md")
        self.assertIn("web stood still for", said)
        self.assertIn("\nlater\n", said)

    def test_groups(self):
        self.run_page("groups.md")

    def test_images(self):
        self.run_page("images.md")

    def test_instances(self):
        self.run_page("instances.md")

    def test_load_balancing(self):
        self.assertIn("web-2", self.run_page("load-balancing.md"))

    def test_networks(self):
        self.assertIn("0% packet loss", self.run_page("networks.md"))

    def test_operations(self):
        self.run_page("operations.md")
        # It has shut the host down; the next virgad goes on.
        self.cloud.stop()
        self.cloud.start()

    def test_scale_to_zero(self):
        said = self.run_page("scale-to-zero.md")
        self.assertEqual(said.count("\nhere I am\n"), 2)
        self.assertIn("out from 0 to 1: somebody connected", said)

    def test_resizing(self):
        self.run_page("resizing.md")

    def test_storage(self):
        self.run_page("storage.md")

    def test_no_page_was_forgotten(self):
        tested = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        pages = {page for page in os.listdir(DOCS) if list(blocks(page))}
        # It builds an image, as quickstart does; tests/images is about that.
        self.assertEqual({page.removesuffix(".md").replace("-", "_") for page in pages} - tested,
                         {"getting_started"})


if __name__ == "__main__":
    main()
