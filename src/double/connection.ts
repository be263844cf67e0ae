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
import { type CalledQueue, CallFaults } from "./fault_script.ts";
import type { FaultOperation } from "./faults.ts";
import type { DoubleQueue } from "./queue.ts";
import type { TestServer } from "./server.ts";

/** A connection to the double. */
export interface DoubleConnection extends Connection {
  readonly server: TestServer;
}

/** Connects to the double. */
export function connectTo(
  server: TestServer,
  region: string,
): DoubleConnection {
  const faultsOf = (operation: FaultOperation, queue: CalledQueue) =>
    new CallFaults(server.faults, { operation, queue });

  /** Makes a call, with the faults that hit it. */
  async function call<T>(
    operation: FaultOperation,
    queue: CalledQueue,
    { bodies = [], signal }: CallOptions & { bodies?: readonly string[] },
    effect: (faults: CallFaults) => T | Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const faults = faultsOf(operation, queue);
    faults.before(bodies);
    const answer = await effect(faults);
    await faults.after(bodies, signal);
    return answer;
  }

  /** Deletes messages, or changes their visibility, by receipt handle. */
  async function settle<E extends { readonly receiptHandle: string }>(
    operation: FaultOperation,
    queue: DoubleQueue,
    entries: readonly E[],
    options: CallOptions,
    effect: (entry: E) => EntryResult,
  ): Promise<EntryResult[]> {
    checkBatch(entries);
    const bodyOf = ({ receiptHandle }: E) =>
      queue.messageOf(receiptHandle)?.body ?? "";
    const bodies = entries.map(bodyOf);
    return await call(
      operation,
      queue,
      { ...options, bodies },
      (faults) =>
        faults.entries(
          entries,
          bodies,
          (entry) =>
            faults.hit("expiredHandle", [bodyOf(entry)])
              ? queue.expire(entry.receiptHandle)
              : effect(entry),
        ),
    );
  }

  return {
    region,
    server,
    async queueUrl(name, options = {}) {
      const called = { name, fifo: name.endsWith(".fifo") };
      const effect = () => server.existing(name).url;
      return await call("GetQueueUrl", called, options, effect);
    },
    async attributes(url, options = {}) {
      const queue = server.byUrl(url);
      const effect = () => queue.attributes();
      return await call("GetQueueAttributes", queue, options, effect);
    },
    async send(url, messages, options = {}) {
      checkBatch(messages);
      checkSize(messages);
      const queue = server.byUrl(url);
      const bodies = messages.map(({ body }) => body);
      return await call(
        "SendMessage",
        queue,
        { ...options, bodies },
        async (faults) => {
          const accepted: OutgoingMessage[] = [];
          const results = faults.entries(messages, bodies, (message) => {
            const result = queue.send(message);
            if (result.ok) accepted.push(message);
            return result;
          });
          await server.hooks.sent?.(queue, accepted);
          return results;
        },
      );
    },
    async receive(url, options) {
      options.signal?.throwIfAborted();
      const queue = server.byUrl(url);
      const faults = faultsOf("ReceiveMessage", queue);
      faults.before([]);
      const messages = await queue.receive(options, faults);
      const bodies = messages.map(({ body }) => body);
      if (bodies.length > 0) await faults.after(bodies, options.signal);
      return messages;
    },
    async delete(url, receiptHandles, options = {}) {
      const queue = server.byUrl(url);
      const entries = receiptHandles.map((receiptHandle) => ({
        receiptHandle,
      }));
      return await settle(
        "DeleteMessage",
        queue,
        entries,
        options,
        (entry) => queue.delete(entry.receiptHandle),
      );
    },
    async changeVisibility(url, changes, options = {}) {
      const queue = server.byUrl(url);
      return await settle(
        "ChangeMessageVisibility",
        queue,
        changes,
        options,
        (change) => queue.changeVisibility(change),
      );
    },
    close() {},
  };
}
