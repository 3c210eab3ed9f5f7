"""What a guest says and shows: its log when it runs no more, its screen and its console, and the end of all."""
import base64
import os
import signal
import socket

from cloud import CloudTest, main

STREAMS = "/apis/virga.dev/v1/namespaces/default/instances/web/"
PATIENCE_S = 60
TYPE_AGAIN_S = 3


class WebSocket:
    """A client's end of a stream of the API; what it sends is not masked by anything but zeros."""

    def __init__(self, path, name):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {STREAMS}{name} HTTP/1.1\r\nHost: virga\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                             "\r\n").encode())
        self.said = b""
        self.until(b"\r\n\r\n")

    def until(self, wanted):
        """Reads until 'wanted' was said; the heads of frames lie between."""
        while wanted not in self.said:
            more = self.socket.recv(65536)
            if not more:
                raise AssertionError(f"ended before {wanted}: {self.said[-1000:]}")
            self.said += more
        return self.said

    def type_until(self, text, wanted):
        """A shell that is only starting throws away what was typed before it: typed again then."""
        for _ in range(PATIENCE_S // TYPE_AGAIN_S):
            self.send(text)
            self.socket.settimeout(TYPE_AGAIN_S)
            try:
                return self.until(wanted)
            except TimeoutError:
                continue
        raise AssertionError(f"never said {wanted}: {self.said[-1000:]}")

    def send(self, text):
        self.socket.sendall(bytes((0x82, 0x80 | len(text))) + bytes(4) + text)

    def close(self):
        self.socket.close()


class Consoles(CloudTest):
    def test_the_log_can_be_read_until_the_instance_is_deleted(self):
        self.cloud.instance("web", memory="96Mi", restartPolicy="Never")
        self.cloud.virga("exec", "web", "--", "sh", "-c", "echo said-$((6 * 7)) > /dev/console")
        os.kill(self.cloud.pid("web"), signal.SIGKILL)
        self.cloud.wait_phase("instance", "web", "Failed")
        self.assertIn("said-42", self.cloud.virga("logs", "web"))
        self.cloud.virga("logs", "web", "--qemu")
        self.cloud.virga("stop", "web")
        self.cloud.kill()
        self.cloud.start()
        self.assertIn("said-42", self.cloud.virga("logs", "web"))
        self.cloud.virga("start", "web")
        self.cloud.wait_agent("web")
        self.assertNotIn("said-42", self.cloud.virga("logs", "web"))
        self.cloud.virga("rm", "web")
        self.assertEqual(os.listdir(f"{self.cloud.state}/machines/logs"), [])

    def test_screen_and_console_are_streams_and_a_shutdown_of_the_host_stops_all(self):
        self.cloud.instance("web", memory="96Mi")
        screen = WebSocket(self.cloud.socket, "vnc")
        screen.until(b"RFB 003.008\n")
        screen.close()
        console = WebSocket(self.cloud.socket, "console")
        console.type_until(b"echo typed-$((6 * 7))\n", b"typed-42")
        console.close()
        pid = self.cloud.pid("web")
        self.cloud.virga("host", "shutdown")
        self.assertFalse(os.path.exists(f"/proc/{pid}"))
        self.assertEqual(self.cloud.get("instance", "web")["spec"].get("powerState"), "Running")
        self.cloud.kill()
        self.cloud.start()
        self.cloud.wait_agent("web")


if __name__ == "__main__":
    main()
