/**
 * Which visible messages of a queue of the testing double a receive takes, and
 * in which order.
 *
 * @module
 */

import type { Random } from "../clock.ts";
import { Heap } from "./heap.ts";
import type { StoredMessage } from "./message.ts";
import { shuffle } from "./random.ts";

/** How many visible messages a reordering mixes. */
const REORDERED = 100;

/** Which messages a receive takes. */
export interface TakeOptions {
  readonly max: number;
  /** Looks at the next message; `false` passes over it. */
  accept(message: StoredMessage): boolean;
  /** The chance to mix visible messages with, if this receive mixes them. */
  reorder(): Random | undefined;
}

/** The messages of a queue, in the order in which receives take them. */
export type ReceiveOrder = StandardOrder | FifoOrder;

/** The order of a standard queue: as sent, unless a fault mixes it. */
export class StandardOrder {
  /** By position; some of these messages have left. */
  readonly #visible = new Heap<StoredMessage>();

  add(_message: StoredMessage): void {}

  hide(_message: StoredMessage): void {}

  remove(_message: StoredMessage): void {}

  show(message: StoredMessage): void {
    this.#visible.add(message.note.position, message);
  }

  take({ max, accept, reorder }: TakeOptions): StoredMessage[] {
    const take = (count: number) => {
      const taken: StoredMessage[] = [];
      while (taken.length < count) {
        const message = this.#visible.take();
        if (message === undefined) break;
        if (!message.note.hidden && accept(message)) taken.push(message);
      }
      return taken;
    };
    const taken = take(max);
    const random = taken.length > 0 ? reorder() : undefined;
    if (random === undefined) return taken;
    const mixed = shuffle([...taken, ...take(REORDERED - max)], random);
    for (const message of mixed.slice(max)) this.show(message);
    return mixed.slice(0, max);
  }
}

/** A message group. */
interface Group {
  readonly messages: Set<StoredMessage>;
  readonly inFlight: Set<StoredMessage>;
}

/**
 * The order of a FIFO queue: as sent, without the groups that have a message in
 * flight (SQS, "FIFO queue delivery logic").
 */
export class FifoOrder {
  readonly #groups = new Map<string, Group>();
  /** By the position of the group's first message. */
  readonly #ready = new Heap<Group>();

  /** A message has come, hidden. */
  add(message: StoredMessage): void {
    const id = message.groupId!;
    const group = this.#groups.get(id) ??
      { messages: new Set(), inFlight: new Set() };
    this.#groups.set(id, group);
    group.messages.add(message);
  }

  /** A message has become visible. */
  show(message: StoredMessage): void {
    const group = this.#groupOf(message);
    group.inFlight.delete(message);
    this.#offer(group);
  }

  /** A receive has hidden a message. */
  hide(message: StoredMessage): void {
    this.#groupOf(message).inFlight.add(message);
  }

  /** A message has left the queue. */
  remove(message: StoredMessage): void {
    const group = this.#groupOf(message);
    group.messages.delete(message);
    group.inFlight.delete(message);
    if (group.messages.size === 0) this.#groups.delete(message.groupId!);
    else this.#offer(group);
  }

  /** Takes visible messages out; the caller hides them. */
  take({ max, accept }: TakeOptions): StoredMessage[] {
    const taken: StoredMessage[] = [];
    const walks = new Map<
      Group,
      { rest: Iterator<StoredMessage>; next: StoredMessage | undefined }
    >();
    while (taken.length < max) {
      const position = this.#ready.key;
      const group = this.#ready.take();
      if (group === undefined) break;
      if (group.inFlight.size > 0) continue;
      let walk = walks.get(group);
      if (walk === undefined) {
        const rest = group.messages.values();
        walk = { rest, next: rest.next().value };
        walks.set(group, walk);
      }
      const message = walk.next;
      if (!isVisible(message) || message.note.position !== position) continue;
      walk.next = walk.rest.next().value;
      if (accept(message)) taken.push(message);
      if (isVisible(walk.next)) {
        this.#ready.add(walk.next.note.position, group);
      }
    }
    return taken;
  }

  #groupOf(message: StoredMessage): Group {
    return this.#groups.get(message.groupId!)!;
  }

  #offer(group: Group): void {
    const [first] = group.messages;
    if (group.inFlight.size === 0 && isVisible(first)) {
      this.#ready.add(first.note.position, group);
    }
  }
}

function isVisible(
  message: StoredMessage | undefined,
): message is StoredMessage {
  return message !== undefined && !message.note.hidden;
}
