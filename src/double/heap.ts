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

  /** How many items it holds. */
  get size(): number {
    return this.#nodes.length;
  }

  /** The smallest number, `Infinity` if it is empty. */
  get key(): number {
    return this.#nodes[0]?.key ?? Infinity;
  }

  /** The item with the smallest number. */
  peek(): T | undefined {
    return this.#nodes[0]?.item;
  }

  add(key: number, item: T): void {
    const nodes = this.#nodes;
    const node = { key, order: this.#order++, item };
    let at = nodes.push(node) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(node, nodes[parent]!)) break;
      nodes[at] = nodes[parent]!;
      at = parent;
    }
    nodes[at] = node;
  }

  /** Takes out the item with the smallest number. */
  take(): T | undefined {
    const nodes = this.#nodes;
    const first = nodes[0];
    const last = nodes.pop();
    if (first === undefined || last === undefined) return undefined;
    if (nodes.length > 0) this.#sink(last);
    return first.item;
  }

  /** Replaces the first node, and moves the new one down. */
  #sink(node: Node<T>): void {
    const nodes = this.#nodes;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= nodes.length) break;
      const right = child + 1;
      if (right < nodes.length && before(nodes[right]!, nodes[child]!)) {
        child = right;
      }
      if (!before(nodes[child]!, node)) break;
      nodes[at] = nodes[child]!;
      at = child;
    }
    nodes[at] = node;
  }
}

function before(a: Node<unknown>, b: Node<unknown>): boolean {
  return a.key < b.key || (a.key === b.key && a.order < b.order);
}
