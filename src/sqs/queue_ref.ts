/**
 * The ways to name a queue, its name, URL or ARN, and the server it is on.
 *
 * @module
 */

import { AWS_DOMAINS } from "./partitions.ts";

/** The parts of a queue's name, URL or ARN. */
export interface QueueRef {
  /** The text that was parsed. */
  readonly text: string;
  /** The queue's name, with `.fifo` for a FIFO queue. */
  readonly name: string;
  readonly fifo: boolean;
  /** The queue's URL, if the text is one. */
  readonly url?: string;
  /** The URL's origin: the server if no endpoint is set. */
  readonly origin?: string;
  /** The region that the URL or ARN names. */
  readonly region?: string;
  /** The account that the ARN names. */
  readonly accountId?: string;
}

/** What a queue's name is, as a sentence of messages. */
const NAME_HINT =
  'A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end';

/** The allowed texts, for messages, and a sentence about them. */
export const QUEUE_REF_HINT = `a queue's name, URL or ARN. ${NAME_HINT}`;

/** Parses a queue's name, URL or ARN; `undefined` if it is none of them. */
export function parseQueueRef(text: string): QueueRef | undefined {
  // The URL parser drops line ends, which no queue's URL has.
  if (/[\s\p{Cc}?#]/u.test(text)) return undefined;
  if (/^https?:\/\//i.test(text)) return parseUrl(text);
  if (text.startsWith("arn:")) return parseArn(text);
  return named(text, text);
}

/**
 * Whether two texts name the same queue. A part that only one of them has, such
 * as an account, makes no difference.
 *
 * @param region The region of queues whose text names none.
 */
export function isSameQueue(
  a: QueueRef,
  b: QueueRef,
  region?: string,
): boolean {
  const parts = (ref: QueueRef) => [
    ref.region ?? region,
    ref.accountId ?? /\/(\d{12})\/[^/]+$/.exec(ref.url ?? "")?.[1],
    ref.region === undefined ? ref.origin : undefined,
  ];
  const others = parts(b);
  return a.name === b.name &&
    parts(a).every((part, i) =>
      part === others[i] || part === undefined || others[i] === undefined
    );
}

/** Whether a text is an HTTP or HTTPS URL. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^\s\p{Cc}]+$/iu.test(text) && URL.canParse(text);
}

/** Whether a text can be the name of an AWS region: a host name's label. */
export function isRegion(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(text);
}

function named(text: string, name: string): QueueRef | undefined {
  if (!/^[\w-]+(?:\.fifo)?$/.test(name) || name.length > 80) return undefined;
  return { text, name, fifo: name.endsWith(".fifo") };
}

const AWS_DOMAIN = new RegExp(
  `\\.(?:${
    AWS_DOMAINS.map((domain) => domain.replaceAll(".", "\\.")).join("|")
  })$`,
);

/** Whether a server is one of AWS's. */
export function isAwsUrl(url: string): boolean {
  return AWS_DOMAIN.test(URL.parse(url)?.hostname.replace(/\.$/, "") ?? "");
}

/** What comes before it: SQS's own host names, old ones, and VPC endpoints. */
const REGIONAL_HOST =
  /^(?:[a-z0-9-]+\.)*?(?:sqs(?:-fips)?\.(?<region>[a-z0-9-]+)(?:\.vpce)?|(?<old>[a-z0-9-]+)\.queue)$/;

/** The region that a host name of AWS stands for. */
function regionOfHost(hostname: string): string | undefined {
  const host = hostname.replace(/\.$/, "");
  const service = host.replace(AWS_DOMAIN, "");
  if (service === host) return undefined;
  // The host of the first region, from before there were others.
  if (host === "queue.amazonaws.com") return "us-east-1";
  const { region, old } = REGIONAL_HOST.exec(service)?.groups ?? {};
  return region ?? old;
}

function parseUrl(text: string): QueueRef | undefined {
  const url = URL.parse(text);
  // A "/" may follow the queue's name, but not the account alone.
  const path = url?.pathname.replace(/(?<=\/[^/]+\/[^/]+)\/$/, "") ?? "";
  const ref = named(text, path.split("/").at(-1)!);
  if (url === null || ref === undefined) return undefined;
  const region = regionOfHost(url.hostname);
  return {
    ...ref,
    url: text.replace(/\/$/, ""),
    origin: url.origin,
    ...(region === undefined ? {} : { region }),
  };
}

function parseArn(text: string): QueueRef | undefined {
  const parts = text.split(":");
  const [, , service, region, accountId, name = ""] = parts;
  const ref = named(text, name);
  if (ref === undefined || parts.length !== 6 || service !== "sqs") {
    return undefined;
  }
  return {
    ...ref,
    ...(region ? { region } : {}),
    ...(accountId ? { accountId } : {}),
  };
}
