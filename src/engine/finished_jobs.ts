/**
 * Jobs that ended, but whose message may still be in the queue.
 *
 * @module
 */

/** The most ids that are remembered. */
const MAX_IDS = 10_000;

/** The ids of the last messages whose delete was refused, lost or late. */
export class FinishedJobs {
  readonly #ids = new Set<string>();

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= MAX_IDS) return;
    const [oldest] = this.#ids;
    this.#ids.delete(oldest!);
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
