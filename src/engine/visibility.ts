/**
 * The visibility timeout that a container asks for.
 *
 * @module
 */

/** SQS's default, until the queue's own visibility timeout is known. */
export const DEFAULT_SECONDS = 30;

/**
 * The visibility timeout that receives ask for. Each receive asks, so that the
 * end of a lease is known even if somebody changes the queue.
 */
export class Visibility {
  /** For how long a receive that starts now hides a message. */
  seconds: number;

  constructor(seconds: number = DEFAULT_SECONDS) {
    this.seconds = seconds;
  }

  /**
   * The longest wait of a receive. A lease counts from the sending of its
   * receive: a third must be left if the message arrives at the end of the wait.
   */
  get longestWaitSeconds(): number {
    return Math.max(1, Math.floor(this.seconds * 2 / 3));
  }
}
