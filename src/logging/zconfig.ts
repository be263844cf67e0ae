/**
 * The syntax of ZConfig text: sections that hold keys and sections. What the
 * keys mean is the reader's.
 *
 * @module
 */

import { quote } from "../text.ts";

/** A key of a section with its value. */
export interface ZConfigKey {
  /** The name, in lower case. */
  readonly name: string;
  /** The value, on which substitution is done; empty where there is none. */
  readonly value: string;
  /** The line it stands on. */
  readonly line: number;
}

/** A section, or the text itself. */
export interface ZConfigSection {
  /** The type, in lower case: what follows the `<`. */
  readonly type: string;
  /** The section's own name, which may follow its type. */
  readonly name?: string;
  /** The line of its start. */
  readonly line: number;
  /** Its keys in order, repeated ones too. */
  readonly keys: ZConfigKey[];
  /** The sections in it. */
  readonly sections: ZConfigSection[];
}

/** Something that is wrong with the text. */
export interface ZConfigProblem {
  /** The line where it is. */
  readonly line: number;
  /** What is wrong: a predicate, such as `never closes <logger>`. */
  readonly text: string;
}

/** What a text holds. */
export interface ZConfigText {
  /** The whole text as a section: what stands outside all sections is here. */
  readonly root: ZConfigSection;
  /** All that is wrong with the syntax. */
  readonly problems: ZConfigProblem[];
}

const SECTION_START = /^([^\s()]+)(?:\s+([^\s()]+))?$/;
const KEY_VALUE = /^([^\s()]+)\s*(\S.*)?$/;

/**
 * Reads ZConfig text as ZConfig does, except for directives and substitution,
 * which are problems. It continues after a problem to find all of them.
 *
 * @param text The text.
 * @param lines The number of each of its lines; from 1 without it.
 * @returns What the text holds, as far as it can be read, and its problems.
 */
export function parseZConfig(
  text: string,
  lines: readonly number[] = [],
): ZConfigText {
  const parser = new Parser(lines[0] ?? 1);
  text.split("\n").forEach((line, index) => {
    parser.read(line.trim(), lines[index] ?? index + 1);
  });
  return parser.end();
}

class Parser {
  readonly #root: ZConfigSection;
  readonly #problems: ZConfigProblem[] = [];
  readonly #open: ZConfigSection[] = [];

  constructor(line: number) {
    this.#root = { type: "", line, keys: [], sections: [] };
  }

  read(text: string, line: number): void {
    if (text === "" || text.startsWith("#")) return;
    if (text.startsWith("%")) {
      this.#problem(
        line,
        `has ${quote(text)}, and directives are not supported: write each ` +
          `value next to its key`,
      );
    } else if (!text.startsWith("<")) this.#keyValue(text, line);
    else if (!text.endsWith(">")) {
      this.#problem(line, `has no ">" in ${quote(text)}`);
    } else if (text.startsWith("</")) this.#sectionEnd(text.slice(2, -1), line);
    else this.#sectionStart(text.slice(1, -1), line);
  }

  end(): ZConfigText {
    for (const { type, line } of this.#open) {
      this.#problem(line, `never closes <${type}>`);
    }
    return { root: this.#root, problems: this.#problems };
  }

  #sectionStart(text: string, line: number): void {
    const isEmpty = text.endsWith("/");
    const header = (isEmpty ? text.slice(0, -1) : text).trimEnd();
    const match = SECTION_START.exec(header);
    if (match === null) {
      this.#problem(
        line,
        `has a malformed section start: ${quote(`<${text}>`)}`,
      );
      return;
    }
    const [, type = "", name] = match;
    const section: ZConfigSection = {
      type: type.toLowerCase(),
      ...(name === undefined ? {} : { name }),
      line,
      keys: [],
      sections: [],
    };
    this.#current().sections.push(section);
    if (!isEmpty) this.#open.push(section);
  }

  #sectionEnd(text: string, line: number): void {
    const type = text.trimEnd().toLowerCase();
    const index = this.#open.findLastIndex((section) => section.type === type);
    if (index === -1) {
      this.#problem(line, `closes <${type}>, which is not open`);
      return;
    }
    for (const inner of this.#open.splice(index).slice(1)) {
      this.#problem(
        line,
        `closes <${type}> before <${inner.type}> of line ${inner.line}`,
      );
    }
  }

  #keyValue(text: string, line: number): void {
    const match = KEY_VALUE.exec(text);
    if (match === null) {
      this.#problem(line, `has neither a key nor a section in ${quote(text)}`);
      return;
    }
    const [, name = "", value = ""] = match;
    this.#current().keys.push({
      name: name.toLowerCase(),
      value: this.#substitute(value, name, line),
      line,
    });
  }

  #substitute(value: string, name: string, line: number): string {
    const rest = value.replaceAll("$$", "");
    if (rest.includes("$")) {
      this.#problem(
        line,
        `has a single "$" in "${name}", and substitution is not supported: ` +
          `write "$$" for a dollar sign`,
      );
    }
    return value.replaceAll("$$", () => "$");
  }

  #current(): ZConfigSection {
    return this.#open.at(-1) ?? this.#root;
  }

  #problem(line: number, text: string): void {
    this.#problems.push({ line, text });
  }
}
