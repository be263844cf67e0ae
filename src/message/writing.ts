/**
 * How a producer writes bodies: jobs, other JSON, or text.
 *
 * @module
 */

import { show } from "../text.ts";
import { forbiddenCharacter } from "./attributes.ts";
import { encodeBody, type Encoding, isKwargs } from "./body.ts";
import { type BodyFormat, isBodyFormat } from "./reading.ts";
import { strictJson } from "./strict_json.ts";

/** How bodies are written. */
export interface Writing {
  readonly body: BodyFormat;
  /** How jobs are encoded. */
  readonly encoding: Encoding;
}

/**
 * Checks a queue's options, and fills in defaults.
 *
 * @throws {TypeError} If one is malformed, or they exclude each other.
 */
export function checkWriting(
  { body = "job", encoding }: {
    readonly body?: BodyFormat | undefined;
    readonly encoding?: Encoding | undefined;
  },
): Writing {
  const refused = (problem: string, value: unknown) =>
    new TypeError(
      `Cannot open queue as ${problem}: current value is ${show(value)}`,
    );
  if (!isBodyFormat(body)) {
    throw refused('"body" must be "job", "json" or "text"', body);
  }
  if (encoding === undefined) return { body, encoding: "json" };
  if (encoding !== "json" && encoding !== "base64") {
    throw refused('"encoding" must be "json" or "base64"', encoding);
  }
  if (body !== "job") {
    throw refused('"encoding" needs "body" to be "job"', body);
  }
  return { body, encoding };
}

/**
 * Writes a job's body.
 *
 * @param args The arguments: of other bodies than jobs, one.
 * @returns The body as it goes to SQS.
 * @throws {TypeError} If the format does not take the arguments, or would
 * not arrive unchanged.
 */
export function writeBody(
  args: readonly unknown[],
  { body, encoding }: Writing,
): string {
  if (body === "job") return encodeBody(args, encoding);
  const format = `"body" is "${body}"`;
  if (args.some(isKwargs)) {
    throw new TypeError(
      `Cannot send job with keyword arguments, as ${format}: give one argument`,
    );
  }
  if (args.length !== 1) {
    throw new TypeError(
      `Cannot send job with ${args.length} arguments, as ${format}: give one argument`,
    );
  }
  const [value] = args;
  return body === "json" ? strictJson(value, "args[0]") : checkText(value);
}

function checkText(text: unknown): string {
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot send job as args[0] is ${
        show(text)
      }, and "body" is "text": give a string`,
    );
  }
  if (text === "") {
    throw new TypeError(
      "Cannot send job as args[0] is empty: SQS takes no empty body",
    );
  }
  const forbidden = forbiddenCharacter(text);
  if (forbidden === undefined) return text;
  throw new TypeError(
    `Cannot send job as args[0] has the character ${forbidden}, which SQS refuses: remove it, or send JSON, which escapes it`,
  );
}
