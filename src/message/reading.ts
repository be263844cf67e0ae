/**
 * How a container reads the bodies of its messages: the one door for all who
 * look into a body.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { ObjectFolder } from "../sqs/objects.ts";
import { printable } from "../text.ts";
import { awsWriting } from "./aws_bodies.ts";
import {
  checkCount,
  decodeBody,
  type DecodedJob,
  isJob,
  jsonIn,
  parsed,
  takenBy,
} from "./body.ts";
import { type Envelope, openEnvelope, type SnsNotification } from "./sns.ts";

/**
 * What a body is: a job's arguments as zsqs writes them (`job`), any JSON
 * (`json`), or any text (`text`).
 */
export type BodyFormat = "job" | "json" | "text";

/** How the messages of a queue are read. */
export interface Reading {
  readonly body: BodyFormat;
  /** What the body stands in: `sns`, a notification of SNS. */
  readonly envelope?: "sns";
  /** The objects that pointers may lead to; absent: pointers are not followed. */
  readonly large?: ObjectFolder;
}

/** How messages are read unless a container's options differ. */
export const AS_JOBS: Reading = { body: "job" };

/** A message as it was read. */
export interface ReadMessage extends DecodedJob {
  /** The SNS notification that brought it, with `envelope = sns`. */
  readonly notification?: SnsNotification;
}

/**
 * The body was written by AWS, or is in a notification of SNS, and the options do
 * not say how to read it.
 */
export class AwsBodyError extends TypeError {}

/** Whether a text is a {@linkcode BodyFormat}. */
export function isBodyFormat(text: unknown): text is BodyFormat {
  return text === "job" || text === "json" || text === "text";
}

/** The part of a configuration that says how messages are read. */
export function readingOf({ body, envelope }: Reading): Reading {
  return envelope === undefined ? { body } : { body, envelope };
}

/**
 * Reads a message.
 *
 * @returns The arguments of its job: with `json` and `text`, one.
 * @throws {AwsBodyError} If a job is wanted, and AWS wrote something else, or
 * SNS brought something else.
 * @throws {SyntaxError} If the body cannot be parsed.
 * @throws {TypeError} If it is something else than the wanted format.
 * @throws {RangeError} If it has more arguments than a call can have.
 */
export function readMessage(
  message: Pick<JobMessage, "body" | "unreadable" | "fetched">,
  reading: Reading,
): ReadMessage {
  if (message.unreadable !== undefined) {
    throw new TypeError(`Cannot read message: ${message.unreadable}`);
  }
  if (reading.envelope === undefined) return readBody(message.body, reading);
  const { text, notification } = envelopeOf(message.body, reading);
  const { fetched = text } = message;
  return { ...readBody(fetched, reading, MESSAGE), notification };
}

/** The notification that a message is, if its queue has them. */
export function readNotification(
  { body }: Pick<JobMessage, "body">,
  { envelope }: Reading,
): SnsNotification | undefined {
  try {
    return envelope && openEnvelope(body).notification;
  } catch {
    return undefined;
  }
}

/**
 * A body as a person reads it, on one line. The JSON inside Base64 is decoded, as
 * zc.sqs logs it, where jobs are read. A body without JSON is escaped.
 */
export function bodyText(body: string, reading: Reading = AS_JOBS): string {
  const json = reading.body === "text" ? undefined : jsonIn(body)?.text;
  const isShown = reading.body === "job" || json === body;
  // Raw line ends and tabs in JSON stand between its tokens.
  const text = isShown ? json?.replace(/[\r\n\t]+/g, " ") : undefined;
  return printable(text ?? body);
}

const BODY = "message body";

/** Neither a container without the option nor a Lambda function does. */
const FETCHING = "a container with large = s3://BUCKET/PREFIX fetches it";

const MESSAGE = '"Message" of SNS notification';

function readBody(
  text: string,
  { body }: Reading,
  subject: string = BODY,
): ReadMessage {
  switch (body) {
    case "text":
      return { args: [text], kwargs: {} };
    case "json":
      return { args: [parseJson(text, subject)], kwargs: {} };
    case "job":
      return readJob(text, subject);
  }
}

function parseJson(text: string, subject: string): unknown {
  const value = parsed(text);
  if (value !== undefined) return value;
  throw new SyntaxError(
    `Cannot read ${subject}: it is not JSON; ${takenBy("text")}`,
  );
}

function readJob(text: string, subject: string): ReadMessage {
  let job: DecodedJob;
  try {
    job = decodeBody(text, subject);
  } catch (error) {
    const written = awsWriting(text);
    if (written === undefined) {
      // SNS wrote the notification around it.
      if (subject === MESSAGE) throw new AwsBodyError(messageOf(error));
      throw error;
    }
    const next = written.isPointer
      ? FETCHING
      : written.isSns && subject === BODY
      ? `set ${optionsFor(text)}`
      : takenBy("json");
    throw new AwsBodyError(
      `Cannot read ${subject}: it is ${written.what}; ${next}`,
    );
  }
  checkCount(job.args.length, "Cannot call the handler");
  return job;
}

function envelopeOf(text: string, reading: Reading): Envelope {
  try {
    return openEnvelope(text);
  } catch (error) {
    const written = reading.body === "job" ? awsWriting(text) : undefined;
    if (written === undefined || written.isSns) throw error;
    const next = written.isPointer
      ? `remove envelope = sns; ${FETCHING}`
      : "set body = json and remove envelope = sns";
    throw new AwsBodyError(
      `Cannot read ${BODY}: it is ${written.what}, not an SNS notification; ${next}`,
    );
  }
}

/** The options that take an SNS message and its content: continues `set`. */
function optionsFor(body: string): string {
  const envelope = "envelope = sns";
  try {
    const { text } = openEnvelope(body);
    const json = jsonIn(text);
    if (json !== undefined && isJob(json.value)) {
      return `${envelope} to take it`;
    }
    const format = json?.text === text ? "json" : "text";
    return `${envelope} and body = ${format} to take it`;
  } catch {
    // It asks for a confirmation.
    return `${envelope} to take notifications, and confirm it with SNS, as zsqs never does`;
  }
}
