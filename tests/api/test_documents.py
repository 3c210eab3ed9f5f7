"""What the server says about itself: discovery both ways, OpenAPI, version."""
import json
import unittest

from harness import ApiTest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


class Discovery(ApiTest):
    def test_groups_and_versions(self):
        self.assertEqual(self.server.get("/api").json["versions"], ["v1"])
        groups = self.server.get("/apis").json["groups"]
        self.assertEqual(groups[0]["preferredVersion"], {"groupVersion": "virga.dev/v1", "version": "v1"})
        self.assertEqual({group["name"] for group in groups},
                         {"virga.dev", "autoscaling", "metrics.k8s.io", "apiextensions.k8s.io", "authorization.k8s.io",
                          "authentication.k8s.io"})
        self.assertEqual(self.server.get("/apis/virga.dev").json["name"], "virga.dev")

    def test_resources_of_a_version(self):
        made = self.server.get("/apis/virga.dev/v1/").json
        self.assertEqual((made["kind"], made["groupVersion"]), ("APIResourceList", "virga.dev/v1"))
        by_name = {resource["name"]: resource for resource in made["resources"]}
        instances = by_name["instances"]
        self.assertEqual((instances["kind"], instances["namespaced"], instances["singularName"]),
                         ("Instance", True, "instance"))
        self.assertIn("watch", instances["verbs"])
        self.assertIn("all", instances["categories"])
        self.assertEqual(by_name["instances/status"]["verbs"], ["get", "patch", "update"])
        self.assertEqual(by_name["instances/exec"]["verbs"], ["create"])
        self.assertFalse(by_name["hosts"]["namespaced"])

    def test_the_aggregated_form_says_the_same(self):
        for path, group in (("/apis", "virga.dev"), ("/api", "")):
            reply = self.server.get(path, Accept=AGGREGATED + ",application/json")
            self.assertEqual(reply.headers["Content-Type"], AGGREGATED)
            made = reply.json
            self.assertEqual((made["kind"], made["apiVersion"]), ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"))
            self.assertEqual(made["items"][0]["metadata"]["name"], group)
            resources = made["items"][0]["versions"][0]["resources"]
            old = self.server.get("/apis/virga.dev/v1" if group else "/api/v1").json["resources"]
            self.assertEqual([r["resource"] for r in resources], [r["name"] for r in old if "/" not in r["name"]])

    def test_older_aggregated_forms_fall_back(self):
        accept = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
        self.assertEqual(self.server.get("/apis", Accept=accept).json["kind"], "APIGroupList")

    def test_documents_are_known_by_their_tag(self):
        for path, accept in (("/apis", AGGREGATED), ("/apis", "*/*"), ("/openapi/v2", PROTOBUF), ("/openapi/v3", "*/*"),
                             ("/openapi/v3/apis/virga.dev/v1", "*/*")):
            first = self.server.get(path, Accept=accept)
            again = self.server.get(path, Accept=accept, If_None_Match=first.headers["Etag"])
            self.assertEqual((again.status, again.bytes), (304, b""))
            other = self.server.get(path, Accept=accept, If_None_Match='"other"')
            self.assertEqual(other.bytes, first.bytes)


class OpenApi(ApiTest):
    def references(self, value):
        if isinstance(value, dict):
            for key, child in value.items():
                if key == "$ref":
                    yield child
                else:
                    yield from self.references(child)
        elif isinstance(value, list):
            for child in value:
                yield from self.references(child)

    def test_every_version_has_a_document_that_stands_alone(self):
        index = self.server.get("/openapi/v3").json["paths"]
        self.assertIn("apis/virga.dev/v1", index)
        self.assertIn("api/v1", index)
        for path, entry in index.items():
            document = self.server.get(entry["serverRelativeURL"]).json
            self.assertEqual(document["openapi"], "3.0.0")
            schemas = document["components"]["schemas"]
            for reference in self.references(document):
                self.assertIn(reference.removeprefix("#/components/schemas/"), schemas)

    def test_what_kubectl_looks_for_is_there(self):
        document = self.server.get("/openapi/v3/apis/virga.dev/v1").json
        gvk = {"group": "virga.dev", "version": "v1", "kind": "Instance"}
        base = "/apis/virga.dev/v1/namespaces/{namespace}/instances"
        patch = document["paths"][base + "/{name}"]["patch"]
        self.assertEqual(patch["x-kubernetes-group-version-kind"], gvk)
        self.assertIn("fieldValidation", [parameter["name"] for parameter in patch["parameters"]])
        self.assertNotIn("application/strategic-merge-patch+json", patch["requestBody"]["content"])
        for path in (base, "/apis/virga.dev/v1/instances"):
            self.assertEqual(document["paths"][path]["get"]["x-kubernetes-group-version-kind"], gvk)
        schema = document["components"]["schemas"]["dev.virga.v1.Instance"]
        self.assertEqual(schema["x-kubernetes-group-version-kind"], [gvk])
        networks = schema["properties"]["spec"]["properties"]["networks"]
        self.assertEqual((networks["x-kubernetes-list-type"], networks["x-kubernetes-list-map-keys"]), ("map", ["name"]))

    def test_streams_are_documented(self):
        document = self.server.get("/openapi/v3/apis/virga.dev/v1").json
        path = "/apis/virga.dev/v1/namespaces/{namespace}/instances/{name}/portforward"
        self.assertEqual(document["paths"][path]["get"]["parameters"][0]["name"], "port")

    def test_the_old_document_keeps_to_what_old_parsers_accept(self):
        document = self.server.get("/openapi/v2", Accept="application/json, */*").json
        self.assertEqual(document["swagger"], "2.0")
        definitions = document["definitions"]
        self.assertIn("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", definitions)
        for reference in self.references(document):
            self.assertIn(reference.removeprefix("#/definitions/"), definitions)

        def check(schema):
            if "$ref" in schema:
                self.assertLessEqual({key for key in schema if not key.startswith("x-")}, {"$ref", "description", "default"})
                return
            self.assertIn(schema.get("type", "object"), {"string", "number", "integer", "boolean", "object", "array"})
            if schema.get("type") == "array":
                check(schema["items"])
            for child in schema.get("properties", {}).values():
                check(child)
            if isinstance(schema.get("additionalProperties"), dict):
                check(schema["additionalProperties"])
        for definition in definitions.values():
            check(definition)
        self.assertEqual(set(definitions["dev.virga.v1.Instance"]["properties"]),
                         {"apiVersion", "kind", "metadata", "spec", "status"})

    def test_protobuf_has_a_type_without_the_at_sign(self):
        reply = self.server.get("/openapi/v2", Accept=PROTOBUF)
        self.assertNotIn("@", reply.headers["Content-Type"])
        self.assertEqual(reply.bytes[:5], b"\x0a\x032.0")


if __name__ == "__main__":
    unittest.main()
