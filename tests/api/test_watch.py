"""Watches: events, resuming, bookmarks, expiry, selectors, tables, WebSockets."""
import json
import unittest

from harness import ApiTest, CONFIG_MAPS, INSTANCES, config_map, instance

WATCH = CONFIG_MAPS + "?watch=true&timeoutSeconds=60"


class Events(ApiTest):
    def setUp(self):
        self.space = self.id().rsplit(".", 1)[1].replace("_", "-")[:50].strip("-")
        self.expect(self.server.post("/api/v1/namespaces", {"metadata": {"name": self.space}}), 201)
        self.maps = f"/api/v1/namespaces/{self.space}/configmaps"
        self.watch_path = self.maps + "?watch=true&timeoutSeconds=60"

    def make(self, name, data=None, **metadata):
        return self.expect(self.server.post(self.maps, config_map(name, data, **metadata)), 201)

    def test_without_a_version_what_is_there_comes_first(self):
        self.make("a")
        self.make("b")
        with self.server.watch(self.watch_path) as watch:
            self.assertEqual(watch.names(2), ["ADDED a", "ADDED b"])
            self.make("c")
            self.assertEqual(watch.names(1), ["ADDED c"])

    def test_changes_and_deletions_are_told(self):
        made = self.make("a")
        with self.server.watch(f"{self.watch_path}&resourceVersion={made['metadata']['resourceVersion']}") as watch:
            self.server.patch(self.maps + "/a", {"data": {"k": "v"}})
            changed = watch.next()
            self.assertEqual((changed["type"], changed["object"]["data"]), ("MODIFIED", {"k": "v"}))
            self.server.delete(self.maps + "/a")
            deleted = watch.next()
            self.assertEqual(deleted["type"], "DELETED")
            self.assertGreater(int(deleted["object"]["metadata"]["resourceVersion"]),
                               int(changed["object"]["metadata"]["resourceVersion"]))

    def test_it_resumes_behind_a_version(self):
        first = self.make("a")["metadata"]["resourceVersion"]
        self.make("b")
        self.server.delete(self.maps + "/a")
        with self.server.watch(f"{self.watch_path}&resourceVersion={first}") as watch:
            self.assertEqual(watch.names(2), ["ADDED b", "DELETED a"])

    def test_objects_that_begin_or_cease_to_match_appear_and_go(self):
        self.make("a", labels={"x": "1"})
        self.make("b")
        with self.server.watch(self.watch_path + "&labelSelector=x%3D1") as watch:
            self.assertEqual(watch.names(1), ["ADDED a"])
            self.server.patch(self.maps + "/b", {"metadata": {"labels": {"x": "1"}}})
            self.server.patch(self.maps + "/b", {"data": {"k": "v"}})
            self.server.patch(self.maps + "/a", {"metadata": {"labels": {"x": "2"}}})
            self.server.delete(self.maps + "/a")
            self.server.delete(self.maps + "/b")
            self.assertEqual(watch.names(4), ["ADDED b", "MODIFIED b", "DELETED a", "DELETED b"])

    def test_one_name_can_be_watched(self):
        self.make("web")
        self.make("web-2")
        for path in (self.watch_path + "&fieldSelector=metadata.name%3Dweb",
                     self.maps + "/web?watch=1&timeoutSeconds=60"):
            with self.server.watch(path) as watch:
                self.assertEqual(watch.names(1), ["ADDED web"])
                self.server.patch(self.maps + "/web-2", {"data": {"p": path[-5:]}})
                self.server.patch(self.maps + "/web", {"data": {"p": path[-5:]}})
                self.assertEqual(watch.names(1), ["MODIFIED web"])

    def test_events_of_other_namespaces_stay_out(self):
        with self.server.watch(self.watch_path) as watch:
            self.server.post(CONFIG_MAPS, config_map(self.space))
            self.make("mine")
            self.assertEqual(watch.names(1), ["ADDED mine"])

    def test_it_ends_cleanly_after_its_time(self):
        with self.server.watch(self.maps + "?watch=true&timeoutSeconds=1&allowWatchBookmarks=true") as watch:
            self.assertEqual(watch.next()["type"], "BOOKMARK")
            self.assertIsNone(watch.next())

    def test_initial_events_end_with_a_marked_bookmark(self):
        self.make("a")
        query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        with self.server.watch(self.watch_path + query) as watch:
            self.assertEqual(watch.names(1), ["ADDED a"])
            bookmark = watch.next()
            self.assertEqual(bookmark["type"], "BOOKMARK")
            self.assertEqual(bookmark["object"]["kind"], "ConfigMap")
            self.assertEqual(bookmark["object"]["metadata"]["annotations"], {"k8s.io/initial-events-end": "true"})
            self.make("b")
            self.assertEqual(watch.names(1), ["ADDED b"])

    def test_options_that_do_not_fit_are_invalid(self):
        for query in ("&sendInitialEvents=true", "&resourceVersionMatch=NotOlderThan",
                      "&sendInitialEvents=true&resourceVersionMatch=Exact"):
            self.expect(self.server.get(self.watch_path + query), 422)
        self.expect(self.server.get(self.watch_path + "&resourceVersion=999999"), 504)
        self.expect(self.server.get(self.watch_path + "&fieldSelector=bogus%3D1"), 400)

    def test_tables_come_row_by_row(self):
        self.make("a")
        with self.server.watch(self.watch_path, Accept="application/json;as=Table;v=v1;g=meta.k8s.io") as watch:
            first = watch.next()["object"]
            self.assertEqual((first["kind"], first["rows"][0]["cells"][0]), ("Table", "a"))
            self.assertTrue(first["columnDefinitions"])
            self.make("b")
            second = watch.next()["object"]
            self.assertEqual(second["rows"][0]["object"]["metadata"]["name"], "b")

    def test_metadata_alone_can_be_watched(self):
        self.make("a", {"k": "v"})
        accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
        with self.server.watch(self.watch_path, Accept=accept) as watch:
            made = watch.next()["object"]
            self.assertEqual(made["kind"], "PartialObjectMetadata")
            self.assertNotIn("data", made)

    def test_a_slow_reader_loses_nothing(self):
        """Far more than the queue and all socket buffers hold, read only afterwards."""
        filler = "x" * 20000
        with self.server.watch(self.watch_path) as watch:
            connection = self.server.connection()
            for i in range(1000):
                connection.request("POST", self.maps, json.dumps(config_map(f"m{i}", {"f": filler})))
                reply = connection.getresponse()
                reply.read()
                self.assertEqual(reply.status, 201)
            connection.close()
            self.assertEqual(watch.names(1000), [f"ADDED m{i}" for i in range(1000)])

    def test_a_websocket_carries_an_event_per_text_frame(self):
        self.make("a")
        socket = self.websocket(self.watch_path, protocol="base64.binary.k8s.io")
        self.assertEqual(socket.status, 101)
        self.assertIn("Sec-WebSocket-Protocol: base64.binary.k8s.io", socket.head)
        self.assertIn("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", socket.head)
        opcode, payload = socket.receive()
        self.assertEqual((opcode, json.loads(payload)["type"]), (1, "ADDED"))
        self.make("b")
        self.assertEqual(json.loads(socket.receive()[1])["object"]["metadata"]["name"], "b")
        socket.close()

    def test_a_websocket_watch_ends_with_a_close_frame(self):
        socket = self.websocket(self.maps + "?watch=1&timeoutSeconds=1")
        self.assertEqual(socket.receive()[0], 8)
        socket.close()


class Compacted(ApiTest):
    def test_a_version_too_old_is_told_inside_the_stream(self):
        self.expect(self.server.post(INSTANCES, instance("i")), 201)
        old = self.expect(self.server.post(CONFIG_MAPS, config_map("a")), 201)["metadata"]["resourceVersion"]
        self.expect(self.server.post(CONFIG_MAPS, config_map("b")), 201)
        with self.server.watch(WATCH + "&resourceVersion=" + old) as watch:
            self.assertEqual(watch.names(1), ["ADDED b"])
        # The watch above ended, and nobody holds its history any more; this stand-in drops it.
        while int(self.server.get(INSTANCES + "/i/screenshot").json["compacted"]) <= int(old):
            pass
        with self.server.watch(WATCH + "&resourceVersion=" + old) as watch:
            self.assertEqual(watch.status, 200)
            event = watch.next()
            self.assertEqual(event["type"], "ERROR")
            self.assertEqual((event["object"]["code"], event["object"]["reason"]), (410, "Expired"))
            self.assertIsNone(watch.next())


if __name__ == "__main__":
    unittest.main()
