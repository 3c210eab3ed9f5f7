"""Deletion: finalizers, preconditions, propagation to dependents, namespaces."""
import unittest

from harness import ApiTest, CONFIG_MAPS, GROUP, INSTANCES, config_map, instance


def wait_gone(test, path):
    """Reads the events of one object until it is deleted, if it is not already."""
    with test.server.watch(path + "?watch=1&timeoutSeconds=30") as watch:
        if test.server.get(path).status != 404:
            while watch.next()["type"] != "DELETED":
                pass
    test.expect(test.server.get(path), 404)


class Delete(ApiTest):
    def make(self, name, **metadata):
        return self.expect(self.server.post(CONFIG_MAPS, config_map(name, **metadata)), 201)

    def wait_gone(self, path):
        wait_gone(self, path)

    def test_an_object_without_finalizers_goes_at_once(self):
        made = self.make("a")
        status = self.expect(self.server.delete(CONFIG_MAPS + "/a"), 200)
        self.assertEqual(status["status"], "Success")
        self.assertEqual(status["details"], {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]})
        self.expect(self.server.delete(CONFIG_MAPS + "/a"), 404)

    def test_finalizers_hold_it_until_they_are_gone(self):
        self.make("held", finalizers=["x.dev/hold"])
        marked = self.expect(self.server.delete(CONFIG_MAPS + "/held"), 200)
        self.assertIn("deletionTimestamp", marked["metadata"])
        self.assertEqual(self.expect(self.server.delete(CONFIG_MAPS + "/held"), 200), marked)
        more = {"metadata": {"finalizers": ["x.dev/hold", "x.dev/more"]}}
        self.expect(self.server.patch(CONFIG_MAPS + "/held", more), 422, "no new finalizers")
        self.expect(self.server.patch(CONFIG_MAPS + "/held", {"metadata": {"deletionTimestamp": None}}), 200)
        self.assertIn("deletionTimestamp", self.server.get(CONFIG_MAPS + "/held").json["metadata"])
        self.expect(self.server.patch(CONFIG_MAPS + "/held", {"metadata": {"finalizers": None}}), 200)
        self.expect(self.server.get(CONFIG_MAPS + "/held"), 404)

    def test_deletion_raises_the_generation_and_keeps_the_grace(self):
        body = instance("graceful")
        body["metadata"]["finalizers"] = ["x.dev/hold"]
        self.expect(self.server.post(INSTANCES, body), 201)
        marked = self.expect(self.server.delete(INSTANCES + "/graceful", {"gracePeriodSeconds": 30}), 200)
        self.assertEqual(marked["metadata"]["generation"], 2)
        self.assertEqual(marked["metadata"]["deletionGracePeriodSeconds"], 30)
        forced = self.expect(self.server.delete(INSTANCES + "/graceful?gracePeriodSeconds=0"), 200)
        self.assertEqual(forced["metadata"]["deletionGracePeriodSeconds"], 0)
        longer = self.expect(self.server.delete(INSTANCES + "/graceful", {"gracePeriodSeconds": 99}), 200)
        self.assertEqual(longer["metadata"]["deletionGracePeriodSeconds"], 0)

    def test_preconditions_are_checked(self):
        made = self.make("pre")
        self.expect(self.server.delete(CONFIG_MAPS + "/pre", {"preconditions": {"uid": "x"}}), 409, "Precondition failed")
        self.expect(self.server.delete(CONFIG_MAPS + "/pre", {"preconditions": {"resourceVersion": "1"}}), 409)
        self.expect(self.server.delete(CONFIG_MAPS + "/pre", {"preconditions": {"uid": made["metadata"]["uid"]}}), 200)

    def test_options_are_checked(self):
        self.make("opt")
        self.expect(self.server.delete(CONFIG_MAPS + "/opt", {"propagationPolicy": "Maybe"}), 422)
        self.expect(self.server.delete(CONFIG_MAPS + "/opt", {"gracePeriodSeconds": -5}), 422)
        self.expect(self.server.delete(CONFIG_MAPS + "/opt", []), 400)
        self.expect(self.server.delete(CONFIG_MAPS + "/opt", {"dryRun": ["Some"]}), 422)

    def test_admission_can_forbid_it(self):
        images = GROUP + "/images"
        body = {"metadata": {"name": "used"}, "spec": {"source": {"upload": True}}}
        self.expect(self.server.post(images, body), 201)
        self.expect(self.server.post(INSTANCES, instance("user", image="used")), 201)
        status = self.expect(self.server.delete(images + "/used"), 409, "used by instance default/user")
        self.assertEqual(status["reason"], "Conflict")
        self.expect(self.server.delete(INSTANCES + "/user"), 200)
        self.expect(self.server.delete(images + "/used"), 200)

    def test_a_collection_goes_by_selector(self):
        for i in range(150):
            self.make(f"many{i}", labels={"many": "odd" if i % 2 else "even"})
        self.expect(self.server.delete(CONFIG_MAPS + "?labelSelector=many%3Dodd"), 200)
        left = self.server.get(CONFIG_MAPS + "?labelSelector=many").json["items"]
        self.assertEqual(len(left), 75)
        self.expect(self.server.delete(CONFIG_MAPS + "?labelSelector=many", {"dryRun": ["All"]}), 200)
        self.assertEqual(len(self.server.get(CONFIG_MAPS + "?labelSelector=many").json["items"]), 75)
        # A name that is empty is not all names.
        self.expect(self.server.delete(CONFIG_MAPS + "/"), 400, "is a name missing?")
        self.assertEqual(len(self.server.get(CONFIG_MAPS + "?labelSelector=many").json["items"]), 75)

    # --- dependents ---

    def family(self, name, **reference):
        """An owner and a dependent."""
        owner = self.make(name)
        child = self.make(name + "-child", ownerReferences=[self.reference(owner, **reference)])
        return CONFIG_MAPS + "/" + name, CONFIG_MAPS + "/" + name + "-child", owner, child

    def reference(self, owner, **more):
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], **more}

    def test_in_the_background_dependents_follow(self):
        owner, child, _, _ = self.family("bg")
        self.expect(self.server.delete(owner), 200)
        self.wait_gone(child)

    def test_in_the_foreground_they_go_first(self):
        owner, child, _, _ = self.family("fg", blockOwnerDeletion=True)
        hold = {"metadata": {"finalizers": ["x.dev/hold"]}}
        self.expect(self.server.patch(child, hold), 200)
        marked = self.expect(self.server.delete(owner, {"propagationPolicy": "Foreground"}), 200)
        self.assertEqual(marked["metadata"]["finalizers"], ["foregroundDeletion"])
        with self.server.watch(child + "?watch=1&timeoutSeconds=30") as watch:
            while "deletionTimestamp" not in watch.next()["object"]["metadata"]:
                pass
        self.expect(self.server.get(owner), 200)
        self.expect(self.server.patch(child, {"metadata": {"finalizers": None}}), 200)
        self.wait_gone(owner)

    def test_orphans_stay_without_their_owner(self):
        owner, child, _, _ = self.family("orph")
        self.expect(self.server.delete(owner, {"propagationPolicy": "Orphan"}), 200)
        self.wait_gone(owner)
        self.assertNotIn("ownerReferences", self.expect(self.server.get(child), 200)["metadata"])

    def test_a_dependent_of_what_never_was_goes(self):
        owner = self.make("ghost-owner")
        reference = {**self.reference(owner), "uid": "00000000-0000-4000-8000-00000000dead"}
        self.make("ghost", ownerReferences=[reference])
        self.wait_gone(CONFIG_MAPS + "/ghost")

    def test_one_owner_left_keeps_it(self):
        one, two = self.make("one"), self.make("two")
        self.make("shared", ownerReferences=[self.reference(one), self.reference(two)])
        self.expect(self.server.delete(CONFIG_MAPS + "/one"), 200)
        with self.server.watch(CONFIG_MAPS + "/shared?watch=1&timeoutSeconds=30") as watch:
            while len(watch.next()["object"]["metadata"]["ownerReferences"]) > 1:
                pass
        self.expect(self.server.delete(CONFIG_MAPS + "/two"), 200)
        self.wait_gone(CONFIG_MAPS + "/shared")

    def test_an_owner_of_an_unknown_kind_counts_as_there(self):
        reference = {"apiVersion": "other.dev/v1", "kind": "Thing", "name": "x", "uid": "u"}
        self.make("foreign", ownerReferences=[reference])
        self.test_in_the_background_dependents_follow()  # the collector has been round since
        self.expect(self.server.get(CONFIG_MAPS + "/foreign"), 200)

    # --- namespaces ---

    def test_a_namespace_is_emptied_before_it_goes(self):
        spaces = "/api/v1/namespaces"
        made = self.expect(self.server.post(spaces, {"metadata": {"name": "full"}}), 201)
        self.assertEqual((made["status"]["phase"], made["spec"]["finalizers"]), ("Active", ["kubernetes"]))
        maps = spaces + "/full/configmaps"
        self.expect(self.server.post(maps, config_map("held", finalizers=["x.dev/hold"])), 201)
        self.expect(self.server.post(GROUP + "/namespaces/full/instances", instance("i")), 201)
        marked = self.expect(self.server.delete(spaces + "/full"), 200)
        self.assertEqual(marked["status"]["phase"], "Terminating")
        self.expect(self.server.post(maps, config_map("late")), 403, "because it is being terminated")
        with self.server.watch(maps + "/held?watch=1&timeoutSeconds=30") as watch:
            while "deletionTimestamp" not in watch.next()["object"]["metadata"]:
                pass
        self.expect(self.server.get(spaces + "/full"), 200)
        self.expect(self.server.patch(maps + "/held", {"metadata": {"finalizers": None}}), 200)
        self.wait_gone(spaces + "/full")
        self.expect(self.server.get(GROUP + "/namespaces/full/instances/i"), 404)

    def test_an_empty_namespace_goes(self):
        self.expect(self.server.post("/api/v1/namespaces", {"metadata": {"name": "empty"}}), 201)
        self.expect(self.server.delete("/api/v1/namespaces/empty"), 200)
        self.wait_gone("/api/v1/namespaces/empty")


class Restart(ApiTest):
    store = True

    def test_garbage_left_by_a_crash_is_collected_after_the_start(self):
        owner = self.expect(self.server.post(CONFIG_MAPS, config_map("owner")), 201)
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
        self.expect(self.server.post(CONFIG_MAPS, config_map("child", ownerReferences=[reference])), 201)
        self.expect(self.server.post("/api/v1/namespaces", {"metadata": {"name": "gone"}}), 201)
        self.server.delete(CONFIG_MAPS + "/owner")
        self.server.delete("/api/v1/namespaces/gone")
        self.server.stop(9)
        self.server.start()
        for path in (CONFIG_MAPS + "/child", "/api/v1/namespaces/gone"):
            wait_gone(self, path)


if __name__ == "__main__":
    unittest.main()
