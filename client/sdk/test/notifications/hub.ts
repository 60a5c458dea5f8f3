/** The real hub with reminders, for tests. */

/** An app with reminders, and a key to push with (RFC 8291, section 5), also to this machine. */
export const SETTINGS = {
  HUB__APP__TODO__REMINDERS__TASK: "task",
  HUB__APP__TODO__REMINDERS__REMIND_AT: "at",
  HUB__PUSH__PRIVATE_KEY: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  HUB__PUSH__CONTACT: "mailto:ada@example.com",
  HUB__PUSH__PRIVATE: "true",
};
