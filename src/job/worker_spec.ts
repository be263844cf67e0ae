/**
 * What the `worker` option names: a module to import, and what to take of it.
 *
 * @module
 */

import { isAbsolute, resolve, win32 } from "node:path";
import { pathToFileURL } from "node:url";

/** A worker as `MODULE:expr` names it. */
export interface WorkerSpec {
  /** The whole text as it was given, for messages. */
  readonly text: string;
  /** `MODULE` as it was given. */
  readonly module: string;
  /** What to `import()`: a `file:` URL, or a `jsr:` or `npm:` specifier. */
  readonly specifier: string;
  /**
   * A dotted path of names into the module. Where it is absent, the worker is
   * the module's default export.
   */
  readonly expr?: string;
}

/**
 * Parses `MODULE:expr`. `MODULE` is a path or a `file:`, `jsr:` or `npm:`
 * specifier. The last `:` splits where a dotted path of JavaScript names
 * follows it and it does not end a scheme or a Windows drive letter; elsewhere
 * the whole text is `MODULE`.
 *
 * It reads no file: that the module and its export exist is seen at import.
 *
 * @param text The option's value.
 * @param baseDir The absolute path of the folder that paths are relative to.
 * @returns The module's specifier, and the path into it.
 * @throws {SyntaxError} For anything else. Its message is what the option must
 * be, in words that continue a sentence: `must be ...`.
 */
export function parseWorkerSpec(text: string, baseDir: string): WorkerSpec {
  const { module, expr } = split(text);
  const specifier = resolveModule(module, baseDir);
  return { text, module, specifier, ...(expr === undefined ? {} : { expr }) };
}

const SPECIFIERS = 'a "file:", "jsr:" or "npm:" specifier';

const SHAPE = `must be MODULE or MODULE:expr, where MODULE is a path or ` +
  `${SPECIFIERS} and expr is a name or a dotted path of names`;

const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

// Without this list `node:fs` would be the file "node", and with every name
// that a scheme may have, `adder.ts:fn` would be a scheme.
const KNOWN_SCHEMES: ReadonlySet<string> = new Set(
  ["file", "jsr", "npm", "http", "https", "data", "blob", "node", "bun"],
);

const SPECIFIER_FORMS: ReadonlyMap<
  string,
  { readonly form: string; readonly pattern: RegExp }
> = new Map([
  ["file", { form: "file:///PATH", pattern: /^file:\/{1,3}[^/]/i }],
  ["jsr", {
    form: "jsr:@SCOPE/NAME",
    pattern: /^jsr:\/?@[^/@:]+\/[^/@:]+(?:[/@].*)?$/i,
  }],
  ["npm", {
    form: "npm:NAME or npm:@SCOPE/NAME",
    pattern: /^npm:\/?(?:@[^/@:]+\/)?[^/@:]+(?:[/@].*)?$/i,
  }],
]);

function split(text: string): { module: string; expr?: string } {
  const colon = text.lastIndexOf(":");
  if (colon === -1) return { module: text };
  const before = text.slice(0, colon);
  const after = text.slice(colon + 1);
  if (endsScheme(before) || !isDottedPath(after)) {
    return { module: text };
  }
  return { module: before, expr: after };
}

function isDottedPath(text: string): boolean {
  return text.split(".").every((name) => NAME.test(name));
}

function endsScheme(before: string): boolean {
  return /^[a-z]$/i.test(before) ||
    KNOWN_SCHEMES.has(before.toLowerCase());
}

function resolveModule(module: string, baseDir: string): string {
  if (module === "" || module.endsWith(":") || /\p{Cc}/u.test(module)) {
    throw new SyntaxError(SHAPE);
  }
  const scheme = /^(?<scheme>[a-z][a-z0-9+.-]*):/i.exec(module)?.groups?.scheme;
  if (scheme === undefined) return resolvePath(module, baseDir);
  if (scheme.length === 1) return resolveDrivePath(module);
  return resolveSpecifier(module, scheme.toLowerCase());
}

function resolvePath(path: string, baseDir: string): string {
  const absolute = isAbsolute(path) ? path : resolve(baseDir, path);
  return pathToFileURL(absolute).href;
}

// With Windows' rules everywhere, so that the same file is asked for, and
// found missing, on every system.
function resolveDrivePath(path: string): string {
  if (!win32.isAbsolute(path)) {
    const drive = path.slice(0, 2);
    throw new SyntaxError(
      `must be an absolute path after the drive letter "${drive}", ` +
        'or start with "./" where that is no drive letter',
    );
  }
  return pathToFileURL(path, { windows: true }).href;
}

function resolveSpecifier(module: string, scheme: string): string {
  if (scheme === "https" || scheme === "http") {
    throw new SyntaxError(
      "must be a local file that re-exports that module, " +
        `as Deno lets no program from JSR import "${scheme}:" URLs`,
    );
  }
  const allowed = SPECIFIER_FORMS.get(scheme);
  if (!allowed) throw new SyntaxError(schemeProblem(scheme));
  if (!allowed.pattern.test(module) || !URL.canParse(module)) {
    throw new SyntaxError(
      `must have the form ${allowed.form} where it starts with "${scheme}:"`,
    );
  }
  return scheme === "file"
    ? new URL(module).href
    : scheme + module.slice(scheme.length);
}

function schemeProblem(scheme: string): string {
  return KNOWN_SCHEMES.has(scheme)
    ? `must be a path or ${SPECIFIERS}, as "${scheme}:" is not supported`
    : `${SHAPE}, and a path whose first part has a ":" starts with "./"`;
}
