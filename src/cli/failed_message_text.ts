/**
 * A failed message as text: in one line, or whole.
 *
 * @module
 */

import { ageText, counted } from "../numbers.ts";
import {
  bodyOf,
  describeMessage,
  errorOf,
  failedAtMs,
  sourceName,
} from "../operate/failed_message.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { escapeControls, isoTime, printable } from "../text.ts";
import { cutParts, orDash, type Output, type Styled } from "./screen.ts";
import { padTo, widthOf } from "./width.ts";

/** All of a message: its facts, then attributes, body and stack. */
export function wholeMessage(
  message: ReceivedMessage,
  nowMs: number,
): string[] {
  const { stack, attributes, body, ...facts } = describeMessage(message, nowMs);
  const { groupId, sentAt, fromMessageId } = facts;
  const failedMs = failedAtMs(message);
  const from = fromMessageId === null ? "" : `, message ${fromMessageId}`;
  const rows: [name: string, value: unknown][] = [
    ["Message", message.messageId],
    ["Source", `${orDash(sourceName(message))}${from}`],
    ["Error", orDash(errorOf(message))],
    ["Failed", `${orDash(isoTime(failedMs))}, ${age(nowMs, failedMs)} ago`],
    ["Sent", orDash(sentAt as string | null)],
    ["Receives", facts.receiveCount],
    ...(groupId === null ? [] : [["Group", groupId] as [string, unknown]]),
    ...Object.entries(attributes as object)
      .map(([name, value]): [string, unknown] => [`Attribute ${name}`, value]),
  ];
  const names = rows.map(([name]) => printable(name));
  const width = Math.max(...names.map(widthOf)) + 2;
  return [
    ...rows.map(([, value], i) =>
      padTo(width, names[i]!) + printable(String(value))
    ),
    "Body",
    ...indented(String(body)),
    ...(stack === null ? [] : ["Stack", ...indented(String(stack))]),
  ];
}

/** The lines of a text, none of which can forge another or drive a terminal. */
function indented(text: string): string[] {
  return text.split(/\r?\n/).map((line) => `  ${escapeControls(line)}`);
}

const STYLES = ["dim", "bold", "red"] as const;

/**
 * A message in a line: in a pipe with its id first; on a terminal without it,
 * and cut to the width.
 */
export function messageLine(
  message: ReceivedMessage,
  nowMs: number,
  { screen }: Output,
): readonly Styled[] {
  const parts = [
    age(nowMs, failedAtMs(message)).padStart(6),
    orDash(sourceName(message)),
    errorOf(message) ?? `received ${counted(message.receiveCount, "time")}`,
    bodyOf(message),
  ].map(printable);
  if (!screen.stdout) {
    return [{ text: [printable(message.messageId), ...parts].join("  ") }];
  }
  return cutParts(
    screen.columns,
    parts.map((part, i) => ({
      text: i === 0 ? part : `  ${part}`,
      style: STYLES[i],
    })),
  );
}

function age(nowMs: number, failedMs: number | undefined): string {
  return failedMs === undefined ? orDash(failedMs) : ageText(nowMs - failedMs);
}
