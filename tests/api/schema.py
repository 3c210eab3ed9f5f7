"""Checks replies against the server's own OpenAPI documents, when jsonschema is installed."""
try:
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import jsonschema
except ImportError:  # python3-jsonschema is optional
    jsonschema = None


class Schemas:
    """All schemas of a server by apiVersion and kind."""

    def __init__(self, get):
        self.schemas = {}
        self.by_kind = {}
        for path in get("/openapi/v3")["paths"]:
            self.schemas.update(get("/openapi/v3/" + path)["components"]["schemas"])
        for name, schema in self.schemas.items():
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
                self.by_kind[version, gvk["kind"]] = name
        self.root = {"components": {"schemas": self.schemas}}

    def problem(self, value):
        """What is wrong with a reply, or None. Kinds without a schema (Table, reviews) pass."""
        name = self.by_kind.get((value.get("apiVersion"), value.get("kind")))
        if name is None:
            return None
        schema = {**self.root, "$ref": "#/components/schemas/" + name}
        errors = sorted(jsonschema.Draft4Validator(schema).iter_errors(value), key=lambda error: list(error.path))
        if not errors:
            return None
        return "; ".join(f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in errors[:5])


def schemas_of(server):
    if jsonschema is None:
        return None
    return Schemas(lambda path: server.get(path).json)
