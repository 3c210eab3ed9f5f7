"""docs_test.py SOURCE - what the pages in docs/ say of the source is true: every reason a controller
gives stands in troubleshooting.md, and every link leads somewhere."""
import glob
import os
import re
import sys

source = sys.argv[1]
failures = []


def calls(text, name):
    """The text between the brackets of each call of a function."""
    for found in re.finditer(r"\b" + name + r"\(", text):
        depth, at = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield text[found.end():at - 1]


def reasons():
    """(reason, file) of all conditions."""
    for path in sorted(glob.glob(source + "/src/control/*.c")):
        with open(path) as file:
            text = file.read()
        for name in ("work_condition", r"\w*waits", "waiting", "show_failure"):
            for call in calls(text, name):
                for word in re.findall(r'"([A-Z][A-Za-z]+)"', call):
                    yield word, os.path.basename(path)
        for word in re.findall(r'return "([A-Z][a-z]+[A-Z][A-Za-z]+)";', text):
            yield word, os.path.basename(path)


with open(source + "/docs/troubleshooting.md") as file:
    words = set(re.findall(r"[A-Za-z]+", file.read()))
found = set(reasons())
if len(found) < 40:
    failures.append(f"only {len(found)} reasons found in src/control: does this test still read it rightly?")
for word, path in sorted(found):
    if word not in words:
        failures.append(f"troubleshooting.md does not know {word} of {path}")

for page in glob.glob(source + "/*.md") + glob.glob(source + "/docs/*.md"):
    with open(page) as file:
        text = file.read()
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        if not os.path.exists(os.path.join(os.path.dirname(page), link)):
            failures.append(f"{os.path.relpath(page, source)} links to {link}, which is not there")

print("\n".join(failures) or "all is said, and all links lead somewhere")
sys.exit(bool(failures))
