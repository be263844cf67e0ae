/**
 * What the `worker` option names: a module to import, and what to take of it.
 *
 * @module
 */

import { resolve, win32 } from "node:path";
import { pathToFileURL } from "node:url";
import { quote } from "../text.ts";

/** A module to import, and a part of it. */
export interface WorkerSpec {
  /** The whole text as it was given, for messages. */
  readonly text: string;
  readonly module: string;
  /** What to `import()`: a `file:` URL, or a `jsr:` or `npm:` specifier. */
  readonly specifier: string;
  /** A dotted path into the module; by default, the default export. */
  readonly expr?: string;
}

/**
 * Parses `MODULE:expr`. `MODULE` is a path or a `file:`, `jsr:` or `npm:`
 * specifier. The last `:` splits if a dotted path of JavaScript names follows
 * it. After a scheme or a Windows drive letter it does not. Otherwise, the whole
 * text is `MODULE`.
 *
 * @param baseDir The absolute path of the folder that paths are relative to.
 * @throws {SyntaxError} For anything else. Its message starts with `must be`.
 */
export function parseWorkerSpec(text: string, baseDir: string): WorkerSpec {
  const { module = text, expr } = MODULE_AND_EXPR.exec(text)?.groups ?? {};
  if (expr === undefined || endsScheme(module)) {
    return { text, module: text, specifier: resolveModule(text, baseDir) };
  }
  return { text, module, specifier: resolveModule(module, baseDir), expr };
}

const SPECIFIERS = 'a "file:", "jsr:" or "npm:" specifier';

const SHAPE = "must be MODULE or MODULE:expr. MODULE is a path or " +
  `${SPECIFIERS}; expr is a name, or names joined by dots`;

const NAME = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*`;

const MODULE_AND_EXPR = new RegExp(
  String.raw`^(?<module>.*):(?<expr>${NAME}(?:\.${NAME})*)$`,
  "su",
);

const FORMS: Readonly<Record<string, readonly [form: string, RegExp]>> = {
  file: ["file:///PATH", /^file:\/{1,3}[^/]/i],
  jsr: ["jsr:@SCOPE/NAME", /^jsr:\/?@[^/@:]+\/[^/@:]+(?:[/@].*)?$/i],
  npm: [
    "npm:NAME or npm:@SCOPE/NAME",
    /^npm:\/?(?:@[^/@:]+\/)?[^/@:]+(?:[/@].*)?$/i,
  ],
};

// Without this list `node:fs` would be the file "node", and with every name
// that a scheme may have, `adder.ts:fn` would be a scheme.
const KNOWN_SCHEMES: readonly string[] = [
  ...Object.keys(FORMS),
  ...["http", "https", "data", "blob", "node", "bun"],
];

function endsScheme(before: string): boolean {
  return /^[a-z]$/i.test(before) ||
    KNOWN_SCHEMES.includes(before.toLowerCase());
}

function resolveModule(module: string, baseDir: string): string {
  if (module === "" || module.endsWith(":") || /\p{Cc}/u.test(module)) {
    throw new SyntaxError(SHAPE);
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(module)?.[1]?.toLowerCase();
  if (scheme === undefined) return pathToFileURL(resolve(baseDir, module)).href;
  if (scheme.length === 1) return resolveDrivePath(module);
  const [form, pattern] = (Object.hasOwn(FORMS, scheme) && FORMS[scheme]) || [];
  if (pattern === undefined) throw new SyntaxError(schemeProblem(scheme));
  if (!pattern.test(module) || !URL.canParse(module)) {
    throw new SyntaxError(
      `must have the form ${form}`,
    );
  }
  return scheme === "file"
    ? new URL(module).href
    : scheme + module.slice(scheme.length);
}

/** By Windows' rules, so that every system reports the same file as missing. */
function resolveDrivePath(path: string): string {
  if (!win32.isAbsolute(path)) {
    const drive = quote(path.slice(0, 2));
    throw new SyntaxError(
      `must have an absolute path after ${drive}. If that is no drive letter, start with "./"`,
    );
  }
  return pathToFileURL(path, { windows: true }).href;
}

function schemeProblem(scheme: string): string {
  if (scheme === "https" || scheme === "http") {
    return `must be a local file. Let it re-export that module, as Deno lets no program from JSR import "${scheme}:" URLs`;
  }
  return KNOWN_SCHEMES.includes(scheme)
    ? `must not start with "${scheme}:". Give a path, or ${SPECIFIERS}`
    : `${SHAPE}. Start a path that has a ":" in its first part with "./"`;
}
