/**
 * A worker for S3 events.
 *
 * @module
 */

import { getLogger } from "jsr:@zsqs/cli@^0.1.0";

const log = getLogger("uploads");

/** The part of an S3 event that the worker uses. */
export interface S3Event {
  /** Absent in the event that S3 sends once to test the queue. */
  readonly Records?: readonly {
    readonly eventName: string;
    readonly s3: {
      readonly bucket: { readonly name: string };
      readonly object: { readonly key: string; readonly size?: number };
    };
  }[];
}

/** Makes the worker. */
export function uploads(): (event: S3Event) => void {
  return ({ Records = [] }) => {
    for (const { eventName, s3: { bucket, object } } of Records) {
      log.info(`${eventName}: ${bucket.name}/${keyOf(object.key)}`);
    }
  };
}

/** S3 writes keys as forms do: "red flower.jpg" is "red+flower.jpg". */
function keyOf(key: string): string {
  return decodeURIComponent(key.replaceAll("+", " "));
}
