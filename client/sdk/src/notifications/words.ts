/** What the service worker tells the app's pages, as `{ syncline: … }`. */

/** The subscription was given up: register again. */
export const RENEW = "push-renew";

/** A notification was tapped; `data` is its own. */
export const CLICK = "notification-click";
