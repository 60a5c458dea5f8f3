import fc from "fast-check";
import { expect, test } from "vitest";
import { NEW_CLOCK, observe, stamp } from "../../src/core/clock";
import { correct } from "../../src/core/correct";
import { AHEAD_MS_MAX, compare, format, tick, WALL_MIN } from "../../src/core/hlc";
import { parse } from "../../src/core/rfc3339";
import { wallOf } from "../../src/storage/stamps";

const NOW = 1_795_514_400_000;
const wall = fc.integer({ min: WALL_MIN, max: NOW * 2 });
const hlc = fc.record({ wall, counter: fc.integer({ min: 0, max: 0xffff }) });

test("a tick is later than the clock, and never behind the wall", () => {
  fc.assert(
    fc.property(hlc, wall, (clock, now) => {
      const next = tick(clock, now);
      expect(compare(next, clock)).toBeGreaterThan(0);
      expect(next.wall).toBeGreaterThanOrEqual(now);
      expect(next.counter).toBeLessThanOrEqual(0xffff);
    }),
  );
});

test("every stamp survives its text", () => {
  fc.assert(fc.property(hlc, (at) => void expect(parse(format(at))).toEqual(at)));
});

test("an edit comes after what was seen, also with a clock that runs behind", () => {
  const seen = { wall: NOW + 30_000, counter: 5 };
  const { hlc } = stamp(observe(NEW_CLOCK, seen), NOW);
  expect(compare(hlc, seen)).toBeGreaterThan(0);
});

/** The hub's clock shows `NOW` when the device's shows `came`, asked at once. */
const at = (came: number) => ({ hub: NOW, asked: came, came });

test("the hub's clock corrects a device's that is wrong", () => {
  for (const wrong of [-7_200_000, -1, 0, 1, 50_000]) {
    const { clock } = correct(NEW_CLOCK, at(NOW + wrong), 0);
    expect(stamp(clock, NOW + wrong + 5).hlc.wall).toBe(NOW + 5);
  }
});

test("a slow network shifts no clock", () => {
  const slow = { hub: NOW, asked: NOW - 4_000, came: NOW + 9_000 };
  expect(correct(NEW_CLOCK, slow, 0).clock.offset).toBe(0);
  const wrong = { hub: NOW, asked: NOW + 10_000, came: NOW + 20_000 };
  expect(correct(NEW_CLOCK, wrong, 0).clock.offset).toBe(-10_000);
  // A clock that was set back between the two.
  expect(correct(NEW_CLOCK, { hub: NOW, asked: NOW, came: NOW - 60 }, 0).clock.offset).toBe(60);
});

const AHEAD = { hlc: { wall: NOW + AHEAD_MS_MAX + 1, counter: 0 }, offset: 0 };

test("a clock far ahead is set back, and what was never sent is stamped again", () => {
  const { clock, restamp } = correct(AHEAD, at(NOW), 0);
  expect(restamp).toBe(true);
  expect(stamp(clock, NOW).hlc.wall).toBe(NOW + 1);
});

test("a clock far ahead stays until what was sent with it is judged", () => {
  const { clock, restamp } = correct(AHEAD, at(NOW), AHEAD.hlc.wall);
  expect(restamp).toBe(false);
  expect(clock.hlc).toEqual(AHEAD.hlc);
});

test("the wall time of a stamp that is written here is what a reader finds in it", () => {
  for (const counter of [0, 1, 0xffff])
    for (const wall of [WALL_MIN, 1_764_000_000_123, 253_402_300_799_999]) {
      const text = format({ wall, counter });
      expect([wallOf(text), parse(text)]).toEqual([wall, { wall, counter }]);
    }
  expect(wallOf("yesterday")).toBe(0);
});
