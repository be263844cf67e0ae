/**
 * What a verdict has found to be wrong.
 *
 * @module
 */

/** How many problems of a kind are listed. */
const LISTED = 5;

/** Problems by kind, of which some are listed. */
export class Problems {
  readonly #kinds = new Map<string, (string | number)[]>();

  /** Adds one: the problem, and its subject. */
  add(kind: string, what: string | number): void {
    const list = this.#kinds.get(kind) ?? [];
    list.push(what);
    this.#kinds.set(kind, list);
  }

  /** A line a kind. */
  get lines(): string[] {
    return [...this.#kinds].map(([kind, list]) => {
      const more = list.length > LISTED ? `, ... (${list.length} in all)` : "";
      return `${kind} ${list.slice(0, LISTED).join(", ")}${more}`;
    });
  }
}
