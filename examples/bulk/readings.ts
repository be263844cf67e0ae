/**
 * A worker that inserts rows into SQLite, up to fifty in one transaction. It runs
 * on Deno and on Node 24, both of which have `node:sqlite`.
 *
 * If a row breaks the table's rules, the transaction is rolled back. The batch runs
 * again in halves, until the bad row is alone and fails.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Job, WorkerConfig } from "jsr:@zsqs/cli@^0.1.0";

/** A reading: the sensor's name and its temperature. */
type Reading = [sensor: string, celsius: number];

/** Inserts readings. */
export default class Readings {
  readonly #database: DatabaseSync;
  readonly #insert: StatementSync;

  constructor({ database = "readings.db" }: WorkerConfig) {
    this.#database = new DatabaseSync(database);
    this.#database.exec(`CREATE TABLE IF NOT EXISTS readings (
      id TEXT PRIMARY KEY,
      sensor TEXT NOT NULL,
      celsius REAL NOT NULL CHECK (celsius >= -273.15)
    )`);
    // A job that comes again, as any job may, changes nothing.
    this.#insert = this.#database.prepare(
      "INSERT INTO readings VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
    );
  }

  handleBatch(jobs: Job<Reading>[]): void {
    this.#database.exec("BEGIN");
    try {
      for (const { messageId, args: [sensor, celsius] } of jobs) {
        this.#insert.run(messageId, sensor, celsius);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      // Nothing of this batch took effect: its halves can run again.
      this.#database.exec("ROLLBACK");
      throw error;
    }
    console.error(`inserted ${jobs.length}`);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
