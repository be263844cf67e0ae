/**
 * Jobs that are larger than SQS takes: their bodies go to S3, and their messages
 * hold pointers.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { ByteBudget } from "../byte_budget.ts";
import { openStore, type StoreServer } from "../connect/open_store.ts";
import { SendError, SqsError } from "../errors.ts";
import {
  isSizeAttribute,
  SIZE_ATTRIBUTE,
  writePointer,
} from "../message/s3_pointer.ts";
import {
  MAX_ATTRIBUTES,
  MAX_BYTES,
  type OutgoingMessage,
} from "../sqs/connection.ts";
import {
  MAX_OBJECT_BYTES,
  newPlace,
  OBJECT_FOLDER_HINT,
  type ObjectFolder,
  type ObjectPlace,
  type ObjectStore,
  objectUrl,
  parseObjectFolder,
  whyRefused,
} from "../sqs/objects.ts";
import { quote, show, withValue } from "../text.ts";

/** The most bytes that are uploaded at a time, ... */
const MAX_UPLOAD_BYTES = 4 * MAX_OBJECT_BYTES;

/** ... and the most objects. */
const MAX_UPLOADS = 16;

/** Where large bodies go, and from which size on. */
export interface Large {
  readonly folder: ObjectFolder;
  readonly from: number;
}

/** A message that is ready to be sent. */
export interface Prepared {
  readonly message: OutgoingMessage;
  /** The job's own body. */
  readonly body: string;
  /** The place that its body must be uploaded to before it is sent. */
  readonly place?: ObjectPlace;
}

/**
 * Checks the options of a queue.
 *
 * @throws {TypeError} If one is malformed.
 * @throws {RangeError} If `largeFrom` is out of range.
 */
export function checkLarge(
  { large, largeFrom }: {
    readonly large?: string | undefined;
    readonly largeFrom?: number | undefined;
  },
): Large | undefined {
  const cannot = (problem: string, value: unknown) =>
    withValue(`Cannot open queue as ${problem}`, show(value));
  if (large === undefined) {
    if (largeFrom === undefined) return undefined;
    throw new TypeError(cannot('"largeFrom" needs "large"', largeFrom));
  }
  const folder = typeof large === "string"
    ? parseObjectFolder(large)
    : undefined;
  if (folder === undefined) {
    throw new TypeError(cannot(`"large" must be ${OBJECT_FOLDER_HINT}`, large));
  }
  if (largeFrom === undefined) return { folder, from: MAX_BYTES + 1 };
  if (
    !Number.isInteger(largeFrom) || largeFrom < 1 || largeFrom > MAX_BYTES
  ) {
    throw new RangeError(
      cannot(
        `"largeFrom" must be an integer from 1 to ${MAX_BYTES}`,
        largeFrom,
      ),
    );
  }
  return { folder, from: largeFrom };
}

/** Uploads the bodies of one queue's large jobs. */
export class LargeBodies {
  readonly #large: Large;
  readonly #fifo: boolean;
  readonly #server: StoreServer;
  readonly #budget = new ByteBudget(MAX_UPLOAD_BYTES, MAX_UPLOADS);
  #store: Promise<ObjectStore> | undefined;

  constructor(large: Large, server: StoreServer) {
    this.#large = large;
    this.#server = server;
    this.#fifo = server.queue.fifo;
  }

  /** Whether a message of such a size goes to S3. */
  takes(bytes: number): boolean {
    return bytes >= this.#large.from;
  }

  /**
   * The message with a pointer instead of its body.
   *
   * @throws {TypeError} If an attribute has a name that pointers use.
   * @throws {RangeError} If it has ten attributes, or is too large for S3, too.
   */
  prepare(message: OutgoingMessage): Prepared {
    const { body, attributes } = message;
    const names = Object.keys(attributes);
    const taken = names.find(isSizeAttribute);
    if (taken !== undefined) {
      throw new TypeError(
        `Cannot send job with an attribute named ${
          quote(taken)
        }: it is for the size of a body in S3`,
      );
    }
    if (names.length >= MAX_ATTRIBUTES) {
      throw new RangeError(
        `Cannot send job as it has ${names.length} attributes: with its body in S3, it may have ${
          MAX_ATTRIBUTES - 1
        }`,
      );
    }
    const bytes = Buffer.byteLength(body);
    if (bytes > MAX_OBJECT_BYTES) {
      throw new RangeError(
        `Cannot send job as its body has ${bytes} bytes: the limit in S3 is ${MAX_OBJECT_BYTES} bytes`,
      );
    }
    const place = newPlace(this.#large.folder);
    const size = { type: "Number", value: String(bytes) };
    return {
      body,
      place,
      message: {
        // Each key is another one: SQS would find no duplicate.
        ...(this.#fifo ? { deduplicationId: sha256(body) } : {}),
        ...message,
        body: writePointer(place),
        attributes: { ...attributes, [SIZE_ATTRIBUTE]: size },
      },
    };
  }

  /**
   * Uploads a body.
   *
   * @throws {SendError} If S3 does not take it.
   */
  async upload(
    { body, place }: Prepared,
    { signal, index }: {
      readonly signal?: AbortSignal | undefined;
      readonly index?: number | undefined;
    },
  ): Promise<void> {
    const held = await this.#budget.take(Buffer.byteLength(body), signal);
    try {
      signal?.throwIfAborted();
      const store = await this.#open();
      await store.put(place!.key, Buffer.from(body), { signal });
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      const { code, senderFault } = error;
      throw new SendError(
        `Cannot send job to "${this.#server.queue.name}", as ${
          objectUrl(place!)
        } cannot be written: ${
          whyRefused(error, "s3:PutObject", this.#large.folder)
        }`,
        {
          ...{ code, senderFault, cause: error },
          ...(index === undefined ? {} : { index }),
        },
      );
    } finally {
      held?.giveBack();
    }
  }

  /** Resolves when no upload waits for others. */
  hasRoom(): Promise<void> {
    return this.#budget.hasRoom();
  }

  close(): void {
    this.#store?.then((store) => store.close(), () => {});
  }

  /** A failure is not kept: credentials may come. */
  #open(): Promise<ObjectStore> {
    const opening = this.#store ??= openStore(
      this.#large.folder,
      this.#server,
    );
    opening.catch(() => this.#store = undefined);
    return opening;
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
