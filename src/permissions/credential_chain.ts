/**
 * Finds the permissions with which the AWS SDK finds its credentials and region.
 * It follows the SDK's chain of places, without asking any of them.
 *
 * @module
 */

import process from "node:process";
import {
  type Environment,
  homeFolder,
  namesHome,
  profileFiles,
} from "../aws/profile_files.ts";
import {
  type Profiles,
  type ProfileSettings,
  readProfiles,
} from "../aws/profiles.ts";
import { hostOf } from "../permission_names.ts";
import { awsDomain } from "../sqs/partitions.ts";
import { PermissionSet } from "./permission_set.ts";

/** The place of the credentials or the region. */
interface AwsAccess {
  /** The place in words; for credentials they follow "from". */
  readonly source: string;
  /** The Deno permissions that the SDK needs for it. */
  readonly permissions: PermissionSet;
  /** The flags that the user must add, in one sentence. */
  readonly note?: string | undefined;
}

/** The environment variables that the SDK reads. */
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

/**
 * The ways to get credentials whose permissions depend on the user's sign-in. A
 * row has a setting's name or its beginning, the way, and the flags to add.
 */
const BY_HAND: readonly (readonly [string, string, string])[] = [
  ["credential_process", "a program", "--allow-env --allow-run=/bin/sh"],
  [
    "sso_",
    "single sign-on",
    "--allow-read=HOME/.aws --allow-write=HOME/.aws/sso/cache --allow-net=portal.sso.REGION.amazonaws.com,oidc.REGION.amazonaws.com",
  ],
  [
    "login_session",
    '"aws login"',
    "--allow-read=HOME/.aws --allow-write=HOME/.aws/login/cache --allow-net=REGION.signin.aws.amazon.com --allow-sys",
  ],
];

/** The permissions that the SDK needs wherever its credentials are. */
export function sdkPermissions(env: Environment): PermissionSet {
  const permissions = new PermissionSet();
  permissions.add("env", ...SDK_VARIABLES);
  permissions.add("sys", "osRelease");
  if (!namesHome(env)) {
    if (process.geteuid !== undefined) permissions.add("sys", "uid");
    permissions.add("sys", "homedir");
  }
  return permissions;
}

/**
 * The permissions that the SDK needs to find the region, if neither an option
 * nor the queue's URL or ARN names it.
 *
 * @param env The environment.
 * @param found The region that the SDK found.
 */
export async function regionAccess(
  env: Environment,
  found: string,
): Promise<AwsAccess> {
  const permissions = new PermissionSet();
  const as = (source: string) => ({ source: `as ${source}`, permissions });
  if (env.AWS_REGION) return as("AWS_REGION says");
  const { profiles, files } = await readProfiles(env);
  const name = profileName(env);
  const profile = profiles.get(name) ?? {};
  if (profile.region !== undefined) {
    permissions.add("read", ...files);
    return as(`profile "${name}" says`);
  }
  // Only the instance's metadata can name another region.
  if (found !== (env.AWS_DEFAULT_REGION || "us-east-1")) {
    addServer(permissions, instanceUrl(env, profile), env);
    return as("the instance's metadata says");
  }
  if (env.AWS_DEFAULT_REGION) return as("AWS_DEFAULT_REGION says");
  // zsqs takes the default only if it may read the profiles.
  permissions.add("read", ...profileFiles(env));
  return as("nothing names another");
}

/**
 * The permissions that the SDK needs to find its credentials.
 *
 * @param env The environment.
 * @param region The region of the queue.
 */
export async function credentialAccess(
  env: Environment,
  region: string,
): Promise<AwsAccess> {
  return new Chain(env, region, await readProfiles(env)).follow();
}

/**
 * The permissions that this program does not have and that finding credentials
 * may need. The SDK skips each place that Deno denies, and reports in the end
 * that it found no credentials.
 */
export async function deniedAccess(): Promise<PermissionSet> {
  const { env } = process;
  const region = env.AWS_REGION || "us-east-1";
  const { permissions } = await credentialAccess(env, region);
  const denied = permissions.missing();
  denied.add("read", ...(await readProfiles(env)).denied);
  return denied;
}

/** The SDK's chain of places, in its order. */
class Chain {
  readonly #env: Environment;
  readonly #region: string;
  readonly #known: Profiles;
  readonly #permissions = new PermissionSet();
  #note: string | undefined;

  constructor(env: Environment, region: string, known: Profiles) {
    this.#env = env;
    this.#region = region;
    this.#known = known;
  }

  follow(): AwsAccess {
    const source = this.#source();
    return { source, permissions: this.#permissions, note: this.#note };
  }

  #source(): string {
    const env = this.#env;
    const hasKeys = env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY;
    if (hasKeys && !env.AWS_PROFILE) return "AWS_ACCESS_KEY_ID";
    const name = profileName(env);
    const how = this.#profile(name);
    if (how !== undefined) {
      this.#permissions.add("read", ...this.#known.files);
      return `profile "${name}"${how}`;
    }
    if (env.AWS_WEB_IDENTITY_TOKEN_FILE && env.AWS_ROLE_ARN) {
      this.#webIdentity(env.AWS_WEB_IDENTITY_TOKEN_FILE);
      return "AWS_WEB_IDENTITY_TOKEN_FILE";
    }
    return this.#remote();
  }

  /** How a profile gives credentials; `undefined` if it does not. */
  #profile(name: string, visited: readonly string[] = []): string | undefined {
    const profile = this.#known.profiles.get(name);
    if (profile === undefined || visited.includes(name)) return undefined;
    const isSource = visited.length > 0;
    const isStatic = profile.aws_access_key_id && profile.aws_secret_access_key;
    const { role_arn: role, credential_source: source } = profile;
    if (isStatic && isSource) return "";
    const isRole = role && (source || profile.source_profile);
    if (isRole || (source && isSource)) {
      return this.#assumedRole(profile, [...visited, name]);
    }
    if (isStatic) return "";
    if (role && profile.web_identity_token_file) {
      this.#webIdentity(profile.web_identity_token_file);
      return ", a role by web identity";
    }
    return this.#byHand(name, profile);
  }

  #assumedRole(profile: ProfileSettings, visited: readonly string[]): string {
    if (profile.role_arn !== undefined) {
      this.#sts(profile.region ?? this.#region);
    }
    const { credential_source: source, source_profile: name } = profile;
    if (!source) this.#profile(name!, visited);
    else if (source !== "Environment") this.#remote();
    return ", an assumed role";
  }

  #webIdentity(tokenFile: string): void {
    this.#permissions.add("read", tokenFile);
    this.#sts(this.#region);
  }

  #byHand(name: string, profile: ProfileSettings): string | undefined {
    const found = BY_HAND.find(([setting]) =>
      Object.keys(profile).some((key) => key.startsWith(setting))
    );
    if (found === undefined) return undefined;
    const [, way, flags] = found;
    const hint = flags.includes("REGION")
      ? ", with the REGION of the sign-in"
      : "";
    const added = flags.replaceAll("HOME/", () => `${homeFolder(this.#env)}/`);
    this.#note =
      `Profile "${name}" gets credentials by ${way}: add ${added}${hint}`;
    return `, ${way}`;
  }

  /** The role of a container or an instance. */
  #remote(): string {
    const {
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: full,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
      AWS_EC2_METADATA_DISABLED: disabled,
    } = this.#env;
    if (relative || full) {
      this.#server(relative ? CONTAINER_HOST : full!);
      if (tokenFile) this.#permissions.add("read", tokenFile);
      return "the container's role";
    }
    if (disabled && disabled !== "false") {
      return "nowhere, as there are none here";
    }
    const profile = this.#known.profiles.get(profileName(this.#env)) ?? {};
    this.#server(instanceUrl(this.#env, profile));
    return "the instance's role, as there are none here";
  }

  /** The service that assumes roles, or the server that the environment names. */
  #sts(region: string): void {
    const env = this.#env;
    const dualStack = env.AWS_USE_DUALSTACK_ENDPOINT === "true";
    const domain = awsDomain(region, { dualStack });
    const host = env.AWS_USE_FIPS_ENDPOINT === "true" ? "sts-fips" : "sts";
    this.#server(
      env.AWS_ENDPOINT_URL_STS || env.AWS_ENDPOINT_URL ||
        `https://${host}.${region}.${domain}`,
    );
  }

  #server(url: string): void {
    addServer(this.#permissions, url, this.#env);
  }
}

/**
 * Adds the permissions to call a server. With TLS and certificates from
 * `NODE_EXTRA_CA_CERTS`, Deno asks for a permission without a name: only
 * `--allow-sys` grants it.
 *
 * @param permissions The set to add to.
 * @param url The server's URL; ignored if malformed.
 * @param env The environment.
 */
export function addServer(
  permissions: PermissionSet,
  url: string,
  env: Environment,
): void {
  const server = URL.parse(url);
  if (server === null) return;
  permissions.add("net", hostOf(server));
  if (server.protocol === "https:" && env.AWS_CA_BUNDLE) {
    permissions.add("read", env.AWS_CA_BUNDLE);
  }
  if (server.protocol !== "https:" || !env.NODE_EXTRA_CA_CERTS) return;
  permissions.addAll("sys");
  permissions.add("env", "NODE_USE_SYSTEM_CA");
}

function profileName(env: Environment): string {
  return env.AWS_PROFILE || "default";
}

function instanceUrl(env: Environment, profile: ProfileSettings): string {
  const mode = env.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE ||
    profile.ec2_metadata_service_endpoint_mode;
  return env.AWS_EC2_METADATA_SERVICE_ENDPOINT ||
    profile.ec2_metadata_service_endpoint ||
    (mode === "IPv6" ? INSTANCE_HOST_IPV6 : INSTANCE_HOST);
}
