/**
 * A device's own mutations on their way: which get a number, which go into one push, and what a
 * verdict makes of them. Pure; the rows are kept by `storage/outbox`.
 */
import { AROUND_MUTATION, AROUND_PUSH, type Weight } from "./weight.js";
import type { Change, Limits, Result } from "./wire.js";

/** Mutations with a number and without a verdict, at most; the hub remembers 256. */
export const IN_FLIGHT_MAX = 200;

/** Mutations of one push, at most. */
export const PUSH_MAX = 100;

/** Bytes of one push, unless it is a single mutation: on a slow line a verdict comes now and then. */
const PUSH_BYTES_MAX = 128 << 10;

/** How many of `waiting`, in order, go into one push: `most`, but at least one, if there is any. */
export function pushLength(waiting: Weight[], limits: Limits, most = PUSH_MAX): number {
  const bytesMax = Math.min(limits.message_bytes, PUSH_BYTES_MAX);
  let bytes = AROUND_PUSH;
  let changes = 0;
  let length = 0;
  for (const one of waiting.slice(0, most)) {
    bytes += one.bytes + AROUND_MUTATION;
    changes += one.changes;
    if (length > 0 && (bytes > bytesMax || changes > limits.changes_per_push)) break;
    length++;
  }
  return length;
}

/** What becomes of a mutation that was answered. */
type Outcome =
  /** It leaves the outbox when the cursor has passed `seq`: only then the copy shows it. */
  | { is: "decided"; seq: number; status: "applied" | "superseded" }
  /** The hub will never take it. The user decides; nothing behind it waits. */
  | { is: "rejected"; code: string; message: string }
  /** It deletes only, and the hub does not know one of the records. Each is deleted by itself then. */
  | { is: "parted" }
  /**
   * Its number belongs to other changes, or to some of long ago: this client's numbers are not its
   * own any more. Never do so many wait that the hub could have forgotten the verdict of one.
   */
  | { is: "renumber" };

/**
 * `head` is the highest seq this device has heard of; it stands in for one that is not told. `changes`
 * are those of a mutation that was refused.
 */
export function outcome(result: Result, head: number, changes: Change[] = []): Outcome {
  if (result.status === "known") return { is: "renumber" };
  const seq = result.seq ?? head;
  if (result.status !== "rejected") {
    const status = result.status === "superseded" ? "superseded" : "applied";
    return { is: "decided", seq, status };
  }
  if (result.code === "number_reused") return { is: "renumber" };
  if (result.code === "record_unknown" && changes.every(({ op }) => op === "delete")) {
    // What is not there is as it was to be.
    if (changes.length === 1) return { is: "decided", seq, status: "applied" };
    if (changes.length > 1) return { is: "parted" };
  }
  return { is: "rejected", code: result.code, message: result.message };
}

/**
 * Whether the hub has lost what it confirmed: a restore, an erasure, a clean-up of old marks.
 * `confirmed` is the last number this device saw a verdict for; `acked` what the hub says.
 */
export function hasForgotten(confirmed: number, acked: number | null | undefined): boolean {
  return acked !== undefined && (acked ?? 0) < confirmed;
}
