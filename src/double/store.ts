/**
 * The testing double's S3: objects in memory, in buckets that all exist.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import {
  type ObjectStore,
  ObjectTooLargeError,
  objectUrl,
} from "../sqs/objects.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One bucket of the double. */
export class DoubleStore implements ObjectStore {
  readonly #objects: Map<string, string>;
  readonly #bucket: string;

  /** @param objects The texts of all objects, by their URLs. */
  constructor(objects: Map<string, string>, bucket: string) {
    this.#objects = objects;
    this.#bucket = bucket;
  }

  readonly get: ObjectStore["get"] = (key, { maxBytes, signal }) =>
    this.#call(signal, () => {
      const text = this.#objects.get(this.#url(key));
      if (text === undefined) {
        throw new SqsError(
          "GetObject failed: The specified key does not exist.",
          { code: "NoSuchKey", senderFault: true },
        );
      }
      const bytes = new TextEncoder().encode(text);
      if (bytes.length <= maxBytes) return bytes;
      throw new ObjectTooLargeError(bytes.length - 1);
    });

  readonly put: ObjectStore["put"] = (key, body, { signal } = {}) =>
    this.#call(signal, () => {
      this.#objects.set(this.#url(key), decoder.decode(body));
    });

  readonly delete: ObjectStore["delete"] = (key, { signal } = {}) =>
    this.#call(signal, () => {
      this.#objects.delete(this.#url(key));
    });

  close(): void {}

  #url(key: string): string {
    return objectUrl({ bucket: this.#bucket, key });
  }

  // deno-lint-ignore require-await
  async #call<T>(signal: AbortSignal | undefined, effect: () => T): Promise<T> {
    signal?.throwIfAborted();
    return effect();
  }
}
