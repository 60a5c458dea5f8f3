/** A status in a few words, for people. */
import type { Status } from "../index.js";

/** `hint` says more, where there is more to say. */
export function say({ status, account, pending, error, bootstrap }: Status): {
  label: string;
  hint: string;
} {
  const waiting = `${pending} ${pending === 1 ? "change" : "changes"}`;
  switch (status) {
    case "synced":
      return { label: "Synced", hint: "Everything is saved here and on your other devices." };
    case "pending":
      return { label: `${waiting} to send`, hint: "Saved on this device, and sent in a moment." };
    case "syncing":
      return bootstrap
        ? { label: `Loading ${progress(bootstrap)}`, hint: "This device is being filled." }
        : { label: "Syncing", hint: "Changes are on their way." };
    case "error":
      return {
        // Everything else goes on, and is told when this has been acknowledged.
        label: error?.code === "storage_lost" ? "Data was lost" : "Not syncing",
        hint: error?.message ?? "",
      };
    case "offline":
      if (account === null)
        return { label: "Saved on this device", hint: "Sign in to have it on your others too." };
      return {
        label: pending > 0 ? `Offline, ${waiting} to send` : "Offline",
        hint: "Everything works. Changes are sent when there is a network.",
      };
  }
}

function progress({ done, total }: NonNullable<Status["bootstrap"]>): string {
  return total ? `${Math.min(99, Math.floor((100 * done) / total))} %` : `${done} records`;
}
