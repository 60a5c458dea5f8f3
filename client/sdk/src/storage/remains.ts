/** What a database knows of its mutations when it is left for another one. */
import type { Database } from "./database.js";
import type { Remains } from "./verdicts.js";

/** Read before the session is closed: what has not moved then has its verdict, or is given up. */
export function remains(db: Database): Promise<Remains> {
  const { outbox, sent, settled, rejected, meta } = db;
  return db.transaction("r", [outbox, sent, settled, rejected, meta], async () => {
    const [client, there, refused, decided, rows] = await Promise.all([
      db.read("client"),
      outbox.toCollection().primaryKeys(),
      rejected.toCollection().primaryKeys(),
      sent.where("seq").aboveOrEqual(0).primaryKeys(),
      settled.toArray(),
    ]);
    const waits = new Set([...there, ...refused]);
    for (const n of decided) waits.delete(n);
    return { client, waits, settled: new Map(rows.map((row) => [row.n, row])) };
  });
}
