/**
 * What the AWS SDK will read, call and start to find its credentials: its own
 * chain of places, followed without asking any of them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import process from "node:process";
import {
  type Environment,
  homeFolder,
  namesHome,
  profileFiles,
  type Profiles,
  type ProfileSettings,
  readProfiles,
} from "../aws/profiles.ts";
import { hostOf, Rights } from "./permission_set.ts";

/** Where credentials, or the region, come from. */
export interface AwsAccess {
  /** The place, in words: of credentials they follow "from". */
  readonly source: string;
  /** The Deno permissions that this takes. */
  readonly rights: Rights;
}

/** The SDK's own environment variables. */
const SDK_VARIABLES = [
  "AWS_*",
  "HOME",
  "USERPROFILE",
  "HOMEPATH",
  "HOMEDRIVE",
  "_X_AMZN_TRACE_ID",
];

const CONTAINER_HOST = "http://169.254.170.2";
const INSTANCE_HOST = "http://169.254.169.254";
const INSTANCE_HOST_IPV6 = "http://[fd00:ec2::254]";

/** The DNS suffixes of AWS's partitions, by how their regions start. */
const SUFFIXES: readonly (readonly [prefix: string, suffix: string])[] = [
  ["cn-", "amazonaws.com.cn"],
  ["eusc-", "amazonaws.eu"],
  ["us-iso-", "c2s.ic.gov"],
  ["us-isob-", "sc2s.sgov.gov"],
  ["us-isof-", "csp.hci.ic.gov"],
  ["eu-isoe-", "cloud.adc-e.uk"],
];

/**
 * The permissions that the SDK needs wherever its credentials are.
 *
 * @param env The environment.
 */
export function sdkRights(env: Environment): Rights {
  const rights = new Rights();
  rights.add("env", ...SDK_VARIABLES);
  rights.add("sys", "osRelease");
  if (!namesHome(env)) {
    if (process.geteuid !== undefined) rights.add("sys", "uid");
    rights.add("sys", "homedir");
  }
  return rights;
}

/**
 * The permissions that the SDK needs to find the region, and the place of it,
 * where neither an option nor a queue's URL or ARN names it.
 *
 * @param env The environment.
 * @param found The region that was found.
 */
export function regionAccess(env: Environment, found: string): AwsAccess {
  const rights = new Rights();
  if (env.AWS_REGION) return { source: "as AWS_REGION says", rights };
  const { profiles, files } = readProfiles(env);
  const name = profileName(env);
  if (profiles.get(name)?.region !== undefined) {
    rights.add("read", ...files);
    return { source: `as profile "${name}" says`, rights };
  }
  // Only the instance's metadata can have named it.
  if (found !== (env.AWS_DEFAULT_REGION || "us-east-1")) {
    addServer(rights, instanceUrl(env, profiles.get(name) ?? {}), env);
    return { source: "as the instance's metadata says", rights };
  }
  if (env.AWS_DEFAULT_REGION) {
    return { source: "as AWS_DEFAULT_REGION says", rights };
  }
  // Before the default is taken, the profiles must have been looked at.
  rights.add("read", ...profileFiles(env));
  return { source: "as nothing names another", rights };
}

/**
 * The permissions that the SDK needs to find its credentials, and the place.
 *
 * @param env The environment.
 * @param region The region that SQS is called in.
 */
export function credentialAccess(
  env: Environment,
  region: string,
): AwsAccess {
  return new Chain(env, region).follow();
}

/**
 * What this program may not do that finding credentials may take: the SDK
 * passes over each place that is denied to it, and says in the end that there
 * are none.
 *
 * @returns The permissions that are missing.
 */
export function deniedAccess(): Rights {
  const { env } = process;
  const { rights } = credentialAccess(env, env.AWS_REGION || "us-east-1");
  const denied = rights.missing();
  denied.add("read", ...readProfiles(env).denied);
  return denied;
}

/** The SDK's chain of places, in its order. */
class Chain {
  readonly #env: Environment;
  readonly #region: string;
  readonly #known: Profiles;
  readonly #rights = new Rights();

  constructor(env: Environment, region: string) {
    this.#env = env;
    this.#region = region;
    this.#known = readProfiles(env);
  }

  follow(): AwsAccess {
    return { source: this.#source(), rights: this.#rights };
  }

  #source(): string {
    const { AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN } =
      this.#env;
    if (!AWS_PROFILE && this.#hasKeys()) return "AWS_ACCESS_KEY_ID";
    const name = profileName(this.#env);
    const how = this.#profile(name);
    if (how !== undefined) {
      this.#rights.add("read", ...this.#known.files);
      return `profile "${name}"${how}`;
    }
    if (AWS_WEB_IDENTITY_TOKEN_FILE && AWS_ROLE_ARN) {
      this.#webIdentity(AWS_WEB_IDENTITY_TOKEN_FILE, this.#region);
      return "AWS_WEB_IDENTITY_TOKEN_FILE";
    }
    return this.#remote();
  }

  #hasKeys(): boolean {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = this.#env;
    return Boolean(AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY);
  }

  /** How a profile gives credentials, or `undefined` where it does not. */
  #profile(
    name: string,
    visited: readonly string[] = [],
  ): string | undefined {
    const profile = this.#known.profiles.get(name);
    if (profile === undefined || visited.includes(name)) return undefined;
    const isStatic = hasAll(
      profile,
      "aws_access_key_id",
      "aws_secret_access_key",
    );
    if (isStatic && visited.length > 0) return "";
    if (
      hasAll(profile, "role_arn", "source_profile") ||
      hasAll(profile, "role_arn", "credential_source") ||
      (hasAll(profile, "credential_source") && visited.length > 0)
    ) {
      return this.#assumedRole(profile, [...visited, name]);
    }
    if (isStatic) return "";
    if (hasAll(profile, "web_identity_token_file", "role_arn")) {
      this.#webIdentity(profile.web_identity_token_file!, this.#region);
      return ", a role by web identity";
    }
    if (hasAll(profile, "credential_process")) return this.#process();
    if (Object.keys(profile).some((key) => key.startsWith("sso_"))) {
      return this.#sso(profile);
    }
    if (hasAll(profile, "login_session")) return this.#login(profile);
    return undefined;
  }

  #assumedRole(profile: ProfileSettings, visited: readonly string[]): string {
    if (profile.role_arn !== undefined) {
      this.#service("sts", "STS", profile.region ?? this.#region);
    }
    switch (profile.credential_source) {
      case undefined:
        this.#profile(profile.source_profile!, visited);
        break;
      case "EcsContainer":
      case "Ec2InstanceMetadata":
        this.#remote();
    }
    return ", an assumed role";
  }

  #webIdentity(tokenFile: string, region: string): void {
    this.#rights.add("read", tokenFile);
    this.#service("sts", "STS", region);
  }

  /** The program is started by the shell, with the whole environment. */
  #process(): string {
    this.#rights.add(
      "run",
      process.platform === "win32" ? this.#env.comspec ?? "cmd.exe" : "/bin/sh",
    );
    this.#rights.addAll("env");
    return ", a program";
  }

  /** Tokens are kept in a file, and written there when they are renewed. */
  #sso(profile: ProfileSettings): string {
    const { sso_session } = profile;
    const session = this.#known.ssoSessions.get(sso_session ?? "") ?? {};
    const region = profile.sso_region ?? session.sso_region ?? this.#region;
    const id = sso_session ?? profile.sso_start_url ?? "";
    const token = join(
      homeFolder(this.#env),
      ".aws",
      "sso",
      "cache",
      `${createHash("sha1").update(id).digest("hex")}.json`,
    );
    this.#rights.add("read", token);
    this.#service("portal.sso", "SSO", region);
    if (sso_session !== undefined) {
      this.#rights.add("write", token);
      this.#service("oidc", "SSO_OIDC", region);
    }
    return ", single sign-on";
  }

  #login(profile: ProfileSettings): string {
    const folder = this.#env.AWS_LOGIN_CACHE_DIRECTORY ??
      join(homeFolder(this.#env), ".aws", "login", "cache");
    const id = createHash("sha256").update(profile.login_session!);
    const token = join(folder, `${id.digest("hex")}.json`);
    this.#rights.add("read", token);
    this.#rights.add("write", token);
    this.#rights.add("sys", "homedir");
    this.#server(
      `https://${profile.region ?? this.#region}.signin.aws.amazon.com`,
    );
    return ', "aws login"';
  }

  /** A container's or an instance's role. */
  #remote(): string {
    const {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: full,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
      AWS_EC2_METADATA_DISABLED: disabled,
    } = this.#env;
    if (relative || full) {
      this.#server(relative ? CONTAINER_HOST : full!);
      if (tokenFile) this.#rights.add("read", tokenFile);
      return "the container's role";
    }
    if (disabled && disabled !== "false") {
      return "nowhere, as there are none here";
    }
    const profile = this.#known.profiles.get(profileName(this.#env)) ?? {};
    this.#server(instanceUrl(this.#env, profile));
    return "the instance's role, as there are none here";
  }

  /** A service of AWS, where the environment does not name another server. */
  #service(prefix: string, id: string, region: string): void {
    const {
      AWS_ENDPOINT_URL: all,
      AWS_USE_FIPS_ENDPOINT: fips,
      AWS_USE_DUALSTACK_ENDPOINT: dual,
    } = this.#env;
    const suffix = dual === "true"
      ? "api.aws"
      : SUFFIXES.find(([start]) => region.startsWith(start))?.[1] ??
        "amazonaws.com";
    const host = `${prefix}${fips === "true" ? "-fips" : ""}`;
    this.#server(
      this.#env[`AWS_ENDPOINT_URL_${id}`] || all ||
        `https://${host}.${region}.${suffix}`,
    );
  }

  #server(url: string): void {
    addServer(this.#rights, url, this.#env);
  }
}

/**
 * Adds what it takes to call a server. Where it speaks TLS, and certificates
 * are given as Node has them, Deno asks for a permission that only all of its
 * kind grants, as it has no name.
 *
 * @param rights What is added to.
 * @param url The server; what is no URL is left out.
 * @param env The environment.
 */
export function addServer(
  rights: Rights,
  url: string,
  env: Environment,
): void {
  const server = URL.parse(url);
  if (server === null) return;
  rights.add("net", hostOf(server));
  if (server.protocol !== "https:" || !env.NODE_EXTRA_CA_CERTS) return;
  rights.addAll("sys");
  rights.add("env", "NODE_USE_SYSTEM_CA");
}

function profileName(env: Environment): string {
  return env.AWS_PROFILE || "default";
}

function instanceUrl(env: Environment, profile: ProfileSettings): string {
  const mode = env.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE ??
    profile.ec2_metadata_service_endpoint_mode;
  return env.AWS_EC2_METADATA_SERVICE_ENDPOINT ||
    profile.ec2_metadata_service_endpoint ||
    (mode === "IPv6" ? INSTANCE_HOST_IPV6 : INSTANCE_HOST);
}

function hasAll(profile: ProfileSettings, ...names: string[]): boolean {
  return names.every((name) => profile[name] !== undefined);
}
