/**
 * The guide to troubleshooting has each error line of the code, and no other.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import jsTokens from "js-tokens";
import { join, relative } from "node:path";

const ROOT = join(import.meta.dirname!, "..");

/** Folders and files whose texts are no lines of ours on a terminal or in a log. */
const ELSEWHERE: readonly [start: string, reason: string][] = [
  ["src/web/", "the page itself shows them, next to the next step"],
  ["src/double/checks.ts", "SQS's own errors, in its words"],
  ["src/double/store.ts:GetObject failed: The", "the same of S3"],
  ["src/double/server.ts:The specified queue", "the same"],
  ["src/telemetry/instruments.ts:Number of", "descriptions of metrics"],
  ["src/telemetry/instruments.ts:Duration of", "descriptions of metrics"],
  ["src/telemetry/instruments.ts:Time from", "descriptions of metrics"],
  ["src/telemetry/api.ts:OpenTelemetry Context Key", "a key"],
  ["src/config/options.ts", "the options' values, which errors repeat"],
  ["src/cli/check_facts.ts", "good news of `check`"],
  ["src/container/health.ts:Method", "HTTP"],
  ["src/container/health.ts:Request", "HTTP"],
];

/** What is no error: progress, results, questions and the lines below an error. */
const NO_ERRORS: readonly string[] = [
  "Answering for",
  "At ..., every ... s; Ctrl+C stops",
  "Caused by:",
  "Child processes of worker ... finish jobs again",
  "Connected to region",
  "Delete ... for good?",
  "Drained",
  "Exit status:",
  "Job has ended already; deleting its message",
  "Listening to",
  "Local SQS server at",
  "Look:",
  "Looked at",
  "Receiving from ... again",
  "Restarting as",
  "Run it,",
  "Running jobs of",
  "Send ... back",
  "Send a job:",
  "Sent ... to",
  "Sent to",
  "Stopped listening to",
  "Stopping: no new receive",
  "Test it:",
  "Then, in another terminal:",
  "The messages name the queues",
  "Waiting for a change of",
  "Left ... that arrived meanwhile",
  // Notes of `permissions`.
  "Credentials come from",
  "Hooks have the container's permissions",
  "Profile",
  "Queue ... is in region",
  "The line grants",
  "The line takes bucket",
  "Without isolation, jobs have",
  // Parts of lines, and of the help.
  "A name has up to 80 letters",
  "Jobs and hooks must return or throw",
  "A batch of jobs",
  "Cannot call the handler",
  "SIGTERM or Ctrl+C stops it",
  "Some jobs of a batch failed",
  "The receive was dropped",
  // Hints below an error.
  "Allow this identity",
  "Check the region",
  "Deno denies some places",
  'Give a "region"',
  "Give AWS credentials",
  "The package.json here",
  "Start the server first",
  "Try ... --help",
];

/** Parts of lines that AWS, the network and Deno write, or the code joins. */
const OTHERS_LINES = [
  "AccessDenied",
  "Could not load credentials",
  "ECONNREFUSED",
  "ENOTFOUND",
  "node_modules",
  "Delete failed;",
  "Visibility change failed",
];

/** A text of the code, with `...` for each expression in it. */
interface Text {
  readonly place: string;
  readonly text: string;
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

const SPACE = new Set(["WhiteSpace", "LineTerminatorSequence"]);
const COMMENT = /Comment$/;
/** Members of a command that are parts of its help. */
const HELP = /^(about|summary|meaning|usage|exitStatus|more)$/;

function textsOf(code: string): string[] {
  const texts: string[] = [];
  const open: { readonly isSkipped: boolean; text: string }[] = [];
  let before: string[] = [];
  for (const { type, value } of jsTokens(code)) {
    if (SPACE.has(type) || COMMENT.test(type)) continue;
    const isSkipped = before.at(-1) === "+" ||
      before.at(-1) === ":" && HELP.test(before.at(-2) ?? "");
    if (type === "StringLiteral" || type === "NoSubstitutionTemplate") {
      if (!isSkipped) texts.push(value.slice(1, -1));
    } else if (type === "TemplateHead") {
      open.push({ isSkipped, text: value.slice(1, -2) });
    } else if (type === "TemplateMiddle") {
      open.at(-1)!.text += `...${value.slice(1, -2)}`;
    } else if (type === "TemplateTail") {
      const { isSkipped, text } = open.pop()!;
      if (!isSkipped) texts.push(`${text}...${value.slice(1, -1)}`);
    }
    before = [...before.slice(-1), value];
  }
  return texts.map((text) => text.replaceAll('\\"', '"').replace(/\\`/g, "`"));
}

async function textsOfCode(): Promise<Text[]> {
  const texts: Text[] = [];
  for await (const path of sources(join(ROOT, "src"))) {
    const place = relative(ROOT, path);
    const found = textsOf(await Deno.readTextFile(path));
    texts.push(...found.map((text) => ({ place, text })));
  }
  return texts;
}

/** Whether a text may be the start of a line: a capital letter and words. */
function isStart({ text }: Text, count = 2): boolean {
  const words = text.split(/\s+/).filter((word) => /\w/.test(word));
  return /^[A-Z]/.test(text) && words.length >= count && !text.includes("\n");
}

/** Matches texts that begin as a line of the guide does. */
function startOf(line: string): RegExp {
  const parts = line.split("...").map((part) =>
    part.trim().replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
  );
  return new RegExp(`^${parts.join(".*")}`);
}

async function linesOfGuide(): Promise<string[]> {
  const page = await Deno.readTextFile(join(ROOT, "docs/troubleshooting.md"));
  return [...page.matchAll(/^\| (`.+?`) +\|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, line]) => line!)
  );
}

function isElsewhere({ place, text }: Text): boolean {
  return ELSEWHERE.some(([start]) => `${place}:${text}`.startsWith(start));
}

Deno.test("the guide to troubleshooting explains each error line of the code", async () => {
  const guide = await linesOfGuide();
  const known = [...guide, ...NO_ERRORS].map(startOf);
  const lines = (await textsOfCode()).filter((each) =>
    isStart(each, 3) && !isElsewhere(each)
  );
  const missing = lines.filter(({ text }) =>
    !known.some((start) => start.test(text)) &&
    // The code may have the start of a line only, such as `Hook "..." failed`.
    !guide.some((line) => startOf(text).test(line))
  );
  assertEquals(missing, [], "explain these in docs/troubleshooting.md");
  assertEquals(lines.length > 150, true);
});

Deno.test("the guide to troubleshooting explains no line that is gone", async () => {
  const texts = await textsOfCode();
  const starts = texts.filter((each) => isStart(each)).map(({ text }) =>
    startOf(text)
  );
  const gone = (await linesOfGuide()).filter((line) => {
    const parts = line.split("...").map((part) => part.trim());
    const longest = parts.toSorted((a, b) => b.length - a.length)[0]!;
    return !OTHERS_LINES.some((part) => line.includes(part)) &&
      !texts.some(({ text }) => text.includes(longest)) &&
      !starts.some((start) => start.test(line));
  });
  assertEquals(gone, []);
});
