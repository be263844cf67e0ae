/**
 * A Map for entries that come and go by the thousand. V8 links each outgrown table
 * of a Map to the next one. Once one of them is old, all that was in the later
 * ones stays until a full collection. This one moves to a new Map before that: the
 * bench row "100,000 jobs" shows its memory.
 *
 * @module
 */

/** The others do not move before so many entries are gone. */
const LEAST_GONE = 32;

/** A Map whose entries are short-lived. */
export class TurnoverMap<K, V> {
  #map = new Map<K, V>();
  #gone = 0;

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
  }

  delete(key: K): void {
    if (!this.#map.delete(key)) return;
    if (++this.#gone < Math.max(LEAST_GONE, this.#map.size)) return;
    this.#gone = 0;
    this.#map = new Map(this.#map);
  }

  keys(): IterableIterator<K> {
    return this.#map.keys();
  }

  values(): IterableIterator<V> {
    return this.#map.values();
  }
}
