/**
 * Bodies that AWS itself writes, known by their fields: SNS's messages, events of
 * S3 and EventBridge, and pointers of the Extended Client Libraries.
 *
 * @module
 */

import { isRecord, parsed } from "./body.ts";
import { parsePointer } from "./s3_pointer.ts";
import { snsType } from "./sns.ts";

/** What AWS wrote. */
interface AwsWriting {
  /** Text such as `an S3 event`. */
  readonly what: string;
  /** Whether SNS wrote it, ... */
  readonly isSns: boolean;
  /** ... or an Extended Client: a pointer to a body in S3. */
  readonly isPointer?: boolean;
}

/** What AWS wrote, if it wrote this body. */
export function awsWriting(body: string): AwsWriting | undefined {
  if (parsePointer(body) !== undefined) {
    return { what: "a pointer to S3", isSns: false, isPointer: true };
  }
  const value = parsed(body);
  if (!isRecord(value)) return undefined;
  const sns = snsType(value);
  if (sns !== undefined) {
    const name = sns === "Notification" ? "notification" : sns;
    return { what: `an SNS ${name}`, isSns: true };
  }
  const source = isS3Event(value)
    ? "S3"
    : isEventBridgeEvent(value)
    ? "EventBridge"
    : undefined;
  return source === undefined
    ? undefined
    : { what: `an ${source} event`, isSns: false };
}

type Fields = Readonly<Record<string, unknown>>;

function isS3Event({ Records: records, Service, Event }: Fields): boolean {
  if (Array.isArray(records)) {
    const [first] = records;
    return isRecord(first) && first.eventSource === "aws:s3";
  }
  // S3 sends it once, when notifications are configured.
  return Service === "Amazon S3" && Event === "s3:TestEvent";
}

function isEventBridgeEvent(
  { "detail-type": type, source, detail }: Fields,
): boolean {
  return typeof type === "string" && typeof source === "string" &&
    detail !== undefined;
}
