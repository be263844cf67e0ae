/**
 * Messages whose job has not started, and the choice of the next ones to run. On
 * a FIFO queue, their group must neither run nor be settled.
 *
 * @module
 */

import { messageBytes } from "../message/attributes.ts";
import type { Reading } from "../message/reading.ts";
import { claimedBytes, pointerOf } from "../message/s3_pointer.ts";
import { MAX_BYTES } from "../sqs/connection.ts";
import type { Lease, SentReceive } from "./lease.ts";

/** A batch closes when its messages have so many bytes. */
const MAX_BATCH_BYTES = 64 * MAX_BYTES;

/** The messages of a batch, as far as they are there. */
export interface NextBatch {
  readonly leases: readonly Lease[];
  /** Whether it takes no further message. */
  readonly isFull: boolean;
}

/** The waiting messages of a queue, in the order of their arrival. */
export class WaitingMessages {
  readonly #fifo: boolean;
  readonly #inBatches: boolean;
  readonly #reading: Reading | undefined;
  #leases: Lease[] = [];
  /** How many messages run or are being settled, by their group. */
  readonly #busy = new Map<string, number>();

  /** @param reading How they are read, if their bodies may be in S3. */
  constructor(fifo: boolean, inBatches = false, reading?: Reading) {
    this.#fifo = fifo;
    this.#inBatches = inBatches;
    this.#reading = reading;
  }

  get size(): number {
    return this.#leases.length;
  }

  /**
   * How many jobs could start now. On FIFO queues that is one for each group; in
   * batches, all that one receive brought of it.
   */
  get startable(): number {
    if (!this.#fifo) return this.#leases.length;
    if (this.#inBatches) return this.nextBatch(Infinity).leases.length;
    const groups = new Set(this.#leases.map(groupOf));
    for (const group of this.#busy.keys()) groups.delete(group);
    return groups.size;
  }

  add(lease: Lease): void {
    this.#leases.push(lease);
  }

  /** Lets the later messages of a group wait until one is settled. */
  occupy(lease: Lease): void {
    if (!this.#fifo) return;
    const group = groupOf(lease);
    this.#busy.set(group, (this.#busy.get(group) ?? 0) + 1);
    lease.isOccupying = true;
  }

  /** Takes out the next message to run; its group is busy from now on. */
  takeNext(): Lease | undefined {
    if (!this.#fifo) return this.#leases.shift();
    const position = this.#leases.findIndex((lease) =>
      !this.#busy.has(groupOf(lease))
    );
    if (position < 0) return undefined;
    const [lease] = this.#leases.splice(position, 1);
    this.occupy(lease!);
    return lease;
  }

  /** The messages that could run together now, so many at most. */
  nextBatch(most: number): NextBatch {
    const leases: Lease[] = [];
    /** Of each group, what one receive brought. */
    const receives = new Map<string, SentReceive>();
    // A message has 1 MiB at most, without its object in S3.
    const isMeasured = Number.isFinite(most) &&
      (this.#reading !== undefined || most * MAX_BYTES > MAX_BATCH_BYTES);
    let bytes = 0;
    for (const lease of this.#leases) {
      if (leases.length >= most) break;
      if (this.#fifo) {
        const group = groupOf(lease);
        const sent = receives.get(group) ?? lease.sent;
        if (this.#busy.has(group) || sent !== lease.sent) continue;
        receives.set(group, sent);
      }
      if (isMeasured) bytes += lease.bytes ??= this.#bytesOf(lease);
      if (bytes > MAX_BATCH_BYTES && leases.length > 0) {
        return { leases, isFull: true };
      }
      leases.push(lease);
    }
    return { leases, isFull: leases.length >= most };
  }

  #bytesOf({ message }: Lease): number {
    const bytes = messageBytes(message.body, message.attributes);
    const reading = this.#reading;
    return reading === undefined || pointerOf(message, reading) === undefined
      ? bytes
      : bytes + claimedBytes(message, reading);
  }

  /** Takes out messages that run together; their groups are busy from now on. */
  take(leases: readonly Lease[]): void {
    for (const lease of leases) this.occupy(lease);
    const taken = new Set(leases);
    this.#leases = this.#leases.filter((lease) => !taken.has(lease));
  }

  /** Lets the next message of a settled message's group run. */
  free(lease: Lease): void {
    if (!lease.isOccupying) return;
    lease.isOccupying = false;
    const group = groupOf(lease);
    const others = this.#busy.get(group)! - 1;
    if (others > 0) this.#busy.set(group, others);
    else this.#busy.delete(group);
  }

  /** Takes out one message, if it waits. */
  remove(lease: Lease): void {
    const position = this.#leases.indexOf(lease);
    if (position >= 0) this.#leases.splice(position, 1);
  }

  /** Whether messages of the same group wait behind one. */
  hasBehind(lease: Lease): boolean {
    return this.#fifo &&
      this.#leases.some((each) => groupOf(each) === groupOf(lease));
  }

  /** Takes out the messages of the same group, as they must not overtake it. */
  takeBehind(lease: Lease): Lease[] {
    if (!this.hasBehind(lease)) return [];
    const group = groupOf(lease);
    const behind = this.#leases.filter((each) => groupOf(each) === group);
    this.#leases = this.#leases.filter((each) => groupOf(each) !== group);
    return behind;
  }

  takeAll(): Lease[] {
    return this.#leases.splice(0);
  }
}

/** On FIFO queues each message has a group. */
export function groupOf(lease: Lease): string {
  return lease.message.groupId ?? "";
}
