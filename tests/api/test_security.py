"""Who may come in and what they may do: TLS, certificates, tokens, permissions, impersonation, audit."""
import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import time
import unittest
import warnings

from harness import ApiTest, GROUP, INSTANCES, instance

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


class Identity(ApiTest):
    tls = True
    arguments = ("--token", "secret=carol,developers")

    def over_tls(self, method, path, body=None, who="admin", directory=None, **headers):
        return self.server.ask(method, path, body, connection=self.server.tls_connection(who, directory), **headers)

    def who_am_i(self, **more):
        made = self.expect(self.over_tls("POST", SELF, {}, **more), 201)
        return made["status"]["userInfo"]

    def test_a_certificate_names_user_and_groups(self):
        info = self.who_am_i(who="bob")
        self.assertEqual(info["username"], "bob")
        self.assertEqual(set(info["groups"]), {"developers", "testers", "system:authenticated"})

    def test_a_bearer_token_does_too(self):
        info = self.who_am_i(who=None, Authorization="Bearer secret")
        self.assertEqual((info["username"], info["groups"][0]), ("carol", "developers"))

    def test_the_token_wins_over_the_certificate(self):
        self.assertEqual(self.who_am_i(who="admin", Authorization="Bearer secret")["username"], "carol")

    def test_root_on_the_unix_socket_needs_nothing(self):
        made = self.expect(self.server.post(SELF, {}), 201)
        self.assertEqual(made["status"]["userInfo"]["username"], "root")

    def test_nobody_is_unauthorized(self):
        status = self.expect(self.over_tls("GET", INSTANCES, who=None), 401)
        self.assertEqual((status["reason"], status["message"]), ("Unauthorized", "Unauthorized: give a client certificate or a bearer token"))
        self.expect(self.over_tls("GET", "/apis", who=None), 401)

    def test_a_wrong_token_is_unauthorized_not_anonymous(self):
        self.expect(self.over_tls("GET", "/version", who=None, Authorization="Bearer wrong"), 401, "not valid")
        self.expect(self.over_tls("GET", "/version", who=None, Authorization="Basic YTpi"), 401)
        self.expect(self.server.get("/version", Authorization="Bearer wrong"), 401)

    def test_version_and_health_are_open(self):
        for path in ("/version", "/healthz", "/readyz"):
            self.assertEqual(self.over_tls("GET", path, who=None).status, 200)

    def test_an_expired_certificate_is_refused_with_its_reason(self):
        self.expect(self.over_tls("GET", INSTANCES, who="expired"), 401, "the client certificate has expired")

    def test_a_certificate_of_another_authority_is_refused(self):
        reply = self.over_tls("GET", INSTANCES, directory=self.server.tls + "/foreign")
        self.expect(reply, 401, "not one of this server's")

    def test_a_self_signed_certificate_is_refused(self):
        self.expect(self.over_tls("GET", INSTANCES, who="selfsigned"), 401, "not one of this server's")

    def test_the_servers_own_certificate_is_no_clients(self):
        self.expect(self.over_tls("GET", INSTANCES, who="server"), 401)

    def test_the_certificate_is_checked_on_a_resumed_session_too(self):
        context = self.server.tls_context("bob")
        session = None
        for _ in range(3):
            connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, context=context)
            connection.connect()
            if session is not None:
                connection.sock.close()
                plain = socket.create_connection(("127.0.0.1", self.server.port))
                connection.sock = context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
            reply = self.server.ask("POST", SELF, {}, connection=_Kept(connection))
            self.assertEqual(reply.json["status"]["userInfo"]["username"], "bob")
            session = connection.sock.session
            reused = connection.sock.session_reused
            connection.close()
        self.assertTrue(reused)

    def test_old_protocols_are_refused(self):
        context = self.server.tls_context()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", self.server.port)) as plain:
            with self.assertRaises((ssl.SSLError, OSError)):
                context.wrap_socket(plain, server_hostname="127.0.0.1")

    def test_plain_http_on_the_tls_port_gets_nothing(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as plain:
            plain.settimeout(30)
            try:
                plain.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
                plain.shutdown(socket.SHUT_WR)
                self.assertNotIn(b"HTTP/1.1 200", plain.recv(4096))
            except OSError:
                pass  # cut already

    def test_private_files_are_private(self):
        for name in ("ca.key", "server.key"):
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.server.tls}/{name}").st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.server.socket).st_mode), 0o660)

    def test_the_authority_outlives_a_restart_and_the_socket_is_not_stolen(self):
        with open(self.server.tls + "/ca.crt") as file:
            before = file.read()
        second = subprocess.run([self.server.process.args[0], "--socket", self.server.socket],
                                capture_output=True, text=True, timeout=30)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process listens there", second.stderr)
        self.server.stop()
        self.server.start()
        with open(self.server.tls + "/ca.crt") as file:
            self.assertEqual(file.read(), before)
        self.expect(self.server.get("/version"), 200)

    # --- permissions: the default rule ---

    def test_only_masters_may_touch_objects(self):
        status = self.expect(self.over_tls("POST", INSTANCES, instance("x"), who="bob"), 403)
        self.assertEqual(status["message"], 'instances.virga.dev is forbidden: User "bob" cannot create resource '
                                            '"instances" in API group "virga.dev" in the namespace "default"')
        self.expect(self.over_tls("PATCH", INSTANCES + "/web/status", {}, who="bob"), 403, 'resource "instances/status"')
        self.expect(self.over_tls("GET", GROUP + "/hosts", who="bob"), 403, "at the cluster scope")
        self.expect(self.over_tls("GET", INSTANCES + "/web/console", who="bob"), 403)

    def test_discovery_is_for_all_who_are_known(self):
        for path in ("/api", "/apis", "/apis/virga.dev/v1", "/openapi/v3"):
            self.assertEqual(self.over_tls("GET", path, who="bob").status, 200)

    def test_reviews_tell_what_one_may(self):
        body = {"spec": {"resourceAttributes": {"verb": "create", "group": "virga.dev", "resource": "instances"}}}
        self.assertFalse(self.over_tls("POST", ACCESS, body, who="bob").json["status"]["allowed"])
        self.assertTrue(self.over_tls("POST", ACCESS, body).json["status"]["allowed"])
        path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/apis/virga.dev"}}}
        self.assertTrue(self.over_tls("POST", ACCESS, path, who="bob").json["status"]["allowed"])
        path["spec"]["nonResourceAttributes"]["path"] = "/apisx"
        self.assertFalse(self.over_tls("POST", ACCESS, path, who="bob").json["status"]["allowed"])
        rules = self.over_tls("POST", RULES, {"spec": {"namespace": "default"}}, who="bob").json["status"]
        self.assertEqual([rule["apiGroups"] for rule in rules["resourceRules"]],
                         [["authorization.k8s.io"], ["authentication.k8s.io"]])
        rules = self.over_tls("POST", RULES, {"spec": {"namespace": "default"}}).json["status"]
        self.assertIn(["instances"], [rule["resources"] for rule in rules["resourceRules"]])

    def test_masters_may_ask_about_others(self):
        subject = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        body = {"spec": {"user": "bob", "resourceAttributes": {"verb": "get", "group": "virga.dev", "resource": "hosts"}}}
        self.assertFalse(self.over_tls("POST", subject, body).json["status"]["allowed"])
        body["spec"]["groups"] = ["system:masters"]
        self.assertTrue(self.over_tls("POST", subject, body).json["status"]["allowed"])
        self.expect(self.over_tls("POST", subject, body, who="bob"), 403)
        self.expect(self.over_tls("POST", subject, {"spec": {}}), 422)

    def test_impersonation_needs_permission(self):
        info = self.who_am_i(Impersonate_User="dave", Impersonate_Group="x")
        self.assertEqual((info["username"], info["groups"][0]), ("dave", "x"))
        self.expect(self.over_tls("POST", SELF, {}, who="bob", Impersonate_User="admin"), 403, "cannot impersonate")
        self.expect(self.over_tls("POST", SELF, {}, Impersonate_User="x", Impersonate_Uid="1"), 403)
        self.expect(self.over_tls("GET", "/version", who=None, Impersonate_User="admin"), 401)

    # --- audit ---

    def test_writes_and_refusals_are_audited_without_their_bodies(self):
        secret = {"metadata": {"name": "quiet"}, "stringData": {"a": "hush-hush"}}
        self.over_tls("POST", "/api/v1/namespaces/default/secrets", secret)
        self.over_tls("GET", "/api/v1/namespaces/default/secrets/quiet")
        self.over_tls("GET", "/api/v1/namespaces/default/secrets/quiet", who="bob")
        self.over_tls("DELETE", "/api/v1/namespaces/default/secrets/quiet?dryRun=All")
        entries = [e for e in self.server.audit_entries() if e.get("resource") == "secrets"]
        self.assertEqual([(e["user"], e["verb"], e["code"], e.get("name"), e.get("dryRun")) for e in entries],
                         [("admin", "create", 201, "quiet", None), ("bob", "get", 403, "quiet", None),
                          ("admin", "delete", 200, "quiet", True)])
        self.assertNotIn("hush", json.dumps(entries))
        self.assertTrue(entries[0]["peer"].startswith("127.0.0.1:"))


class Pages(ApiTest):
    """What a page of another server could make a browser send, certificate and all."""

    def test_a_page_of_another_origin_changes_nothing(self):
        before = self.server.get(INSTANCES).json["items"]
        for method, path, body in (("POST", INSTANCES, instance("evil")), ("DELETE", INSTANCES, None),
                                   ("POST", INSTANCES + "/web/exec", None), ("PATCH", INSTANCES + "/web", {})):
            reply = self.server.ask(method, path, body, Origin="https://evil.example")
            self.expect(reply, 403, "another origin")
        self.assertEqual(self.server.get(INSTANCES).json["items"], before)

    def test_a_page_of_ours_may(self):
        reply = self.server.ask("POST", INSTANCES, instance("ours"), Origin="http://localhost")
        self.expect(reply, 201)
        self.expect(self.server.get(INSTANCES, Origin="https://evil.example"), 200)  # it can't read the answer


class Audit(ApiTest):
    tls = True

    def test_who_acts_as_another_is_told(self):
        self.server.ask("POST", INSTANCES, instance("masked"), connection=self.server.tls_connection(),
                        Impersonate_User="dave", Impersonate_Group="system:masters")
        entry = [e for e in self.server.audit_entries() if e.get("name") == "masked"][0]
        self.assertEqual((entry["user"], entry["impersonator"], entry["code"]), ("dave", "admin", 201))

    def test_opening_a_console_is_told(self):
        self.server.post(INSTANCES, instance("seen"))
        self.websocket(INSTANCES + "/seen/console").close()
        entries = [e for e in self.server.audit_entries() if e.get("subresource") == "console"]
        self.assertEqual([(e["user"], e["name"], e["code"]) for e in entries], [("root", "seen", 101)])

    def test_strangers_cannot_drown_the_others(self):
        connection = self.server.tls_connection(None)
        begin = time.monotonic()
        for _ in range(300):
            connection.request("GET", INSTANCES)
            connection.getresponse().read()
        connection.close()
        seconds = time.monotonic() - begin
        self.server.post(INSTANCES, instance("after"))
        entries = self.server.audit_entries()
        strangers = [e for e in entries if e["code"] == 401]
        self.assertLessEqual(len(strangers), 10 * (int(seconds) + 2))
        self.assertEqual(len(strangers) + sum(e.get("unmentionedBefore", 0) for e in entries), 300)


class _Kept:
    """A connection that Server.ask() may use but not close."""

    def __init__(self, connection):
        self.connection = connection

    def __getattr__(self, name):
        return getattr(self.connection, name)

    def close(self):
        pass


if __name__ == "__main__":
    unittest.main()
