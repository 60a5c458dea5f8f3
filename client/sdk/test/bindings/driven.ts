/** What bindings show, driven by the test: a live query, and a store as the bindings know it. */
import type { Inspection, Live, LocalStore, PastError, Rejected, Status } from "../../src/index";

/** A live query that answers what the test says. It is not a promise away: who is told shows it at once. */
export class Driven<R> implements Live<R> {
  readonly #calls = new Set<{ next: (result: R) => void; error: (error: unknown) => void }>();

  subscribe(next: (result: R) => void, error: (error: unknown) => void = () => {}): () => void {
    const call = { next, error };
    this.#calls.add(call);
    return () => void this.#calls.delete(call);
  }

  get subscriptions(): number {
    return this.#calls.size;
  }

  tell(result: R): void {
    for (const { next } of this.#calls) next(result);
  }

  fail(error: unknown): void {
    for (const call of this.#calls) call.error(error);
  }
}

export const AT_REST: Status = {
  status: "synced",
  account: "ada",
  pending: 0,
  error: null,
  bootstrap: null,
};

/** As much of a store as bindings use. */
export class DrivenStore {
  readonly refused = new Driven<Rejected[]>();
  readonly rejected = {
    live: () => this.refused,
    retry: async (id: number) => void this.decided.push(`retry ${id}`),
    discard: async (id: number) => void this.decided.push(`discard ${id}`),
  };
  decided: string[] = [];
  acknowledge = async () => void this.decided.push("acknowledge");
  errors: PastError[] = [];
  inside: Partial<Inspection> = {};
  /** How often it was looked into. */
  looks = 0;
  readonly #listeners = new Set<(status: Status) => void>();

  constructor(public now: Status = AT_REST) {}

  /** As a store does: another object each time. */
  get status(): Status {
    return { ...this.now };
  }

  get account(): string | null {
    return this.now.account;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  onStatus(call: (status: Status) => void): () => void {
    this.#listeners.add(call);
    call(this.status);
    return () => this.#listeners.delete(call);
  }

  becomes(change: Partial<Status>): void {
    this.now = { ...this.now, ...change };
    for (const call of this.#listeners) call(this.status);
  }

  async inspect(): Promise<Inspection> {
    this.looks++;
    return this.inside as Inspection;
  }

  get store(): LocalStore {
    return this as unknown as LocalStore;
  }
}

export function refusal(id: number, code: string): Rejected {
  const changes: Rejected["changes"] = [
    { table: "tasks", id: `k${id}`, op: "delete", deletedAt: "" },
    { table: "lists", id: "l", op: "update", fields: {} },
  ];
  return { id, code, message: `why ${id}`, changes, at: 0 };
}
