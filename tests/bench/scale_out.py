"""scale_out.py SOCKET GROUP PORT COUNT ROUNDS - how long until members that are added to a group of one answer
through its balancer at 127.0.0.1:PORT: "FIRST_MS LAST_MS REFUSED" for each round, of COUNT members more.

The balancer's cookie tells who answered: each request comes without one. The time runs from the request that sets replicas."""
import sys
import threading
import time

from group import PATIENCE_S, Group

GROUP, COUNT, ROUNDS = Group(sys.argv[1], sys.argv[2], int(sys.argv[3])), int(sys.argv[4]), int(sys.argv[5])
MANY = 4
PACE_S = 0.02 if COUNT < MANY else 0.2


class Poll:
    """Asks until each new member has answered. Members answer beside what is measured, on the same processors, and
    take 4 ms for it: one is asked fifty times a second, of many somebody five times, and all of them at once, by
    least connections, when the group says that all serve."""

    def __init__(self, known):
        self.known, self.seen, self.refused = known, {}, 0
        self.is_over, self.has_all, self.all_serve = threading.Event(), threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.ask)]
        if COUNT >= MANY:
            self.threads += [threading.Thread(target=self.ask_when_all_serve) for _ in range(COUNT)]
            threading.Thread(target=self.watch, daemon=True).start()
        for thread in self.threads:
            thread.start()

    def ask_once(self):
        member = GROUP.answer()
        now = time.time()
        if member is None:
            self.refused += 1
        elif member not in self.known:
            self.seen.setdefault(member, now)
        if len(self.seen) == COUNT:
            self.has_all.set()

    def ask(self):
        while not self.has_all.is_set() and not self.is_over.wait(PACE_S):
            self.ask_once()

    def ask_when_all_serve(self):
        self.all_serve.wait()
        while not self.has_all.is_set() and not self.is_over.is_set():
            self.ask_once()

    def watch(self):
        for group in GROUP.watch():
            if group.get("status", {}).get("readyReplicas") == 1 + COUNT:
                return self.all_serve.set()

    def stop(self):
        self.is_over.set()
        self.all_serve.set()
        for thread in self.threads:
            thread.join()


def main():
    for _ in range(ROUNDS):
        GROUP.wait_settled(1)
        poll = Poll(GROUP.who_answers(20))
        asked = time.time()
        GROUP.scale_to(1 + COUNT)
        poll.has_all.wait(PATIENCE_S)
        poll.stop()
        times = sorted(poll.seen.values())
        if len(times) < COUNT:
            sys.exit(f"{len(times)} of {COUNT} answered")
        print(f"{(times[0] - asked) * 1000:.0f} {(times[-1] - asked) * 1000:.0f} {poll.refused}", flush=True)
        GROUP.wait_settled(1 + COUNT)
        GROUP.scale_to(1)
    GROUP.wait_settled(1)


if __name__ == "__main__":
    main()
