/**
 * Checksums as the SDK asks for them, each taken in one call.
 *
 * The SDK takes one of each message and several of each request. Its own make
 * objects for that of whose size V8 knows little: they stay until a full
 * collection, of which a busy container has few.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";

/** A checksum of what it is given. */
abstract class Checksum {
  #data: Uint8Array = new Uint8Array();

  protected abstract compute(data: Uint8Array): Uint8Array;

  /** Adds data; the SDK gives all of it at once. */
  update(data: Uint8Array): void {
    this.#data = this.#data.length === 0
      ? data
      : Buffer.concat([this.#data, data]);
  }

  // deno-lint-ignore require-await
  async digest(): Promise<Uint8Array> {
    return this.compute(this.#data);
  }

  reset(): void {
    this.#data = new Uint8Array();
  }
}

/** MD5, with which SQS's answers are checked. */
export class Md5 extends Checksum {
  protected compute(data: Uint8Array): Uint8Array {
    return hash("md5", data, "buffer");
  }
}

/** SHA-256, or an HMAC of it, with which requests are signed. */
export class Sha256 extends Checksum {
  readonly #secret: string | Uint8Array | undefined;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    super();
    this.#secret = typeof secret === "object" ? bytesOf(secret) : secret;
  }

  protected compute(data: Uint8Array): Uint8Array {
    return this.#secret === undefined
      ? hash("sha256", data, "buffer")
      : createHmac("sha256", this.#secret).update(data).digest();
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
