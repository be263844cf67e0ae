/**
 * The syntax of ZConfig text: sections that hold keys and sections. What the
 * keys mean is the reader's.
 *
 * @module
 */

import { quote } from "../text.ts";

/** A key of a section with its value. */
interface ZConfigKey {
  /** The name, in lower case. */
  readonly name: string;
  /** The value, with `$` for each `$$`; empty if there is none. */
  readonly value: string;
  readonly line: number;
}

/** A section, or the text itself. */
export interface ZConfigSection {
  /** What follows the `<`, in lower case; empty for the text itself. */
  readonly type: string;
  readonly line: number;
  /** Its keys in order, repeated ones too. */
  readonly keys: ZConfigKey[];
  readonly sections: ZConfigSection[];
}

/** Something that is wrong with the text. */
export interface ZConfigProblem {
  readonly line: number;
  /** A predicate, such as `never closes <logger>`. */
  readonly text: string;
}

/** What a text holds. */
interface ZConfigText {
  /** The whole text as a section: what stands outside all sections is here. */
  readonly root: ZConfigSection;
  readonly problems: ZConfigProblem[];
}

/**
 * Reads ZConfig text as ZConfig does, except for directives, substitution and
 * named sections, which are problems. It continues after a problem to find all
 * of them.
 *
 * @param text The text.
 * @param lines The number of each of its lines; from 1 without it.
 * @returns What the text holds, as far as it can be read, and its problems.
 */
export function parseZConfig(
  text: string,
  lines: readonly number[] = [],
): ZConfigText {
  const problems: ZConfigProblem[] = [];
  const root = newSection("", lines[0] ?? 1);
  const open = [root];
  for (const [index, content] of text.split("\n").entries()) {
    const line = lines[index] ?? index + 1;
    for (const text of readLine(content.trim(), line, open)) {
      problems.push({ line, text });
    }
  }
  for (const { type, line } of open.slice(1)) {
    problems.push({ line, text: `never closes <${type}>` });
  }
  return { root, problems };
}

function newSection(type: string, line: number): ZConfigSection {
  return { type, line, keys: [], sections: [] };
}

/** Adds a line to the innermost of the open sections, and yields problems. */
function* readLine(
  text: string,
  line: number,
  open: ZConfigSection[],
): Generator<string> {
  if (text === "" || text.startsWith("#")) return;
  if (text.startsWith("%")) {
    yield `has ${
      quote(text)
    }: write the value itself, as directives are not supported`;
  } else if (!text.startsWith("<")) yield* readKey(text, line, open.at(-1)!);
  else if (!text.endsWith(">")) yield `has no ">" in ${quote(text)}`;
  else if (text.startsWith("</")) yield* closeSection(text, open);
  else yield* openSection(text, line, open);
}

function* openSection(
  text: string,
  line: number,
  open: ZConfigSection[],
): Generator<string> {
  const match = /^<([^\s()/]+)(?:\s+([^\s()]+?))?\s*(\/?)>$/.exec(text);
  if (match === null) {
    yield `has a malformed section start: ${quote(text)}`;
    return;
  }
  const [, type = "", name, isEmpty] = match;
  if (name !== undefined) yield `has <${type} ${name}>: remove ${quote(name)}`;
  const section = newSection(type.toLowerCase(), line);
  open.at(-1)!.sections.push(section);
  if (!isEmpty) open.push(section);
}

function* closeSection(
  text: string,
  open: ZConfigSection[],
): Generator<string> {
  const type = text.slice(2, -1).trimEnd().toLowerCase();
  const index = open.findLastIndex((section) => section.type === type);
  if (index < 1) {
    yield `closes <${type}>, which is not open`;
    return;
  }
  for (const inner of open.splice(index).slice(1)) {
    yield `closes <${type}> before <${inner.type}> of line ${inner.line}`;
  }
}

function* readKey(
  text: string,
  line: number,
  { keys }: ZConfigSection,
): Generator<string> {
  const [, name, value = ""] = /^([^\s()]+)\s*(\S.*)?$/.exec(text) ?? [];
  if (name === undefined) {
    yield `has neither a key nor a section in ${quote(text)}`;
    return;
  }
  if (value.replaceAll("$$", "").includes("$")) {
    yield `has a single "$" in "${name}": write "$$", as substitution is not supported`;
  }
  keys.push({
    name: name.toLowerCase(),
    value: value.replaceAll("$$", () => "$"),
    line,
  });
}
