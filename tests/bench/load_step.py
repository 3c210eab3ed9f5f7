"""load_step.py SOCKET GROUP PORT RATE ROUNDS - how long until the autoscaler of a group of one decides for more, and
until one more answers, once RATE requests a second come to its balancer at 127.0.0.1:PORT: "DECISION_MS ANSWER_MS
REFUSED" for each round.

The time runs from the first of the requests. Between rounds nobody asks, until the group has one member again."""
import sys
import threading
import time

from group import PATIENCE_S, Group

GROUP, RATE, ROUNDS = Group(sys.argv[1], sys.argv[2], int(sys.argv[3])), int(sys.argv[4]), int(sys.argv[5])
CLIENTS = 4


class Load:
    def __init__(self, known):
        self.known, self.refused = known, 0
        self.decided_s = self.answered_s = None
        self.is_over, self.has_answer, self.has_decision = threading.Event(), threading.Event(), threading.Event()
        self.begun_s = time.monotonic()
        self.threads = [threading.Thread(target=self.ask, args=(one,)) for one in range(CLIENTS)]
        for thread in self.threads:
            thread.start()
        threading.Thread(target=self.watch, daemon=True).start()

    def ask(self, client):
        due_s = self.begun_s + client / RATE
        while not self.is_over.wait(max(0, due_s - time.monotonic())):
            member = GROUP.answer()
            self.refused += member is None
            if member and member not in self.known and not self.has_answer.is_set():
                self.answered_s = time.monotonic() - self.begun_s
                self.has_answer.set()
            due_s += CLIENTS / RATE

    def watch(self):
        for group in GROUP.watch():
            if group["spec"]["replicas"] > 1:
                self.decided_s = time.monotonic() - self.begun_s
                return self.has_decision.set()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


def main():
    for _ in range(ROUNDS):
        GROUP.wait_settled(1)
        load = Load(GROUP.who_answers(3))
        came = load.has_answer.wait(PATIENCE_S) and load.has_decision.wait(PATIENCE_S)
        load.stop()
        if not came:
            sys.exit("nobody more answered, or the group's size was never changed")
        print(f"{load.decided_s * 1000:.0f} {load.answered_s * 1000:.0f} {load.refused}", flush=True)
    GROUP.wait_settled(1)


if __name__ == "__main__":
    main()
