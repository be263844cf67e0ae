/**
 * The SDK's errors as `SqsError`s: a code, who is to blame, and what to do.
 *
 * @module
 */

import process from "node:process";
import { isNotCapable, SqsError } from "../errors.ts";
import { deno } from "../runtime.ts";
import { describeAnswer } from "./answers.ts";

/** The most characters that an error takes from a server. */
const MAX_REASON = 1000;

/** The SDK's errors, and Node's. */
type SdkError = Error & {
  readonly code?: string;
  readonly errors?: readonly Error[];
  readonly $fault?: string;
  readonly $response?: object;
};

/** An error of the SDK as an `SqsError` that names the failed call. */
export function sqsError(
  operation: string,
  error: unknown,
  endpoint?: string,
): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof SqsError || isNotCapable(error)) return error;
  const { code, name, $fault } = error as SdkError;
  const reason = reasonOf(error, endpoint);
  const given = ($fault === undefined ? code : undefined) ?? name;
  return new SqsError(
    `${operation} failed: ${withKeyAccess(given, operation, reason)}`,
    {
      code: plainCode(given),
      senderFault: isSendersFault($fault === "client", name),
      cause: error,
    },
  );
}

function reasonOf(error: SdkError, endpoint: string | undefined): string {
  const { message, errors = [], name, $response } = error;
  // The SDK found no error of SQS in the answer, or no JSON.
  if (
    $response !== undefined &&
    (message === "UnknownError" || error instanceof SyntaxError)
  ) {
    return `the server's answer is not an SQS answer (${
      describeAnswer($response)
    })`;
  }
  // If every address of a host refuses the connection, Node throws an
  // AggregateError without a message. The SDK's lines after the first are hints
  // for programmers.
  const reason = message.split("\n")[0] ||
    errors.map((each) => each.message).join(", ") || name;
  const hint = $response === undefined ? networkHint(error, endpoint) : "";
  return reason.slice(0, MAX_REASON) + hint;
}

/** The codes of connections that fail, as they would without a proxy. */
const UNREACHABLE =
  /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|TimeoutError)$/;

const PROXY_VARIABLES = [
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/** The setting that a connection may lack. */
function networkHint(
  { code, name, message }: SdkError,
  endpoint: string | undefined,
): string {
  if (/certificate|UnknownIssuer/i.test(`${code} ${message}`)) {
    return ". If the server has a private certificate authority, set AWS_CA_BUNDLE to the file with its certificates";
  }
  const isUnreachable = UNREACHABLE.test(code ?? name);
  if (!isUnreachable || isLocal(endpoint)) return "";
  const variables = endpoint?.startsWith("http:")
    ? ["http_proxy", "HTTP_PROXY"]
    : PROXY_VARIABLES;
  const proxy = variables.find((each) => variable(each));
  return proxy === undefined || variable("NODE_USE_ENV_PROXY")
    ? ""
    : `. ${proxy} is used only if NODE_USE_ENV_PROXY=1 is set, too`;
}

function isLocal(endpoint: string | undefined): boolean {
  const { hostname = "" } = URL.parse(endpoint ?? "") ?? {};
  return /(?:^|\.)localhost$|^127\.|^\[::1\]$/.test(hostname);
}

/** An environment variable, unless Deno would have to ask for a permission. */
function variable(name: string): string | undefined {
  const access = { name: "env", variable: name } as const;
  const state = deno?.permissions.querySync(access).state ?? "granted";
  return state === "granted" ? process.env[name] : undefined;
}

/** Adds the missing right to SQS's refusal to use a queue's key. */
export function withKeyAccess(
  code: string,
  operation: string,
  reason: string,
): string {
  if (!/^KMS\.?AccessDenied/i.test(code) || /kms:\w/.test(reason)) {
    return reason;
  }
  const rights = operation === "SendMessage"
    ? "kms:GenerateDataKey and kms:Decrypt"
    : "kms:Decrypt";
  return `${reason} (the AWS identity needs ${rights} on the queue's KMS key)`;
}

/** Removes the namespace of an error code, which differs between servers. */
export function plainCode(code: string): string {
  const plain = code.split(/[.#]/).at(-1)!;
  if (plain === "NonExistentQueue") return "QueueDoesNotExist";
  if (/^(?:Kms)?AccessDenied/.test(plain)) return "AccessDenied";
  return plain.slice(0, 100);
}

/** SQS blames the sender for these, too, although a retry may help. */
const PASSING =
  /Throttl|TooManyRequests|OverLimit|Expired|Skewed|InTheFuture|InvalidSignature|SignatureDoesNotMatch/;

export function isSendersFault(
  isClients: boolean | undefined,
  code: string | undefined,
): boolean {
  return isClients === true && !PASSING.test(code ?? "");
}
