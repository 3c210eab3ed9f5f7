"""Objects over HTTP: create, read, list, replace, patch, errors."""
import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

from harness import ApiTest, CONFIG_MAPS, GROUP, INSTANCES, Server, config_map, instance

VIRGA = os.environ.get("VIRGA", "build/src/cli/virga")


class Scale(ApiTest):
    def test_a_scale_is_of_its_group(self):
        groups = GROUP + "/namespaces/default/instancegroups"
        self.expect(self.server.post(groups, {"metadata": {"name": "web"}, "spec": {
            "replicas": 0, "template": {"spec": {"image": "a"}}}}), 201)
        scale = self.expect(self.server.get(groups + "/web/scale"), 200)
        scale["spec"]["replicas"] = 2
        self.assertEqual(self.expect(self.server.put(groups + "/web/scale", scale), 200)["spec"]["replicas"], 2)
        for change, says in (({"metadata": {"name": "other"}}, 'name of the provided object "other" does not match "web"'),
                             ({"spec": {"replicas": "3"}}, "must be an integer"),
                             ({"spec": {"replicas": -1}}, "spec.replicas: Invalid value: -1")):
            with self.subTest(says):
                refused = self.server.patch(groups + "/web/scale", change)
                self.expect(refused, 400 if "name" in says else 422, says)
        self.assertEqual(self.server.get(groups + "/web").json["spec"]["replicas"], 2)


class Create(ApiTest):
    def test_created_object_carries_what_the_server_adds(self):
        made = self.expect(self.server.post(INSTANCES, instance("a")), 201)
        metadata = made["metadata"]
        self.assertRegex(metadata["uid"], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertRegex(metadata["creationTimestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(metadata["generation"], 1)
        self.assertEqual(metadata["namespace"], "default")
        self.assertTrue(int(metadata["resourceVersion"]) > 0)
        self.assertEqual(made["spec"]["cpus"], 1)
        self.assertEqual(self.expect(self.server.get(INSTANCES + "/a"), 200), made)

    def test_kind_and_namespace_come_from_the_url(self):
        made = self.expect(self.server.post(INSTANCES, {"metadata": {"name": "b"}, "spec": {"image": "x"}}), 201)
        self.assertEqual((made["apiVersion"], made["kind"]), ("virga.dev/v1", "Instance"))

    def test_the_same_name_again_exists_already(self):
        self.server.post(INSTANCES, instance("c"))
        status = self.expect(self.server.post(INSTANCES, instance("c")), 409,
                             'instances.virga.dev "c" already exists')
        self.assertEqual(status["reason"], "AlreadyExists")

    def test_generate_name_completes_the_name(self):
        body = instance("")
        body["metadata"] = {"generateName": "gen-"}
        names = {self.expect(self.server.post(INSTANCES, body), 201)["metadata"]["name"] for _ in range(3)}
        self.assertEqual(len(names), 3)
        for name in names:
            self.assertRegex(name, r"^gen-[a-z0-9]{5}$")

    def test_wrong_kind_name_or_namespace_is_a_bad_request(self):
        for change in ({"kind": "Image"}, {"apiVersion": "v2"}, {"metadata": {"name": "x", "namespace": "other"}},
                       {"metadata": []}, {"metadata": {"name": "x", "resourceVersion": "1"}}):
            with self.subTest(change):
                self.expect(self.server.post(INSTANCES, {**instance("x"), **change}), 400)

    def test_missing_namespace_is_not_found(self):
        self.expect(self.server.post(GROUP + "/namespaces/nowhere/instances", instance("x")), 404,
                    'namespaces "nowhere" not found')

    def test_invalid_fields_are_named_one_by_one(self):
        status = self.expect(self.server.post(INSTANCES, instance("Bad_Name", memory="12Q", cpus=-1)), 422)
        self.assertEqual(status["reason"], "Invalid")
        self.assertEqual(status["details"]["kind"], "Instance")
        fields = [cause["field"] for cause in status["details"]["causes"]]
        self.assertEqual(fields, ["metadata.name", "spec.cpus", "spec.memory"])

    def test_admission_refuses_with_a_cause(self):
        status = self.expect(self.server.post(INSTANCES, instance("lucky", cpus=13)), 422, "13 brings bad luck")
        self.assertEqual(status["details"]["causes"][0]["field"], "spec.cpus")

    def test_values_come_back_as_written(self):
        made = self.expect(self.server.post(INSTANCES, instance("same", memory="1024Mi")), 201)
        self.assertEqual(made["spec"]["memory"], "1024Mi")

    def test_status_in_a_new_object_is_not_taken(self):
        made = self.expect(self.server.post(INSTANCES, {**instance("st"), "status": {"phase": "Running"}}), 201)
        self.assertNotIn("status", made)

    def test_null_members_count_as_absent(self):
        body = instance("nulls", userData=None)
        body["metadata"]["creationTimestamp"] = None
        made = self.expect(self.server.post(INSTANCES, body), 201)
        self.assertNotIn("userData", made["spec"])


class FieldValidation(ApiTest):
    def body(self, name):
        body = instance(name)
        body["spec"]["bogus"] = 1
        return body

    def test_strict_refuses_unknown_fields(self):
        self.expect(self.server.post(INSTANCES + "?fieldValidation=Strict", self.body("s")), 400,
                    'strict decoding error: unknown field "spec.bogus"')
        self.expect(self.server.get(INSTANCES + "/s"), 404)

    def test_warn_is_the_default_and_drops_them(self):
        reply = self.server.post(INSTANCES, self.body("w"))
        self.assertNotIn("bogus", self.expect(reply, 201)["spec"])
        self.assertEqual(reply.headers["Warning"], '299 - "unknown field \\"spec.bogus\\""')

    def test_ignore_drops_them_in_silence(self):
        reply = self.server.post(INSTANCES + "?fieldValidation=Ignore", self.body("i"))
        self.assertNotIn("bogus", self.expect(reply, 201)["spec"])
        self.assertIsNone(reply.headers["Warning"])

    def test_another_value_is_refused(self):
        self.expect(self.server.post(INSTANCES + "?fieldValidation=Maybe", self.body("m")), 422, "Maybe")


class DryRun(ApiTest):
    def test_nothing_is_stored(self):
        made = self.expect(self.server.post(INSTANCES + "?dryRun=All", instance("d")), 201)
        self.assertEqual(made["metadata"]["name"], "d")
        self.expect(self.server.get(INSTANCES + "/d"), 404)

    def test_all_checks_are_made(self):
        self.expect(self.server.post(INSTANCES + "?dryRun=All", instance("d", memory="-1")), 422)

    def test_patches_and_deletions_only_pretend(self):
        before = self.expect(self.server.post(INSTANCES, instance("keep")), 201)
        patched = self.expect(self.server.patch(INSTANCES + "/keep?dryRun=All", {"spec": {"cpus": 4}}), 200)
        self.assertEqual(patched["spec"]["cpus"], 4)
        self.expect(self.server.delete(INSTANCES + "/keep", {"dryRun": ["All"]}), 200)
        self.expect(self.server.delete(INSTANCES + "/keep?dryRun=All"), 200)
        self.assertEqual(self.expect(self.server.get(INSTANCES + "/keep"), 200), before)

    def test_other_values_are_refused(self):
        self.expect(self.server.post(INSTANCES + "?dryRun=Some", instance("x")), 422)


class Replace(ApiTest):
    def test_generation_rises_with_the_spec_only(self):
        made = self.expect(self.server.post(INSTANCES, instance("g")), 201)
        made["metadata"]["labels"] = {"a": "b"}
        labelled = self.expect(self.server.put(INSTANCES + "/g", made), 200)
        self.assertEqual(labelled["metadata"]["generation"], 1)
        labelled["spec"]["cpus"] = 2
        grown = self.expect(self.server.put(INSTANCES + "/g", labelled), 200)
        self.assertEqual(grown["metadata"]["generation"], 2)

    def test_an_old_version_conflicts(self):
        made = self.expect(self.server.post(INSTANCES, instance("old")), 201)
        made["spec"]["cpus"] = 2
        self.expect(self.server.put(INSTANCES + "/old", made), 200)
        made["spec"]["cpus"] = 3
        status = self.expect(self.server.put(INSTANCES + "/old", made), 409, "the object has been modified")
        self.assertEqual(status["reason"], "Conflict")

    def test_without_a_version_it_is_unconditional(self):
        self.server.post(INSTANCES, instance("u"))
        self.assertEqual(self.expect(self.server.put(INSTANCES + "/u", instance("u", cpus=2)), 200)["spec"]["cpus"], 2)

    def test_no_change_changes_nothing(self):
        made = self.expect(self.server.post(INSTANCES, instance("n")), 201)
        again = self.expect(self.server.put(INSTANCES + "/n", made), 200)
        self.assertEqual(again, made)

    def test_identity_is_protected(self):
        made = self.expect(self.server.post(INSTANCES, instance("id")), 201)
        self.expect(self.server.put(INSTANCES + "/id", {**made, "metadata": {**made["metadata"], "uid": "x"}}), 409)
        self.expect(self.server.put(INSTANCES + "/id", {**made, "metadata": {**made["metadata"], "name": "y"}}), 400)
        self.expect(self.server.put(INSTANCES + "/none", instance("none")), 404)

    def test_a_body_without_content_type_is_json(self):
        self.server.post(INSTANCES, instance("untyped"))
        reply = self.server.ask("PUT", INSTANCES + "/untyped", json.dumps(instance("untyped", cpus=2)))
        self.assertEqual(self.expect(reply, 200)["spec"]["cpus"], 2)

    def test_immutable_fields_are_refused(self):
        self.server.post(INSTANCES, instance("imm"))
        self.expect(self.server.patch(INSTANCES + "/imm", {"spec": {"image": "other"}}), 422, "spec.image")


class Status(ApiTest):
    def test_each_endpoint_changes_its_part_only(self):
        self.server.post(INSTANCES, instance("a"))
        self.expect(self.server.patch(INSTANCES + "/a", {"status": {"phase": "Running"}}), 200)
        self.assertNotIn("status", self.server.get(INSTANCES + "/a").json)
        body = {"spec": {"cpus": 9}, "status": {"phase": "Running"}}
        made = self.expect(self.server.patch(INSTANCES + "/a/status", body), 200)
        self.assertEqual(made["status"]["phase"], "Running")
        self.assertEqual(made["spec"]["cpus"], 1)
        self.assertEqual(made["metadata"]["generation"], 1)
        put = {**instance("a", cpus=9), "status": {"phase": "Paused"}}
        made = self.expect(self.server.put(INSTANCES + "/a/status", put), 200)
        self.assertEqual((made["status"]["phase"], made["spec"]["cpus"]), ("Paused", 1))
        self.assertEqual(self.expect(self.server.get(INSTANCES + "/a/status"), 200), made)

    def test_status_is_validated(self):
        self.server.post(INSTANCES, instance("b"))
        self.expect(self.server.patch(INSTANCES + "/b/status", {"status": {"phase": "Bogus"}}), 422)


class Patch(ApiTest):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-")[:60].strip("-")
        self.path = INSTANCES + "/" + self.name
        nics = [{"name": "eth0", "network": "default"}, {"name": "eth1", "network": "back"}]
        self.expect(self.server.post(INSTANCES, instance(self.name, labels={"a": "1", "b": "2"}, networks=nics)), 201)

    def test_merge_patch_merges_objects_and_replaces_lists(self):
        body = {"metadata": {"labels": {"a": None, "c": "3"}}, "spec": {"networks": [{"name": "e", "network": "n"}]}}
        made = self.expect(self.server.patch(self.path, body), 200)
        self.assertEqual(made["metadata"]["labels"], {"b": "2", "c": "3"})
        self.assertEqual(made["spec"]["networks"], [{"name": "e", "network": "n"}])

    def test_strategic_patch_merges_list_maps(self):
        body = {"spec": {"networks": [{"name": "eth1", "network": "other"}]}}
        made = self.expect(self.server.patch(self.path, body, "application/strategic-merge-patch+json"), 200)
        self.assertEqual([nic["network"] for nic in made["spec"]["networks"]], ["default", "other"])

    def test_json_patch_follows_its_operations(self):
        body = [{"op": "test", "path": "/spec/cpus", "value": 1}, {"op": "replace", "path": "/spec/cpus", "value": 3},
                {"op": "remove", "path": "/metadata/labels/a"}]
        made = self.expect(self.server.patch(self.path, body, "application/json-patch+json"), 200)
        self.assertEqual((made["spec"]["cpus"], made["metadata"]["labels"]), (3, {"b": "2"}))

    def test_a_failing_json_patch_is_invalid_and_changes_nothing(self):
        before = self.server.get(self.path).json
        body = [{"op": "replace", "path": "/spec/cpus", "value": 3}, {"op": "test", "path": "/spec/cpus", "value": 1}]
        self.expect(self.server.patch(self.path, body, "application/json-patch+json"), 422, "the value differs")
        self.assertEqual(self.server.get(self.path).json, before)

    def test_the_version_in_a_patch_is_checked(self):
        body = {"metadata": {"resourceVersion": "1"}, "spec": {"cpus": 2}}
        self.expect(self.server.patch(self.path, body), 409)

    def test_an_empty_patch_changes_nothing(self):
        before = self.server.get(self.path).json
        self.assertEqual(self.expect(self.server.patch(self.path, {}), 200), before)

    def test_other_formats_are_not_supported(self):
        self.expect(self.server.patch(self.path, "x", "text/plain"), 415, "application/apply-patch+yaml")
        self.expect(self.server.patch(self.path, "[]"), 400)
        self.expect(self.server.patch(self.path, "{", "application/json-patch+json"), 400)
        self.expect(self.server.patch(self.path + "?force=true", {}), 422, "force")

    def test_patching_what_is_not_there_is_not_found(self):
        self.expect(self.server.patch(INSTANCES + "/none", {}), 404)


class Lists(ApiTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for i in range(7):
            labels = {"parity": "even" if i % 2 == 0 else "odd", "n": str(i)}
            cls.server.post(INSTANCES, instance(f"i{i}", labels))
        cls.server.post("/api/v1/namespaces", {"metadata": {"name": "other"}})
        cls.server.post(GROUP + "/namespaces/other/instances", instance("far", {"parity": "odd"}))

    def names(self, query="", path=INSTANCES):
        made = self.expect(self.server.get(path + query), 200)
        return [item["metadata"]["name"] for item in made["items"]]

    def test_a_list_says_what_it_is(self):
        made = self.expect(self.server.get(INSTANCES), 200)
        self.assertEqual((made["kind"], made["apiVersion"]), ("InstanceList", "virga.dev/v1"))
        self.assertTrue(all(item["kind"] == "Instance" for item in made["items"]))
        self.assertEqual(len(made["items"]), 7)

    def test_all_namespaces_are_listed_in_order(self):
        self.assertEqual(self.names(path=GROUP + "/instances"), [f"i{i}" for i in range(7)] + ["far"])

    def test_an_empty_list_has_items(self):
        self.assertEqual(self.expect(self.server.get(GROUP + "/volumes"), 200)["items"], [])

    def test_selectors_narrow_it(self):
        self.assertEqual(self.names("?labelSelector=parity%3Dodd"), ["i1", "i3", "i5"])
        self.assertEqual(self.names("?labelSelector=n%20in%20(1,2),parity!%3Dodd"), ["i2"])
        self.assertEqual(self.names("?labelSelector=!parity"), [])
        self.assertEqual(self.names("?labelSelector="), [f"i{i}" for i in range(7)])
        self.assertEqual(self.names("?fieldSelector=metadata.name%3Di3"), ["i3"])
        self.assertEqual(self.names("?fieldSelector=metadata.name%3Dfar", GROUP + "/instances"), ["far"])
        self.assertEqual(self.names("?fieldSelector=metadata.namespace%3Dother", GROUP + "/instances"), ["far"])
        self.assertEqual(self.names("?fieldSelector=metadata.name!%3Di3&labelSelector=parity%3Dodd"), ["i1", "i5"])

    def test_wrong_selectors_are_bad_requests(self):
        self.expect(self.server.get(INSTANCES + "?fieldSelector=spec.bogus%3D1"), 400,
                    "field label not supported: spec.bogus")
        self.expect(self.server.get(INSTANCES + "?labelSelector=a%20in%20x"), 400, "unable to parse requirement")

    def page_through(self, query, path=INSTANCES):
        names, token, versions = [], "", set()
        while True:
            made = self.expect(self.server.get(f"{path}?limit=2{query}&continue={token}"), 200)
            names += [item["metadata"]["name"] for item in made["items"]]
            versions.add(made["metadata"]["resourceVersion"])
            token = made["metadata"].get("continue")
            if not token:
                return names, versions
            self.assertLessEqual(len(made["items"]), 2)

    def test_pages_make_the_whole_at_one_version(self):
        names, versions = self.page_through("", GROUP + "/instances")
        self.assertEqual(names, [f"i{i}" for i in range(7)] + ["far"])
        self.assertEqual(len(versions), 1)
        self.assertEqual(self.page_through("&labelSelector=parity%3Deven")[0], ["i0", "i2", "i4", "i6"])

    def test_the_rest_is_counted(self):
        made = self.expect(self.server.get(INSTANCES + "?limit=3"), 200)
        self.assertEqual(made["metadata"]["remainingItemCount"], 4)

    def test_a_broken_token_is_a_bad_request(self):
        for token in ("x", "!!!!", "MTox", "MQ"):
            self.expect(self.server.get(INSTANCES + "?limit=1&continue=" + token), 400, "continue key is not valid")

    def test_versions_of_lists_are_checked(self):
        now = int(self.expect(self.server.get(INSTANCES), 200)["metadata"]["resourceVersion"])
        self.expect(self.server.get(f"{INSTANCES}?resourceVersion={now}"), 200)
        self.expect(self.server.get(INSTANCES + "?resourceVersion=0"), 200)
        self.expect(self.server.get(f"{INSTANCES}?resourceVersion={now}&resourceVersionMatch=Exact"), 200)
        status = self.expect(self.server.get(f"{INSTANCES}?resourceVersion={now + 100}"), 504)
        self.assertEqual(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge")
        self.expect(self.server.get(INSTANCES + "?resourceVersion=1&resourceVersionMatch=Exact"), 410)
        self.expect(self.server.get(INSTANCES + "?resourceVersionMatch=Exact"), 422)
        self.expect(self.server.get(INSTANCES + "?resourceVersion=x"), 400)
        self.expect(self.server.get(INSTANCES + "?limit=-1"), 400)


class Tables(ApiTest):
    TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.post(INSTANCES, instance("web", {"app": "x"}))

    def test_a_list_becomes_rows(self):
        table = self.expect(self.server.get(INSTANCES, Accept=self.TABLE), 200)
        self.assertEqual((table["kind"], table["apiVersion"]), ("Table", "meta.k8s.io/v1"))
        columns = [column["name"] for column in table["columnDefinitions"]]
        cells = dict(zip(columns, table["rows"][0]["cells"]))
        self.assertEqual((cells["Name"], cells["CPUs"], cells["Memory"]), ("web", 1, "256Mi"))
        self.assertRegex(cells["Age"], r"^\d+s$")
        row = table["rows"][0]["object"]
        self.assertEqual(row["kind"], "PartialObjectMetadata")
        self.assertEqual(row["metadata"]["labels"], {"app": "x"})

    def test_one_object_is_one_row(self):
        table = self.expect(self.server.get(INSTANCES + "/web", Accept=self.TABLE), 200)
        self.assertEqual(len(table["rows"]), 1)

    def test_rows_hold_what_is_asked_for(self):
        table = self.expect(self.server.get(INSTANCES + "?includeObject=Object", Accept=self.TABLE), 200)
        self.assertEqual(table["rows"][0]["object"]["spec"]["image"], "debian")
        table = self.expect(self.server.get(INSTANCES + "?includeObject=None", Accept=self.TABLE), 200)
        self.assertNotIn("object", table["rows"][0])

    def test_metadata_alone_can_be_asked_for(self):
        accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
        made = self.expect(self.server.get(INSTANCES, Accept=accept), 200)
        self.assertEqual(made["kind"], "PartialObjectMetadataList")
        self.assertNotIn("spec", made["items"][0])
        accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
        made = self.expect(self.server.get(INSTANCES + "/web", Accept=accept), 200)
        self.assertEqual(made["kind"], "PartialObjectMetadata")

    def test_what_cannot_be_made_is_not_acceptable(self):
        self.expect(self.server.get(INSTANCES, Accept="text/html"), 406)

    def test_errors_are_plain_status(self):
        status = self.expect(self.server.get(INSTANCES + "/none", Accept=self.TABLE), 404)
        self.assertEqual(status["kind"], "Status")


class CoreKinds(ApiTest):
    def test_string_data_of_a_secret_is_kept_as_data(self):
        body = {"metadata": {"name": "s"}, "stringData": {"a": "b"}}
        made = self.expect(self.server.post("/api/v1/namespaces/default/secrets", body), 201)
        self.assertEqual(made["data"], {"a": "Yg=="})
        self.assertNotIn("stringData", made)

    def test_core_kinds_have_no_generation(self):
        made = self.expect(self.server.post(CONFIG_MAPS, config_map("c", {"k": "v"})), 201)
        self.assertNotIn("generation", made["metadata"])

    def test_events_are_selected_by_what_they_are_about(self):
        events = "/api/v1/namespaces/default/events"
        for name in ("a", "b"):
            self.expect(self.server.post(events, {
                "metadata": {"name": "e-" + name}, "involvedObject": {"kind": "Instance", "name": name, "uid": "u" + name},
                "reason": "Created", "type": "Normal", "eventTime": None}), 201)
        query = "?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DInstance,involvedObject.namespace%3D"
        made = self.expect(self.server.get(events + query), 200)
        self.assertEqual([item["metadata"]["name"] for item in made["items"]], ["e-a"])

    def test_computed_kinds_can_be_read_only(self):
        made = self.expect(self.server.get("/api/v1/nodes"), 200)
        self.assertEqual((made["kind"], made["items"][0]["kind"]), ("NodeList", "Node"))
        self.assertEqual(self.expect(self.server.get("/api/v1/nodes/node1"), 200)["metadata"]["name"], "node1")
        self.expect(self.server.get("/api/v1/nodes/none"), 404)
        self.expect(self.server.get("/api/v1/nodes?watch=1"), 405)
        self.expect(self.server.post("/api/v1/nodes", {}), 405)
        self.assertEqual(self.expect(self.server.get("/api/v1/services"), 200)["items"], [])


class Paths(ApiTest):
    def test_unknown_paths_are_not_found(self):
        for path in ("/", "/bogus", "/apis/none", "/apis/virga.dev/v1/bogus", INSTANCES + "/a/bogus"):
            self.expect(self.server.get(path), 404, "could not find the requested resource")

    def test_wrong_methods_are_not_allowed(self):
        for method, path in (("POST", INSTANCES + "/a"), ("PUT", INSTANCES), ("PATCH", INSTANCES),
                             ("POST", GROUP + "/instances"), ("DELETE", "/version"), ("OPTIONS", INSTANCES),
                             ("POST", INSTANCES + "/a/console")):
            with self.subTest(method + path):
                status = self.expect(self.server.ask(method, path), 405)
                self.assertEqual(status["reason"], "MethodNotAllowed")

    def test_hostile_paths_are_bad_requests(self):
        for path in ("/api/v1/namespaces/..", "/api/%2e%2e/x", "/a%00b", "/a%zz"):
            self.expect(self.server.get(path), 400)

    def test_head_is_get_without_a_body(self):
        reply = self.server.ask("HEAD", "/version")
        self.assertEqual((reply.status, reply.bytes), (200, b""))

    def test_version_and_health_answer(self):
        self.assertEqual(self.server.get("/version/").json["major"], "1")
        for path in ("/healthz", "/livez", "/readyz", "/readyz/ping"):
            self.assertEqual(self.server.get(path).bytes, b"ok")


class Commands(ApiTest):
    """What virga makes of objects."""

    def test_events_of_an_object_are_told_in_their_order(self):
        made = self.expect(self.server.post(INSTANCES, instance("told")), 201)
        about = {"kind": "Instance", "namespace": "default", "name": "told", "uid": made["metadata"]["uid"]}
        for name, reason, minute in (("b", "Second", 2), ("a", "Third", 3), ("c", "First", 1)):
            self.expect(self.server.post("/api/v1/namespaces/default/events", {
                "metadata": {"name": name}, "involvedObject": about, "reason": reason, "message": "m", "type": "Normal",
                "lastTimestamp": f"2026-01-01T00:0{minute}:00Z"}), 201)
        for command in (["why", "instance/told"], ["describe", "instance", "told"]):
            with self.subTest(command):
                said = subprocess.run([VIRGA, *command], text=True, capture_output=True, check=True, timeout=30,
                                      env={**os.environ, "VIRGA_SOCKET": self.server.socket}).stdout
                events = said[said.index("events:"):]
                places = [events.index(reason) for reason in ("First", "Second", "Third")]
                self.assertEqual(places, sorted(places), events)


class ClientTest(ApiTest):
    def virga(self, *arguments):
        return subprocess.Popen([VIRGA, *arguments], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env={**os.environ, "VIRGA_SOCKET": self.server.socket})


class RoundTrip(ClientTest):
    def test_what_get_prints_can_be_applied(self):
        self.expect(self.server.post(INSTANCES, instance("a")), 201)
        for output in ("yaml", "json"):
            for arguments in (("instance", "a"), ("instances",), ("instance/a", "instance/a")):
                with self.subTest(output=output, arguments=arguments):
                    shown = self.virga("get", *arguments, "-o", output).communicate(timeout=30)[0]
                    self.assertNotIn("managedFields", shown)
                    apply = self.virga("apply", "-f", "-")
                    said = apply.communicate(shown, timeout=30)
                    self.assertEqual(apply.returncode, 0, said)


    def test_what_was_printed_can_be_applied_after_its_status_went_on(self):
        self.expect(self.server.post(INSTANCES, instance("on")), 201)
        shown = self.virga("get", "instance", "on", "-o", "yaml").communicate(timeout=30)[0]
        self.expect(self.server.patch(INSTANCES + "/on/status", {"status": {"message": "goes on"}}), 200)
        said = self.virga("apply", "-f", "-").communicate(shown.replace("stopTimeout: 30s", "stopTimeout: 20s"))
        self.assertEqual(said, ("instance/on configured\n", ""))
        said = self.virga("apply", "-f", "-").communicate(shown)
        self.assertIn("the object has been modified", said[1])


class Words(ClientTest):
    def test_names_are_taken_as_get_prints_them(self):
        for name in ("one", "two"):
            self.expect(self.server.post(INSTANCES, instance(name)), 201)
        names = self.virga("get", "instances", "-o", "name").communicate(timeout=30)[0].split()
        self.assertLessEqual({"instance/one", "instance/two"}, set(names))
        said = self.virga("stop", "--no-wait", "instance/one", "instances/two").communicate(timeout=30)
        self.assertEqual(said[1], "")
        for name in ("one", "two"):
            self.assertEqual(self.server.get(f"{INSTANCES}/{name}").json["spec"]["powerState"], "Stopped")
        self.assertIn("not found", self.virga("stop", "instance/three").communicate(timeout=30)[1])

    def test_what_cannot_be_printed_is_told(self):
        for arguments in (["version"], ["get", "namespaces"], ["explain", "instance"]):
            with self.subTest(arguments), open("/dev/full", "w") as full:
                made = subprocess.run([VIRGA, *arguments], text=True, stdout=full, stderr=subprocess.PIPE, timeout=30,
                                      env={**os.environ, "VIRGA_SOCKET": self.server.socket})
                self.assertEqual((made.returncode, made.stderr), (1, "virga: standard output could not be written\n"))


class Edit(ClientTest):
    """While somebody writes, status goes on; the editor here changes it, and then the text."""

    EDITOR = """
import http.client, json, sys
sys.path.append({support!r})
from unix_http import UnixConnection
connection = UnixConnection({socket!r}, 30)
connection.request("PATCH", {path!r}, {change!r}, {{"Content-Type": "application/merge-patch+json"}})
assert connection.getresponse().status == 200
with open(sys.argv[1]) as file:
    text = file.read()
with open(sys.argv[1], "w") as file:
    file.write(text.replace("stopTimeout: 30s", "stopTimeout: 20s"))
"""

    def edit(self, name, path, change):
        support = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
        script = f"{self.server.dir}/editor.py"
        with open(script, "w") as file:
            file.write(self.EDITOR.format(support=support, socket=self.server.socket, path=path,
                                          change=json.dumps(change)))
        return subprocess.run([VIRGA, "edit", "instance", name], text=True, capture_output=True, timeout=30,
                              env={**os.environ, "VIRGA_SOCKET": self.server.socket, "TMPDIR": self.server.dir,
                                   "VISUAL": f"{sys.executable} {script}"})

    def test_a_status_that_goes_on_is_no_conflict(self):
        self.expect(self.server.post(INSTANCES, instance("a")), 201)
        made = self.edit("a", INSTANCES + "/a/status", {"status": {"message": "goes on"}})
        self.assertEqual((made.returncode, made.stdout), (0, "instance/a edited\n"), made.stderr)
        now = self.expect(self.server.get(INSTANCES + "/a"), 200)
        self.assertEqual((now["spec"]["stopTimeout"], now["status"]["message"]), ("20s", "goes on"))

    def test_another_wish_is(self):
        self.expect(self.server.post(INSTANCES, instance("b")), 201)
        made = self.edit("b", INSTANCES + "/b", {"spec": {"cpus": 2}})
        self.assertEqual(made.returncode, 1)
        self.assertIn("instance b was changed by somebody else meanwhile\n  what you wrote is in ", made.stderr)
        shutil.rmtree(os.path.dirname(made.stderr.split("what you wrote is in ")[1].split()[0]))
        self.assertEqual(self.server.get(INSTANCES + "/b").json["spec"]["stopTimeout"], "30s")


class Power(ClientTest):
    """What virga asks of instances, and when it stops waiting. No controller answers here."""

    def spec_of(self, name):
        return self.expect(self.server.get(INSTANCES + "/" + name), 200)["spec"]

    def test_one_that_ended_by_itself_is_started_by_a_restart(self):
        self.expect(self.server.post(INSTANCES, instance("ended")), 201)
        self.expect(self.server.patch(INSTANCES + "/ended/status", {"status": {"endedByItself": True}}), 200)
        self.virga("start", "--no-wait", "ended").communicate(timeout=30)
        self.assertIn("restartAt", self.spec_of("ended"))
        self.expect(self.server.post(INSTANCES, instance("down")), 201)
        self.virga("start", "--no-wait", "down").communicate(timeout=30)
        self.assertNotIn("restartAt", self.spec_of("down"))

    def test_who_is_overruled_does_not_wait_on(self):
        self.expect(self.server.post(INSTANCES, instance("torn")), 201)
        with self.server.watch(INSTANCES + "?watch=1&fieldSelector=metadata.name%3Dtorn") as watch:
            stop = self.virga("stop", "torn")
            while watch.next()["object"]["spec"]["powerState"] != "Stopped":
                pass
            self.expect(self.server.patch(INSTANCES + "/torn", {"spec": {"powerState": "Running"}}), 200)
        said = stop.communicate(timeout=30)
        self.assertEqual(stop.returncode, 1)
        self.assertIn("torn is to be Running by now: spec.powerState was changed meanwhile", said[1])

    def test_a_restart_of_the_server_is_waited_out(self):
        server = Server(store=True)
        self.addCleanup(server.close)
        self.expect(server.post(INSTANCES, instance("long")), 201)
        stop = self.virga("stop", "long", "--socket", server.socket)
        self.assertEqual(stop.stderr.readline(), "long: Pending\n")
        server.stop(signal.SIGKILL)
        self.assertEqual(stop.stderr.readline(), "the server is gone; it is waited for\n")
        server.start()
        self.expect(server.patch(INSTANCES + "/long/status", {"status": {
            "phase": "Stopped", "observedGeneration": 2}}), 200)
        said = stop.communicate(timeout=30)
        self.assertEqual((stop.returncode, said[0]), (0, "instance/long stopped\n"), said[1])

    def test_one_that_ended_is_not_waited_for(self):
        self.expect(self.server.post(INSTANCES, instance("off")), 201)
        self.expect(self.server.patch(INSTANCES + "/off/status", {"status": {
            "phase": "Starting", "observedGeneration": 1}}), 200)
        run = self.virga("exec", "off", "--", "true")
        self.assertEqual(run.stderr.readline(), "off: Starting\n")
        self.expect(self.server.patch(INSTANCES + "/off/status", {"status": {
            "phase": "Stopped", "message": "the guest shut itself down", "endedByItself": True}}), 200)
        said = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 1)
        self.assertIn("off failed: the guest shut itself down", said[1])


if __name__ == "__main__":
    unittest.main()
