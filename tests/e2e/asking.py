"""A client that asks a service again and again, so that no failure of it stays unseen: Asking for tests; as a
program, "asking.py PORT PATH", what runs beside the cloud."""
import http.client
import json
import select
import subprocess
import sys

PACE_S = 0.01


class Asking:
    """From inside the cloud's own network namespace, until stop()."""

    def __init__(self, cloud, port, path="/"):
        self.process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{cloud.netns}", sys.executable, "-B", __file__, str(port), path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answered_by(self):
        """The next answer that was none so far."""
        return self.process.stdout.readline().strip()

    def stop(self):
        """How many answers were good, and what came instead of the others."""
        said, _ = self.process.communicate("", timeout=60)
        how = json.loads(said.splitlines()[-1])
        return how["good"], how["bad"]


def ask(port, path):
    """The text of a good answer; an exception says what came instead."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode().strip()
    finally:
        connection.close()
    if answer.status != 200:
        raise OSError(answer.status)
    return text


def main(port, path):
    good, bad, seen = 0, [], set()
    while not select.select([sys.stdin], [], [], PACE_S)[0]:
        try:
            text = ask(port, path)
        except (OSError, http.client.HTTPException) as error:
            bad.append(repr(error))
            continue
        good += 1
        if text not in seen:
            seen.add(text)
            print(text, flush=True)
    print(json.dumps({"good": good, "bad": bad}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
