/** Each test of the page begins in a browser that has kept nothing. */
import { beforeEach } from "vitest";

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});
