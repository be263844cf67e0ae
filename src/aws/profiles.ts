/**
 * The files with AWS profiles, read as the AWS SDK reads them.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { isNotCapable } from "../errors.ts";

/** Environment variables, of which only those that are named are read. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of a section, by name; nested ones as `outer.inner`. */
export type ProfileSettings = Readonly<Record<string, string>>;

/** What the profile files say. */
export interface Profiles {
  /** The profiles, by name. */
  readonly profiles: ReadonlyMap<string, ProfileSettings>;
  /** The `sso-session` sections, by name. */
  readonly ssoSessions: ReadonlyMap<string, ProfileSettings>;
  /** The files that are there. */
  readonly files: readonly string[];
  /** The files that Deno's permissions keep from being read. */
  readonly denied: readonly string[];
}

/** The user's folder, as the SDK finds it. */
export function homeFolder(env: Environment): string {
  const { HOME, USERPROFILE, HOMEPATH, HOMEDRIVE = "C:" } = env;
  return HOME || USERPROFILE ||
    (HOMEPATH ? `${HOMEDRIVE}${HOMEPATH}` : homedir());
}

/** Whether the environment names the user's folder. */
export function namesHome(env: Environment): boolean {
  return Boolean(env.HOME || env.USERPROFILE || env.HOMEPATH);
}

/** The two files that may hold profiles: `config` and `credentials`. */
export function profileFiles(
  env: Environment,
): readonly [config: string, credentials: string] {
  const inHome = (name: string) => join(homeFolder(env), ".aws", name);
  return [
    env.AWS_CONFIG_FILE || inHome("config"),
    env.AWS_SHARED_CREDENTIALS_FILE || inHome("credentials"),
  ];
}

/**
 * Reads the profile files, as far as they are there and may be read.
 *
 * @param env The environment.
 * @returns What they say.
 */
export function readProfiles(env: Environment): Profiles {
  const profiles = new Map<string, ProfileSettings>();
  const ssoSessions = new Map<string, ProfileSettings>();
  const files: string[] = [];
  const denied: string[] = [];
  const [config, credentials] = profileFiles(env);
  for (const file of [config, credentials]) {
    let text: string;
    try {
      text = readFileSync(file, "utf-8");
    } catch (error) {
      if (isNotCapable(error)) denied.push(file);
      continue;
    }
    files.push(file);
    for (const [section, settings] of parseSections(text)) {
      const { kind, name } = sectionName(section, file === config);
      const map = kind === "profile"
        ? profiles
        : kind === "sso-session"
        ? ssoSessions
        : undefined;
      map?.set(name, { ...map.get(name), ...settings });
    }
  }
  return { profiles, ssoSessions, files, denied };
}

/** In `config` all profiles but the default one carry their kind. */
function sectionName(
  section: string,
  inConfig: boolean,
): { kind: string; name: string } {
  const [, kind, , name] = /^([\w-]+)\s+(["']?)(.+)\2$/.exec(section) ?? [];
  if (kind !== undefined) return { kind, name: name! };
  return {
    kind: !inConfig || section === "default" ? "profile" : "unknown",
    name: section,
  };
}

function parseSections(text: string): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  let settings: Record<string, string> | undefined;
  let outer = "";
  for (const line of text.split(/\r?\n/)) {
    const content = line.split(/(?:^|\s)[;#]/)[0]!.trim();
    const section = /^\[(.*)\]$/.exec(content)?.[1]?.trim();
    const [, name, value] = /^([^=]+?)\s*=\s*(.*)$/.exec(content) ?? [];
    if (section !== undefined) {
      settings = sections.get(section) ?? {};
      sections.set(section, settings);
      outer = "";
    } else if (settings !== undefined && name !== undefined) {
      if (!/^\s/.test(line)) outer = "";
      if (value === "") outer = `${name}.`;
      else settings[`${outer}${name}`] = value!;
    }
  }
  return sections;
}
