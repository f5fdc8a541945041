import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { EVENT_CLASS, type EventClass, EventQueue } from "./event-queue.ts";

const classes: readonly EventClass[] = Object.values(EVENT_CLASS);

test("event-queue: events come by time, class and sequence", () => {
  const eventArb = fc.tuple(fc.nat(20), fc.constantFrom(...classes));
  fc.assert(
    fc.property(fc.array(eventArb, { maxLength: 300 }), (events) => {
      const queue = new EventQueue<number>();
      for (const [index, [atUs, eventClass]] of events.entries()) {
        queue.push(atUs, eventClass, index);
      }
      const wanted = events
        .map(([atUs, eventClass], index) => ({ atUs, eventClass, index }))
        .sort(
          (one, other) =>
            one.atUs - other.atUs || one.eventClass - other.eventClass || one.index - other.index,
        );
      for (const { atUs, index } of wanted) {
        assert.equal(queue.pop(), index);
        assert.equal(queue.nowUs, atUs);
      }
      assert.equal(queue.pop(), undefined);
    }),
  );
});

test("event-queue: a reserved slot has one entry, which moves, is taken out and comes back", () => {
  const queue = new EventQueue<string>();
  const slot = queue.reserve();
  queue.assign(slot, "mine");
  for (let other = 0; other < 100; other++) queue.push(10 * other, EVENT_CLASS.step, `${other}`);
  queue.schedule(slot, 995, EVENT_CLASS.step);
  queue.schedule(slot, 5, EVENT_CLASS.step);
  assert.equal(queue.count, 101);
  assert.deepEqual([queue.pop(), queue.pop(), queue.nowUs], ["0", "mine", 5]);
  queue.schedule(slot, 25, EVENT_CLASS.step);
  queue.schedule(slot, Number.POSITIVE_INFINITY, EVENT_CLASS.step);
  assert.equal(queue.count, 99);
  queue.schedule(slot, 10, EVENT_CLASS.arrival);
  assert.deepEqual([queue.pop(), queue.pop()], ["mine", "1"]);
});

test("event-queue: time does not go back", () => {
  const queue = new EventQueue<string>();
  queue.push(10, EVENT_CLASS.step, "late");
  queue.pop();
  queue.push(9, EVENT_CLASS.step, "early");
  assert.throws(() => queue.pop(), /came after/);
});
