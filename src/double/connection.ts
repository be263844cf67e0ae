/**
 * Connections to the testing double, whose calls injected faults may hit.
 *
 * @module
 */

import type {
  CallOptions,
  Connection,
  EntryResult,
  OutgoingMessage,
} from "../sqs/connection.ts";
import { checkBatch, checkSize } from "./checks.ts";
import { type Call, CallFaults } from "./fault_script.ts";
import type { FaultOperation } from "./faults.ts";
import type { DoubleQueue } from "./queue.ts";
import type { TestServer } from "./server.ts";

/** A connection to the double. */
export class DoubleConnection implements Connection {
  readonly server: TestServer;
  readonly region: string;
  readonly clockAheadMs = 0;

  constructor(server: TestServer, region: string) {
    this.server = server;
    this.region = region;
  }

  readonly queueUrl: Connection["queueUrl"] = async (name, options = {}) => {
    const queue = { name, fifo: name.endsWith(".fifo") };
    const effect = () => this.server.existing(name).url;
    return await this.#call("GetQueueUrl", queue, [], options, effect);
  };

  readonly attributes: Connection["attributes"] = async (url, options = {}) => {
    const queue = this.server.byUrl(url);
    const effect = () => queue.attributes();
    return await this.#call("GetQueueAttributes", queue, [], options, effect);
  };

  readonly send: Connection["send"] = async (url, messages, options = {}) => {
    checkBatch(messages);
    checkSize(messages);
    const queue = this.#counted("SendMessage", url);
    const bodies = messages.map(({ body }) => body);
    const effect = async (faults: CallFaults) => {
      const accepted: OutgoingMessage[] = [];
      const results = faults.entries((position) => {
        const result = queue.send(messages[position]!);
        if (result.ok) accepted.push(messages[position]!);
        return result;
      });
      await this.server.hooks.sent?.(queue, accepted);
      return results;
    };
    return await this.#call("SendMessage", queue, bodies, options, effect);
  };

  readonly receive: Connection["receive"] = async (url, options) => {
    const queue = this.#counted("ReceiveMessage", url);
    const bodies: string[] = [];
    const effect = async (faults: CallFaults) => {
      const messages = await queue.receive(options, faults);
      bodies.push(...messages.map(({ body }) => body));
      return messages;
    };
    return await this.#call("ReceiveMessage", queue, bodies, options, effect);
  };

  readonly delete: Connection["delete"] = async (url, handles, options) => {
    const queue = this.#counted("DeleteMessage", url);
    const effect = (position: number) => queue.delete(handles[position]!);
    return await this.#settle("DeleteMessage", queue, handles, effect, options);
  };

  readonly changeVisibility: Connection["changeVisibility"] = async (
    url,
    changes,
    options,
  ) => {
    const operation = "ChangeMessageVisibility";
    const queue = this.#counted(operation, url);
    const handles = changes.map(({ receiptHandle }) => receiptHandle);
    const effect = (position: number) =>
      queue.changeVisibility(changes[position]!);
    return await this.#settle(operation, queue, handles, effect, options);
  };

  close(): void {}

  /** The queue of a URL, which may refuse too many calls. */
  #counted(operation: FaultOperation, url: string): DoubleQueue {
    const queue = this.server.byUrl(url);
    queue.calls.count(operation);
    return queue;
  }

  /** Deletes messages, or changes their visibility, by receipt handle. */
  async #settle(
    operation: FaultOperation,
    queue: DoubleQueue,
    handles: readonly string[],
    effect: (position: number) => EntryResult,
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    checkBatch(handles);
    const bodies = handles.map((each) => queue.messageOf(each)?.body ?? "");
    const all = (faults: CallFaults) =>
      faults.entries((position) =>
        faults.hit("expiredHandle", [bodies[position]!])
          ? queue.expire(handles[position]!)
          : effect(position)
      );
    return await this.#call(operation, queue, bodies, options, all);
  }

  /** Makes a call, with the faults that hit it. */
  async #call<T>(
    operation: FaultOperation,
    queue: Call["queue"],
    bodies: readonly string[],
    { signal }: CallOptions,
    effect: (faults: CallFaults) => T | Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const call = { operation, queue, bodies };
    const faults = new CallFaults(this.server.faults, call);
    faults.before();
    const answer = await effect(faults);
    await faults.after(signal);
    return answer;
  }
}
