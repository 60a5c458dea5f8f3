/** Errors in words for people. */
import type { StatusError } from "@syncline/sdk";

const WORDS: Record<string, string> = {
  quota: "This device has no more room. Nothing was saved.",
  storage: "This browser's database failed. Nothing was saved.",
  record_missing: "It is no longer there: it was deleted on another device or in another tab.",
  record_exists: "It is there already.",
  mutation_too_large: "That is more than can be saved at once.",
  signed_out: "You were signed out in another tab. Nothing was saved.",
  signed_in: "Somebody is signed in already: sign out first.",
  stopped: "The app was closed meanwhile.",
};

/** Of anything that was thrown, or told with a code. */
export function sayFault(fault: unknown): string {
  const { code = "", message = String(fault) } = fault as { code?: string; message?: string };
  return WORDS[code] ?? message;
}

const NOBODY = "This hub tells nobody of reminders. Todo reminds while it is open.";

const UNTOLD: Record<string, string> = {
  push_unsupported: "This browser cannot be told while Todo is closed, or not at this address.",
  push_denied: "This browser lets Todo show nothing. Allow notifications in its settings.",
  push_unavailable: "This browser or this hub has nobody who passes on what is for closed pages.",
  unreachable: "The hub cannot be reached. Try again when there is a network.",
  too_many_devices: "That is one device too many: forget another first.",
  device_unknown: "It is no longer there: it was forgotten on another device.",
  // A hub of former times, and one whose operator wants none.
  not_found: NOBODY,
  app_unknown: NOBODY,
  protocol: NOBODY,
};

/** Of what goes wrong with notifications. */
export function sayUntold(fault: unknown): string {
  return UNTOLD[(fault as { code?: string }).code ?? ""] ?? sayFault(fault);
}

/** What became of what was kept here: the browser deleted it, or cannot read it. */
export type Loss = NonNullable<StatusError["lost"]>;

/** In words for people: shortly, and with what comes back. A guest has nothing elsewhere. */
export function sayLoss(loss: Loss, whose: "guest" | "account"): { label: string; text: string } {
  const sent =
    whose === "account" ? "What had been sent is at the hub and comes back; what had not " : "It ";
  if (loss === "evicted")
    return {
      label: "Data was deleted",
      text:
        "This browser deleted what Todo kept here: its data was cleared, or room was short. " +
        (whose === "account" ? `${sent}is gone.` : "It was on this device alone, and is gone."),
    };
  return {
    label: "Data cannot be read",
    text:
      "This browser cannot read what Todo kept here, so Todo began anew beside it. " +
      `${sent}is still here, and comes back if the browser can read it when Todo is loaded again.`,
  };
}
