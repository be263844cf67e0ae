/**
 * Which messages a receive takes from a queue of the testing double: the visible
 * ones in the order of their sends. Groups with a message in flight wait (SQS,
 * "FIFO queue delivery logic"). In a standard queue, each message is a group.
 *
 * @module
 */

import type { Random } from "../clock.ts";
import { Heap } from "./heap.ts";
import type { StoredMessage } from "./message.ts";
import { shuffle } from "./random.ts";

/** How many visible messages a reordering mixes. */
const REORDERED = 100;

/** A message group. */
interface Group {
  readonly messages: Set<StoredMessage>;
  readonly inFlight: Set<StoredMessage>;
}

/** The messages of a queue, in the order in which receives take them. */
export class ReceiveOrder {
  readonly #fifo: boolean;
  readonly #groups = new Map<string, Group>();
  /** By the position of the group's first message. */
  readonly #ready = new Heap<Group>();

  constructor(fifo: boolean) {
    this.#fifo = fifo;
  }

  /** Whether a receive may find a message. */
  get hasVisible(): boolean {
    return this.#ready.peek() !== undefined;
  }

  /** A message has come, hidden. */
  add(message: StoredMessage): void {
    const id = this.#idOf(message);
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
    if (group.messages.size === 0) this.#groups.delete(this.#idOf(message));
    else this.#offer(group);
  }

  /**
   * Takes visible messages out; the caller hides them.
   *
   * @param max How many messages.
   * @param accept Looks at the next message; `false` passes over it.
   * @param reorder The chance to mix visible messages with, if a fault mixes
   * what this receive finds.
   */
  take(
    max: number,
    accept: (message: StoredMessage) => boolean,
    reorder: () => Random | undefined,
  ): StoredMessage[] {
    const taken = this.#takeFirst(max, accept);
    const random = taken.length > 0 ? reorder() : undefined;
    if (random === undefined) return taken;
    taken.push(...this.#takeFirst(REORDERED - max, accept));
    shuffle(taken, random);
    for (const message of taken.slice(max)) this.show(message);
    return taken.slice(0, max);
  }

  #takeFirst(
    max: number,
    accept: (message: StoredMessage) => boolean,
  ): StoredMessage[] {
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

  #idOf({ groupId, messageId }: StoredMessage): string {
    return this.#fifo ? groupId! : messageId;
  }

  #groupOf(message: StoredMessage): Group {
    return this.#groups.get(this.#idOf(message))!;
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
  return message?.note.hidden === false;
}
