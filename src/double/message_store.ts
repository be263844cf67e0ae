/**
 * The messages of a queue of the testing double: which are visible, hidden or
 * kept too long, as the clock moves.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import { Heap } from "./heap.ts";
import type { StoredMessage } from "./message.ts";
import { ReceiveOrder } from "./receive_order.ts";

/** The messages of one queue. Ask it after {@linkcode MessageStore.update}. */
export class MessageStore {
  readonly #clock: Clock;
  readonly #retentionMs: number;
  readonly #messages = new Set<StoredMessage>();
  readonly #order: ReceiveOrder;
  /** By the time when they become visible; some of them have left. */
  readonly #hidden = new Heap<StoredMessage>();
  /** By the time when their retention ends; some of them have left. */
  readonly #retained = new Heap<StoredMessage>();
  /** Messages to deliver again, although received or deleted. */
  #copies: { readonly atMs: number; readonly message: StoredMessage }[] = [];
  #positions = 0;
  /** How many messages are received and hidden. */
  inFlight = 0;

  constructor(clock: Clock, fifo: boolean, retentionSeconds: number) {
    this.#clock = clock;
    this.#retentionMs = retentionSeconds * 1000;
    this.#order = new ReceiveOrder(fifo);
  }

  /** The messages, visible or not, oldest first. */
  get all(): StoredMessage[] {
    return [...this.#messages];
  }

  /** How many messages were ever added. */
  get added(): number {
    return this.#positions;
  }

  /** Whether a receive may find a message. */
  get hasVisible(): boolean {
    return this.#order.hasVisible;
  }

  /** When the next hidden message becomes visible; `Infinity` if none is hidden. */
  get nextVisibleMs(): number {
    for (let top = this.#hidden.peek(); top; top = this.#hidden.peek()) {
      if (this.isHidden(top) && top.visibleAtMs === this.#hidden.key) break;
      this.#hidden.take();
    }
    // A copy that is due waits for the next receive, not for the clock.
    const copies = this.#copies.map(({ atMs }) => atMs);
    const later = copies.filter((atMs) => atMs > this.#clock.now());
    return Math.min(this.#hidden.key, ...later);
  }

  has(message: StoredMessage): boolean {
    return this.#messages.has(message);
  }

  isHidden(message: StoredMessage): boolean {
    return this.has(message) && message.note.hidden;
  }

  add(content: Omit<StoredMessage, "note">): void {
    const note = {
      position: this.#positions++,
      hidden: true,
      inFlight: false,
      receives: 0,
      receivesAtOnce: 0,
    };
    const message = { ...content, note };
    this.#put(message);
    this.#retained.add(message.sentAtMs + this.#retentionMs, message);
    this.hideUntil(message, message.visibleAtMs);
  }

  /** Takes visible messages; the caller hides them. */
  take(
    max: number,
    accept: (message: StoredMessage) => boolean,
    reorder: () => Random | undefined,
  ): StoredMessage[] {
    return this.#order.take(max, accept, reorder);
  }

  /** Hides a message that a receive has taken. */
  hide(message: StoredMessage, untilMs: number): void {
    message.note.hidden = true;
    this.#setInFlight(message, true);
    this.#order.hide(message);
    this.hideUntil(message, untilMs);
  }

  /** Hides a message until a time, or shows it if that time has come. */
  hideUntil(message: StoredMessage, untilMs: number): void {
    message.visibleAtMs = untilMs;
    if (untilMs > this.#clock.now()) this.#hidden.add(untilMs, message);
    else if (message.note.hidden) this.#show(message);
  }

  /** Delivers a message once more at a time, even if it is deleted before. */
  copy(message: StoredMessage, atMs: number): void {
    this.#copies.push({ atMs, message });
  }

  remove(message: StoredMessage): void {
    this.#setInFlight(message, false);
    this.#messages.delete(message);
    this.#order.remove(message);
  }

  /** Removes a message for good: no duplicate of it comes either. */
  drop(message: StoredMessage): void {
    if (this.has(message)) this.remove(message);
    this.#copies = this.#copies.filter((each) => each.message !== message);
  }

  /** Catches up with the clock. */
  update(): void {
    const now = this.#clock.now();
    while (this.#retained.key <= now) this.drop(this.#retained.take()!);
    while (this.#hidden.key <= now) {
      const message = this.#hidden.take()!;
      const due = this.isHidden(message) && message.visibleAtMs <= now;
      if (due) this.#show(message);
    }
  }

  /** Shows the messages that a duplicate fault delivers again now. */
  showCopies(): void {
    const now = this.#clock.now();
    const due = this.#copies.filter(({ atMs }) => atMs <= now);
    this.#copies = this.#copies.filter(({ atMs }) => atMs > now);
    for (const { message } of due) {
      if (!this.has(message)) {
        this.#put(message);
        message.note.hidden = true;
      }
      this.hideUntil(message, now);
    }
  }

  #put(message: StoredMessage): void {
    this.#messages.add(message);
    this.#order.add(message);
  }

  #setInFlight(message: StoredMessage, inFlight: boolean): void {
    this.inFlight += Number(inFlight) - Number(message.note.inFlight);
    message.note.inFlight = inFlight;
  }

  #show(message: StoredMessage): void {
    this.#setInFlight(message, false);
    message.note.hidden = false;
    this.#order.show(message);
  }
}
