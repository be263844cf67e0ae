/**
 * Arguments and bodies that a seed makes: all that JSON holds, and what looks
 * like a body and is none.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { encodeBody } from "../../src/message/body.ts";
import { kwargs } from "../../producer.ts";
import type { Dice } from "./dice.ts";

/** What a body holds beside ASCII: printable characters up to U+FFFD. */
export const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}\u{fffe}-\u{10ffff}]*$/u;

/** What is said of a bad body, by the error's class; a next step follows. */
export const PROBLEMS = new Map<unknown, string>([
  [
    SyntaxError,
    "Cannot read message body: it is neither JSON nor Base64 of JSON",
  ],
  [
    TypeError,
    "Cannot read message body: it is JSON, but not [args, kwargs]",
  ],
]);

const TEXTS = [
  "",
  "__proto__",
  "constructor",
  "toJSONs",
  "0",
  "-1",
  " ",
  "\\u0041",
  '"',
  "\ud83d",
  "😀",
];

export function randomText(dice: Dice): string {
  if (dice.below(2) === 0) return dice.pick(TEXTS);
  return Array.from(
    { length: dice.below(8) },
    () => String.fromCharCode(dice.below(dice.pick([0x80, 0x10000]))),
  ).join("");
}

function randomNumber(dice: Dice): number {
  const numbers = [
    -0,
    0,
    1,
    -1,
    0.1,
    2 ** 53,
    2 ** 53 - 1,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    1e21,
    1e-7,
  ];
  return dice.below(2) === 0
    ? dice.pick(numbers)
    : (dice.below(2 ** 31) - 2 ** 30) / dice.pick([1, 3, 1e9]);
}

export function randomValue(dice: Dice, depth: number): unknown {
  switch (dice.below(depth > 0 ? 7 : 4)) {
    case 0:
      return randomText(dice);
    case 1:
      return randomNumber(dice);
    case 2:
      return dice.pick([true, false]);
    case 3:
      return null;
    case 4:
    case 5:
      return Array.from(
        { length: dice.below(5) },
        () => randomValue(dice, depth - 1),
      );
    default:
      return randomRecord(dice, depth);
  }
}

export function randomRecord(dice: Dice, depth: number): object {
  const record = dice.below(4) === 0 ? Object.create(null) : {};
  for (let i = dice.below(5); i > 0; i--) {
    Object.defineProperty(record, randomText(dice), {
      value: randomValue(dice, depth - 1),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return record;
}

/**
 * Whether two values are the same to JSON's last detail: -0, order, own keys.
 * They may be nested deeper than calls can be.
 */
export function same(a: unknown, b: unknown): boolean {
  const pairs: [unknown, unknown][] = [[a, b]];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [one, other] = pair;
    if (typeof one !== "object" || one === null) {
      if (!Object.is(one, other)) return false;
      continue;
    }
    if (typeof other !== "object" || other === null) return false;
    if (Array.isArray(one) !== Array.isArray(other)) return false;
    const keys = Object.keys(one);
    const others = Object.keys(other);
    if (keys.length !== others.length) return false;
    for (const [i, key] of keys.entries()) {
      if (key !== others[i]) return false;
      pairs.push([memberOf(one, key), memberOf(other, key)]);
    }
  }
  return true;
}

/** An own member, one named `__proto__` too. */
function memberOf(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)!.value;
}

/** A job's arguments; a last one may be keyword arguments. */
export function randomArgs(dice: Dice): unknown[] {
  const args = Array.from(
    { length: dice.below(4) },
    () => randomValue(dice, 4),
  );
  return dice.below(2) === 0 ? args : [...args, kwargs(randomRecord(dice, 3))];
}

/** The largest body beside an attribute. */
const MIB = 2 ** 20 - 64;

/** Bodies that are large, deep or odd, each once. */
export const HOSTILE_BODIES:
  readonly (readonly [what: string, body: string])[] = [
    ["nothing", ""],
    ["a space", " "],
    ["a byte-order mark before JSON", "\ufeff[[1],{}]"],
    ["100,000 arrays in each other", nested("[", "]", 1e5)],
    ["100,000 objects in each other", nested('{"a":', "}", 1e5)],
    ["100,000 arrays that never end", "[".repeat(1e5)],
    [
      "a job with 100,000 arrays in each other",
      `[[${nested("[", "]", 1e5)}],{}]`,
    ],
    ["a job whose keywords are deep", `[[],{"a":${nested("[", "]", 1e5)}}]`],
    ["1 MiB of one string", `[["${"x".repeat(MIB - 10)}"],{}]`],
    ["1 MiB of escapes", `[["${"\\u0000".repeat(MIB / 6 - 2)}"],{}]`],
    ["1 MiB of Base64 of nothing", "A".repeat(MIB)],
    ["1 MiB of Base64 and a space", "A".repeat(MIB - 1) + " "],
    ["1 MiB of line ends", "\n".repeat(MIB)],
    ["1 MiB of a number", `[[${"9".repeat(MIB - 10)}],{}]`],
    ["1 MiB of zeros behind a point", `[[0.${"0".repeat(MIB - 12)}],{}]`],
    ["1 MiB of spaces", `[[1],${" ".repeat(MIB - 10)}{}]`],
    ["500,000 arguments", `[[${"1,".repeat(5e5)}1],{}]`],
    ["60,000 keywords", `[[],{${members(60_000)}}]`],
    ["numbers out of range", "[[1e999,-1e999,1e-999,1E400],{}]"],
    [
      "own members named as prototypes",
      '[[{"__proto__":{"a":1}}],{"__proto__":{"b":2},"constructor":3}]',
    ],
    ["keywords of a toJSON", '[[{"toJSON":1}],{"then":1,"toJSON":2}]'],
    ["one surrogate", '[["\\ud83d"],{}]'],
    ["one surrogate, raw", '[["\ud83d"],{}]'],
    ["NUL in a string", '[["\u0000"],{}]'],
    ["an escaped NUL", '[["\\u0000"],{}]'],
    [
      "Base64 of invalid UTF-8",
      Buffer.from([0x5b, 0xff, 0xfe, 0x5d]).toString("base64"),
    ],
    [
      "Base64 of UTF-8 of a surrogate",
      Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22]).toString("base64"),
    ],
    [
      "Base64 of a byte-order mark and a job",
      Buffer.from("\ufeff[[1],{}]").toString("base64"),
    ],
    ["Base64 of Base64 of a job", btoa(btoa("[[1],{}]"))],
    ["Base64 for URLs", Buffer.from('[["???>>>"],{}]').toString("base64url")],
    ["Base64 without its end", btoa("[[12],{}]").replace(/=+$/, "")],
    ["Base64 with bits behind its end", btoa("[[1],{} ]").replace(/.=$/, "h=")],
    ["Base64 on two lines", btoa("[[1,2,3],{}]").replace(/(.{8})/, "$1\n")],
    ["a line of a log", "oh\n2026-01-01 ERROR zsqs Handling a message"],
    ["a line of a log in JSON", '[["a"],\n{}]\r\nERROR zsqs lie'],
    [
      "other line ends",
      "a\u2028ERROR\u2029ERROR\u0085ERROR\u000bERROR\u000cERROR",
    ],
    [
      "other line ends in Base64 of JSON",
      Buffer.from('[1,"a\u2028ERROR\u0085ERROR\u009b31m"]').toString("base64"),
    ],
    ["a terminal's colours", "\u001b[31mERROR\u001b[0m\u0007\u0008"],
  ];

function nested(open: string, close: string, depth: number): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

function members(count: number): string {
  return Array.from({ length: count }, (_, i) => `"k${i}":${i}`).join(",");
}

const JSON_PARTS = [...'[]{}",:\\0123456789eE+-.nulltruefalse =/ \n\ud800'];

/** A job's body, or the rest of one when some characters are changed. */
export function randomBody(dice: Dice): string {
  const args = [randomValue(dice, 3), kwargs(randomRecord(dice, 2))];
  const units =
    (dice.below(4) === 0
      ? JSON.stringify(randomValue(dice, 2))
      : encodeBody(args, dice.pick(["json", "base64"]))).split("");
  for (let change = dice.below(4); change > 0; change--) {
    const at = dice.below(units.length + 1);
    const text = dice.pick(JSON_PARTS);
    units.splice(at, dice.below(3), ...dice.pick([[], [text], [text]]));
  }
  return units.join("");
}
