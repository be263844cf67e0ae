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
import type { DoubleQueue } from "./queue.ts";
import type { TestServer } from "./server.ts";

/** A connection to the double. */
export class DoubleConnection implements Connection {
  readonly server: TestServer;
  readonly region: string;

  constructor(server: TestServer, region: string) {
    this.server = server;
    this.region = region;
  }

  readonly queueUrl: Connection["queueUrl"] = async (name, options = {}) => {
    const queue = { name, fifo: name.endsWith(".fifo") };
    const call = { operation: "GetQueueUrl", queue, bodies: [] } as const;
    return await this.#call(
      call,
      options,
      () => this.server.existing(name).url,
    );
  };

  readonly attributes: Connection["attributes"] = async (url, options = {}) => {
    const queue = this.server.byUrl(url);
    const call = {
      operation: "GetQueueAttributes",
      queue,
      bodies: [],
    } as const;
    return await this.#call(call, options, () => queue.attributes());
  };

  readonly send: Connection["send"] = async (url, messages, options = {}) => {
    checkBatch(messages);
    checkSize(messages);
    const queue = this.server.byUrl(url);
    const bodies = messages.map(({ body }) => body);
    const call = { operation: "SendMessage", queue, bodies } as const;
    return await this.#call(call, options, async (faults) => {
      const accepted: OutgoingMessage[] = [];
      const results = faults.entries((position) => {
        const result = queue.send(messages[position]!);
        if (result.ok) accepted.push(messages[position]!);
        return result;
      });
      await this.server.hooks.sent?.(queue, accepted);
      return results;
    });
  };

  readonly receive: Connection["receive"] = async (url, options) => {
    const queue = this.server.byUrl(url);
    const bodies: string[] = [];
    const call = { operation: "ReceiveMessage", queue, bodies } as const;
    return await this.#call(call, options, async (faults) => {
      const messages = await queue.receive(options, faults);
      bodies.push(...messages.map(({ body }) => body));
      return messages;
    });
  };

  readonly delete: Connection["delete"] = async (url, handles, options) => {
    const effect = (queue: DoubleQueue, position: number) =>
      queue.delete(handles[position]!);
    return await this.#settle("DeleteMessage", url, handles, effect, options);
  };

  readonly changeVisibility: Connection["changeVisibility"] = async (
    url,
    changes,
    options,
  ) => {
    const operation = "ChangeMessageVisibility";
    const handles = changes.map(({ receiptHandle }) => receiptHandle);
    const effect = (queue: DoubleQueue, position: number) =>
      queue.changeVisibility(changes[position]!);
    return await this.#settle(operation, url, handles, effect, options);
  };

  close(): void {}

  /** Deletes messages, or changes their visibility, by receipt handle. */
  async #settle(
    operation: Call["operation"],
    url: string,
    handles: readonly string[],
    effect: (queue: DoubleQueue, position: number) => EntryResult,
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    const queue = this.server.byUrl(url);
    checkBatch(handles);
    const bodies = handles.map((each) => queue.messageOf(each)?.body ?? "");
    return await this.#call(
      { operation, queue, bodies },
      options,
      (faults) =>
        faults.entries((position) =>
          faults.hit("expiredHandle", [bodies[position]!])
            ? queue.expire(handles[position]!)
            : effect(queue, position)
        ),
    );
  }

  /** Makes a call, with the faults that hit it. */
  async #call<T>(
    call: Call,
    { signal }: CallOptions,
    effect: (faults: CallFaults) => T | Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const faults = new CallFaults(this.server.faults, call);
    faults.before();
    const answer = await effect(faults);
    await faults.after(signal);
    return answer;
  }
}
