/**
 * Opens a bucket for the bodies of large jobs, in S3 or in the testing double
 * while it is set up.
 *
 * @module
 */

import { isNotCapable, SqsError } from "../errors.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import {
  newPlace,
  type ObjectFolder,
  type ObjectStore,
  whyRefused,
} from "../sqs/objects.ts";
import type { QueueRef } from "../sqs/queue_ref.ts";
import { regionOf } from "./open_queue.ts";
import { testMode } from "./test_mode.ts";

/** What a bucket's server depends on. */
export interface StoreServer {
  readonly queue: QueueRef;
  readonly where: ConnectOptions;
}

/** Opens a bucket: nothing is called yet. */
export async function openStore(
  { bucket }: ObjectFolder,
  server: StoreServer,
): Promise<ObjectStore> {
  const store = testMode()?.openStore?.(bucket);
  if (store !== undefined) return store;
  const { connectToS3 } = await loadS3();
  return await connectToS3(storeOptions(bucket, server));
}

/** What the connection to a bucket depends on: the server of its queue. */
export function storeOptions(
  bucket: string,
  { queue, where }: StoreServer,
): Parameters<typeof import("../aws/s3.ts").connectToS3>[0] {
  const region = regionOf(queue, where);
  const { endpoint, local } = where;
  return {
    bucket,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(local === undefined ? {} : { local }),
    origin: queue.origin,
  };
}

/** Why a bucket cannot be used. */
interface StoreProblem {
  readonly text: string;
  /** Whether there is no such bucket. */
  readonly isMissing: boolean;
}

/** How long a bucket may take to answer, in milliseconds. */
const PROBE_MS = 10_000;

/**
 * Asks a bucket for an object that does not exist: only a bucket that is there,
 * and may be read and listed, says so.
 *
 * @throws {Error} If Deno denies the connection.
 */
export async function probeStore(
  store: ObjectStore,
  folder: ObjectFolder,
): Promise<StoreProblem | undefined> {
  const { bucket } = folder;
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`no answer within ${PROBE_MS / 1000} s`)),
    PROBE_MS,
  );
  try {
    await store.get(newPlace(folder).key, { maxBytes: 1, signal: late.signal });
    return undefined;
  } catch (error) {
    if (isNotCapable(error)) throw error;
    const { code = "" } = error instanceof SqsError ? error : {};
    if (code === "NoSuchKey") return undefined;
    const subject = `"large" names bucket "${bucket}"`;
    if (code === "NoSuchBucket") {
      const text =
        `${subject}, which does not exist: create it first, or check its name`;
      return { text, isMissing: true };
    }
    const why = whyRefused(error, "s3:GetObject", folder);
    return {
      text: `${subject}, which cannot be read: ${why}`,
      isMissing: false,
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Loads the connection to S3; the AWS SDK's client of S3 when it is used. */
export function loadS3(): Promise<typeof import("../aws/s3.ts")> {
  return import("../aws/s3.ts");
}
