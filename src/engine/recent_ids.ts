/**
 * A bounded memory of message ids. One has the jobs that ended although their
 * message may still be in the queue, another the receives that started no job.
 *
 * @module
 */

/** The most ids that are remembered. */
const MAX_IDS = 10_000;

/** The last ids that were added, and how often. */
export class RecentIds {
  readonly #times = new Map<string, number>();

  add(id: string): void {
    const times = this.timesOf(id) + 1;
    // The newest is the last.
    this.#times.delete(id);
    this.#times.set(id, times);
    if (this.#times.size <= MAX_IDS) return;
    const [oldest] = this.#times.keys();
    this.#times.delete(oldest!);
  }

  has(id: string): boolean {
    return this.#times.has(id);
  }

  timesOf(id: string): number {
    return this.#times.get(id) ?? 0;
  }
}
