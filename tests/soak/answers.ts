/**
 * Answers as SQS's JSON protocol writes them, and their data of messages.
 *
 * @module
 */

import type { HttpAnswer, HttpRequest } from "./http.ts";
import type { RequestEntry } from "./journal.ts";

/** An entry of a batch, of its request or of its answer. */
interface Entry {
  readonly Id: string;
  readonly MessageBody?: string;
  readonly MessageGroupId?: string;
  readonly ReceiptHandle?: string;
  readonly MessageId?: string;
  readonly SequenceNumber?: string;
}

interface BatchRequest {
  readonly Entries: readonly Entry[];
}

interface BatchAnswer {
  readonly Successful?: readonly Entry[];
  readonly Failed?: readonly object[];
}

interface ReceiveAnswer {
  readonly Messages?: readonly {
    readonly MessageId: string;
    readonly ReceiptHandle: string;
  }[];
}

const JSON_HEADERS = { "content-type": "application/x-amz-json-1.0" };

const MESSAGE = "The proxy says so";

/** An error. */
export function errorAnswer(
  status: number,
  code: string,
  message = MESSAGE,
): HttpAnswer {
  const whose = status < 500 ? "Sender" : "Receiver";
  return {
    status,
    headers: { ...JSON_HEADERS, "x-amzn-query-error": `${code};${whose}` },
    body: JSON.stringify({ __type: `com.amazonaws.sqs#${code}`, message }),
  };
}

/** The answer to a batch without entries. */
export const NO_ENTRIES: HttpAnswer = {
  status: 200,
  headers: JSON_HEADERS,
  body: "{}",
};

/** The operation of a request. */
export function operationOf(request: HttpRequest): string {
  return (request.headers["x-amz-target"] ?? "").replace("AmazonSQS.", "");
}

/** The name of the queue that a request is about. */
export function queueOf(request: HttpRequest): string {
  const { QueueUrl } = JSON.parse(request.body.toString());
  return QueueUrl.split("/").at(-1);
}

/** The ids of a batch's entries. */
export function entryIdsOf(request: HttpRequest): string[] {
  return batchOf(request).Entries.map(({ Id }) => Id);
}

/** A batch's body with some of its entries. */
export function withEntries(
  request: HttpRequest,
  ids: ReadonlySet<string>,
): string {
  const input = batchOf(request);
  const Entries = input.Entries.filter(({ Id }) => ids.has(Id));
  return JSON.stringify({ ...input, Entries });
}

/** An answer that says of some entries that they failed. */
export function withFailed(
  answer: HttpAnswer,
  ids: ReadonlySet<string>,
): HttpAnswer {
  if (answer.status !== 200) return answer;
  const { Successful = [], Failed = [] }: BatchAnswer = JSON.parse(answer.body);
  const failed = [...ids].map((Id) => ({
    Id,
    Code: "InternalError",
    Message: MESSAGE,
    SenderFault: false,
  }));
  const body = JSON.stringify({
    Successful: Successful.filter(({ Id }) => !ids.has(Id)),
    Failed: [...Failed, ...failed],
  });
  return { ...answer, body };
}

/** Finds the messages that requests are about. */
export class EntryReader {
  /** Which message a receipt handle stands for. */
  readonly #handles = new Map<string, string>();

  /**
   * The messages of a request.
   *
   * @param answer The server's own answer; absent if it was not asked.
   */
  read(request: HttpRequest, answer: HttpAnswer | undefined): RequestEntry[] {
    const output = answer?.status === 200 && answer.body !== ""
      ? JSON.parse(answer.body)
      : {};
    const op = operationOf(request);
    if (op === "ReceiveMessage") {
      return ((output as ReceiveAnswer).Messages ?? []).map((message) => {
        this.#handles.set(message.ReceiptHandle, message.MessageId);
        return { id: message.MessageId, ok: true };
      });
    }
    const done = new Map(
      ((output as BatchAnswer).Successful ?? []).map((entry) =>
        [entry.Id, entry] as const
      ),
    );
    return batchOf(request).Entries.map((entry) => {
      const answered = done.get(entry.Id);
      const ok = answered !== undefined;
      if (op === "SendMessageBatch") {
        return { ...sentEntry(entry, answered), ok };
      }
      const id = this.#handles.get(entry.ReceiptHandle!);
      return { ...(id === undefined ? {} : { id }), ok };
    });
  }
}

function batchOf(request: HttpRequest): BatchRequest {
  return JSON.parse(request.body.toString());
}

function sentEntry(
  entry: Entry,
  answered: Entry | undefined,
): Omit<RequestEntry, "ok"> {
  const body = JSON.parse(entry.MessageBody!);
  // Of the JSON queue, the arguments alone.
  const [job, by] = Array.isArray(body[0]) ? body[0] : body;
  return {
    job,
    by,
    ...(answered === undefined ? {} : { id: answered.MessageId! }),
    ...(entry.MessageGroupId === undefined
      ? {}
      : { group: entry.MessageGroupId }),
    ...(answered?.SequenceNumber === undefined
      ? {}
      : { sequence: answered.SequenceNumber }),
  };
}
