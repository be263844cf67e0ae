/**
 * Ini files as Python 3's `configparser.RawConfigParser` reads them, with
 * `@std/ini` as the parser.
 *
 * The text is first written anew, line for line, in the dialect `@std/ini`
 * reads: names and values are escaped, so that it changes neither.
 *
 * @module
 */

import { printable, quote } from "../text.ts";
import { parse } from "@std/ini";

/** Options for {@linkcode parseIni}. */
export interface ParseIniOptions {
  /** The file's path, for messages. */
  readonly file: string;
}

/** An option of an ini file. */
export interface IniOption {
  /** The name as written; {@linkcode IniSection.options} has it in lower case. */
  readonly name: string;
  /** The exact value; continuation lines are stripped and joined by `"\n"`. */
  readonly value: string;
  /** The line the option starts on, from 1. */
  readonly line: number;
  /**
   * The line of each line of the value, from 1: comment lines inside of a value
   * are no part of it.
   */
  readonly valueLines: readonly number[];
  /** Whether it stands in `[DEFAULT]` and not in the section itself. */
  readonly fromDefault: boolean;
}

/** A section of an ini file. */
export interface IniSection {
  /** The name between the brackets, exactly: Python does not strip it. */
  readonly name: string;
  /** The line of the header, from 1. */
  readonly line: number;
  /** The options of the section and of `[DEFAULT]`, by name in lower case. */
  readonly options: ReadonlyMap<string, IniOption>;
}

/** What an ini file holds. */
export interface IniFile {
  /** The sections by name, in the file's order, without `[DEFAULT]`. */
  readonly sections: ReadonlyMap<string, IniSection>;
}

/** The section that gives its options to all others. */
export const DEFAULT_SECTION = "DEFAULT";

/**
 * Reads an ini file's text as `RawConfigParser()` with its default settings
 * would. It differs on purpose in that a byte-order mark is dropped, and that
 * the first error is reported, not all of them.
 *
 * @param text The file's text; lines end in CR, LF or CRLF.
 * @param options The file's path, for messages.
 * @returns The file's sections.
 * @throws {SyntaxError} Where Python would refuse the text, with the line.
 */
export function parseIni(text: string, options: ParseIniOptions): IniFile {
  const { file } = options;
  const { dialect, valueLines } = toDialect(text, file);
  return collect(parseDialect(dialect, file), { file, valueLines });
}

/** What Python's `str.strip()` takes away, which is not what `trim()` does. */
const SPACE = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002" +
  "\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f" +
  "\u3000";

/** Sections by `LINE/NAME`, each with its options by `LINE/NAME`; escaped. */
type Parsed = Record<string, Record<string, string>>;

/** An option whose value may continue in the next lines. */
interface OpenOption {
  readonly line: number;
  readonly name: string;
  readonly value: string[];
  readonly valueLines: number[];
}

/** Where an ini file's text comes from. */
interface Source {
  readonly file: string;
  /** The lines of each option's value, by the line it starts on. */
  readonly valueLines: ReadonlyMap<number, readonly number[]>;
}

function toDialect(
  text: string,
  file: string,
): { dialect: string; valueLines: Map<number, readonly number[]> } {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  const dialect: string[] = lines.map(() => "");
  const valueLines = new Map<number, readonly number[]>();
  let inSection = false;
  let indent = 0;
  let open: OpenOption | undefined;

  const close = () => {
    if (!open) return;
    valueLines.set(open.line, open.valueLines);
    const value = stripEnd(open.value.join("\n"));
    dialect[open.line - 1] = `${key(open.line, open.name)} = "${
      escape(value)
    }"`;
    open = undefined;
  };

  for (const [index, raw] of lines.entries()) {
    const line = index + 1;
    const content = strip(raw);
    if (content === "") {
      open?.value.push("");
      open?.valueLines.push(line);
      continue;
    }
    if (content.startsWith("#") || content.startsWith(";")) continue;

    const lineIndent = raw.indexOf(content);
    if (open && lineIndent > indent) {
      open.value.push(content);
      open.valueLines.push(line);
      continue;
    }
    close();
    indent = lineIndent;

    const section = matchSection(content);
    if (section !== undefined) {
      inSection = true;
      dialect[index] = `[${key(line, section)}]`;
      continue;
    }
    if (!inSection) throw refuse(file, outsideProblem(line, content));
    const option = matchOption(content);
    if (!option?.name) throw refuse(file, lineProblem(line, content));
    open = {
      line,
      name: option.name,
      value: [option.value],
      valueLines: [line],
    };
  }
  close();
  return { dialect: dialect.join("\n"), valueLines };
}

function matchSection(content: string): string | undefined {
  return /^\[(?<name>.+)\]/s.exec(content)?.groups?.name;
}

function matchOption(
  content: string,
): { name: string; value: string } | undefined {
  const at = content.search(/[=:]/);
  if (at === -1) return undefined;
  return {
    name: stripEnd(content.slice(0, at)),
    value: strip(content.slice(at + 1)),
  };
}

function outsideProblem(line: number, content: string): string {
  return bracketProblem(line, content) ??
    `line ${line} stands before any section such as [container]: ` +
      `current line is ${quote(content)}`;
}

function lineProblem(line: number, content: string): string {
  const problem = bracketProblem(line, content);
  if (problem) return problem;
  return /^[=:]/.test(content)
    ? `line ${line} has no option name before "${content[0]}": ` +
      `current line is ${quote(content)}`
    : `line ${line} has no "=" or ":" after an option name, and is not ` +
      `indented to continue a value: current line is ${quote(content)}`;
}

function bracketProblem(line: number, content: string): string | undefined {
  if (content.startsWith("[]")) return `line ${line} has an empty section name`;
  if (!content.startsWith("[")) return undefined;
  return `line ${line} has no "]" after the section name: ` +
    `current line is ${quote(content)}`;
}

function parseDialect(dialect: string, file: string): Parsed {
  try {
    return parse<Parsed>(dialect, {
      reviver: (_key, value) => unescape(String(value)),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SyntaxError(`Cannot read ${file}: ${reason}`, { cause: error });
  }
}

function collect(parsed: Parsed, source: Source): IniFile {
  const { file } = source;
  const headers = new Map<string, number>();
  const own = new Map<string, Map<string, IniOption>>();
  for (const [header, values] of Object.entries(parsed)) {
    const { line, name } = parseKey(header);
    const first = headers.get(name);
    if (first !== undefined && name !== DEFAULT_SECTION) {
      throw refuse(file, repeats(line, `section [${printable(name)}]`, first));
    }
    headers.set(name, first ?? line);
    const options = own.get(name) ?? new Map<string, IniOption>();
    own.set(name, options);
    addOptions(options, values, name, source);
  }

  const defaults = own.get(DEFAULT_SECTION) ?? new Map<string, IniOption>();
  const sections = new Map<string, IniSection>();
  for (const [name, line] of headers) {
    if (name === DEFAULT_SECTION) continue;
    const options = new Map<string, IniOption>();
    for (const [lowerName, option] of defaults) {
      options.set(lowerName, { ...option, fromDefault: true });
    }
    for (const [lowerName, option] of own.get(name) ?? []) {
      options.set(lowerName, option);
    }
    sections.set(name, { name, line, options });
  }
  return { sections };
}

function addOptions(
  options: Map<string, IniOption>,
  values: Record<string, string>,
  section: string,
  { file, valueLines }: Source,
): void {
  for (const [written, value] of Object.entries(values)) {
    const { line, name } = parseKey(written);
    const lowerName = name.toLowerCase();
    const first = options.get(lowerName);
    if (first) {
      const what = `option ${quote(name)} of [${printable(section)}]`;
      throw refuse(file, repeats(line, what, first.line));
    }
    options.set(lowerName, {
      name,
      value,
      line,
      valueLines: valueLines.get(line) ?? [line],
      fromDefault: false,
    });
  }
}

function repeats(line: number, what: string, first: number): string {
  return `line ${line} repeats ${what}: it is first given on line ${first}`;
}

function refuse(file: string, problem: string): SyntaxError {
  return new SyntaxError(`Cannot read ${file} as ${problem}`);
}

// The line in front keeps repeated names apart, and `__proto__`, `//` and
// numbers from being more than names.
function key(line: number, name: string): string {
  return `${line}/${escape(name)}`;
}

function parseKey(key: string): { line: number; name: string } {
  const slash = key.indexOf("/");
  return {
    line: Number(key.slice(0, slash)),
    name: unescape(key.slice(slash + 1)),
  };
}

// Not `encodeURIComponent`, which throws on a lone surrogate.
function escape(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, (unit) => "%" + hex(unit));
}

function unescape(text: string): string {
  return text.replace(
    /%([0-9a-f]{4})/g,
    (_escape, digits) => String.fromCharCode(parseInt(digits, 16)),
  );
}

function hex(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, "0");
}

function strip(text: string): string {
  let start = 0;
  while (start < text.length && SPACE.includes(text[start]!)) start++;
  return stripEnd(text.slice(start));
}

function stripEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.includes(text[end - 1]!)) end--;
  return text.slice(0, end);
}
