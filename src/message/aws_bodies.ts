/**
 * Bodies that AWS itself writes, known by their fields: SNS's messages, and
 * events of S3 and EventBridge.
 *
 * @module
 */

import { isRecord, parsed } from "./body.ts";
import { snsType } from "./sns.ts";

/** What AWS wrote. */
export interface AwsWriting {
  /** Text such as `an S3 event`. */
  readonly what: string;
  /** Whether SNS wrote it. */
  readonly isSns: boolean;
}

/** What AWS wrote, if it wrote this body. */
export function awsWriting(body: string): AwsWriting | undefined {
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
