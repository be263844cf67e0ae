/**
 * Ini files as Python 3's `configparser.RawConfigParser` reads them.
 *
 * `@std/ini` groups options into sections. It sees only line numbers, because it
 * would convert values and drop repeated names.
 *
 * @module
 */

import { parse } from "@std/ini";
import { ConfigError } from "../errors.ts";
import { quote, shortened } from "../text.ts";

export interface IniOption {
  /** The name as written; {@linkcode IniSection.options} has it in lower case. */
  readonly name: string;
  /** The exact value; continuation lines are stripped and joined by `"\n"`. */
  readonly value: string;
  /** The line the option starts on, from 1. */
  readonly line: number;
  /** The line of each line of the value. Comment lines are not counted. */
  readonly valueLines: readonly number[];
  /** Whether it stands in `[DEFAULT]` and not in the section itself. */
  readonly fromDefault: boolean;
}

export interface IniSection {
  /** The name between the brackets, exactly: Python does not strip it. */
  readonly name: string;
  /** The line of the header, from 1. */
  readonly line: number;
  /** The options of the section and of `[DEFAULT]`, by name in lower case. */
  readonly options: ReadonlyMap<string, IniOption>;
}

/** The sections by name, in the file's order, without `[DEFAULT]`. */
export type IniFile = ReadonlyMap<string, IniSection>;

export const DEFAULT_SECTION = "DEFAULT";

/**
 * Reads an ini file's text as `RawConfigParser()` would, but drops a byte-order
 * mark.
 *
 * @throws {ConfigError} If Python would refuse the text: its first error.
 */
export function parseIni(text: string, file: string): IniFile {
  const entries = readEntries(text, file);
  const skeleton = entries
    .map(({ value }, i) => value === undefined ? `[${i}]` : `${i} = ${i}`);
  const groups = parse<Record<string, object>>(skeleton.join("\n"));
  const repeated = (line: number, what: string, first: { line: number }) =>
    new ConfigError(
      `Cannot read ${file} as line ${line} repeats ${what}: it is first given on line ${first.line}`,
    );
  const own = new Map<string, IniSection & { options: Options }>();
  for (const [header, group] of Object.entries(groups)) {
    const { name, line } = entries[Number(header)]!;
    const shown = `[${shortened(name)}]`;
    const first = own.get(name);
    if (first !== undefined && name !== DEFAULT_SECTION) {
      throw repeated(line, `section ${shown}`, first);
    }
    const options = first?.options ?? new Map();
    if (first === undefined) own.set(name, { name, line, options });
    for (const index of Object.keys(group)) {
      const { value = [], ...option } = entries[Number(index)]!;
      const lowerName = option.name.toLowerCase();
      const earlier = options.get(lowerName);
      if (earlier !== undefined) {
        const what = `option ${quote(option.name)} of ${shown}`;
        throw repeated(option.line, what, earlier);
      }
      const fromDefault = name === DEFAULT_SECTION;
      const text = stripEnd(value.join("\n"));
      options.set(lowerName, { ...option, value: text, fromDefault });
    }
  }
  const defaults = own.get(DEFAULT_SECTION)?.options ?? [];
  own.delete(DEFAULT_SECTION);
  for (const [name, section] of own) {
    const options = new Map([...defaults, ...section.options]);
    own.set(name, { ...section, options });
  }
  return own;
}

type Options = Map<string, IniOption>;

/** A section's header, or an option, which has a value. */
interface Entry {
  readonly name: string;
  readonly line: number;
  readonly value?: string[];
  readonly valueLines: number[];
}

function readEntries(text: string, file: string): Entry[] {
  const entries: Entry[] = [];
  let open: Entry | undefined;
  let indent = 0;
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    const content = strip(raw);
    if (/^[#;]/.test(content)) continue;
    const depth = raw.indexOf(content);
    if (content === "" || (open?.value !== undefined && depth > indent)) {
      open?.value?.push(content);
      open?.valueLines.push(line);
      continue;
    }
    indent = depth;
    const [, section] = /^\[(.+)\]/s.exec(content) ?? [];
    const [, name = "", value = ""] = /^([^=:]+)[=:](.*)/s.exec(content) ?? [];
    if (section === undefined && (name === "" || open === undefined)) {
      const problem = lineProblem(content, open !== undefined);
      throw new ConfigError(`Cannot read ${file} as line ${line} ${problem}`);
    }
    open = section === undefined
      ? {
        name: stripEnd(name),
        line,
        value: [strip(value)],
        valueLines: [line],
      }
      : { name: section, line, valueLines: [] };
    entries.push(open);
  }
  return entries;
}

function lineProblem(content: string, inSection: boolean): string {
  const shown = `: current line is ${quote(content)}`;
  if (content.startsWith("[]")) return "has an empty section name";
  if (content.startsWith("[")) {
    return `has no "]" after the section name${shown}`;
  }
  if (!inSection) {
    return `stands before any section such as [container]${shown}`;
  }
  return /^[=:]/.test(content)
    ? `has no option name before "${content[0]}"${shown}`
    : `has no "=" or ":" after its option name${shown}. Indent a line that continues a value`;
}

/** What Python does not strip: white space has separators, but no byte-order mark. */
// deno-lint-ignore no-control-regex
const KEPT = /[^\s\x1c-\x1f\x85]|\ufeff/;

function strip(text: string): string {
  const start = text.search(KEPT);
  return start < 0 ? "" : stripEnd(text.slice(start));
}

/** Not by an expression that repeats: a line may be longer than V8's stack. */
function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && !KEPT.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}
