/** A React app: what the hooks give, by type. */
import {
  StoreProvider,
  useLive,
  useRejected,
  useStatus,
  useStore,
  type Reading,
} from "@syncline/sdk/react";
import type { LocalStore, Rejected, Status } from "@syncline/sdk";
import { store, tasks, type Task } from "./plain.js";
import { holds, type Same } from "./types.js";

function Tasks({ done }: { done: boolean }) {
  const found = useLive(() => tasks.live({ filter: { done } }), [done]);
  holds<Same<typeof found, Reading<Task[]>>>();
  holds<Same<typeof found.current, Task[] | undefined>>();
  const status = useStatus();
  holds<Same<typeof status, Status>>();
  const rejected = useRejected();
  holds<Same<typeof rejected, Rejected[]>>();
  const given = useStore();
  holds<Same<typeof given, LocalStore>>();
  // @ts-expect-error: what it depends on is missing
  useLive(() => tasks.live());
  return <p>{found.current?.length}</p>;
}

export const App = () => (
  <StoreProvider value={store}>
    <Tasks done />
  </StoreProvider>
);

// @ts-expect-error: no store
export const wrong = <StoreProvider value={tasks} />;
