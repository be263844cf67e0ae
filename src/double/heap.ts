/**
 * A binary heap: the smallest item comes out first, equal items in the order in
 * which they went in.
 *
 * @module
 */

interface Node<T> {
  readonly key: number;
  readonly order: number;
  readonly item: T;
}

/** Items by a number, the smallest first. */
export class Heap<T> {
  readonly #nodes: Node<T>[] = [];
  #order = 0;

  /** The smallest number, `Infinity` if it is empty. */
  get key(): number {
    return this.#nodes[0]?.key ?? Infinity;
  }

  /** The item with the smallest number. */
  peek(): T | undefined {
    return this.#nodes[0]?.item;
  }

  add(key: number, item: T): void {
    let at = this.#nodes.push({ key, order: this.#order++, item }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#first(parent, at) === parent) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes out the item with the smallest number. */
  take(): T | undefined {
    this.#swap(0, this.#nodes.length - 1);
    const taken = this.#nodes.pop();
    for (let at = 0;;) {
      const first = this.#first(at, this.#first(2 * at + 1, 2 * at + 2));
      if (first === at) return taken?.item;
      this.#swap(at, first);
      at = first;
    }
  }

  /** Which of two places has the item to take first; `b` may be empty. */
  #first(a: number, b: number): number {
    const [one, other] = [this.#nodes[a], this.#nodes[b]];
    if (one === undefined || other === undefined) return a;
    const order = one.key - other.key || one.order - other.order;
    return order < 0 ? a : b;
  }

  #swap(a: number, b: number): void {
    const nodes = this.#nodes;
    if (a < b || b < a) [nodes[a], nodes[b]] = [nodes[b]!, nodes[a]!];
  }
}
