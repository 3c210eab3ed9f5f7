"""Server-side apply over HTTP; the algorithm itself is tested in tests/unit/api/test_managed.c."""
import json
import unittest

from harness import ApiTest, INSTANCES, instance

APPLY = "application/apply-patch+yaml"


class Apply(ApiTest):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[1].replace("_", "-")[:60].strip("-")
        self.path = INSTANCES + "/" + self.name

    def apply(self, manager, status=200, force=False, query="", **spec):
        body = {"apiVersion": "virga.dev/v1", "kind": "Instance", "metadata": {"name": self.name}, "spec": spec}
        path = f"{self.path}?fieldManager={manager}{'&force=true' if force else ''}{query}"
        return self.expect(self.server.patch(path, body, APPLY), status)

    def entries(self):
        metadata = self.server.get(self.path).json["metadata"]
        return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in metadata["managedFields"]}

    def test_it_creates_and_then_changes(self):
        self.apply("k", 201, image="a", cpus=2)
        self.assertEqual(self.entries()[("k", "Apply")], {"f:spec": {"f:cpus": {}, "f:image": {}}})
        made = self.apply("k", image="a", cpus=3)
        self.assertEqual(made["spec"]["cpus"], 3)

    def test_an_item_that_comes_twice_is_refused(self):
        networks = [{"name": "a", "network": "default"}, {"name": "a", "network": "other"}]
        self.apply("k", 201, image="a", networks=networks[:1])
        refused = self.apply("k", 422, image="a", networks=networks)
        self.assertEqual([cause["field"] for cause in refused["details"]["causes"]], ["spec.networks[1].name"])

    def test_an_order_is_written_whole(self):
        self.apply("k", 201, image="a")
        made = self.apply("k", image="a", bootOrder=["Network", "Disk"])
        self.assertEqual(made["spec"]["bootOrder"], ["Network", "Disk"])

    def test_the_same_again_changes_nothing(self):
        made = self.apply("k", 201, image="a")
        self.assertEqual(self.apply("k", image="a"), made)

    def test_defaults_belong_to_nobody_and_come_back(self):
        self.apply("k", 201, image="a", memory="1Gi")
        made = self.apply("k", image="a")
        self.assertEqual(made["spec"]["memory"], "512Mi")

    def test_conflicts_are_listed_and_can_be_forced(self):
        self.apply("one", 201, image="a", cpus=1)
        status = self.apply("two", 409, image="a", cpus=2)
        self.assertEqual(status["message"], 'Apply failed with 1 conflict: conflict with "one": .spec.cpus')
        cause = status["details"]["causes"][0]
        self.assertEqual((cause["reason"], cause["field"]), ("FieldManagerConflict", ".spec.cpus"))
        self.apply("two", force=True, image="a", cpus=2)
        self.assertNotIn("f:cpus", self.entries()[("one", "Apply")]["f:spec"])

    def test_updates_own_fields_too(self):
        self.apply("k", 201, image="a", cpus=1)
        self.expect(self.server.patch(self.path + "?fieldManager=hand", {"spec": {"cpus": 5}}), 200)
        self.assertEqual(self.entries()[("hand", "Update")], {"f:spec": {"f:cpus": {}}})
        self.assertIn('conflict with "hand" using virga.dev/v1', self.apply("k", 409, image="a", cpus=1)["message"])

    def test_the_user_agent_names_the_manager_of_updates(self):
        self.apply("k", 201, image="a")
        self.expect(self.server.patch(self.path, {"spec": {"cpus": 5}}, User_Agent="tool/1.2 (x)"), 200)
        self.assertIn(("tool", "Update"), self.entries())

    def test_status_is_owned_through_its_endpoint(self):
        self.apply("k", 201, image="a")
        body = {"apiVersion": "virga.dev/v1", "kind": "Instance", "metadata": {"name": self.name},
                "status": {"phase": "Running"}}
        made = self.expect(self.server.patch(self.path + "/status?fieldManager=c", body, APPLY), 200)
        self.assertEqual(made["status"]["phase"], "Running")
        entry = [e for e in made["metadata"]["managedFields"] if e["manager"] == "c"][0]
        self.assertEqual((entry["subresource"], entry["fieldsV1"]), ("status", {"f:status": {"f:phase": {}}}))

    def test_rules_of_the_request(self):
        body = instance(self.name)
        self.expect(self.server.patch(self.path, body, APPLY), 422, "fieldManager")
        owned = {**body, "metadata": {"name": self.name, "managedFields": []}}
        self.expect(self.server.patch(self.path + "?fieldManager=k", owned, APPLY), 400, "managedFields must be nil")
        versioned = {**body, "metadata": {"name": self.name, "resourceVersion": "3"}}
        self.expect(self.server.patch(self.path + "?fieldManager=k", versioned, APPLY), 409)
        self.expect(self.server.patch(self.path + "?fieldManager=k", "spec: {}", APPLY), 400, "must be JSON")
        self.apply("k", 400, query="&fieldValidation=Strict", bogus=1)

    def test_a_dry_run_tells_and_stores_nothing(self):
        self.assertEqual(self.apply("k", 201, query="&dryRun=All", image="a")["spec"]["image"], "a")
        self.expect(self.server.get(self.path), 404)

    def test_unknown_fields_are_not_tracked(self):
        self.apply("k", 201, image="a", bogus=1)
        self.assertEqual(self.entries()[("k", "Apply")], {"f:spec": {"f:image": {}}})

    def test_clients_may_rewrite_managed_fields(self):
        """What kubectl does to move from client-side to server-side apply."""
        made = self.apply("k", 201, image="a")
        entries = made["metadata"]["managedFields"]
        entries[0]["manager"] = "other"
        body = [{"op": "replace", "path": "/metadata/managedFields", "value": entries},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": made["metadata"]["resourceVersion"]}]
        self.expect(self.server.patch(self.path, body, "application/json-patch+json"), 200)
        self.assertIn(("other", "Apply"), self.entries())
        self.expect(self.server.patch(self.path, {"metadata": {"managedFields": [{}]}}), 200)
        self.assertNotIn("managedFields", self.server.get(self.path).json["metadata"])


if __name__ == "__main__":
    unittest.main()
